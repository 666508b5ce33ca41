// SPDX-License-Identifier: Apache-2.0
// What the agent tells over HTTP: /metrics for Prometheus, /livez, /readyz and /startupz for
// Kubernetes. A text is made in one go on the loop, between two steps of the engine, so all of its
// figures are of one instant. Inside of srv6-agent only.
//
// How many series there can be: of links only those that this host probes, METRICS_LINKS_MAX
// directed ones at most (first those that are not well); of jobs only those with a rank here,
// METRICS_JOBS_MAX at most; no label names a QP, an address or another host's flow. So a host has
//
//   8 * links + 8 * jobs + 75 * ports + 320   at the very most
//
// and a few hundred in practice. What is left out is counted by srv6_metrics_omitted.
#ifndef AGENT_SHELL_METRICS_H
#define AGENT_SHELL_METRICS_H

#include <stdbool.h>
#include <stddef.h>

#include "agent_shell/http.h"
#include "agent_shell/metric_text.h"

struct agent;

#define METRICS_LINKS_MAX 256
#define METRICS_JOBS_MAX 64
#define METRICS_FRESH_NS UINT64_C(100000000) // so long a text is given to others who ask
#define METRICS_SERIES_MAX(links, jobs, ports) (8 * (links) + 8 * (jobs) + 75 * (ports) + 320)

// What is measured for the metrics alone, and the server. Part of struct agent.
struct agent_metrics {
    struct metric_histogram rtt, program;
    struct http *http; // NULL: off, or it cannot listen yet
    uint64_t tried_at_ns;
    struct error trouble; // why it cannot
    struct {
        char *text;
        size_t size;
        uint64_t made_at_ns;
    } kept[METRIC_OPENMETRICS + 1];
    uint64_t render_ns; // what the last text took
};

void agent_metrics_init(struct agent_metrics *metrics);
void agent_metrics_fini(struct agent_metrics *metrics);
// Opens the server where the configuration wants one that is not there yet.
void agent_metrics_look(struct agent *agent);
void agent_metrics_close(struct agent *agent); // the server

// ---- serve.c: an http_answer_fn; context is the agent
int agent_serve(void *context, const char *path, const char *accept, struct http_answer *out);
// All metrics as text, owned. -ENOMEM.
int agent_metrics_text(struct agent *agent, enum metric_format format, char **text, size_t *size);

// ---- health.c: checks as Kubernetes' own components print them, one a line, and whether all hold
enum health { HEALTH_LIVE, HEALTH_READY, HEALTH_STARTED };
#define HEALTH_TEXT_SIZE 8192
bool agent_health(const struct agent *agent, enum health which, char text[HEALTH_TEXT_SIZE]);

// ---- metrics_*.c: families by what they are about
void metrics_of_process(struct metric_text *text);
void metrics_of_agent(const struct agent *agent, struct metric_text *text);
void metrics_of_gossip(const struct agent *agent, struct metric_text *text);
void metrics_of_links(const struct agent *agent, struct metric_text *text);
void metrics_of_jobs(const struct agent *agent, struct metric_text *text);
void metrics_of_findings(const struct agent *agent, struct metric_text *text);
void metrics_of_nics(const struct agent *agent, struct metric_text *text);

// A family that has one sample without labels.
void metrics_single(struct metric_text *text, const struct metric_family *family, uint64_t value);
// A family of counters that differ in one label.
struct metric_case {
    const char *value; // of the label
    uint64_t count;
};
void metrics_cases(struct metric_text *text, const struct metric_family *family, const char *label,
                   const struct metric_case *cases, size_t count);

#endif
