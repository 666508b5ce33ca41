// SPDX-License-Identifier: Apache-2.0
// What an eSwitch is told: which QP goes over which path when the NIC sees UDP source ports only,
// not destination QPs, and the paths that it is to make ready.
#include <stdio.h>
#include <string.h>

#include "cmocka_all.h"
#include "fleet_fixture.h"
#include "model/time.h"

#define QPS 4

static struct fleet *open_fleet(bool eswitch, const char *algorithm) {
    struct fleet_shape shape = {.clos_kind = "leaf-spine",
                                .leaves = 2,
                                .spines = 4,
                                .hosts_per_leaf = 1,
                                .cables = 1,
                                .probe_interval_ns = 20 * NS_PER_MS,
                                .seed = 1,
                                .eswitch = eswitch};
    struct fleet *fleet = fleet_fixture_open(&shape);
    char ranks[][NAME_SIZE] = {"h0", "h1"};
    struct job job = {.name = "split", .rank_count = 2, .ranks = ranks, .collective_count = 1};
    struct error error = {0};
    snprintf(job.algorithm, sizeof job.algorithm, "%s", algorithm);
    job.collectives[0] = (struct collective){.type = COLLECTIVE_ALLTOALL, .bytes = 1 << 20};
    fleet_run(fleet, 4 * NS_PER_S);
    if (fleet_submit(fleet, 0, &job, &error) != 0) {
        fail_msg("%s", error.text);
    }
    fleet_run(fleet, 4 * NS_PER_S);
    return fleet;
}

// QPs whose numbers share the low bits, so that by number all would take one path; their source
// ports differ.
static void see_qps(struct fleet *fleet, struct nic_qp qps[QPS], uint16_t first_sport) {
    struct engine *engine = fleet_engine(fleet, 0);
    const struct fabric *fabric = engine_fabric(engine);
    struct engine_event event = {.kind = ENGINE_QPS, .qps = {0, qps, QPS}};
    struct engine_effects effects;
    for (uint32_t i = 0; i < QPS; i++) {
        qps[i] = (struct nic_qp){.qp = 17 + RULE_BUCKETS * i, .sport = (uint16_t)(first_sport + i)};
        memcpy(qps[i].destination, fabric->ports[1].ipv6, 16);
    }
    assert_int_equal(engine_step(engine, fleet_now_ns(fleet), &event, &effects, NULL), 0);
}

static const struct rule *ipv6_rule(struct fleet *fleet) {
    struct engine *engine = fleet_engine(fleet, 0);
    const struct rule_set *rules = engine_rules(engine, 0);
    for (uint32_t i = 0; i < rules->rule_count; i++) {
        if (memcmp(rules->rules[i].match.destination, engine_fabric(engine)->ports[1].ipv6, 16) ==
            0) {
            return &rules->rules[i];
        }
    }
    fail_msg("no rule for h1");
    return NULL;
}

static void by_source_port_qps_with_equal_low_bits_spread_over_all_paths(void **state) {
    (void)state;
    struct fleet *fleet = open_fleet(true, "qp-scaling");
    struct nic_qp qps[QPS];
    unsigned used = 0;
    see_qps(fleet, qps, 0xc140);
    const struct rule *rule = ipv6_rule(fleet);
    assert_int_equal(rule->select, RULE_BUCKET_SPORT);
    assert_int_equal(rule->path_count, 4);
    for (uint32_t i = 0; i < QPS; i++) {
        uint32_t part = 99;
        assert_true(engine_flow_qp_part(fleet_engine(fleet, 0), 0, qps[i].qp, &part));
        assert_int_equal(part, rule->bucket[qps[i].sport % RULE_BUCKETS]);
        used |= 1U << part;
    }
    assert_int_equal(used, 0xf);
    fleet_close(fleet);
}

static void a_qp_that_was_not_seen_has_no_part_by_source_port(void **state) {
    (void)state;
    struct fleet *fleet = open_fleet(true, "qp-scaling");
    struct nic_qp qps[QPS];
    uint32_t part = 99;
    see_qps(fleet, qps, 0xc140);
    assert_false(engine_flow_qp_part(fleet_engine(fleet, 0), 0, 18, &part));
    assert_int_equal(part, 99);
    fleet_close(fleet);
}

static void a_qp_with_another_source_port_is_followed(void **state) {
    (void)state;
    struct fleet *fleet = open_fleet(true, "qp-scaling");
    struct nic_qp qps[QPS];
    unsigned used = 0;
    see_qps(fleet, qps, 0xc140);
    see_qps(fleet, qps, 0xc151);
    for (uint32_t i = 0; i < QPS; i++) {
        used |= 1U << ipv6_rule(fleet)->bucket[qps[i].sport % RULE_BUCKETS];
    }
    assert_int_equal(used, 0xf);
    fleet_close(fleet);
}

static void by_qp_the_source_port_means_nothing(void **state) {
    (void)state;
    struct fleet *fleet = open_fleet(false, "qp-scaling");
    struct nic_qp qps[QPS];
    uint32_t first = 99, part = 99;
    see_qps(fleet, qps, 0xc140);
    const struct rule *rule = ipv6_rule(fleet);
    assert_int_equal(rule->select, RULE_BUCKET_QP);
    assert_true(engine_flow_qp_part(fleet_engine(fleet, 0), 0, qps[0].qp, &first));
    assert_int_equal(first, rule->bucket[17]);
    for (uint32_t i = 1; i < QPS; i++) {
        assert_true(engine_flow_qp_part(fleet_engine(fleet, 0), 0, qps[i].qp, &part));
        assert_int_equal(part, first);
    }
    fleet_close(fleet);
}

static void the_path_that_a_flow_turns_to_was_a_spare_before(void **state) {
    (void)state;
    struct fleet *fleet = open_fleet(true, "shared");
    struct engine *engine = fleet_engine(fleet, 0);
    struct rule_set before;
    rule_set_init(&before);
    assert_int_equal(rule_set_copy(engine_rules(engine, 0), &before), 0);
    assert_int_equal(before.encap_count, 1);
    assert_int_equal(before.spare_count, 1);
    link_id link = engine_plan(engine)->parts[0].path.links[1];
    fleet_cut(fleet, link, true);
    fleet_cut(fleet, link_opposite(link), true);
    fleet_run(fleet, 100 * NS_PER_MS);
    const struct rule_set *after = engine_rules(engine, 0);
    assert_int_equal(after->encap_count, 1);
    assert_memory_equal(&after->encaps[0], &before.spares[0], sizeof(struct encap));
    rule_set_fini(&before);
    fleet_close(fleet);
}

static void a_nic_that_makes_encaps_at_once_is_told_no_spares(void **state) {
    (void)state;
    struct fleet *fleet = open_fleet(false, "shared");
    assert_int_equal(engine_rules(fleet_engine(fleet, 0), 0)->spare_count, 0);
    fleet_close(fleet);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_source_port_qps_with_equal_low_bits_spread_over_all_paths),
        cmocka_unit_test(a_qp_that_was_not_seen_has_no_part_by_source_port),
        cmocka_unit_test(a_qp_with_another_source_port_is_followed),
        cmocka_unit_test(by_qp_the_source_port_means_nothing),
        cmocka_unit_test(the_path_that_a_flow_turns_to_was_a_spare_before),
        cmocka_unit_test(a_nic_that_makes_encaps_at_once_is_told_no_spares),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
