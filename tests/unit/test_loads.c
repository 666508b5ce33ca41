// SPDX-License-Identifier: Apache-2.0
// What hosts say of how busy they are: who hears it, what it is made of, and that nothing else
// depends on it. Fleets of real engines in virtual time.
#include <stdio.h>
#include <string.h>

#include "cmocka_all.h"
#include "fleet_fixture.h"
#include "model/time.h"

static const struct fleet_shape shape = {.clos_kind = "leaf-spine",
                                         .leaves = 4,
                                         .spines = 2,
                                         .hosts_per_leaf = 2,
                                         .cables = 1,
                                         .probe_interval_ns = 20 * NS_PER_MS,
                                         .seed = 1};

static int set_up(void **state) {
    struct fleet *fleet = fleet_fixture_open(&shape);
    fleet_run(fleet, 4 * NS_PER_S);
    *state = fleet;
    return 0;
}

static int tear_down(void **state) {
    fleet_close(*state);
    return 0;
}

static void submit(struct fleet *fleet, const char *name, char (*ranks)[NAME_SIZE],
                   uint32_t count) {
    struct job job = {.rank_count = count, .ranks = ranks, .collective_count = 1};
    struct error error = {0};
    snprintf(job.name, sizeof job.name, "%s", name);
    job.collectives[0] = (struct collective){.type = COLLECTIVE_ALLTOALL, .bytes = 1 << 20};
    if (fleet_submit(fleet, 0, &job, &error) != 0) {
        fail_msg("%s", error.text);
    }
    fleet_run(fleet, 4 * NS_PER_S);
}

// The hosts whose load `host` knows, as digits: "01".
static const char *known_to(struct fleet *fleet, uint32_t host) {
    static char known[16];
    size_t length = 0;
    for (uint32_t i = 0; i < fleet_count(fleet); i++) {
        struct engine_load load;
        const char *name = fleet_fabric(fleet)->nodes[i].name;
        if (engine_member_load(fleet_engine(fleet, host), name, &load)) {
            known[length++] = name[1];
        }
    }
    known[length] = '\0';
    return known;
}

static void a_rack_shares_its_loads_and_no_other_hears_them(void **state) {
    assert_string_equal(known_to(*state, 0), "01");
    assert_string_equal(known_to(*state, 1), "01");
    assert_string_equal(known_to(*state, 6), "67");
}

static void a_job_shares_its_loads(void **state) {
    struct fleet *fleet = *state;
    char ranks[3][NAME_SIZE] = {"h0", "h5", "h6"};
    submit(fleet, "demo", ranks, 3);
    assert_string_equal(known_to(fleet, 0), "0156");
    assert_string_equal(known_to(fleet, 5), "0456");
    assert_string_equal(known_to(fleet, 1), "01");
    assert_string_equal(known_to(fleet, 3), "23");
}

static void loads_that_stay_are_told_every_four_seconds_and_forgotten_after_ten(void **state) {
    struct fleet *fleet = *state;
    struct engine_load load;
    uint64_t oldest_ns = 0;
    for (int i = 0; i < 100; i++) {
        fleet_run(fleet, 100 * NS_PER_MS);
        assert_true(engine_member_load(fleet_engine(fleet, 0), "h1", &load));
        oldest_ns = load.age_ns > oldest_ns ? load.age_ns : oldest_ns;
    }
    assert_in_range(oldest_ns, 3 * NS_PER_S, 6 * NS_PER_S);
    fleet_stop(fleet, 1);
    fleet_run(fleet, 4 * NS_PER_S);
    assert_string_equal(known_to(fleet, 0), "01");
    fleet_run(fleet, 7 * NS_PER_S);
    assert_string_equal(known_to(fleet, 0), "0");
}

// The NIC of host 0 counts: its first rule sent so many bytes until now.
static void count_bytes(struct fleet *fleet, uint64_t bytes) {
    const struct rule_set *rules = engine_rules(fleet_engine(fleet, 0), 0);
    assert_true(rules->rule_count > 0);
    struct nic_counter counter = {.match = rules->rules[0].match,
                                  .path = 0,
                                  .packets = bytes / 4096,
                                  .bytes = bytes};
    struct engine_event event = {.kind = ENGINE_COUNTERS, .counters = {0, &counter, 1}};
    assert_int_equal(fleet_event(fleet, 0, &event, NULL), 0);
}

static void what_the_nic_counts_is_what_the_others_hear(void **state) {
    struct fleet *fleet = *state;
    char ranks[3][NAME_SIZE] = {"h0", "h1", "h5"}; // h1 is on the same leaf: no flow of the fabric
    submit(fleet, "demo", ranks, 3);
    uint64_t changes = fleet_nic_changes(fleet, 0);
    uint64_t heard_bps = 0;
    count_bytes(fleet, 1000);
    for (uint64_t i = 1; i <= 40; i++) { // 12.5 MB in 100 ms are 1 Gbps
        struct engine_load load;
        fleet_run(fleet, 100 * NS_PER_MS);
        count_bytes(fleet, 1000 + i * 12500000);
        if (engine_member_load(fleet_engine(fleet, 5), "h0", &load)) {
            heard_bps = load.load.sent_bps;
            assert_int_equal(load.load.flow_count, 1);
        }
    }
    assert_in_range(heard_bps, 900000000, 1100000000);
    assert_true(fleet_nic_changes(fleet, 0) == changes); // no route depends on it
    fleet_run(fleet, 3 * NS_PER_S);
    struct engine_load load;
    assert_true(engine_member_load(fleet_engine(fleet, 5), "h0", &load));
    assert_int_equal(load.load.sent_bps, 0);
}

// ---- one engine alone

static void marked_probes_are_counted_as_a_share_of_those_that_returned(void **state) {
    struct fleet *fleet = *state;
    struct engine *engine = fleet_engine(fleet, 0);
    struct engine_effects effects;
    uint64_t now_ns = fleet_now_ns(fleet);
    unsigned returned = 0;
    for (int i = 0; i < 3000; i++) {
        struct engine_event tick = {.kind = ENGINE_TICK};
        now_ns += NS_PER_MS;
        assert_int_equal(engine_step(engine, now_ns, &tick, &effects, NULL), 0);
        struct engine_probe probes[64];
        uint32_t count = effects.probe_count < 64 ? effects.probe_count : 64;
        memcpy(probes, effects.probes, count * sizeof probes[0]);
        for (uint32_t p = 0; p < count; p++) {
            struct engine_event event = {.kind = ENGINE_PROBE_RETURNED,
                                         .probe = {.token = probes[p].token,
                                                   .sent_at_ns = now_ns,
                                                   .received_at_ns = now_ns,
                                                   .ce = returned++ % 4 == 0}};
            assert_int_equal(engine_step(engine, now_ns, &event, &effects, NULL), 0);
            event.probe.token += 1000000; // an answer to nothing does not count
            event.probe.ce = true;
            assert_int_equal(engine_step(engine, now_ns, &event, &effects, NULL), 0);
        }
    }
    struct engine_load load;
    assert_true(returned > 100);
    assert_true(engine_member_load(engine, "h0", &load));
    assert_in_range(load.load.ecn_ppm, 200000, 300000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_rack_shares_its_loads_and_no_other_hears_them),
        TEST(a_job_shares_its_loads),
        TEST(loads_that_stay_are_told_every_four_seconds_and_forgotten_after_ten),
        TEST(what_the_nic_counts_is_what_the_others_hear),
        TEST(marked_probes_are_counted_as_a_share_of_those_that_returned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
