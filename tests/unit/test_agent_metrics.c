// SPDX-License-Identifier: Apache-2.0
// What /metrics, /livez, /readyz and /startupz say of a real engine: values, checks and reasons,
// and that there are never more series than promised.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent_bed.h"
#include "agent_shell/clock.h"
#include "model/host_facts.h"
#include "model/time.h"

#include <cmocka.h>

static struct agent_bed *bed;

static int set_up(void **state) {
    (void)state;
    bed = agent_bed_open();
    bed->agent.nic_opened = bed->agent.nic_good = 1;
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    agent_bed_close(bed);
    return 0;
}

static char *scrape(enum metric_format format) {
    char *text = NULL;
    size_t size;
    assert_int_equal(agent_metrics_text(&bed->agent, format, &text, &size), 0);
    text = realloc(text, size + 1);
    assert_non_null(text);
    text[size] = '\0';
    return text;
}

// The value behind `series` in a fresh text; -1: it is not there.
static double value_of(const char *series) {
    char *text = scrape(METRIC_CLASSIC), line[256];
    snprintf(line, sizeof(line), "\n%s ", series);
    const char *at = strstr(text, line);
    double value = at != NULL ? strtod(at + strlen(line), NULL) : -1;
    free(text);
    return value;
}

static uint32_t count_lines(const char *text, const char *prefix) {
    uint32_t count = 0;
    for (const char *line = text; line != NULL && *line != '\0';) {
        count += strncmp(line, prefix, strlen(prefix)) == 0;
        line = strchr(line, '\n');
        line = line != NULL ? line + 1 : NULL;
    }
    return count;
}

static void the_fleet_is_told(void **state) {
    (void)state;
    assert_true(value_of("srv6_gossip_peers{state=\"alive\"}") == 7);
    assert_true(value_of("srv6_gossip_peers{state=\"dead\"}") == 0);
    assert_true(value_of("srv6_gossip_joined") == 1);
    assert_true(value_of("srv6_agent_healthy") == 1);
    fleet_stop(bed->sim, 5);
    agent_bed_run(bed, 5 * NS_PER_S);
    assert_true(value_of("srv6_gossip_peers{state=\"alive\"}") == 6);
    assert_true(value_of("srv6_gossip_peers{state=\"dead\"}") == 1);
    assert_true(value_of("srv6_agent_healthy") == 0);
    assert_true(value_of("srv6_gossip_dropped_total{reason=\"denied_key\"}") == 5);
    assert_true(value_of("srv6_gossip_dropped_total{reason=\"rate\"}") == 7);
    assert_true(value_of("srv6_gossip_connections{direction=\"inbound\"}") == 2);
}

static void a_cut_link_is_told_and_so_are_the_flows_that_left_it(void **state) {
    (void)state;
    double paths = value_of("srv6_path_assignments{job=\"demo\",choice=\"primary\"}");
    assert_true(value_of("srv6_link_state{link=\"leaf0>spine1\",state=\"good\"}") == 1);
    assert_true(value_of("srv6_link_state{link=\"leaf0>spine1\",state=\"down\"}") == 0);
    assert_true(value_of("srv6_fabric_links{state=\"up\"}") == 32);
    assert_true(value_of("srv6_flows{state=\"steered\"}") == 6);
    assert_true(value_of("srv6_flows{state=\"local\"}") == 1);
    assert_true(paths >= 6);
    assert_true(value_of("srv6_reroute_total{reason=\"plan\"}") == 0);
    agent_bed_cut(bed, "leaf0>spine1", true);
    agent_bed_run(bed, NS_PER_S);
    assert_true(value_of("srv6_link_state{link=\"leaf0>spine1\",state=\"good\"}") == 0);
    assert_true(value_of("srv6_link_state{link=\"leaf0>spine1\",state=\"down\"}") == 1);
    assert_true(value_of("srv6_probe_lost_total{link=\"leaf0>spine1\"}") > 0);
    assert_true(value_of("srv6_fabric_links{state=\"down\"}") == 1);
    assert_true(value_of("srv6_reroute_total{reason=\"backup\"}") > 0);
    assert_true(value_of("srv6_path_assignments{job=\"demo\",choice=\"plain\"}") == 0);
}

static void what_was_found_out_is_told(void **state) {
    (void)state;
    assert_true(value_of("srv6_diagnosis_findings{fault=\"down\"}") == 0);
    assert_true(value_of("srv6_diagnosis_findings{fault=\"slow\"}") == 0);
    assert_true(value_of("srv6_diagnosis_suspects") == 0);
    char odd[80], split[80];
    snprintf(odd, sizeof odd, "srv6_audit_odd_hosts{setting=\"%s\"}", host_setting_name(HOST_MTU));
    snprintf(split, sizeof split, "srv6_audit_split{setting=\"%s\"}", host_setting_name(HOST_PFC));
    assert_true(value_of(odd) == -1);
    for (uint32_t host = 0; host < 8; host++) {
        struct host_facts facts = {.count = 0};
        host_facts_add(&facts, HOST_MTU, 0, host == 3 || host == 4 ? "1500" : "9000");
        host_facts_add(&facts, HOST_PFC, 0, host % 2 == 0 ? "3" : "4");
        struct engine_event event = {.kind = ENGINE_HOST_FACTS, .host_facts = &facts};
        assert_int_equal(fleet_event(bed->sim, host, &event, NULL), 0);
    }
    agent_bed_run(bed, 6 * NS_PER_S);
    assert_true(value_of(odd) == 2);
    assert_true(value_of(split) == 1);
    assert_true(value_of("srv6_history_links") > 0);
    assert_true(value_of("srv6_history_bytes") > 80000);
}

static void pods_are_told_where_jobs_come_from_them(void **state) {
    (void)state;
    assert_true(value_of("srv6_pods_synced") == -1);
    assert_true(value_of("srv6_pod_ranks") == -1);
    bed->agent.config.pods.on = true;
    bed->agent.pods_told = (struct agent_pods){.synced = false, .ranks = 3, .refused = 2};
    assert_true(value_of("srv6_pods_synced") == 0);
    assert_true(value_of("srv6_pod_ranks") == 3);
    assert_true(value_of("srv6_pods_refused") == 2);
    bed->agent.pods_told.synced = true;
    assert_true(value_of("srv6_pods_synced") == 1);
}

static void rules_wanted_and_programmed_are_told_apart(void **state) {
    (void)state;
    double rules = value_of("srv6_rules_programmed{port=\"h0\"}");
    assert_true(rules > 0 && value_of("srv6_rules_wanted{port=\"h0\"}") == rules);
    struct rule_set none;
    rule_set_init(&none);
    assert_int_equal(rule_set_seal(&none, NULL), 0);
    assert_int_equal(nic_apply(bed->agent.nics[0], &none, NULL), 0);
    assert_true(value_of("srv6_rules_programmed{port=\"h0\"}") == 0);
    assert_true(value_of("srv6_rules_wanted{port=\"h0\"}") == rules);
    assert_true(value_of("srv6_nic_ready{port=\"h0\"}") == 1);
    bed->agent.nic_good = 0;
    assert_true(value_of("srv6_nic_ready{port=\"h0\"}") == 0);
    rule_set_fini(&none);
}

static void counters_of_the_port_are_told_where_they_exist(void **state) {
    struct rdma_qp none;
    (void)state;
    struct port_values *values = &bed->agent.rdma.facts.ports[0];
    memset(values, 0xff, sizeof(*values));
    values->values[PORT_CNP_SENT] = 12;
    values->priority[3][PORT_RX_PAUSES] = 34;
    values->priority[3][PORT_RX_PAUSE_NS] = 1500000000;
    assert_true(value_of("srv6_port_cnp_sent_total{port=\"h0\"}") < 0); // not read yet
    bed->agent.rdma.facts.qps = &none;
    assert_true(value_of("srv6_port_cnp_sent_total{port=\"h0\"}") == 12);
    assert_true(value_of("srv6_port_pauses_received_total{port=\"h0\",priority=\"3\"}") == 34);
    assert_true(value_of("srv6_port_paused_by_peer_seconds_total{port=\"h0\",priority=\"3\"}") ==
                1.5);
    assert_true(value_of("srv6_port_cnp_handled_total{port=\"h0\"}") < 0);
    assert_true(value_of("srv6_port_pauses_received_total{port=\"h0\",priority=\"4\"}") < 0);
    bed->agent.rdma.facts.qps = NULL;
}

static void tell(enum log_level level, const char *kind, const char *subject, uint64_t ago_ns) {
    events_add(bed->agent.events, 0, clock_now_ns() - ago_ns, level, kind, subject, "text");
}

static void an_alarm_counts_once_for_each_subject_and_for_ten_minutes(void **state) {
    (void)state;
    tell(LOG_ALARM, "valve_shut", "h0", 0);
    tell(LOG_ALARM, "valve_shut", "h0", NS_PER_S);
    tell(LOG_ALARM, "duplicate_name", "h1", 0);
    tell(LOG_ALARM, "valve_shut", "h1", 599 * NS_PER_S);
    tell(LOG_ALARM, "valve_shut", "h2", 601 * NS_PER_S);
    tell(LOG_WARNING, "valve_shut", "h3", 0);
    assert_true(value_of("srv6_alarms{kind=\"valve_shut\"}") == 2);
    assert_true(value_of("srv6_alarms{kind=\"duplicate_name\"}") == 1);
    assert_true(value_of("srv6_events_total{level=\"alarm\"}") == 5);
    assert_true(value_of("srv6_events_total{level=\"warning\"}") == 1);
}

// ---- what is promised of the number of series

static void a_host_with_many_links_and_jobs_shows_no_more_than_the_limit(void **state) {
    static const struct fleet_shape wide = {.clos_kind = "leaf-spine",
                                            .leaves = 2,
                                            .spines = 75,
                                            .hosts_per_leaf = 1,
                                            .cables = 2,
                                            .probe_interval_ns = 10 * NS_PER_MS,
                                            .seed = 1};
    (void)state;
    agent_bed_close(bed);
    bed = agent_bed_open_of(&wide, METRICS_JOBS_MAX + 6);
    agent_bed_cut(bed, "leaf1>spine74.1", true);
    agent_bed_run(bed, 2 * NS_PER_S);
    char *text = scrape(METRIC_CLASSIC);
    assert_int_equal(count_lines(text, "srv6_link_state{"), 4 * METRICS_LINKS_MAX);
    assert_int_equal(count_lines(text, "srv6_job_info{"), METRICS_JOBS_MAX);
    assert_int_equal(count_lines(text, "srv6_path_assignments{"), 3 * METRICS_JOBS_MAX);
    uint32_t series = count_lines(text, "srv6_") + count_lines(text, "process_");
    assert_true(series <= METRICS_SERIES_MAX(METRICS_LINKS_MAX, METRICS_JOBS_MAX, 1));
    free(text);
    assert_true(value_of("srv6_metrics_series") == series - 1);
    assert_true(value_of("srv6_metrics_omitted") > 0);
    assert_true(value_of("srv6_jobs") == METRICS_JOBS_MAX + 6);
    // The last link of all, which is beyond the limit, but not well.
    assert_true(value_of("srv6_link_state{link=\"leaf1>spine74.1\",state=\"down\"}") == 1);
}

static void one_port_with_every_counter_stays_within_its_share(void **state) {
    struct rdma_qp none;
    (void)state;
    char *text = scrape(METRIC_CLASSIC);
    uint32_t before = count_lines(text, "srv6_");
    free(text);
    memset(bed->agent.rdma.facts.ports, 0, sizeof(bed->agent.rdma.facts.ports));
    bed->agent.rdma.facts.qps = &none;
    text = scrape(METRIC_CLASSIC);
    uint32_t added = count_lines(text, "srv6_") - before;
    free(text);
    bed->agent.rdma.facts.qps = NULL;
    assert_int_equal(added, 1 + PORT_COUNTERS + PORT_PRIORITIES * PORT_PRIORITY_COUNTERS);
    assert_true(added + 8 <= METRICS_SERIES_MAX(0, 0, 1) - METRICS_SERIES_MAX(0, 0, 0));
    assert_int_equal(count_lines("a\nab\nb", "a"), 2);
}

// ---- health

static void expect_health(enum health which, bool good, const char *line) {
    char text[HEALTH_TEXT_SIZE];
    bool said = agent_health(&bed->agent, which, text);
    if (said != good || strstr(text, line) == NULL) {
        fail_msg("expected %s in: %s", line, text);
    }
}

static void ready_means_joined_rules_applied_and_probes_open(void **state) {
    (void)state;
    bed->agent.probe = (struct probe_io *)bed; // only that it is there is asked
    expect_health(HEALTH_READY, true, "[+]gossip: alone, as configured\n");
    bed->agent.config.seed_count = 1;
    expect_health(HEALTH_READY, true, "[+]gossip: joined\n");
    expect_health(HEALTH_READY, true, "[+]nic mem0: rules applied\n");
    expect_health(HEALTH_READY, true, "[+]probes: open\nreadyz check passed\n");
    bed->agent.nic_good = 0;
    expect_health(HEALTH_READY, false, "[-]nic mem0: its rules are not applied yet\n");
    bed->agent.trouble[0].error = (struct error){-5, "the NIC is full"};
    expect_health(HEALTH_READY, false, "[-]nic mem0: the NIC is full\n");
    expect_health(HEALTH_READY, false, "readyz check failed\n");
    bed->agent.nic_good = 1;
    bed->agent.probe = NULL;
    expect_health(HEALTH_READY, false, "[-]probes: cannot be opened");
    bed->agent.probe = (struct probe_io *)bed;
    bed->agent.stopping = true;
    expect_health(HEALTH_READY, false, "[-]agent: is stopping\n");
    bed->agent.probe = NULL;
}

static void
a_nic_that_was_never_open_keeps_startup_waiting_and_nothing_fails_liveness(void **state) {
    (void)state;
    expect_health(HEALTH_STARTED, true, "[+]nic mem0: opened\nstartupz check passed\n");
    bed->agent.nic_opened = 0;
    bed->agent.nic_good = 0;
    bed->agent.trouble[0].error = (struct error){-5, "start srv6-holder"};
    expect_health(HEALTH_STARTED, false, "[-]nic mem0: start srv6-holder\nstartupz check failed\n");
    expect_health(HEALTH_LIVE, true, "[+]loop: turns\nlivez check passed\n");
}

static unsigned serve(const char *path, const char *accept, struct http_answer *answer) {
    assert_int_equal(agent_serve(&bed->agent, path, accept, answer), 0);
    return answer->status;
}

static void paths_are_served_with_status_and_type(void **state) {
    struct http_answer answer;
    (void)state;
    assert_int_equal(serve("/livez", "", &answer), 200);
    free(answer.body);
    assert_int_equal(serve("/readyz", "", &answer), 503); // no probes in this bed
    free(answer.body);
    assert_int_equal(serve("/startupz", "", &answer), 200);
    free(answer.body);
    assert_int_equal(serve("/metrics/", "", &answer), 404);
    free(answer.body);
    assert_int_equal(serve("/metrics", "", &answer), 200);
    assert_string_equal(answer.type, "text/plain; version=0.0.4; charset=utf-8");
    free(answer.body);
    assert_int_equal(serve("/metrics", "application/openmetrics-text", &answer), 200);
    assert_string_equal(answer.type, "application/openmetrics-text; version=1.0.0; charset=utf-8");
    assert_memory_equal(answer.body + answer.size - 6, "# EOF\n", 6);
    free(answer.body);
}

static void who_asks_again_at_once_gets_the_same_text(void **state) {
    struct http_answer first, second;
    (void)state;
    serve("/metrics", "", &first);
    tell(LOG_WARNING, "reload", "h0", 0);
    serve("/metrics", "", &second);
    assert_int_equal(first.size, second.size);
    assert_memory_equal(first.body, second.body, first.size);
    free(second.body);
    bed->agent.metrics.kept[METRIC_CLASSIC].made_at_ns -= METRICS_FRESH_NS;
    serve("/metrics", "", &second);
    assert_true(first.size != second.size || memcmp(first.body, second.body, first.size) != 0);
    free(first.body);
    free(second.body);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_fleet_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_cut_link_is_told_and_so_are_the_flows_that_left_it,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_was_found_out_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(pods_are_told_where_jobs_come_from_them, set_up, tear_down),
        cmocka_unit_test_setup_teardown(rules_wanted_and_programmed_are_told_apart, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(counters_of_the_port_are_told_where_they_exist, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(an_alarm_counts_once_for_each_subject_and_for_ten_minutes,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            a_host_with_many_links_and_jobs_shows_no_more_than_the_limit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_port_with_every_counter_stays_within_its_share, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(ready_means_joined_rules_applied_and_probes_open, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            a_nic_that_was_never_open_keeps_startup_waiting_and_nothing_fails_liveness, set_up,
            tear_down),
        cmocka_unit_test_setup_teardown(paths_are_served_with_status_and_type, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_asks_again_at_once_gets_the_same_text, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
