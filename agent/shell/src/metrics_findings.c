// SPDX-License-Identifier: Apache-2.0
// What the agent has found out: what loses or delays, which links fill up, who is set up unlike
// most, which ranks stay behind. How much of it there is; names only where their number is bounded.
#include "agent.h"
#include "model/host_facts.h"

enum fault_kind { FAULT_DOWN, FAULT_LOSSY, FAULT_SLOW, FAULT_KINDS };

static enum fault_kind kind_of(const struct engine_finding *finding) {
    return finding->slow ? FAULT_SLOW : finding->down ? FAULT_DOWN : FAULT_LOSSY;
}

static void tell_findings(const struct agent *agent, struct metric_text *text) {
    static const struct metric_family family = {
        "srv6_diagnosis_findings", METRIC_GAUGE, NULL,
        "Links, switches and NICs that this host finds to lose all, to lose some, or to be slow."};
    static const struct metric_family suspects = {
        "srv6_diagnosis_suspects", METRIC_GAUGE, NULL,
        "Directed links that this host suspects of losses and has no verdict on."};
    uint64_t counts[FAULT_KINDS] = {0};
    for (uint32_t i = 0; i < engine_finding_count(agent->engine); i++) {
        struct engine_finding finding;
        engine_finding_at(agent->engine, i, &finding);
        counts[kind_of(&finding)] += !finding.over;
    }
    const struct metric_case faults[] = {{"down", counts[FAULT_DOWN]},
                                         {"lossy", counts[FAULT_LOSSY]},
                                         {"slow", counts[FAULT_SLOW]}};
    metrics_cases(text, &family, "fault", faults, FAULT_KINDS);
    metrics_single(text, &suspects, engine_suspicion_count(agent->engine));
}

static void tell_forecasts(const struct agent *agent, struct metric_text *text) {
    static const struct metric_family family = {
        "srv6_link_saturation_seconds", METRIC_GAUGE, "seconds",
        "Links that fill up: time until own sends are their rate, or until so many probes over "
        "them are marked that flows leave. At most one for each link that has a history."};
    static const struct metric_family size = {"srv6_history_bytes", METRIC_GAUGE, "bytes",
                                              "Memory of the histories of links."};
    static const struct metric_family links = {"srv6_history_links", METRIC_GAUGE, NULL,
                                               "Directed links that have a history."};
    static const struct metric_family omitted = {
        "srv6_history_omitted", METRIC_COUNTER, NULL,
        "Times that a link found no place for a history (history.links)."};
    uint64_t left_out, bytes = engine_history_size(agent->engine, &left_out);
    metric_family(text, &family);
    for (uint32_t i = 0; i < engine_history_count(agent->engine); i++) {
        struct engine_forecast forecast;
        char name[LINK_NAME_SIZE];
        if (engine_last_forecast(agent->engine, i, &forecast)) {
            fabric_format_link(engine_fabric(agent->engine), engine_history_link(agent->engine, i),
                               name);
            struct metric_label labels[] = {{"link", name},
                                            {"by",
                                             forecast.kind == FORECAST_RATE ? "rate" : "marks"}};
            metric_seconds(text, labels, 2, forecast.in_ns);
        }
    }
    metrics_single(text, &links, engine_history_count(agent->engine));
    metrics_single(text, &size, bytes);
    metrics_single(text, &omitted, left_out);
}

static void tell_audit(const struct agent *agent, struct metric_text *text) {
    static const struct metric_family odd = {
        "srv6_audit_odd_hosts", METRIC_GAUGE, NULL,
        "Hosts that differ from most in a setting, of the settings in which any does."};
    static const struct metric_family split = {
        "srv6_audit_split", METRIC_GAUGE, NULL,
        "1 for each setting of which no value is that of most hosts."};
    struct engine_audit_sums sums;
    engine_audit_sums(agent->engine, &sums);
    for (unsigned pass = 0; pass < 2; pass++) {
        metric_family(text, pass == 0 ? &odd : &split);
        for (unsigned s = 0; s < HOST_SETTINGS; s++) {
            struct metric_label labels[] = {{"setting", host_setting_name(s)}};
            uint64_t value = pass == 0 ? sums.odd[s] : sums.split[s];
            if (value > 0) {
                metric_value(text, labels, 1, value);
            }
        }
    }
}

static void tell_paces(const struct agent *agent, struct metric_text *text) {
    static const struct metric_family slow = {
        "srv6_job_slow_ranks", METRIC_GAUGE, NULL,
        "Ranks of the job that stay far behind the others, of jobs with a rank on this host."};
    static const struct metric_family measured = {
        "srv6_job_measured_ranks", METRIC_GAUGE, NULL,
        "Ranks of the job of which this host knows how fast they send."};
    struct {
        const char *job;
        struct engine_pace pace;
    } paces[METRICS_JOBS_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < engine_job_count(agent->engine) && count < METRICS_JOBS_MAX; i++) {
        uint32_t ranks;
        const struct job *job = engine_job_here(agent->engine, i, &ranks);
        if (ranks > 0) {
            paces[count].job = job->name;
            engine_pace_at(agent->engine, i, &paces[count++].pace);
        }
    }
    for (unsigned pass = 0; pass < 2; pass++) {
        metric_family(text, pass == 0 ? &slow : &measured);
        for (uint32_t i = 0; i < count; i++) {
            struct metric_label labels[] = {{"job", paces[i].job}};
            metric_value(text, labels, 1,
                         pass == 0 ? paces[i].pace.slow_count : paces[i].pace.measured);
        }
    }
}

void metrics_of_findings(const struct agent *agent, struct metric_text *text) {
    tell_findings(agent, text);
    tell_forecasts(agent, text);
    tell_audit(agent, text);
    tell_paces(agent, text);
}
