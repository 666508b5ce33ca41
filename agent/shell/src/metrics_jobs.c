// SPDX-License-Identifier: Apache-2.0
// The jobs that have a rank on this host, and the paths of the flows that it sends.
#include <stdlib.h>

#include "agent.h"

#define CHOICES 3

struct job_paths {
    const struct job *job; // NULL: no rank here, or one too many
    uint32_t own_ranks;
    uint64_t paths[CHOICES]; // by enum part_choice
};

struct flows {
    struct job_paths *jobs; // by the engine's index
    uint32_t job_count;
    uint64_t steered, backup, plain, local;
};

static void count_flow(const struct agent *agent, uint32_t index, struct flows *flows) {
    const struct plan_flow *flow = &engine_plan(agent->engine)->flows[index];
    uint64_t paths[CHOICES] = {0};
    if (flow->local) {
        flows->local++;
        return;
    }
    if (engine_plain_reason(agent->engine, index) != NULL) {
        flows->plain++;
        paths[PART_PLAIN] = 1;
    } else {
        for (uint32_t i = 0; i < flow->part_count; i++) {
            struct engine_part part;
            engine_part_at(agent->engine, index, i, &part);
            paths[part.choice]++;
        }
        flows->backup += paths[PART_BACKUP] > 0;
        flows->steered += paths[PART_BACKUP] == 0;
    }
    for (unsigned i = 0; i < CHOICES && flow->job < flows->job_count; i++) {
        flows->jobs[flow->job].paths[i] += paths[i];
    }
}

static void collect(const struct agent *agent, struct flows *flows) {
    uint32_t shown = 0;
    for (uint32_t i = 0; i < flows->job_count; i++) {
        uint32_t ranks;
        const struct job *job = engine_job_here(agent->engine, i, &ranks);
        if (ranks > 0 && shown < METRICS_JOBS_MAX) {
            flows->jobs[i].job = job;
            flows->jobs[i].own_ranks = ranks;
            shown++;
        }
    }
    for (uint32_t i = 0; i < engine_plan(agent->engine)->flow_count; i++) {
        count_flow(agent, i, flows);
    }
}

static void tell_jobs(const struct agent *agent, const struct flows *flows,
                      struct metric_text *text) {
    static const struct metric_family info = {"srv6_job", METRIC_INFO, NULL,
                                              "Jobs that have a rank on this host."};
    static const struct metric_family ranks = {"srv6_job_local_ranks", METRIC_GAUGE, NULL,
                                               "Ranks of the job on this host."};
    static const struct metric_family known = {"srv6_jobs", METRIC_GAUGE, NULL,
                                               "Jobs known, wherever their ranks are."};
    metrics_single(text, &known, flows->job_count);
    metric_family(text, &info);
    for (uint32_t i = 0; i < flows->job_count; i++) {
        const struct job *job = flows->jobs[i].job;
        if (job != NULL) {
            const char *algorithm = engine_algorithm(agent->engine, job);
            struct metric_label labels[] = {{"job", job->name},
                                            {"algorithm",
                                             algorithm != NULL ? algorithm : job->algorithm}};
            metric_value(text, labels, 2, 1);
        }
    }
    metric_family(text, &ranks);
    for (uint32_t i = 0; i < flows->job_count; i++) {
        if (flows->jobs[i].job != NULL) {
            struct metric_label labels[] = {{"job", flows->jobs[i].job->name}};
            metric_value(text, labels, 1, flows->jobs[i].own_ranks);
        }
    }
}

static void tell_paths(const struct flows *flows, struct metric_text *text) {
    static const struct metric_family family = {
        "srv6_path_assignments", METRIC_GAUGE, NULL,
        "Parts of the flows that this host sends, by the path they take: the planned one, the "
        "backup of it, or none (plain)."};
    static const char *const choices[CHOICES] = {"primary", "backup", "plain"};
    metric_family(text, &family);
    for (uint32_t i = 0; i < flows->job_count; i++) {
        for (unsigned c = 0; c < CHOICES && flows->jobs[i].job != NULL; c++) {
            struct metric_label labels[] = {{"job", flows->jobs[i].job->name},
                                            {"choice", choices[c]}};
            metric_value(text, labels, 2, flows->jobs[i].paths[c]);
        }
    }
}

static void tell_flows(const struct flows *flows, struct metric_text *text) {
    static const struct metric_family family = {
        "srv6_flows", METRIC_GAUGE, NULL,
        "Flows that this host sends, by how: steered, with a part on a backup, plain, or within "
        "the leaf."};
    const struct metric_case states[] = {{"steered", flows->steered},
                                         {"backup", flows->backup},
                                         {"plain", flows->plain},
                                         {"local", flows->local}};
    metrics_cases(text, &family, "state", states, sizeof(states) / sizeof(states[0]));
}

// Of this node's pods, where jobs come from them.
static void tell_pods(const struct agent *agent, struct metric_text *text) {
    static const struct metric_family synced = {
        "srv6_pods_synced", METRIC_GAUGE, NULL,
        "1: the API server tells this node's pods. 0: what was known last is in force."};
    static const struct metric_family ranks = {"srv6_pod_ranks", METRIC_GAUGE, NULL,
                                               "Ranks that this node's pods have on its ports."};
    static const struct metric_family refused = {
        "srv6_pods_refused", METRIC_GAUGE, NULL,
        "Pods of this node whose annotations are wrong, so that they are no ranks."};
    if (agent->config.pods.on) {
        metrics_single(text, &synced, agent->pods_told.synced);
        metrics_single(text, &ranks, agent->pods_told.ranks);
        metrics_single(text, &refused, agent->pods_told.refused);
    }
}

void metrics_of_jobs(const struct agent *agent, struct metric_text *text) {
    uint32_t count = engine_job_count(agent->engine);
    struct flows flows = {calloc((size_t)count + 1, sizeof(struct job_paths)), count, 0, 0, 0, 0};
    if (flows.jobs != NULL) {
        collect(agent, &flows);
        tell_jobs(agent, &flows, text);
        tell_paths(&flows, text);
        tell_flows(&flows, text);
    }
    free(flows.jobs);
    tell_pods(agent, text);
}
