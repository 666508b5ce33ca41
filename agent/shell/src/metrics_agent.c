// SPDX-License-Identifier: Apache-2.0
// The agent itself: build, health, fabric, plan, events.
#include <stdlib.h>
#include <string.h>

#include "agent.h"
#include "agent_shell/clock.h"
#include "model/time.h"

#define ALARM_AGE_NS (600 * NS_PER_S)
#define ALARM_KINDS_MAX 32

static void tell_build(const struct agent *agent, struct metric_text *text) {
    static const struct metric_family build = {"srv6_agent_build", METRIC_INFO, NULL,
                                               "Version and NIC driver of this agent."};
    static const struct metric_family start = {"srv6_agent_start_time_seconds", METRIC_GAUGE,
                                               "seconds", "When the agent started, since 1970."};
    struct metric_label labels[] = {{"version", SRV6_VERSION},
                                    {"host", agent->config.host},
                                    {"nic_driver", agent->config.nic_driver}};
    metric_family(text, &build);
    metric_value(text, labels, 3, 1);
    metric_family(text, &start);
    metric_seconds(text, NULL, 0,
                   (uint64_t)((int64_t)agent->started_at_ns - clock_wall_offset_ns()));
}

static void tell_health(const struct agent *agent, struct metric_text *text) {
    static const struct metric_family healthy = {
        "srv6_agent_healthy", METRIC_GAUGE, NULL,
        "1: joined, members alive, links up, rules in place, all own flows steered."};
    static const struct metric_family ready = {"srv6_agent_ready", METRIC_GAUGE, NULL,
                                               "1: what /readyz asks for holds."};
    char reasons[HEALTH_TEXT_SIZE];
    struct error why;
    metrics_single(text, &healthy, engine_healthy(agent->engine, &why));
    metrics_single(text, &ready, agent_health(agent, HEALTH_READY, reasons));
}

static void tell_backend(const struct agent *agent, struct metric_text *text) {
    static const struct metric_family backend = {
        "srv6_io_backend", METRIC_INFO, NULL,
        "How probes are sent and received, and why not in a better way."};
    const struct probe_io *probe = agent->probe;
    struct metric_label labels[] = {
        {"backend", probe != NULL ? probe_io_backend(probe) : "none"},
        {"variant", probe != NULL ? probe_io_variant(probe) : ""},
        {"reason", probe != NULL ? probe_io_reason(probe) : ""},
    };
    metric_family(text, &backend);
    metric_value(text, labels, 3, 1);
}

static void tell_fabric(const struct agent *agent, struct metric_text *text) {
    static const struct metric_family info = {"srv6_fabric", METRIC_INFO, NULL,
                                              "The fabric file in force."};
    static const struct metric_family generation = {"srv6_fabric_generation", METRIC_GAUGE, NULL,
                                                    "Generation of the fabric file in force."};
    static const struct metric_family held = {
        "srv6_fabric_held_generation", METRIC_GAUGE, NULL,
        "Generation of the newest fabric file here; it waits while others lack it."};
    const struct fabric *fabric = engine_fabric(agent->engine);
    char digest[65];
    for (size_t i = 0; i < 32; i++) {
        snprintf(digest + 2 * i, 3, "%02x", fabric->digest[i]);
    }
    struct metric_label labels[] = {{"fabric", fabric->name}, {"digest", digest}};
    metric_family(text, &info);
    metric_value(text, labels, 2, 1);
    metrics_single(text, &generation, fabric->generation);
    metrics_single(text, &held, engine_held_generation(agent->engine));
}

static void tell_plan(const struct agent *agent, const struct engine_stats *stats,
                      struct metric_text *text) {
    static const struct metric_family version = {
        "srv6_plan_version", METRIC_GAUGE, NULL,
        "Version of the plan in force, the lowest among live members."};
    static const struct metric_family problems = {"srv6_plan_problems", METRIC_GAUGE, NULL,
                                                  "Facts that could not be planned."};
    static const struct metric_family plans = {"srv6_plans", METRIC_COUNTER, NULL,
                                               "Plans computed."};
    static const struct metric_family moves = {
        "srv6_reroute", METRIC_COUNTER, NULL,
        "Parts of own flows that took another path: to their backup at once, by a new "
        "plan, or away from marked links and back."};
    static const struct metric_family dropped = {
        "srv6_facts_dropped", METRIC_COUNTER, NULL,
        "Values of peers that did not decode or did not fit."};
    const struct metric_case reasons[] = {{"backup", stats->moves_to_backup},
                                          {"plan", stats->moves_by_plan},
                                          {"ecn", stats->moves_by_ecn}};
    metrics_single(text, &version, engine_plan_version(agent->engine));
    metrics_single(text, &problems, engine_problem_count(agent->engine));
    metrics_single(text, &plans, stats->plans);
    metrics_cases(text, &moves, "reason", reasons, 3);
    metrics_single(text, &dropped, stats->bad_facts);
}

// ---- events

static int compare_events(const void *a, const void *b) {
    const struct event *const *first = a, *const *second = b;
    int order = strcmp((*first)->kind, (*second)->kind);
    return order != 0 ? order : strcmp((*first)->subject, (*second)->subject);
}

static uint32_t collect_alarms(const struct events *events, const struct event **out) {
    uint64_t now_ns = clock_now_ns();
    uint32_t count = 0;
    for (uint64_t i = events_first(events); i < events_end(events); i++) {
        const struct event *event = events_at(events, i);
        if (event->level == LOG_ALARM && now_ns - event->at_ns < ALARM_AGE_NS) {
            out[count++] = event;
        }
    }
    qsort(out, count, sizeof(*out), compare_events);
    return count;
}

static void tell_alarms(const struct events *events, struct metric_text *text) {
    static const struct metric_family family = {
        "srv6_alarms", METRIC_GAUGE, NULL,
        "Things (links, members, jobs) about which an alarm was raised in the last ten minutes, by "
        "the alarm's kind."};
    const struct event **alarms = calloc(EVENTS_KEPT, sizeof(*alarms));
    uint32_t count = alarms != NULL ? collect_alarms(events, alarms) : 0, kinds = 0, subjects = 0;
    metric_family(text, &family);
    for (uint32_t i = 0; i < count && kinds < ALARM_KINDS_MAX; i++) {
        bool last = i + 1 == count;
        subjects += last || compare_events(&alarms[i], &alarms[i + 1]) != 0;
        if (last || strcmp(alarms[i]->kind, alarms[i + 1]->kind) != 0) {
            struct metric_label labels[] = {{"kind", alarms[i]->kind}};
            metric_value(text, labels, 1, subjects);
            subjects = 0;
            kinds++;
        }
    }
    free(alarms);
}

static void tell_events(const struct events *events, struct metric_text *text) {
    static const struct metric_family family = {"srv6_events", METRIC_COUNTER, NULL,
                                                "Events, as srv6-ctl events shows them."};
    metric_family(text, &family);
    for (enum log_level level = LOG_INFO; level <= LOG_ALARM; level++) {
        struct metric_label labels[] = {{"level", log_level_name(level)}};
        metric_value(text, labels, 1, events_count(events, level));
    }
    tell_alarms(events, text);
}

static void tell_http(const struct agent *agent, struct metric_text *text) {
    static const struct metric_family requests = {"srv6_http_requests", METRIC_COUNTER, NULL,
                                                  "Requests to this server."};
    static const struct metric_family refused = {
        "srv6_http_requests_refused", METRIC_COUNTER, NULL,
        "Requests that were answered with an error, checks that failed included."};
    static const struct metric_family cut = {
        "srv6_http_connections_cut", METRIC_COUNTER, NULL,
        "Connections that were ended because they were slow or too many."};
    struct http_stats stats = {0};
    if (agent->metrics.http != NULL) {
        http_stats(agent->metrics.http, &stats);
    }
    metrics_single(text, &requests, stats.requests);
    metrics_single(text, &refused, stats.refused);
    metrics_single(text, &cut, stats.cut);
}

void metrics_of_agent(const struct agent *agent, struct metric_text *text) {
    struct engine_stats stats;
    engine_stats(agent->engine, &stats);
    tell_build(agent, text);
    tell_health(agent, text);
    tell_backend(agent, text);
    tell_fabric(agent, text);
    tell_plan(agent, &stats, text);
    tell_events(agent->events, text);
    tell_http(agent, text);
}
