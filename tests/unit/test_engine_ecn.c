// SPDX-License-Identifier: Apache-2.0
// What the engine makes of links that mark its probes: rules, events, and the place of verdicts.
#include <string.h>

#include "cmocka_all.h"
#include "fleet_fixture.h"
#include "model/time.h"

#define SENDER 0

static const struct fleet_shape shape = {.clos_kind = "leaf-spine",
                                         .leaves = 2,
                                         .spines = 4,
                                         .hosts_per_leaf = 1,
                                         .cables = 1,
                                         .probe_interval_ns = 3 * NS_PER_MS,
                                         .seed = 1};

static void configure(struct fleet *sim, uint64_t interval_ns) {
    struct engine_config config = *engine_configuration(fleet_engine(sim, SENDER));
    config.ecn = (struct ecn_policy){.interval_ns = interval_ns,
                                     .idle_interval_ns = interval_ns,
                                     .threshold_percent = 50,
                                     .probes = 6,
                                     .quiet_ns = NS_PER_S,
                                     .quiet_max_ns = 10 * NS_PER_S,
                                     .traffic_class = 0x6a};
    struct engine_event event = {.kind = ENGINE_CONFIG, .config = &config};
    assert_int_equal(fleet_event(sim, SENDER, &event, NULL), 0);
}

static int setup(void **state) {
    struct fleet *sim = fleet_fixture_open(&shape);
    struct job job;
    fleet_run(sim, 2 * NS_PER_S);
    job_init(&job);
    memcpy(job.name, "demo", 5);
    job.all_ranks = true;
    job.collective_count = 1;
    job.collectives[0] = (struct collective){.type = COLLECTIVE_ALLTOALL, .bytes = 64 << 20};
    int rc = fleet_submit(sim, 1, &job, NULL);
    job_fini(&job);
    fleet_run(sim, 500 * NS_PER_MS);
    configure(sim, 3 * NS_PER_MS);
    fleet_run(sim, 100 * NS_PER_MS);
    *state = sim;
    return rc;
}

static int teardown(void **state) {
    fleet_close(*state);
    return 0;
}

static struct engine_part part_of(struct fleet *sim) {
    struct engine_part part;
    engine_part_at(fleet_engine(sim, SENDER), 0, 0, &part);
    return part;
}

static link_id first_hop(struct fleet *sim) {
    return engine_plan(fleet_engine(sim, SENDER))->parts[0].path.links[1];
}

static void marks_move_the_flow_and_the_rules_and_are_told(void **state) {
    struct fleet *sim = *state;
    link_id hot = first_hop(sim);
    assert_int_equal(part_of(sim).choice, PART_PRIMARY);
    fleet_mark(sim, hot, true);
    fleet_run(sim, 20 * NS_PER_MS);
    struct engine_part part = part_of(sim);
    assert_int_equal(part.choice, PART_BACKUP);
    assert_true(part.hot && part.cause.i == hot.i && part.hot_ppm > 500000);
    assert_int_equal(fleet_notes(sim, SENDER, "ecn_left"), 1);
    assert_int_equal(fleet_send(sim, SENDER, 1, 64, false, NULL), DELIVERED);
    fleet_cut(sim, hot, true); // the rules lead elsewhere: nothing is lost on it
    assert_int_equal(fleet_send(sim, SENDER, 1, 64, false, NULL), DELIVERED);
    struct engine_link link;
    engine_link_at(fleet_engine(sim, SENDER), hot, &link);
    assert_true(link.ecn_known && link.ecn_ppm > 100000);
}

static void it_returns_when_the_marks_end(void **state) {
    struct fleet *sim = *state;
    link_id hot = first_hop(sim);
    fleet_mark(sim, hot, true);
    fleet_run(sim, 20 * NS_PER_MS);
    fleet_mark(sim, hot, false);
    fleet_run(sim, 58 * NS_PER_S);
    assert_int_equal(part_of(sim).choice, PART_BACKUP);
    fleet_run(sim, 4 * NS_PER_S);
    assert_int_equal(part_of(sim).choice, PART_PRIMARY);
    assert_int_equal(fleet_notes(sim, SENDER, "ecn_returned"), 1);
}

static void a_backup_that_goes_down_sends_it_home_although_home_marks(void **state) {
    struct fleet *sim = *state;
    link_id hot = first_hop(sim);
    fleet_mark(sim, hot, true);
    fleet_run(sim, 20 * NS_PER_MS);
    struct engine_part part = part_of(sim);
    assert_true(part.hot);
    fleet_cut(sim, part.path->links[1], true);
    fleet_run(sim, 100 * NS_PER_MS);
    part = part_of(sim);
    assert_int_equal(part.choice, PART_PRIMARY);
    assert_int_equal(fleet_send(sim, SENDER, 1, 64, false, NULL), DELIVERED);
}

static void switched_off_it_is_home_and_sends_no_marked_probe(void **state) {
    struct fleet *sim = *state;
    struct engine_stats before, after;
    fleet_mark(sim, first_hop(sim), true);
    fleet_run(sim, 20 * NS_PER_MS);
    assert_true(part_of(sim).hot);
    configure(sim, 0);
    assert_int_equal(part_of(sim).choice, PART_PRIMARY);
    engine_stats(fleet_engine(sim, SENDER), &before);
    fleet_run(sim, NS_PER_S);
    engine_stats(fleet_engine(sim, SENDER), &after);
    assert_true(before.ecn_probes_sent > 0 && before.ecn_probes_marked > 0);
    assert_int_equal(after.ecn_probes_sent, before.ecn_probes_sent);
    assert_int_equal(part_of(sim).choice, PART_PRIMARY);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(marks_move_the_flow_and_the_rules_and_are_told),
        CASE(it_returns_when_the_marks_end),
        CASE(a_backup_that_goes_down_sends_it_home_although_home_marks),
        CASE(switched_off_it_is_home_and_sends_no_marked_probe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
