// SPDX-License-Identifier: Apache-2.0
// When diagnosis sends: on a fabric of 2 leaves and 4 spines, called at its own deadlines only,
// with probes answered at once or swallowed.
#include "cmocka_all.h"

#include "diagnose.h"
#include "fabric_fixture.h"

#define MS NS_PER_MS
static const struct diagnosis_policy policy = {.probes_per_second = 100};

struct bench {
    struct fabric *fabric;
    struct diagnose diagnose;
    uint64_t now_ns;
    uint32_t swallow;        // so many of the next
    unsigned wakes, largest; // since the counters were cleared
    uint64_t sent_at_ns[512];
    unsigned sent;
};

static void on_verdict(void *context, struct locate_verdict *verdict) {
    (void)context;
    (void)verdict;
}

static int set_up(void **state) {
    struct bench *bench = calloc(1, sizeof *bench);
    bench->fabric = fixture_leaf_spine(2, 4, 1, 1, 1);
    bench->now_ns = NS_PER_S;
    assert_int_equal(diagnose_init(&bench->diagnose, bench->fabric, 1, bench->now_ns), 0);
    port_id own = {0};
    cable_id cables[4];
    uint32_t ports[4] = {0};
    for (unsigned i = 0; i < 4; i++) {
        char name[] = "leaf0>spine0";
        link_id link;
        name[11] = (char)('0' + i);
        assert_true(fabric_find_link(bench->fabric, name, &link));
        cables[i] = link_cable(link);
    }
    const struct diagnose_watch watch = {&own, 1, cables, ports, 4};
    assert_int_equal(diagnose_set_loops(&bench->diagnose, &watch, bench->now_ns), 0);
    *state = bench;
    return 0;
}

static int tear_down(void **state) {
    struct bench *bench = *state;
    diagnose_fini(&bench->diagnose);
    fabric_close(bench->fabric);
    free(bench);
    return 0;
}

static void step(struct bench *bench) {
    struct diagnose *diagnose = &bench->diagnose;
    diagnose_begin(diagnose);
    diagnose_tick(diagnose, bench->now_ns, &policy, on_verdict, NULL);
    bench->wakes += diagnose->out_count > 0;
    bench->largest = diagnose->out_count > bench->largest ? diagnose->out_count : bench->largest;
    for (uint32_t i = 0; i < diagnose->out_count; i++) {
        const struct engine_probe_result result = {.token = diagnose->out[i].token,
                                                   .sent_at_ns = bench->now_ns,
                                                   .received_at_ns = bench->now_ns + 12000};
        assert_true(bench->sent < 512);
        bench->sent_at_ns[bench->sent++] = bench->now_ns;
        if (bench->swallow > 0) {
            bench->swallow--;
        } else {
            diagnose_returned(diagnose, bench->now_ns, &result);
        }
    }
}

static void run(struct bench *bench, uint64_t span_ns) {
    uint64_t end_ns = bench->now_ns + span_ns;
    bench->wakes = bench->largest = bench->sent = 0;
    while (bench->diagnose.deadline_ns < end_ns) {
        bench->now_ns = bench->diagnose.deadline_ns;
        step(bench);
    }
    bench->now_ns = end_ns;
}

static void while_nothing_is_suspected_probes_leave_four_at_once(void **state) {
    struct bench *bench = *state;
    run(bench, 200 * MS);
    run(bench, NS_PER_S);
    assert_in_range(bench->sent, 96, 104); // the rate is kept
    assert_int_equal(bench->largest, DIAGNOSE_BATCH);
    assert_in_range(bench->wakes, 24, 26);
}

static void a_probe_that_is_due_leaves_when_the_agent_is_awake_anyway(void **state) {
    struct bench *bench = *state;
    run(bench, 200 * MS);
    bench->sent = 0;
    for (unsigned i = 0; i < 50; i++) { // for another reason
        bench->now_ns += 10 * MS;
        step(bench);
    }
    assert_in_range(bench->sent, 49, 54);
    assert_in_range(bench->largest, 1, DIAGNOSE_BATCH);
}

static void a_loss_is_repeated_at_once_and_ahead_of_time(void **state) {
    struct bench *bench = *state;
    run(bench, 3 * NS_PER_S); // what is lost before is address resolution
    uint64_t lost = bench->diagnose.lost;
    bench->swallow = 1;
    run(bench, 40 * MS);
    uint64_t lost_at_ns = bench->sent_at_ns[0];
    run(bench, lost_at_ns + DIAGNOSE_TIMEOUT_NS + 4 * DIAGNOSE_REPEAT_NS - bench->now_ns);
    assert_int_equal(bench->diagnose.lost, lost + 1);
    unsigned repeats = 0;
    for (unsigned i = 0; i < bench->sent; i++) {
        repeats += bench->sent_at_ns[i] >= lost_at_ns + DIAGNOSE_TIMEOUT_NS;
    }
    assert_in_range(repeats, 3, 3 + DIAGNOSE_BATCH);
    run(bench, NS_PER_S);
    assert_in_range(bench->sent, 90, 104); // and paid for
}

static void while_something_is_suspected_they_leave_one_by_one(void **state) {
    struct bench *bench = *state;
    run(bench, 3 * NS_PER_S);
    bench->swallow = 1;
    run(bench, 40 * MS);
    run(bench, 150 * MS); // it is known, and repeated
    assert_false(locate_is_calm(bench->diagnose.locate));
    run(bench, 200 * MS);
    assert_int_equal(bench->largest, 1);
    assert_in_range(bench->sent, 19, 21);
}

static void a_step_that_comes_late_takes_the_losses_back(void **state) {
    struct bench *bench = *state;
    run(bench, 3 * NS_PER_S);
    uint64_t lost = bench->diagnose.lost;
    bench->swallow = 4;
    run(bench, 40 * MS);
    bench->now_ns += 200 * MS; // not scheduled
    step(bench);
    run(bench, 200 * MS);
    assert_int_equal(bench->diagnose.lost, lost);
    assert_int_equal(bench->diagnose.late_windows, 1);
}

int main(void) {
#define WITH_BENCH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_BENCH(while_nothing_is_suspected_probes_leave_four_at_once),
        WITH_BENCH(a_probe_that_is_due_leaves_when_the_agent_is_awake_anyway),
        WITH_BENCH(a_loss_is_repeated_at_once_and_ahead_of_time),
        WITH_BENCH(while_something_is_suspected_they_leave_one_by_one),
        WITH_BENCH(a_step_that_comes_late_takes_the_losses_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
