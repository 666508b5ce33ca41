// SPDX-License-Identifier: Apache-2.0
// The prober alone, on a fabric of 2 leaves and 2 spines, with probes answered or swallowed by
// hand.
#include "cmocka_all.h"

#include <string.h>

#include "fabric_fixture.h"
#include "model/time.h"
#include "prober.h"

#define MS NS_PER_MS
static const struct probe_policy policy = {.interval_ns = 3 * MS,
                                           .timeout_ns = 4 * MS,
                                           .up_hold_ns = 100 * MS,
                                           .up_hold_max_ns = 400 * MS,
                                           .loss_threshold = 2};

struct bench {
    struct fabric *fabric;
    struct prober prober;
    struct engine_stats stats;
    uint64_t now_ns;
    link_id up, down; // of the watched cable leaf0-spine0
    bool cut_up, cut_down, cut_host;
    unsigned verdicts;
};

static void on_verdict(void *context, link_id link, enum probe_state from, enum probe_state to) {
    struct bench *bench = context;
    (void)link;
    (void)from;
    (void)to;
    bench->verdicts++;
}

static int set_up(void **state) {
    struct bench *bench = calloc(1, sizeof *bench);
    bench->fabric = fixture_leaf_spine(2, 2, 1, 1, 1);
    bench->now_ns = 1000 * MS;
    assert_int_equal(prober_init(&bench->prober, bench->fabric, bench->now_ns), 0);
    assert_true(fabric_find_link(bench->fabric, "leaf0>spine0", &bench->up));
    bench->down = link_opposite(bench->up);
    cable_id cable = link_cable(bench->up);
    uint32_t port = 0;
    port_id own = {0};
    assert_int_equal(prober_set_targets(&bench->prober, &cable, &port, &own, 1, NULL, bench->now_ns,
                                        policy.interval_ns),
                     0);
    *state = bench;
    return 0;
}

static int tear_down(void **state) {
    struct bench *bench = *state;
    prober_fini(&bench->prober);
    fabric_close(bench->fabric);
    free(bench);
    return 0;
}

static bool swallowed(const struct bench *bench, const struct walk *walk) {
    for (unsigned i = 0; i < walk->link_count; i++) {
        if ((bench->cut_up && walk->links[i].i == bench->up.i) ||
            (bench->cut_down && walk->links[i].i == bench->down.i) || bench->cut_host) {
            return true;
        }
    }
    return false;
}

// Ticks each half millisecond; what is not swallowed answers at once.
static void run(struct bench *bench, uint64_t span_ns) {
    for (uint64_t end = bench->now_ns + span_ns; bench->now_ns < end; bench->now_ns += MS / 2) {
        prober_begin(&bench->prober);
        prober_tick(&bench->prober, bench->now_ns, &policy, &bench->stats, on_verdict, bench);
        for (uint32_t i = 0; i < bench->prober.out_count; i++) {
            uint64_t token = bench->prober.out[i].token;
            const struct outstanding_probe *probe =
                &bench->prober.outstanding[token % OUTSTANDING_MAX];
            if (!swallowed(bench, &bench->prober.targets[0].loops[probe->loop].walk)) {
                struct engine_probe_result result = {.token = token,
                                                     .sent_at_ns = bench->now_ns,
                                                     .received_at_ns = bench->now_ns + 50000};
                prober_returned(&bench->prober, bench->now_ns, &result, &policy, &bench->stats,
                                on_verdict, bench);
            }
        }
    }
}

static enum probe_state up_state(const struct bench *bench) {
    return bench->prober.links[bench->up.i].state;
}
static enum probe_state down_state(const struct bench *bench) {
    return bench->prober.links[bench->down.i].state;
}

static void an_answered_link_is_good(void **state) {
    struct bench *bench = *state;
    run(bench, 10 * MS);
    assert_int_equal(up_state(bench), PROBE_GOOD);
    assert_int_equal(down_state(bench), PROBE_GOOD);
    assert_int_equal(bench->stats.probes_lost, 0);
}

static void a_cut_cable_is_down_in_both_directions_within_three_intervals_and_a_half(void **state) {
    struct bench *bench = *state;
    run(bench, 10 * MS);
    bench->cut_up = bench->cut_down = true;
    run(bench, 3 * MS); // the first probe after the cut is not due yet
    assert_int_equal(up_state(bench), PROBE_GOOD);
    run(bench, 8 * MS);
    assert_int_equal(up_state(bench), PROBE_DOWN);
    assert_int_equal(down_state(bench), PROBE_DOWN);
}

static void a_one_way_cut_blames_that_direction_alone(void **state) {
    struct bench *bench = *state;
    run(bench, 10 * MS);
    bench->cut_down = true;
    run(bench, 50 * MS);
    assert_int_equal(down_state(bench), PROBE_DOWN);
    assert_int_equal(up_state(bench), PROBE_GOOD);
}

static void one_lost_probe_is_forgiven(void **state) {
    struct bench *bench = *state;
    run(bench, 10 * MS);
    bench->cut_up = true;
    run(bench, 3 * MS);
    bench->cut_up = false;
    run(bench, 20 * MS);
    assert_true(bench->stats.probes_lost >= 1);
    assert_int_equal(up_state(bench), PROBE_GOOD);
}

static void a_dead_host_cable_blames_no_fabric_link(void **state) {
    struct bench *bench = *state;
    run(bench, 10 * MS);
    bench->cut_host = true;
    run(bench, 100 * MS);
    assert_int_not_equal(up_state(bench), PROBE_DOWN);
    assert_int_not_equal(down_state(bench), PROBE_DOWN);
}

static void a_healed_link_is_held_before_it_is_good(void **state) {
    struct bench *bench = *state;
    run(bench, 10 * MS);
    bench->cut_up = bench->cut_down = true;
    run(bench, 20 * MS);
    bench->cut_up = bench->cut_down = false;
    run(bench, 95 * MS);
    assert_int_equal(up_state(bench), PROBE_HELD);
    run(bench, 15 * MS);
    assert_int_equal(up_state(bench), PROBE_GOOD);
}

static void each_flap_doubles_the_hold_up_to_its_limit(void **state) {
    struct bench *bench = *state;
    static const uint64_t holds[] = {100, 200, 400, 400};
    run(bench, 10 * MS);
    for (unsigned i = 0; i < 4; i++) {
        bench->cut_up = bench->cut_down = true;
        run(bench, 20 * MS);
        assert_int_equal(up_state(bench), PROBE_DOWN);
        bench->cut_up = bench->cut_down = false;
        run(bench, (holds[i] - 10) * MS);
        assert_int_equal(up_state(bench), PROBE_HELD);
        run(bench, 25 * MS);
        assert_int_equal(up_state(bench), PROBE_GOOD);
    }
}

static void a_step_that_comes_late_voids_the_probes_under_way(void **state) {
    struct bench *bench = *state;
    run(bench, 10 * MS);
    bench->cut_up = true;
    run(bench, 2 * MS);
    bench->cut_up = false;
    uint64_t lost = bench->stats.probes_lost;
    bench->now_ns += 50 * MS; // not scheduled
    run(bench, 20 * MS);
    assert_int_equal(bench->stats.probes_lost, lost);
    assert_true(bench->stats.late_windows >= 1);
    assert_int_equal(up_state(bench), PROBE_GOOD);
}

static void a_target_that_joins_later_leaves_with_the_others(void **state) {
    struct bench *bench = *state;
    uint32_t ports[] = {0, 0};
    port_id own = {0};
    link_id other;
    assert_true(fabric_find_link(bench->fabric, "leaf0>spine1", &other));
    cable_id cables[] = {link_cable(bench->up), link_cable(other)};
    run(bench, 10 * MS); // no multiple of the interval
    assert_int_equal(prober_set_targets(&bench->prober, cables, ports, &own, 2, NULL, bench->now_ns,
                                        policy.interval_ns),
                     0);
    assert_int_equal(bench->prober.targets[0].next_at_ns, bench->prober.targets[1].next_at_ns);
    run(bench, 50 * MS);
    assert_int_equal(bench->prober.targets[0].next_at_ns, bench->prober.targets[1].next_at_ns);
    assert_int_equal(bench->stats.probes_lost, 0);
}

static void once_all_is_answered_only_the_next_probe_is_waited_for(void **state) {
    struct bench *bench = *state;
    run(bench, 10 * MS);
    assert_int_equal(bench->prober.deadline_ns, bench->prober.targets[0].next_at_ns);
    bench->cut_up = true;
    run(bench, 3 * MS);
    assert_true(bench->prober.deadline_ns <= bench->now_ns + policy.timeout_ns);
}

static void losses_of_two_spans_ago_are_not_recent(void **state) {
    struct bench *bench = *state;
    run(bench, 10 * MS);
    bench->cut_up = true;
    run(bench, 50 * MS);
    bench->cut_up = false;
    assert_true(prober_recent(&bench->prober, bench->up).lost > 0);
    run(bench, PROBE_SPAN_NS); // the one before
    assert_true(prober_recent(&bench->prober, bench->up).lost > 0);
    run(bench, PROBE_SPAN_NS);
    assert_int_equal(prober_recent(&bench->prober, bench->up).lost, 0);
    assert_true(prober_recent(&bench->prober, bench->up).sent > 0);
    assert_true(bench->prober.links[bench->up.i].lost > 0);
}

static void an_answer_to_no_probe_is_counted_and_ignored(void **state) {
    struct bench *bench = *state;
    struct engine_probe_result result = {.token = 999999};
    prober_returned(&bench->prober, bench->now_ns, &result, &policy, &bench->stats, on_verdict,
                    bench);
    assert_int_equal(bench->stats.probes_unknown, 1);
    assert_int_equal(bench->verdicts, 0);
}

int main(void) {
#define WITH_BENCH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_BENCH(an_answered_link_is_good),
        WITH_BENCH(a_cut_cable_is_down_in_both_directions_within_three_intervals_and_a_half),
        WITH_BENCH(a_one_way_cut_blames_that_direction_alone),
        WITH_BENCH(one_lost_probe_is_forgiven),
        WITH_BENCH(a_dead_host_cable_blames_no_fabric_link),
        WITH_BENCH(a_healed_link_is_held_before_it_is_good),
        WITH_BENCH(each_flap_doubles_the_hold_up_to_its_limit),
        WITH_BENCH(a_step_that_comes_late_voids_the_probes_under_way),
        WITH_BENCH(a_target_that_joins_later_leaves_with_the_others),
        WITH_BENCH(once_all_is_answered_only_the_next_probe_is_waited_for),
        WITH_BENCH(losses_of_two_spans_ago_are_not_recent),
        WITH_BENCH(an_answer_to_no_probe_is_counted_and_ignored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
