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
    struct fleet *sim = fleet_fixture_open_steered(&shape);
    configure(sim, 3 * NS_PER_MS);
    fleet_run(sim, 100 * NS_PER_MS);
    *state = sim;
    return 0;
}

// Three hosts a leaf over four spines, and an algorithm that splits flows.
static int setup_parts(void **state) {
    struct fleet_shape three = shape;
    three.hosts_per_leaf = 3;
    *state = fleet_fixture_open_steered(&three);
    struct engine_config config = *engine_configuration(fleet_engine(*state, SENDER));
    memcpy(config.algorithm, "ethereal", sizeof "ethereal");
    struct engine_event event = {.kind = ENGINE_CONFIG, .config = &config};
    assert_int_equal(fleet_event(*state, SENDER, &event, NULL), 0);
    configure(*state, 3 * NS_PER_MS);
    return 0;
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

// ---- CNPs

static void idle_at_rest(struct fleet *sim) {
    struct engine_config config = *engine_configuration(fleet_engine(sim, SENDER));
    config.ecn.idle_interval_ns = 0; // only hints count
    struct engine_event event = {.kind = ENGINE_CONFIG, .config = &config};
    assert_int_equal(fleet_event(sim, SENDER, &event, NULL), 0);
    fleet_run(sim, NS_PER_S);
}

static struct engine_cnp cnp_of(struct fleet *sim, uint64_t count) {
    const struct fabric *fabric = engine_fabric(fleet_engine(sim, SENDER));
    struct engine_cnp cnp = {.count = count};
    memcpy(cnp.source, fabric->ports[engine_plan(fleet_engine(sim, SENDER))->flows[0].dst.i].ipv6,
           16);
    return cnp;
}

static void tell_cnps(struct fleet *sim, const struct engine_cnp *cnp, uint64_t of_port) {
    struct engine_event event = {.kind = ENGINE_CNPS,
                                 .cnps = {.cnps = cnp, .count = cnp != NULL, .of_port = of_port}};
    assert_int_equal(fleet_event(sim, SENDER, &event, NULL), 0);
}

static struct engine_stats stats_of(struct fleet *sim) {
    struct engine_stats stats;
    engine_stats(fleet_engine(sim, SENDER), &stats);
    return stats;
}

static void a_cnp_of_a_flow_has_its_path_looked_at(void **state) {
    struct fleet *sim = *state;
    link_id hot = first_hop(sim);
    idle_at_rest(sim);
    fleet_mark(sim, hot, true);
    fleet_run(sim, NS_PER_S);
    assert_int_equal(part_of(sim).choice, PART_PRIMARY);
    struct engine_cnp hint = cnp_of(sim, 0);
    tell_cnps(sim, &hint, 0);
    fleet_run(sim, 10 * NS_PER_MS);
    assert_int_equal(part_of(sim).choice, PART_BACKUP);
    assert_true(part_of(sim).hot && part_of(sim).by_cnp);
    assert_int_equal(fleet_notes(sim, SENDER, "cnps"), 1);
    assert_int_equal(fleet_notes(sim, SENDER, "ecn_left"), 1);
}

static void cnps_are_counted_where_the_path_is_known(void **state) {
    struct fleet *sim = *state;
    struct engine_cnp cnp = cnp_of(sim, 3);
    struct engine_link link;
    idle_at_rest(sim);
    assert_int_equal(engine_plan(fleet_engine(sim, SENDER))->flows[0].part_count, 1);
    tell_cnps(sim, &cnp, 0); // whatever the QP, there is but one path
    engine_link_at(fleet_engine(sim, SENDER), first_hop(sim), &link);
    assert_int_equal(part_of(sim).cnps, 3);
    assert_int_equal(link.cnps, 3);
    assert_int_equal(stats_of(sim).cnps_of_path, 3);
    assert_int_equal(part_of(sim).choice, PART_PRIMARY); // no probe was marked
}

static uint32_t flow_in_parts(const struct fleet *sim) {
    const struct plan *plan = engine_plan(fleet_engine((struct fleet *)sim, SENDER));
    for (uint32_t i = 0; i < plan->flow_count; i++) {
        if (plan->flows[i].part_count > 1) {
            return i;
        }
    }
    fail_msg("no flow has several parts");
    return 0;
}

static void of_a_flow_in_parts_the_qp_tells_the_path(void **state) {
    struct fleet *sim = *state;
    struct engine *engine = fleet_engine(sim, SENDER);
    uint32_t flow = flow_in_parts(sim), carrier = 0;
    struct engine_cnp cnp = {.count = 3};
    struct engine_part part;
    memcpy(cnp.source, engine_fabric(engine)->ports[engine_plan(engine)->flows[flow].dst.i].ipv6,
           16);
    tell_cnps(sim, &cnp, 0); // nobody knows of which QP
    cnp.qp_known = true;
    cnp.qp = 17;
    cnp.count = 5;
    tell_cnps(sim, &cnp, 0);
    assert_true(engine_flow_qp_part(engine, flow, 17, &carrier));
    for (uint32_t p = 0; p < engine_plan(engine)->flows[flow].part_count; p++) {
        engine_part_at(engine, flow, p, &part);
        assert_int_equal(part.cnps, p == carrier ? 5 : 0);
    }
    assert_int_equal(engine_flow_cnps_unplaced(engine, flow), 3);
    assert_int_equal(stats_of(sim).cnps_of_path, 5);
    assert_int_equal(stats_of(sim).cnps_of_pair, 3);
}

static void cnps_of_nobody_knows_whom_are_the_ports(void **state) {
    struct fleet *sim = *state;
    struct engine_cnp stranger = {.source = {0xfd, 1}, .count = 4};
    idle_at_rest(sim);
    uint64_t before = stats_of(sim).ecn_probes_sent;
    tell_cnps(sim, &stranger, 0);
    fleet_run(sim, NS_PER_S);
    assert_int_equal(stats_of(sim).cnps_of_port, 4);
    assert_int_equal(stats_of(sim).ecn_probes_sent, before);
    tell_cnps(sim, NULL, 2); // counted by the port
    fleet_run(sim, NS_PER_S);
    assert_int_equal(stats_of(sim).cnps_of_port, 6);
    assert_true(stats_of(sim).ecn_probes_sent >= before + 50);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(marks_move_the_flow_and_the_rules_and_are_told),
        CASE(it_returns_when_the_marks_end),
        CASE(a_backup_that_goes_down_sends_it_home_although_home_marks),
        CASE(switched_off_it_is_home_and_sends_no_marked_probe),
        CASE(a_cnp_of_a_flow_has_its_path_looked_at),
        CASE(cnps_are_counted_where_the_path_is_known),
        CASE(cnps_of_nobody_knows_whom_are_the_ports),
        cmocka_unit_test_setup_teardown(of_a_flow_in_parts_the_qp_tells_the_path, setup_parts,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
