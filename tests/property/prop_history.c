// SPDX-License-Identifier: Apache-2.0
// A link's history against a list of all that was ever said of it, and forecasts against lines
// whose end is known.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmocka_all.h"
#include "history.h"
#include "model/rng.h"
#include "model/time.h"
#include "trend.h"

#define SPAN_S 12000 // longer than the seconds reach
#define LINKS 200

struct said {
    bool any, rate_known, rtt_known, marks_known;
    uint64_t bytes, sent, lost, rtt_ns;
    uint32_t marked_ppm;
};

static struct said said[SPAN_S];
static struct history history;
static uint64_t seed = 1;

static int open_history(void **state) {
    (void)state;
    return history_init(&history, LINKS, HISTORY_SERIES_MAX);
}

static int close_history(void **state) {
    (void)state;
    history_fini(&history);
    return 0;
}

// A life of one link from second `begin_s` on, with silences.
static void live(struct rng *rng, uint64_t begin_s) {
    uint64_t sent = 0, lost = 0;
    bool silent = false;
    memset(said, 0, sizeof said);
    for (uint32_t i = 0; i < SPAN_S; i++) {
        struct said *one = &said[i];
        uint64_t now_ns = (begin_s + i) * NS_PER_S + NS_PER_S / 2;
        silent = rng_below(rng, 300) == 0 ? !silent : silent;
        if (silent && i > 0) {
            continue;
        }
        one->any = true;
        one->sent = rng_below(rng, 400);
        one->lost = one->sent > 0 && rng_below(rng, 4) == 0 ? rng_below(rng, one->sent + 1) : 0;
        one->rtt_known = one->sent > 0;
        one->rtt_ns = 1000 + rng_below(rng, 1000000);
        one->marks_known = rng_below(rng, 2) == 0;
        one->marked_ppm = (uint32_t)rng_below(rng, 1000001);
        sent += one->sent;
        lost += one->lost;
        struct history_reading reading = {sent, lost, one->rtt_ns, one->marks_known,
                                          one->marked_ppm};
        history_put(&history, now_ns, (link_id){7}, &reading);
    }
}

static void fold_by_hand(uint64_t first, uint64_t count, struct said *out, double *rtt,
                         double *marks) {
    uint64_t rtts = 0, marked = 0;
    *out = (struct said){.any = false};
    *rtt = *marks = 0;
    for (uint64_t i = first; i < first + count && i < SPAN_S; i++) {
        out->sent += said[i].sent;
        out->lost += said[i].lost;
        if (said[i].any && said[i].rtt_known) {
            *rtt += (double)said[i].rtt_ns;
            rtts++;
        }
        if (said[i].any && said[i].marks_known) {
            *marks += said[i].marked_ppm;
            marked++;
        }
    }
    out->rtt_known = rtts > 0;
    out->marks_known = marked > 0;
    *rtt /= rtts > 0 ? (double)rtts : 1;
    *marks /= marked > 0 ? (double)marked : 1;
}

static void check_fold(struct history_sample got, uint64_t first, uint64_t count) {
    struct said want;
    double rtt, marks;
    fold_by_hand(first, count, &want, &rtt, &marks);
    assert_int_equal((got.known & HISTORY_RTT) != 0, want.rtt_known);
    assert_int_equal((got.known & HISTORY_MARKED) != 0, want.marks_known);
    assert_int_equal((got.known & HISTORY_PROBES) != 0, want.sent > 0);
    if (want.sent <= UINT16_MAX) {
        assert_int_equal(got.sent, want.sent);
        assert_int_equal(got.lost, want.lost);
    } else { // in proportion
        double ratio = (double)want.lost / (double)want.sent;
        assert_true(fabs((double)got.lost / got.sent - ratio) < 0.001);
    }
    if (want.rtt_known && count <= 60) {
        assert_true(fabs(got.rtt_ns - rtt) <= 1);
    }
    if (want.marks_known && count <= 60) {
        assert_true(fabs(got.marked * 1e6 / UINT16_MAX - marks) < 40);
    }
}

static void what_is_seen_looking_back_is_what_was_said(void **state) {
    (void)state;
    struct rng rng;
    rng_init(&rng, seed);
    for (int round = 0; round < 5; round++) {
        uint64_t begin_s = 1 + rng_below(&rng, 100000);
        close_history(NULL);
        open_history(NULL);
        live(&rng, begin_s);
        const struct history_series *series = history_find(&history, (link_id){7});
        uint64_t now_ns = (begin_s + SPAN_S) * NS_PER_S;
        assert_non_null(series);
        uint64_t newest = series->last_s - begin_s;
        for (int i = 0; i < 2000; i++) { // seconds
            uint64_t step = 1 + rng_below(&rng, i % 10 == 0 ? 2000 : 60);
            uint64_t ago = step + rng_below(&rng, 3500 - step);
            if (ago - step + SPAN_S - newest < 3500) {
                check_fold(history_at(series, now_ns, ago, step), SPAN_S - ago, step);
            }
        }
        for (int i = 0; i < 200; i++) { // whole minutes
            uint64_t minute = begin_s / 60 + 2 + rng_below(&rng, (SPAN_S - 3700) / 60 - 3);
            uint64_t ago = now_ns / NS_PER_S - minute * 60;
            check_fold(history_at(series, now_ns, ago, 60), minute * 60 - begin_s, 60);
        }
    }
}

static void bytes_become_rates_and_idle_links_have_one_of_zero(void **state) {
    (void)state;
    link_id link = {3};
    struct history_reading nothing = {0};
    for (uint64_t i = 1; i <= 100; i++) {
        history_count(&history, i * NS_PER_S, link, i <= 50 ? 125000 : 0);
        history_put(&history, i * NS_PER_S, link, &nothing);
    }
    const struct history_series *series = history_find(&history, link);
    struct history_sample early = history_at(series, 101 * NS_PER_S, 60, 5);
    struct history_sample late = history_at(series, 101 * NS_PER_S, 20, 10);
    assert_int_equal(early.known, HISTORY_RATE);
    assert_int_equal(early.rate_kbps, 1000);
    assert_int_equal(late.known, HISTORY_RATE);
    assert_int_equal(late.rate_kbps, 0);
    for (uint64_t i = 101; i <= 110; i++) { // no own flow uses it any more: nothing is known
        history_put(&history, i * NS_PER_S, link, &nothing);
    }
    assert_int_equal(history_at(series, 111 * NS_PER_S, 10, 10).known, 0);
}

static void memory_is_bounded_and_the_silent_give_way(void **state) {
    (void)state;
    struct history_reading reading = {.sent = 1, .rtt_ns = 1};
    for (uint32_t i = 0; i < LINKS; i++) {
        history_put(&history, 100 * NS_PER_S, (link_id){i}, &reading);
    }
    assert_int_equal(history.series_count, HISTORY_SERIES_MAX);
    assert_int_equal(history.omitted, LINKS - HISTORY_SERIES_MAX);
    assert_true(history_size(&history) < 5300000);
    assert_true(sizeof(struct history_series) < 80640 + 128);
    for (uint64_t s = 101; s < 159; s++) { // all but link 5 go on
        for (uint32_t i = 0; i < HISTORY_SERIES_MAX; i++) {
            if (i != 5) {
                history_put(&history, s * NS_PER_S, (link_id){i}, &reading);
            }
        }
    }
    history_put(&history, 159 * NS_PER_S, (link_id){150}, &reading);
    assert_null(history_find(&history, (link_id){150})); // a second short of a minute
    history_put(&history, 160 * NS_PER_S, (link_id){150}, &reading);
    assert_non_null(history_find(&history, (link_id){150}));
    assert_null(history_find(&history, (link_id){5}));
    assert_int_equal(history.series_count, HISTORY_SERIES_MAX);
    history_put(&history, 170 * NS_PER_S, (link_id){LINKS}, &reading); // none of the fabric
}

static void a_day_of_silence_leaves_nothing(void **state) {
    (void)state;
    struct history_reading reading = {.sent = 10, .rtt_ns = 5};
    history_put(&history, 100 * NS_PER_S, (link_id){1}, &reading);
    reading.sent = 20;
    history_put(&history, (100 + 86400) * NS_PER_S, (link_id){1}, &reading);
    const struct history_series *series = history_find(&history, (link_id){1});
    uint64_t now_ns = (101 + 86400) * NS_PER_S;
    assert_int_equal(history_at(series, now_ns, 86000, 80000).known, 0);
    assert_int_equal(history_at(series, now_ns, 1, 1).sent, 10);
}

// ---- forecasts

static double noise(struct rng *rng) { // mean 0, about normal, deviation 1
    double sum = 0;
    for (int i = 0; i < 12; i++) {
        sum += (double)rng_below(rng, 1000001) / 1e6;
    }
    return sum - 6;
}

static uint32_t line(struct rng *rng, double start, double slope, double spread, double *times,
                     double *values) {
    for (uint32_t i = 0; i < 60; i++) {
        times[i] = 10.0 * i;
        values[i] = start + slope * times[i] + spread * noise(rng);
    }
    return 60;
}

static void a_line_is_followed_to_its_limit(void **state) {
    (void)state;
    struct rng rng;
    double times[60], values[60];
    unsigned within = 0, told = 0;
    rng_init(&rng, seed);
    for (int round = 0; round < 1000; round++) {
        struct trend trend;
        struct forecast forecast;
        double slope = 0.0001 + (double)rng_below(&rng, 1000) / 1e6; // of 1 a second
        uint32_t count = line(&rng, 0.1, slope, 0.01, times, values);
        double truth = (0.95 - (0.1 + slope * 590)) / slope;
        assert_true(trend_fit(times, values, count, &trend));
        if (trend_forecast(&trend, 0.95, 3600, &forecast)) {
            told++;
            within += forecast.earliest <= truth && truth <= forecast.latest;
            assert_true(forecast.earliest <= forecast.after && forecast.after <= forecast.latest);
        }
    }
    assert_true(told > 300);
    assert_true(within >= told * 95 / 100);
}

static void what_does_not_rise_is_never_said_to(void **state) {
    (void)state;
    struct rng rng;
    double times[60], values[60];
    unsigned told = 0;
    rng_init(&rng, seed);
    for (int round = 0; round < 20000; round++) {
        struct trend trend;
        struct forecast forecast;
        double slope = round % 2 == 0 ? 0 : -0.0005;
        uint32_t count = line(&rng, 0.8, slope, 0.02, times, values);
        assert_true(trend_fit(times, values, count, &trend));
        told += trend_forecast(&trend, 0.95, 3600, &forecast);
    }
    assert_int_equal(told, 0);
}

static void jumps_and_bursts_are_no_lines(void **state) {
    (void)state;
    double times[60], values[60];
    struct trend trend;
    struct forecast forecast;
    for (uint32_t i = 0; i < 60; i++) {
        times[i] = 10.0 * i;
        values[i] = i == 30 || i == 55 ? 0.9 : 0.2; // two bursts
    }
    assert_true(trend_fit(times, values, 60, &trend));
    assert_false(trend_forecast(&trend, 0.95, 3600, &forecast));
    for (uint32_t i = 0; i < 60; i++) {
        values[i] = 0.96; // there already
    }
    assert_true(trend_fit(times, values, 60, &trend));
    assert_false(trend_forecast(&trend, 0.95, 3600, &forecast));
    assert_false(trend_fit(times, values, TREND_POINTS_MIN - 1, &trend));
    memset(times, 0, sizeof times);
    assert_false(trend_fit(times, values, 60, &trend));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_history, close_history)

int main(void) {
    const char *wish = getenv("SEED");
    seed = wish != NULL ? strtoull(wish, NULL, 10) : seed;
    printf("seed %llu\n", (unsigned long long)seed);
    const struct CMUnitTest tests[] = {
        TEST(what_is_seen_looking_back_is_what_was_said),
        TEST(bytes_become_rates_and_idle_links_have_one_of_zero),
        TEST(memory_is_bounded_and_the_silent_give_way),
        TEST(a_day_of_silence_leaves_nothing),
        TEST(a_line_is_followed_to_its_limit),
        TEST(what_does_not_rise_is_never_said_to),
        TEST(jumps_and_bursts_are_no_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
