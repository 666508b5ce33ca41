// SPDX-License-Identifier: Apache-2.0
// The server's life, and the whole of the metrics.
#include "metrics.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent.h"
#include "agent_shell/clock.h"
#include "model/time.h"

#define TRY_AGAIN_NS (5 * NS_PER_S)

static const uint64_t rtt_bounds_ns[] = {2000,   5000,   10000,   20000,   50000,   100000,
                                         200000, 500000, 1000000, 2000000, 5000000, 10000000};
static const uint64_t program_bounds_ns[] = {20000,    50000,    100000,    200000,
                                             500000,   1000000,  2000000,   5000000,
                                             10000000, 50000000, 200000000, 1000000000};

void agent_metrics_init(struct agent_metrics *metrics) {
    *metrics = (struct agent_metrics){
        .rtt = {.bounds_ns = rtt_bounds_ns,
                .bound_count = sizeof(rtt_bounds_ns) / sizeof(rtt_bounds_ns[0])},
        .program = {.bounds_ns = program_bounds_ns,
                    .bound_count = sizeof(program_bounds_ns) / sizeof(program_bounds_ns[0])},
    };
}

void agent_metrics_fini(struct agent_metrics *metrics) {
    for (unsigned i = 0; i <= METRIC_OPENMETRICS; i++) {
        free(metrics->kept[i].text);
        metrics->kept[i].text = NULL;
    }
}

// A port that somebody else holds does not keep the agent from steering.
void agent_metrics_look(struct agent *agent) {
    struct agent_metrics *metrics = &agent->metrics;
    struct sockaddr_storage listen;
    struct error error = {0};
    uint64_t now_ns = clock_now_ns();
    if (metrics->http != NULL || !config_listen_parse(agent->config.metrics_listen, &listen) ||
        (metrics->tried_at_ns != 0 && now_ns - metrics->tried_at_ns < TRY_AGAIN_NS)) {
        return;
    }
    metrics->tried_at_ns = now_ns;
    int rc = http_open(&agent->loop, &listen, agent_serve, agent, &metrics->http, &error);
    if (rc == 0) {
        agent_tell(agent, LOG_INFO, "metrics_open", agent->config.host, "metrics at http://%s",
                   agent->config.metrics_listen);
    } else if (strcmp(error.text, metrics->trouble.text) != 0) { // it is tried again and again
        agent_tell(agent, LOG_WARNING, "metrics_failed", agent->config.host, "%s: %s", error.text,
                   agent->config.metrics_listen);
    }
    metrics->trouble = error;
}

void agent_metrics_close(struct agent *agent) {
    http_close(agent->metrics.http);
    agent->metrics.http = NULL;
}

void metrics_single(struct metric_text *text, const struct metric_family *family, uint64_t value) {
    metric_family(text, family);
    metric_value(text, NULL, 0, value);
}

void metrics_cases(struct metric_text *text, const struct metric_family *family, const char *label,
                   const struct metric_case *cases, size_t count) {
    metric_family(text, family);
    for (size_t i = 0; i < count; i++) {
        struct metric_label labels[] = {{label, cases[i].value}};
        metric_value(text, labels, 1, cases[i].count);
    }
}

int agent_metrics_text(struct agent *agent, enum metric_format format, char **text, size_t *size) {
    static const struct metric_family series = {"srv6_metrics_series", METRIC_GAUGE, NULL,
                                                "Series in this text, this one left out."};
    static const struct metric_family render = {"srv6_metrics_render_seconds", METRIC_GAUGE,
                                                "seconds",
                                                "Time that making the text before this one took."};
    uint64_t begin_ns = clock_now_ns();
    struct metric_text *made = metric_text_open(format);
    if (made == NULL) {
        return -ENOMEM;
    }
    metrics_of_agent(agent, made);
    metrics_of_gossip(agent, made);
    metrics_of_links(agent, made);
    metrics_of_jobs(agent, made);
    metrics_of_findings(agent, made);
    metrics_of_nics(agent, made);
    metrics_of_process(made);
    metric_family(made, &render);
    metric_seconds(made, NULL, 0, agent->metrics.render_ns);
    metrics_single(made, &series, metric_text_series(made));
    int rc = metric_text_take(made, text, size);
    metric_text_close(made);
    agent->metrics.render_ns = clock_now_ns() - begin_ns;
    return rc;
}
