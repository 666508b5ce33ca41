// SPDX-License-Identifier: Apache-2.0
// What each path answers.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent.h"
#include "agent_shell/clock.h"

#define OK 200
#define NOT_FOUND 404
#define UNAVAILABLE 503
#define PLAIN "text/plain; charset=utf-8"

static int plain_answer(unsigned status, const char *text, struct http_answer *out) {
    char *body = strdup(text);
    if (body == NULL) {
        return -ENOMEM;
    }
    *out = (struct http_answer){status, PLAIN, body, strlen(body)};
    return 0;
}

static int health_answer(const struct agent *agent, enum health which, struct http_answer *out) {
    char text[HEALTH_TEXT_SIZE];
    bool good = agent_health(agent, which, text);
    return plain_answer(good ? OK : UNAVAILABLE, text, out);
}

// Whoever asks again at once gets what the last one got: a flood costs no more than ten texts a
// second.
static int refresh(struct agent *agent, enum metric_format format) {
    uint64_t now_ns = clock_now_ns();
    char *text;
    size_t size;
    if (agent->metrics.kept[format].text != NULL &&
        now_ns - agent->metrics.kept[format].made_at_ns < METRICS_FRESH_NS) {
        return 0;
    }
    int rc = agent_metrics_text(agent, format, &text, &size);
    if (rc != 0) {
        return rc;
    }
    free(agent->metrics.kept[format].text);
    agent->metrics.kept[format].text = text;
    agent->metrics.kept[format].size = size;
    agent->metrics.kept[format].made_at_ns = now_ns;
    return 0;
}

static int metrics_answer(struct agent *agent, const char *accept, struct http_answer *out) {
    bool open = http_accepts_openmetrics(accept);
    enum metric_format format = open ? METRIC_OPENMETRICS : METRIC_CLASSIC;
    int rc = refresh(agent, format);
    if (rc != 0) {
        return rc;
    }
    size_t size = agent->metrics.kept[format].size;
    char *body = malloc(size);
    if (body == NULL) {
        return -ENOMEM;
    }
    memcpy(body, agent->metrics.kept[format].text, size);
    *out = (struct http_answer){OK,
                                open ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                                     : "text/plain; version=0.0.4; charset=utf-8",
                                body, size};
    return 0;
}

int agent_serve(void *context, const char *path, const char *accept, struct http_answer *out) {
    struct agent *agent = context;
    if (strcmp(path, "/metrics") == 0) {
        return metrics_answer(agent, accept, out);
    }
    if (strcmp(path, "/livez") == 0) {
        return health_answer(agent, HEALTH_LIVE, out);
    }
    if (strcmp(path, "/readyz") == 0) {
        return health_answer(agent, HEALTH_READY, out);
    }
    if (strcmp(path, "/startupz") == 0) {
        return health_answer(agent, HEALTH_STARTED, out);
    }
    return plain_answer(NOT_FOUND, "/metrics, /livez, /readyz or /startupz\n", out);
}
