// SPDX-License-Identifier: Apache-2.0
// A link that flaps: it is left at once, it is announced to be up a few times at most, and no path
// goes to and fro. Real engines in virtual time. SEED= reruns one run.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fleet_fixture.h"
#include "model/rng.h"
#include "model/time.h"

#define MINUTE_NS (60 * NS_PER_S)
#define UP_ANNOUNCEMENTS_MAX 8 // in the minute, of all observers and both directions
#define FIRST_DOWN_NS (25 * NS_PER_MS)
#define WATCH_NS (10 * NS_PER_MS)

static const struct fleet_shape shapes[] = {
    {.clos_kind = "leaf-spine",
     .leaves = 4,
     .spines = 4,
     .hosts_per_leaf = 2,
     .cables = 1,
     .probe_interval_ns = 3 * NS_PER_MS,
     .seed = 1},
    {.clos_kind = "leaf-spine",
     .leaves = 3,
     .spines = 2,
     .hosts_per_leaf = 3,
     .cables = 2,
     .probe_interval_ns = 3 * NS_PER_MS,
     .seed = 2},
    {.clos_kind = "three-tier",
     .pods = 2,
     .leaves_per_pod = 2,
     .aggs_per_pod = 2,
     .cores = 4,
     .hosts_per_leaf = 2,
     .cables = 1,
     .probe_interval_ns = 3 * NS_PER_MS,
     .seed = 3},
};

static uint64_t base_seed(void) {
    const char *text = getenv("SEED");
    uint64_t seed = text != NULL ? strtoull(text, NULL, 0) : 20261121;
    printf("SEED=%llu\n", (unsigned long long)seed);
    return seed;
}

static struct fleet *open_with_job(const struct fleet_shape *shape) {
    struct fleet *fleet = fleet_fixture_open(shape);
    fleet_run(fleet, 4 * NS_PER_S);
    struct job job;
    job_init(&job);
    memcpy(job.name, "demo", 5);
    job.all_ranks = true;
    job.collective_count = 1;
    job.collectives[0] = (struct collective){.type = COLLECTIVE_ALLTOALL, .bytes = 64 << 20};
    assert_int_equal(fleet_submit(fleet, 1, &job, NULL), 0);
    fleet_run(fleet, 200 * NS_PER_MS);
    return fleet;
}

static link_id some_link(struct rng *rng, const struct fabric *fabric) {
    link_id link;
    do {
        link.i = (uint32_t)rng_below(rng, fabric_link_count(fabric));
    } while (!fabric_link_is_internal(fabric, link));
    return link;
}

static uint32_t announced(const struct fleet *fleet, const char *kind) {
    uint32_t sum = 0;
    for (uint32_t host = 0; host < fleet_count(fleet); host++) {
        sum += fleet_notes(fleet, host, kind);
    }
    return sum;
}

static uint64_t moves(struct fleet *fleet) {
    uint64_t sum = 0;
    for (uint32_t host = 0; host < fleet_count(fleet); host++) {
        struct engine_stats stats;
        engine_stats(fleet_engine(fleet, host), &stats);
        sum += stats.moves_to_backup + stats.moves_by_plan;
    }
    return sum;
}

static bool all_believe(struct fleet *fleet, link_id link, bool down) {
    for (uint32_t host = 0; host < fleet_count(fleet); host++) {
        struct engine_link view;
        engine_link_at(fleet_engine(fleet, host), link, &view);
        if (view.belief.down != down) {
            return false;
        }
    }
    return true;
}

struct flapping {
    struct fleet *fleet;
    link_id link;
    bool both;
};

static void set(const struct flapping *flapping, bool cut) {
    fleet_cut(flapping->fleet, flapping->link, cut);
    fleet_cut(flapping->fleet, link_opposite(flapping->link), cut && flapping->both);
}

// Runs for a while; returns how often the first host came to believe that the link is up.
static uint32_t run_watching(const struct flapping *flapping, uint64_t span_ns) {
    uint32_t ups = 0;
    for (uint64_t spent_ns = 0; spent_ns < span_ns; spent_ns += WATCH_NS) {
        struct engine_link before, after;
        engine_link_at(fleet_engine(flapping->fleet, 0), flapping->link, &before);
        fleet_run(flapping->fleet, WATCH_NS);
        engine_link_at(fleet_engine(flapping->fleet, 0), flapping->link, &after);
        ups += before.belief.down && !after.belief.down;
    }
    return ups;
}

// Down and up again for half a period each, until the minute is over.
static uint32_t flap(const struct flapping *flapping, uint64_t period_ns) {
    uint32_t ups = 0;
    for (uint64_t spent_ns = 0; spent_ns < MINUTE_NS; spent_ns += period_ns) {
        set(flapping, true);
        ups += run_watching(flapping, period_ns / 2);
        set(flapping, false);
        ups += run_watching(flapping, period_ns - period_ns / 2);
    }
    return ups;
}

static void expect_quiet_minute(const struct fleet_shape *shape, struct rng *rng,
                                uint64_t period_ns) {
    struct fleet *fleet = open_with_job(shape);
    struct flapping flapping = {fleet, some_link(rng, fleet_fabric(fleet)), rng_below(rng, 2) == 0};
    fleet_run(fleet, rng_below(rng, 10 * NS_PER_MS));
    set(&flapping, true);
    fleet_run(fleet, FIRST_DOWN_NS); // the first time nothing waits
    assert_true(all_believe(fleet, flapping.link, true));
    uint64_t moved_first = moves(fleet);
    assert_int_equal(flap(&flapping, period_ns), 0);
    printf("every %llu ms: %u down, %u up announced; %llu moves first, %llu later\n",
           (unsigned long long)(period_ns / NS_PER_MS), announced(fleet, "link_down"),
           announced(fleet, "link_up"), (unsigned long long)moved_first,
           (unsigned long long)(moves(fleet) - moved_first));
    assert_true(announced(fleet, "link_up") <= UP_ANNOUNCEMENTS_MAX);
    if (flapping.both) {
        assert_int_equal(moves(fleet), moved_first);
    } else { // the other direction may have been blamed for a moment, and forgiven once
        assert_true(moves(fleet) <= 2 * moved_first);
    }
    uint64_t moved = moves(fleet);
    fleet_run(fleet, 3 * NS_PER_S); // it stands: all come back to it, once
    assert_true(all_believe(fleet, flapping.link, false));
    assert_true(moves(fleet) > moved && moves(fleet) <= moved + moved_first);
    fleet_close(fleet);
}

static void at_ten_a_second_nobody_comes_back_while_it_lasts(void **state) {
    (void)state;
    struct rng rng;
    rng_init(&rng, base_seed());
    for (unsigned shape = 0; shape < 3; shape++) {
        expect_quiet_minute(&shapes[shape], &rng, 100 * NS_PER_MS);
    }
}

static void at_one_a_second_neither(void **state) {
    (void)state;
    struct rng rng;
    rng_init(&rng, base_seed());
    for (unsigned shape = 0; shape < 3; shape++) {
        expect_quiet_minute(&shapes[shape], &rng, NS_PER_S);
    }
}

// Up long enough to be believed: twice, as the hold time doubles each time.
static void slower_flaps_come_back_less_and_less(void **state) {
    (void)state;
    struct rng rng;
    rng_init(&rng, base_seed());
    for (unsigned shape = 0; shape < 3; shape++) {
        struct fleet *fleet = open_with_job(&shapes[shape]);
        struct flapping flapping = {fleet, some_link(&rng, fleet_fabric(fleet)), true};
        uint64_t before = moves(fleet);
        set(&flapping, true);
        fleet_run(fleet, FIRST_DOWN_NS);
        uint64_t moved_first = moves(fleet) - before;
        uint32_t ups = flap(&flapping, 5 * NS_PER_S);
        printf("every 5 s: up for all %u times; %llu moves first, %llu in all\n", ups,
               (unsigned long long)moved_first, (unsigned long long)(moves(fleet) - before));
        assert_int_equal(ups, 2);
        assert_true(moves(fleet) - before <= (2 + 2 * ups) * moved_first);
        fleet_close(fleet);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(at_ten_a_second_nobody_comes_back_while_it_lasts),
        cmocka_unit_test(at_one_a_second_neither),
        cmocka_unit_test(slower_flaps_come_back_less_and_less),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
