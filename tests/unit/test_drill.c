// SPDX-License-Identifier: Apache-2.0
// The pure side of the drills: blast radius, safety limits, verdicts, the journal.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "drill.h"
#include "fleet.h"
#include "journal.h"
#include "report.h"
#include "safety.h"
#include "tool/json.h"

// Two leaves, two spines, a host on each leaf; h0>h1 half over each spine.
static const char healthy[] =
    "{\"agents\":{\"h0\":{\"status\":{\"healthy\":true,\"members\":{\"alive\":3},"
    "\"links\":{\"down\":0,\"own_down\":0},\"nic\":{\"plain_roce\":5}},"
    "\"links\":{\"links\":["
    "{\"link\":\"leaf0>spine0\",\"state\":\"up\"},{\"link\":\"spine0>leaf0\",\"state\":\"up\"},"
    "{\"link\":\"leaf0>spine1\",\"state\":\"up\"},{\"link\":\"spine1>leaf0\",\"state\":\"up\"},"
    "{\"link\":\"leaf1>spine0\",\"state\":\"up\"},{\"link\":\"spine0>leaf1\",\"state\":\"up\"},"
    "{\"link\":\"leaf1>spine1\",\"state\":\"up\"},{\"link\":\"spine1>leaf1\",\"state\":\"up\"}]},"
    "\"flows\":{\"flows\":[{\"flow\":\"h0>h1\",\"bytes\":1000,\"parts\":["
    "{\"share\":0.5,\"state\":\"primary\",\"packets\":10,"
    "\"nodes\":[\"h0\",\"leaf0\",\"spine0\",\"leaf1\",\"h1\"]},"
    "{\"share\":0.5,\"state\":\"primary\",\"packets\":10,"
    "\"nodes\":[\"h0\",\"leaf0\",\"spine1\",\"leaf1\",\"h1\"]}]}]},"
    "\"members\":{\"members\":[{\"name\":\"h0\",\"state\":\"alive\",\"rack\":\"leaf0\"},"
    "{\"name\":\"h1\",\"state\":\"alive\",\"rack\":\"leaf1\"}]}},"
    "\"h1\":{\"status\":{\"healthy\":true,\"members\":{\"alive\":3},"
    "\"links\":{\"down\":0,\"own_down\":0}},\"links\":{\"links\":[]},"
    "\"flows\":{\"flows\":[{\"flow\":\"h1>h0\",\"bytes\":1000,\"parts\":["
    "{\"share\":1.0,\"state\":\"primary\",\"packets\":7,"
    "\"nodes\":[\"h1\",\"leaf1\",\"spine1\",\"leaf0\",\"h0\"]}]}]},"
    "\"members\":{\"members\":[]}},"
    "\"h2\":{\"status\":{\"healthy\":true,\"members\":{\"alive\":3},"
    "\"links\":{\"down\":0,\"own_down\":0}}}},\"unreachable\":[]}";

static json_t *load(const char *text) {
    json_error_t error;
    json_t *document = json_loads(text, 0, &error);
    if (document == NULL) {
        fail_msg("%d: %s", error.position, error.text);
    }
    return document;
}

static json_t *agent_of(json_t *fleet, const char *host) {
    return json_object_get(json_object_get(fleet, "agents"), host);
}

static json_t *link_of_name(json_t *fleet, const char *name) {
    size_t index;
    json_t *link;
    json_array_foreach(json_object_get(json_object_get(agent_of(fleet, "h0"), "links"), "links"),
                       index, link) {
        if (strcmp(tool_json_text(link, "link", ""), name) == 0) {
            return link;
        }
    }
    return NULL;
}

static json_t *first_flow(json_t *fleet, const char *host) {
    return json_array_get(json_object_get(json_object_get(agent_of(fleet, host), "flows"), "flows"),
                          0);
}

static struct drill_request cut_of(const char *link) {
    return (struct drill_request){.drill = &drill_link_cut,
                                  .operands = {link},
                                  .operand_count = 1,
                                  .for_ns = 5000000000ULL};
}

static json_t *plan_of(const struct drill_request *request, const json_t *fleet) {
    char problem[256] = "";
    json_t *plan = request->drill->plan(request, fleet, problem);
    assert_string_equal(problem, "");
    assert_non_null(plan);
    return plan;
}

static void a_cut_of_a_cable_hits_both_directions(void **state) {
    (void)state;
    json_t *fleet = load(healthy);
    struct drill_request request = cut_of("leaf0-spine1");
    json_t *plan = plan_of(&request, fleet);
    assert_int_equal(json_array_size(tool_json_array(plan, "links")), 2);
    const json_t *flows = tool_json_array(plan, "flows");
    assert_int_equal(json_array_size(flows), 2);
    assert_string_equal(tool_json_text(json_array_get(flows, 0), "flow", ""), "h0>h1");
    assert_true(tool_json_real(json_array_get(flows, 0), "share", 0) == 0.5);
    assert_true(tool_json_bool(json_array_get(flows, 0), "other_path", false));
    assert_string_equal(tool_json_text(json_array_get(flows, 1), "flow", ""), "h1>h0");
    assert_false(tool_json_bool(json_array_get(flows, 1), "other_path", true));
    json_decref(plan);
    json_decref(fleet);
}

static void a_cut_of_a_direction_hits_only_that_one(void **state) {
    (void)state;
    json_t *fleet = load(healthy);
    struct drill_request request = cut_of("leaf0>spine1");
    json_t *plan = plan_of(&request, fleet);
    assert_int_equal(json_array_size(tool_json_array(plan, "links")), 1);
    assert_int_equal(json_array_size(tool_json_array(plan, "flows")), 1);
    json_decref(plan);
    request = cut_of("spine1-leaf0");
    request.one_way = true;
    plan = plan_of(&request, fleet);
    assert_string_equal(tool_json_text(json_array_get(tool_json_array(plan, "flows"), 0), "flow",
                                       ""),
                        "h1>h0");
    json_decref(plan);
    json_decref(fleet);
}

static void a_link_that_does_not_exist_is_named(void **state) {
    (void)state;
    json_t *fleet = load(healthy);
    static const char *const names[] = {"leaf0-spine9", "leaf0-leaf1", "leaf0", "", "-", ">"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct drill_request request = cut_of(names[i]);
        char problem[256] = "";
        assert_null(drill_link_cut.plan(&request, fleet, problem));
        assert_non_null(strstr(problem, "no such link between switches"));
    }
    json_decref(fleet);
}

static void a_backup_over_the_same_pair_is_no_other_path(void **state) {
    (void)state;
    json_t *fleet = load(healthy);
    json_t *part = json_array_get(json_object_get(first_flow(fleet, "h1"), "parts"), 0);
    struct drill_request request = cut_of("leaf0-spine1");
    json_object_set_new(part, "backup_links", json_pack("[s,s]", "leaf1-spine1", "leaf0-spine1.1"));
    json_t *plan = plan_of(&request, fleet);
    assert_false(
        tool_json_bool(json_array_get(tool_json_array(plan, "flows"), 1), "other_path", true));
    json_decref(plan);
    json_object_set_new(part, "backup_links", json_pack("[s,s]", "leaf1-spine0", "leaf0-spine0"));
    plan = plan_of(&request, fleet);
    assert_true(
        tool_json_bool(json_array_get(tool_json_array(plan, "flows"), 1), "other_path", false));
    json_decref(plan);
    json_decref(fleet);
}

static json_t *refusals(json_t *fleet, const char *link) {
    struct drill_request request = cut_of(link);
    json_t *plan = plan_of(&request, fleet), *reasons = json_array();
    safety_check(fleet, reasons);
    drill_link_cut.refuse(fleet, plan, reasons);
    json_decref(plan);
    return reasons;
}

static void expect_refusal(json_t *fleet, const char *link, const char *sentence) {
    json_t *reasons = refusals(fleet, link);
    char text[2048];
    tool_json_join(reasons, "\n", text, sizeof text);
    json_decref(reasons);
    if (strstr(text, sentence) == NULL) {
        fail_msg("`%s` is not in: %s", sentence, text);
    }
}

static void a_healthy_fleet_is_not_refused(void **state) {
    (void)state;
    json_t *fleet = load(healthy);
    json_t *reasons = refusals(fleet, "leaf0-spine0");
    assert_int_equal(json_array_size(reasons), 0);
    json_decref(reasons);
    json_decref(fleet);
}

static void the_last_live_path_of_a_leaf_is_not_cut(void **state) {
    (void)state;
    json_t *fleet = load(healthy);
    json_object_set_new(link_of_name(fleet, "leaf0>spine1"), "state", json_string("down"));
    expect_refusal(fleet, "leaf0-spine0", "it is the last live path of leaf0");
    json_decref(fleet);
    fleet = load(healthy); // the way in counts as much as the way out
    json_object_set_new(link_of_name(fleet, "spine1>leaf0"), "state", json_string("drained"));
    expect_refusal(fleet, "leaf0-spine0", "it is the last live path of leaf0");
    json_decref(fleet);
}

static void a_broken_or_unwell_fleet_is_left_alone(void **state) {
    (void)state;
    json_t *fleet = load(healthy);
    json_object_set_new(link_of_name(fleet, "leaf1>spine1"), "state", json_string("drained"));
    expect_refusal(fleet, "leaf0-spine0", "the link leaf1>spine1 is drained already");
    json_decref(fleet);
    fleet = load(healthy);
    json_object_set_new(json_object_get(agent_of(fleet, "h1"), "status"), "healthy", json_false());
    json_object_set_new(json_object_get(agent_of(fleet, "h1"), "status"), "reason",
                        json_string("no probe returned"));
    expect_refusal(fleet, "leaf0-spine0", "h1 is not healthy: no probe returned");
    json_decref(fleet);
    fleet = load(healthy);
    json_array_append_new(json_object_get(fleet, "unreachable"), json_string("h3: silent"));
    expect_refusal(fleet, "leaf0-spine0", "h3: silent");
    json_decref(fleet);
    fleet = load(healthy);
    json_object_set_new(json_array_get(json_object_get(json_object_get(agent_of(fleet, "h0"),
                                                                       "members"),
                                                       "members"),
                                       1),
                        "state", json_string("suspect"));
    expect_refusal(fleet, "leaf0-spine0", "h0 knows h1 as suspect");
    json_decref(fleet);
}

static void a_flow_without_another_path_is_not_cut(void **state) {
    (void)state;
    json_t *fleet = load(healthy);
    expect_refusal(fleet, "leaf0-spine1", "flow h1>h0 has no other path");
    json_decref(fleet);
}

// Judges a cut of leaf0-spine0 whose middle looks like `during` and gives the deviations' text.
static char deviations_text[2048];

static json_t *judge(json_t *before, json_t *during, const char *events) {
    struct drill_request request = cut_of("leaf0-spine0");
    json_t *plan = plan_of(&request, before), *report = json_object(), *deviations = json_array();
    json_t *record =
        json_pack("{s:O,s:O,s:O,s:i,s:i,s:o}", "before", before, "during", during, "after", before,
                  "inject_begin_ns", 1000, "inject_end_ns", 2000, "events", load(events));
    drill_link_cut.judge(plan, record, report, deviations);
    tool_json_join(deviations, "\n", deviations_text, sizeof deviations_text);
    json_decref(record);
    json_decref(deviations);
    json_decref(plan);
    return report;
}

static json_t *moved_fleet(void) {
    json_t *during = load(healthy);
    json_t *part = json_array_get(json_object_get(first_flow(during, "h0"), "parts"), 0);
    json_object_set_new(part, "state", json_string("backup"));
    json_object_set_new(part, "nodes",
                        json_pack("[s,s,s,s,s]", "h0", "leaf0", "spine1", "leaf1", "h1"));
    return during;
}

static const char right_events[] =
    "[{\"host\":\"h0\",\"at_ns\":500,\"kind\":\"belief_down\",\"subject\":\"leaf1>spine1\"},"
    "{\"host\":\"h0\",\"at_ns\":9000,\"kind\":\"link_down\",\"subject\":\"leaf0>spine0\"},"
    "{\"host\":\"h1\",\"at_ns\":8000,\"kind\":\"link_down\",\"subject\":\"spine0>leaf0\"},"
    "{\"host\":\"h1\",\"at_ns\":12000,\"kind\":\"belief_down\",\"subject\":\"spine0>leaf0\"}]";

static void a_cut_that_is_found_and_left_by_its_flows_holds(void **state) {
    (void)state;
    json_t *before = load(healthy), *during = moved_fleet();
    json_t *report = judge(before, during, right_events);
    assert_string_equal(deviations_text, "");
    assert_string_equal(tool_json_text(report, "verdict", ""), "right");
    const json_t *seen = tool_json_object(report, "first_seen");
    assert_string_equal(tool_json_text(seen, "host", ""), "h1");
    assert_int_equal(tool_json_u64(seen, "at_most_ns", 0), 7000);
    assert_int_equal(tool_json_u64(seen, "at_least_ns", 0), 6000);
    assert_int_equal(tool_json_u64(tool_json_object(report, "believed"), "at_most_ns", 0), 11000);
    json_decref(report);
    json_decref(before);
    json_decref(during);
}

static void a_cut_that_nobody_finds_deviates(void **state) {
    (void)state;
    json_t *before = load(healthy);
    json_t *report = judge(before, before, "[]");
    assert_string_equal(tool_json_text(report, "verdict", ""), "none");
    assert_non_null(strstr(deviations_text, "no agent saw the cut itself"));
    assert_non_null(strstr(deviations_text, "flow h0>h1 did not move"));
    json_decref(report);
    json_decref(before);
}

static void a_wrong_link_deviates(void **state) {
    (void)state;
    json_t *before = load(healthy), *during = moved_fleet();
    json_t *report = judge(before, during,
                           "[{\"host\":\"h0\",\"at_ns\":9000,\"kind\":\"link_down\",\"subject\":"
                           "\"leaf0>spine0\"},{\"host\":\"h0\",\"at_ns\":9500,\"kind\":"
                           "\"belief_down\",\"subject\":\"leaf1>spine0\"}]");
    assert_string_equal(tool_json_text(report, "verdict", ""), "wrong");
    assert_non_null(strstr(deviations_text, "not cut: leaf1>spine0"));
    json_decref(report);
    json_decref(before);
    json_decref(during);
}

static void a_flow_that_moved_without_need_deviates(void **state) {
    (void)state;
    json_t *before = load(healthy), *during = moved_fleet();
    json_t *part = json_array_get(json_object_get(first_flow(during, "h1"), "parts"), 0);
    json_object_set_new(part, "state", json_string("backup"));
    json_decref(judge(before, during, right_events));
    assert_string_equal(deviations_text, "flow h1>h0 moved and did not have to");
    json_decref(before);
    json_decref(during);
}

static void a_fleet_is_as_before_only_when_everything_is(void **state) {
    (void)state;
    char sentence[256] = "";
    json_t *before = load(healthy), *now = load(healthy);
    assert_false(fleet_differs(before, now, sentence, sizeof sentence));
    json_decref(now);
    now = moved_fleet();
    assert_true(fleet_differs(before, now, sentence, sizeof sentence));
    assert_string_equal(sentence, "flow h0>h1 of h0 is not on the paths that it had");
    json_decref(now);
    now = load(healthy);
    json_object_del(json_object_get(now, "agents"), "h1");
    assert_true(fleet_differs(before, now, sentence, sizeof sentence));
    assert_string_equal(sentence, "h1 does not answer");
    json_decref(now);
    now = load(healthy);
    json_object_set_new(json_object_get(json_object_get(agent_of(now, "h2"), "status"), "links"),
                        "down", json_integer(1));
    assert_true(fleet_differs(before, now, sentence, sizeof sentence));
    assert_string_equal(sentence, "h2 holds a link for down");
    json_decref(now);
    now = load(healthy);
    json_object_set_new(json_object_get(json_object_get(agent_of(now, "h1"), "status"), "members"),
                        "alive", json_integer(2));
    assert_true(fleet_differs(before, now, sentence, sizeof sentence));
    assert_string_equal(sentence, "h1 knows 2 members alive, knew 3");
    json_decref(now);
    json_decref(before);
}

static void a_killed_agent_must_be_noticed_and_keep_its_rules(void **state) {
    (void)state;
    json_t *before = load(healthy), *after = load(healthy);
    struct drill_request request = {.drill = &drill_agent_kill,
                                    .operands = {"h0"},
                                    .operand_count = 1};
    json_t *plan = plan_of(&request, before), *report = json_object(), *deviations = json_array();
    json_t *record =
        json_pack("{s:O,s:O,s:O,s:i,s:[{s:s,s:i,s:s,s:s}]}", "before", before, "during", before,
                  "after", after, "inject_begin_ns", 1000, "events", "host", "h1", "at_ns", 4000,
                  "kind", "member_state", "subject", "h0");
    drill_agent_kill.judge(plan, record, report, deviations);
    assert_int_equal(json_array_size(deviations), 0);
    assert_int_equal(tool_json_u64(tool_json_object(report, "noticed"), "at_most_ns", 0), 3000);
    json_object_set_new(json_object_get(json_object_get(agent_of(after, "h0"), "status"), "nic"),
                        "plain_roce", json_integer(8));
    json_object_set_new(json_array_get(json_object_get(first_flow(after, "h0"), "parts"), 0),
                        "packets", json_integer(3));
    json_object_set_new(record, "events", json_array());
    drill_agent_kill.judge(plan, record, report, deviations);
    tool_json_join(deviations, "\n", deviations_text, sizeof deviations_text);
    assert_string_equal(deviations_text, "no agent noticed that h0 is gone\n"
                                         "3 RoCE packets of h0 left unsteered\n"
                                         "flow h0>h1 lost its counters");
    json_decref(record);
    json_decref(deviations);
    json_decref(report);
    json_decref(plan);
    json_decref(before);
    json_decref(after);
}

static void one_drill_at_a_time(void **state) {
    (void)state;
    char directory[] = "/tmp/drill-test-XXXXXX", problem[256] = "", path[64];
    assert_non_null(mkdtemp(directory));
    struct drill_request request = cut_of("leaf0-spine0");
    struct journal journal, second;
    assert_int_equal(journal_open(&journal, directory, &request, 1000, problem), 0);
    assert_int_equal(journal_open(&second, directory, &request, 1000, problem), -EBUSY);
    assert_non_null(strstr(problem, "another drill is active"));
    uint64_t end_ns = 1000 + request.for_ns;
    assert_true(journal_active(directory, end_ns - 1, problem));
    assert_non_null(strstr(problem, "link-cut leaf0-spine0"));
    assert_false(journal_active(directory, end_ns, problem));
    // Past its end a drill may still wait for the fabric to settle: the lock tells.
    assert_int_equal(journal_open(&second, directory, &request, end_ns, problem), -EBUSY);
    journal_close(&journal);
    assert_false(journal_active(directory, 1000, problem));
    snprintf(path, sizeof path, "%s/lock", directory);
    unlink(path);
    assert_int_equal(rmdir(directory), 0);
}

static void a_killed_tools_drill_counts_until_its_end(void **state) {
    (void)state;
    char directory[] = "/tmp/drill-test-XXXXXX", problem[256] = "", path[64];
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/7.json", directory);
    FILE *file = fopen(path, "w");
    fputs("{\"drill\":\"link-cut\",\"operands\":[\"a-b\"],\"ends_at_ns\":5000}", file);
    fclose(file);
    struct drill_request request = cut_of("leaf0-spine0");
    struct journal journal;
    assert_int_equal(journal_open(&journal, directory, &request, 4999, problem), -EBUSY);
    assert_int_equal(journal_open(&journal, directory, &request, 5000, problem), 0);
    assert_int_not_equal(access(path, F_OK), 0); // cleared away
    journal_close(&journal);
    file = fopen(path, "w");
    fputs("{not json", file);
    fclose(file);
    assert_true(journal_active(directory, UINT64_MAX - 1, problem));
    assert_non_null(strstr(problem, "cannot be read"));
    unlink(path);
    snprintf(path, sizeof path, "%s/lock", directory);
    unlink(path);
    assert_int_equal(rmdir(directory), 0);
}

static void a_report_tells_status_and_deviations(void **state) {
    (void)state;
    json_t *report =
        load("{\"status\":\"completed\",\"deviated\":true,\"settled\":true,"
             "\"settled_after_ns\":3000000000,\"verdict\":\"right\","
             "\"first_seen\":{\"host\":\"h0\",\"at_most_ns\":9000000,"
             "\"at_least_ns\":6000000},\"deviations\":[\"flow x\\u001b did not move\"],"
             "\"flows\":[{\"flow\":\"h0>h1\",\"moved\":false,\"paths\":[\"1 a b\"]}]}");
    char text[1024] = "";
    FILE *out = fmemopen(text, sizeof text, "w");
    report_write(report, out);
    fclose(out);
    json_decref(report);
    assert_string_equal(text, "first seen after 6.0 ms to 9.0 ms, by h0\n"
                              "verdict on the link: right\n"
                              "  h0>h1 DID NOT MOVE: 1 a b\n"
                              "as before 3.0 s after the revert\n"
                              "DEVIATION: flow x? did not move\n"
                              "status: completed, deviated\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cut_of_a_cable_hits_both_directions),
        cmocka_unit_test(a_cut_of_a_direction_hits_only_that_one),
        cmocka_unit_test(a_link_that_does_not_exist_is_named),
        cmocka_unit_test(a_backup_over_the_same_pair_is_no_other_path),
        cmocka_unit_test(a_healthy_fleet_is_not_refused),
        cmocka_unit_test(the_last_live_path_of_a_leaf_is_not_cut),
        cmocka_unit_test(a_broken_or_unwell_fleet_is_left_alone),
        cmocka_unit_test(a_flow_without_another_path_is_not_cut),
        cmocka_unit_test(a_cut_that_is_found_and_left_by_its_flows_holds),
        cmocka_unit_test(a_cut_that_nobody_finds_deviates),
        cmocka_unit_test(a_wrong_link_deviates),
        cmocka_unit_test(a_flow_that_moved_without_need_deviates),
        cmocka_unit_test(a_fleet_is_as_before_only_when_everything_is),
        cmocka_unit_test(a_killed_agent_must_be_noticed_and_keep_its_rules),
        cmocka_unit_test(one_drill_at_a_time),
        cmocka_unit_test(a_killed_tools_drill_counts_until_its_end),
        cmocka_unit_test(a_report_tells_status_and_deviations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
