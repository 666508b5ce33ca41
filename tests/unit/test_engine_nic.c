// SPDX-License-Identifier: Apache-2.0
// What the engine makes of a NIC that fails, loses its rules, or turns out to be able to do more.
#include <string.h>

#include "cmocka_all.h"
#include "fleet_fixture.h"
#include "model/time.h"

#define VICTIM 2 // on the second leaf; host 0 sends to it

static const struct fleet_shape shape = {.clos_kind = "leaf-spine",
                                         .leaves = 2,
                                         .spines = 2,
                                         .hosts_per_leaf = 2,
                                         .cables = 1,
                                         .probe_interval_ns = 3 * NS_PER_MS,
                                         .seed = 1};

static int setup(void **state) {
    *state = fleet_fixture_open_steered(&shape);
    return 0;
}

static int teardown(void **state) {
    fleet_close(*state);
    return 0;
}

static void tell(struct fleet *sim, enum engine_event_kind kind) {
    struct engine_event event = {.kind = kind, .port = 0};
    assert_int_equal(fleet_event(sim, VICTIM, &event, NULL), 0);
}

static enum delivery to_victim(struct fleet *sim) {
    return fleet_send(sim, 0, VICTIM, 64, false, NULL);
}

static void expect_unhealthy(struct fleet *sim, const char *text) {
    struct error why = {0};
    assert_false(engine_healthy(fleet_engine(sim, VICTIM), &why));
    if (strstr(why.text, text) == NULL) {
        fail_msg("%s", why.text);
    }
}

static void a_failure_leaves_peers_steering_here(void **state) {
    struct fleet *sim = *state;
    assert_int_equal(to_victim(sim), DELIVERED);
    tell(sim, ENGINE_NIC_FAILED);
    fleet_run(sim, NS_PER_S);
    assert_int_equal(to_victim(sim), DELIVERED);
}

static void a_failure_is_one_until_a_set_goes_in(void **state) {
    struct fleet *sim = *state;
    assert_true(engine_healthy(fleet_engine(sim, VICTIM), NULL));
    tell(sim, ENGINE_NIC_FAILED);
    expect_unhealthy(sim, "rules of port 0");
    fleet_run(sim, 300 * NS_PER_MS); // asked for again, and no answer yet
    expect_unhealthy(sim, "rules of port 0");
    tell(sim, ENGINE_NIC_APPLIED);
    assert_true(engine_healthy(fleet_engine(sim, VICTIM), NULL));
}

static void after_a_loss_peers_send_plain_until_a_set_goes_in(void **state) {
    struct fleet *sim = *state;
    tell(sim, ENGINE_NIC_LOST);
    expect_unhealthy(sim, "rules of port 0");
    fleet_run(sim, 500 * NS_PER_MS);
    assert_int_equal(to_victim(sim), SENT_PLAIN);
    assert_int_equal(fleet_send(sim, 0, 3, 64, false, NULL), DELIVERED); // others are not concerned
    tell(sim, ENGINE_NIC_APPLIED);
    fleet_run(sim, 500 * NS_PER_MS);
    assert_int_equal(to_victim(sim), DELIVERED);
    assert_true(engine_healthy(fleet_engine(sim, VICTIM), NULL));
}

static void the_rules_are_asked_for_again_after_a_while(void **state) {
    struct fleet *sim = *state;
    struct engine *engine = fleet_engine(sim, VICTIM);
    struct engine_event lost = {.kind = ENGINE_NIC_LOST, .port = 0}, tick = {.kind = ENGINE_TICK};
    struct engine_effects effects;
    uint64_t now_ns = fleet_now_ns(sim);
    engine_step(engine, now_ns, &lost, &effects, NULL);
    engine_step(engine, now_ns + 200 * NS_PER_MS - 1, &tick, &effects, NULL);
    assert_false(effects.nic_dirty[0]);
    assert_true(engine_deadline_ns(engine) <= now_ns + 200 * NS_PER_MS);
    engine_step(engine, now_ns + 200 * NS_PER_MS, &tick, &effects, NULL);
    assert_true(effects.nic_dirty[0]);
}

static enum rule_select first_select(const struct engine *engine) {
    const struct rule_set *set = engine_rules(engine, 0);
    assert_true(set->rule_count > 0);
    for (uint32_t i = 0; i < set->rule_count; i++) {
        if (set->rules[i].path_count > 1) {
            return (enum rule_select)set->rules[i].select;
        }
    }
    return RULE_SINGLE;
}

static void rules_follow_what_the_nic_turns_out_to_do(void **state) {
    struct fleet *sim = *state;
    const struct engine *engine = fleet_engine(sim, 0);
    struct engine_config config = *engine_configuration(engine);
    struct engine_event event = {.kind = ENGINE_CONFIG, .config = &config};
    memcpy(config.algorithm, "spray", sizeof("spray"));
    assert_int_equal(fleet_event(sim, 0, &event, NULL), 0);
    fleet_run(sim, 300 * NS_PER_MS);
    assert_int_equal(first_select(engine), RULE_SPRAY);
    config.nic.spray = false;
    assert_int_equal(fleet_event(sim, 0, &event, NULL), 0);
    assert_int_equal(first_select(engine), RULE_BUCKET_QP);
    config.nic.per_qp = false;
    assert_int_equal(fleet_event(sim, 0, &event, NULL), 0);
    assert_int_equal(first_select(engine), RULE_BUCKET_SPORT);
    config.nic.encap_bytes_max = 39; // not even one carrier
    assert_int_equal(fleet_event(sim, 0, &event, NULL), 0);
    assert_int_equal(to_victim(sim), SENT_PLAIN);
    config.nic.encap_bytes_max = 40;
    assert_int_equal(fleet_event(sim, 0, &event, NULL), 0);
    assert_int_equal(to_victim(sim), DELIVERED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_failure_leaves_peers_steering_here),
        TEST(a_failure_is_one_until_a_set_goes_in),
        TEST(after_a_loss_peers_send_plain_until_a_set_goes_in),
        TEST(the_rules_are_asked_for_again_after_a_while),
        TEST(rules_follow_what_the_nic_turns_out_to_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
