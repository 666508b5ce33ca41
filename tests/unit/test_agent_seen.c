// SPDX-License-Identifier: Apache-2.0
// What the control socket tells of histories, of settings and of who is slow, from a real engine
// among others.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent_bed.h"
#include "cmocka_all.h"
#include "model/time.h"

static struct agent_bed *bed;

static int set_up(void **state) {
    (void)state;
    bed = agent_bed_open();
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    agent_bed_close(bed);
    return 0;
}

// Keys that must be there, apart by spaces.
static void has(const json_t *object, const char *keys) {
    char copy[512], *save = NULL;
    snprintf(copy, sizeof copy, "%s", keys);
    for (char *key = strtok_r(copy, " ", &save); key; key = strtok_r(NULL, " ", &save)) {
        if (json_object_get(object, key) == NULL) {
            fail_msg("no %s", key);
        }
    }
}

static void history_is_of_links_and_tells_what_is_not_known(void **state) {
    (void)state;
    struct control_refusal refusal = {0};
    agent_bed_run(bed, 5 * NS_PER_S);
    json_t *all = agent_bed_ask(bed, "history", NULL, &refusal);
    has(all, "series since_ns memory_bytes omitted");
    json_t *list = json_object_get(all, "series"), *series;
    size_t index;
    bool uplink = false;
    json_array_foreach(list, index, series) {
        has(series, "link rate_bps rtt_ns probes_sent probes_lost loss_ppm ecn_ppm mean "
                    "capacity_bps forecast");
        if (strcmp(json_string_value(json_object_get(series, "link")), "h0>leaf0") == 0) {
            uplink = true;
            assert_true(json_is_integer(json_object_get(series, "rate_bps")));
        }
    }
    assert_true(uplink);
    json_decref(all);
    json_t *one =
        agent_bed_ask(bed, "history", "{\"link\":\"h0>leaf0\",\"since_ns\":4000000000}", &refusal);
    json_t *link = json_array_get(json_object_get(one, "links"), 0);
    has(link, "link step_ns forecast points");
    assert_int_equal(json_integer_value(json_object_get(link, "step_ns")), NS_PER_S);
    assert_true(json_array_size(json_object_get(link, "points")) >= 4);
    has(json_array_get(json_object_get(link, "points"), 1), "ago_ns rate_bps probes_sent");
    json_decref(one);
    assert_null(agent_bed_ask(bed, "history", "{\"link\":\"leaf0>spine9\"}", &refusal));
    assert_non_null(strstr(refusal.text, "leaf0>spine9"));
    assert_null(agent_bed_ask(bed, "history", "{\"since_ns\":-1}", &refusal));
    assert_int_equal(refusal.exit_code, 2);
    assert_null(agent_bed_ask(bed, "history", "{\"points\":1000000}", &refusal));
}

static void audit_tells_of_each_setting_what_most_have(void **state) {
    (void)state;
    struct control_refusal refusal = {0};
    for (uint32_t host = 0; host < 8; host++) {
        struct host_facts facts = {.count = 0};
        host_facts_add(&facts, HOST_MTU, 0, host == 3 ? "1500" : "9000");
        struct engine_event event = {.kind = ENGINE_HOST_FACTS, .host_facts = &facts};
        if (host != 5) {
            assert_int_equal(fleet_event(bed->sim, host, &event, NULL), 0);
        }
    }
    agent_bed_run(bed, 6 * NS_PER_S);
    json_t *audit = agent_bed_ask(bed, "audit", NULL, &refusal);
    has(audit, "consistent hosts odd_count split_count settings silent");
    assert_true(json_is_false(json_object_get(audit, "consistent")));
    json_t *mtu = json_array_get(json_object_get(audit, "settings"), HOST_MTU);
    has(mtu, "setting verdict common common_count known unknown values odd");
    char *text = json_dumps(json_object_get(mtu, "odd"), JSON_COMPACT);
    assert_string_equal(text, "[{\"host\":\"h3\",\"ports\":[\"h3\"],\"value\":\"1500\"}]");
    free(text);
    text = json_dumps(json_object_get(audit, "silent"), JSON_COMPACT);
    assert_string_equal(text, "[\"h5\"]");
    free(text);
    json_decref(audit);
    assert_int_equal(fleet_notes(bed->sim, 7, "qos_odd"), 1);
    struct host_facts facts = {.count = 0};
    host_facts_add(&facts, HOST_MTU, 0, "9000");
    struct engine_event event = {.kind = ENGINE_HOST_FACTS, .host_facts = &facts};
    assert_int_equal(fleet_event(bed->sim, 3, &event, NULL), 0);
    agent_bed_run(bed, 6 * NS_PER_S);
    assert_int_equal(fleet_notes(bed->sim, 7, "qos_odd"), 1);
    assert_int_equal(fleet_notes(bed->sim, 7, "qos_agreed"), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(history_is_of_links_and_tells_what_is_not_known),
        TEST(audit_tells_of_each_setting_what_most_have),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
