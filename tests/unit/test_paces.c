// SPDX-License-Identifier: Apache-2.0
// Who of a job stays behind the others: a fleet of real engines whose NICs count what is put into
// them, in readings of 200 ms.
#include <stdio.h>
#include <string.h>

#include "cmocka_all.h"
#include "fleet_fixture.h"
#include "model/time.h"

#define HOSTS 8
#define STEP_NS (200 * NS_PER_MS)
#define STEP_BYTES 2500000 // 100 Mbit/s

static const struct fleet_shape shape = {.clos_kind = "leaf-spine",
                                         .leaves = 8,
                                         .spines = 2,
                                         .hosts_per_leaf = 1,
                                         .cables = 1,
                                         .probe_interval_ns = 20 * NS_PER_MS,
                                         .seed = 1};
static uint64_t sent[HOSTS];

static int set_up(void **state) {
    struct fleet *fleet = fleet_fixture_open(&shape);
    struct job job = {.name = "demo", .all_ranks = true, .collective_count = 1};
    struct error error = {0};
    fleet_run(fleet, 4 * NS_PER_S);
    job.collectives[0] = (struct collective){.type = COLLECTIVE_RING, .bytes = 1 << 20};
    if (fleet_submit(fleet, 0, &job, &error) != 0) {
        fail_msg("%s", error.text);
    }
    fleet_run(fleet, 4 * NS_PER_S);
    memset(sent, 0, sizeof sent);
    *state = fleet;
    return 0;
}

static int tear_down(void **state) {
    fleet_close(*state);
    return 0;
}

static void read_nic(struct fleet *fleet, uint32_t host) {
    const struct rule_set *rules = engine_rules(fleet_engine(fleet, host), 0);
    assert_true(rules->rule_count > 0);
    struct nic_counter counter = {.match = rules->rules[0].match,
                                  .packets = sent[host] / 4096,
                                  .bytes = sent[host]};
    struct engine_event event = {.kind = ENGINE_COUNTERS, .counters = {0, &counter, 1}};
    assert_int_equal(fleet_event(fleet, host, &event, NULL), 0);
}

// Percent of 100 Mbit/s by host, for a while.
static void send(struct fleet *fleet, const unsigned percent[HOSTS], uint64_t span_ns) {
    for (uint64_t done_ns = 0; done_ns < span_ns; done_ns += STEP_NS) {
        fleet_run(fleet, STEP_NS);
        for (uint32_t host = 0; host < HOSTS; host++) {
            sent[host] += STEP_BYTES * (uint64_t)percent[host] / 100;
            read_nic(fleet, host);
        }
    }
}

static uint32_t slow_notes(struct fleet *fleet) {
    return fleet_notes(fleet, 0, "rank_slow");
}

static void equal_ranks_are_none_of_them_slow(void **state) {
    static const unsigned percent[HOSTS] = {100, 98, 103, 100, 97, 90, 101, 104};
    struct engine_pace pace;
    send(*state, percent, 30 * NS_PER_S);
    engine_pace_at(fleet_engine(*state, 0), 0, &pace);
    assert_int_equal(pace.measured, HOSTS);
    assert_in_range(pace.median_bps, 95000000, 105000000);
    assert_int_equal(pace.slow_count, 0);
    assert_int_equal(slow_notes(*state), 0);
}

static void a_rank_at_half_the_pace_is_named_by_all_and_forgiven(void **state) {
    static const unsigned slow[HOSTS] = {100, 100, 100, 100, 100, 50, 100, 100};
    static const unsigned equal[HOSTS] = {100, 100, 100, 100, 100, 100, 100, 100};
    struct fleet *fleet = *state;
    struct engine_pace pace;
    send(fleet, equal, 10 * NS_PER_S);
    send(fleet, slow, 20 * NS_PER_S);
    for (uint32_t host = 0; host < HOSTS; host++) {
        engine_pace_at(fleet_engine(fleet, host), 0, &pace);
        assert_int_equal(pace.slow_count, 1);
        assert_int_equal(pace.slow[0].rank, 5);
        assert_in_range(pace.slow[0].pace_bps, 45000000, 55000000);
        assert_int_equal(fleet_notes(fleet, host, "rank_slow"), 1);
    }
    send(fleet, equal, 15 * NS_PER_S);
    engine_pace_at(fleet_engine(fleet, 0), 0, &pace);
    assert_int_equal(pace.slow_count, 0);
    assert_int_equal(fleet_notes(fleet, 0, "rank_caught_up"), 1);
}

// The others have sent their part of a round after one second of two and wait: all send the same.
static void who_makes_the_others_wait_is_slow_though_all_send_the_same(void **state) {
    static const unsigned begin[HOSTS] = {100, 100, 100, 50, 100, 100, 100, 100};
    static const unsigned end[HOSTS] = {0, 0, 0, 50, 0, 0, 0, 0};
    struct fleet *fleet = *state;
    struct engine_pace pace;
    for (int round = 0; round < 12; round++) {
        send(fleet, begin, NS_PER_S);
        send(fleet, end, NS_PER_S);
    }
    assert_true(sent[3] == sent[0]);
    engine_pace_at(fleet_engine(fleet, 6), 0, &pace);
    assert_int_equal(pace.slow_count, 1);
    assert_int_equal(pace.slow[0].rank, 3);
}

static void a_rank_that_sends_nothing_is_slow_while_the_others_send(void **state) {
    static const unsigned one[HOSTS] = {100, 100, 0, 100, 100, 100, 100, 100};
    static const unsigned none[HOSTS] = {0};
    struct engine_pace pace;
    send(*state, one, 25 * NS_PER_S);
    engine_pace_at(fleet_engine(*state, 0), 0, &pace);
    assert_int_equal(pace.slow_count, 1);
    assert_int_equal(pace.slow[0].rank, 2);
    assert_true(pace.slow[0].pace_bps == 0);
    send(*state, none, 20 * NS_PER_S); // the job pauses: nobody is behind
    engine_pace_at(fleet_engine(*state, 0), 0, &pace);
    assert_int_equal(pace.slow_count, 0);
    assert_int_equal(slow_notes(*state), 1);
}

static void a_short_pause_makes_nobody_slow(void **state) {
    static const unsigned equal[HOSTS] = {100, 100, 100, 100, 100, 100, 100, 100};
    static const unsigned slow[HOSTS] = {100, 100, 100, 100, 100, 100, 10, 100};
    for (int i = 0; i < 5; i++) {
        send(*state, equal, 8 * NS_PER_S);
        send(*state, slow, NS_PER_S);
    }
    send(*state, equal, 8 * NS_PER_S);
    assert_int_equal(slow_notes(*state), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(equal_ranks_are_none_of_them_slow),
        TEST(a_rank_at_half_the_pace_is_named_by_all_and_forgiven),
        TEST(who_makes_the_others_wait_is_slow_though_all_send_the_same),
        TEST(a_rank_that_sends_nothing_is_slow_while_the_others_send),
        TEST(a_short_pause_makes_nobody_slow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
