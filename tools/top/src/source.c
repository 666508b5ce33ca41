// SPDX-License-Identifier: Apache-2.0
#include "source.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tool/tool.h"

#define DETAIL TOP_DOCUMENT_COUNT

static const char *const commands[TOP_DOCUMENT_COUNT] = {
    [TOP_LINKS] = "links",     [TOP_FLOWS] = "flows",   [TOP_JOBS] = "jobs",
    [TOP_MEMBERS] = "members", [TOP_STATUS] = "status", [TOP_EVENTS] = "events",
};

void top_source_init(struct top_source *source, const char *path, uint64_t timeout_ns) {
    *source = (struct top_source){.timeout_ns = timeout_ns};
    snprintf(source->path, sizeof source->path, "%s", path);
}

static void close_exchange(struct top_source *source, unsigned index) {
    control_exchange_close(source->exchanges[index]);
    source->exchanges[index] = NULL;
}

static void close_round(struct top_source *source) {
    for (unsigned i = 0; i < TOP_DOCUMENT_COUNT; i++) {
        close_exchange(source, i);
    }
    source->in_round = false;
    source->rounds++;
}

void top_source_fini(struct top_source *source) {
    close_round(source);
    close_exchange(source, DETAIL);
    for (unsigned i = 0; i < TOP_DOCUMENT_COUNT; i++) {
        json_decref(source->documents[i]);
        source->documents[i] = NULL;
    }
    json_decref(source->detail);
    source->detail = NULL;
}

static void fail_round(struct top_source *source, const struct control_problem *problem,
                       uint64_t now_ns) {
    if (!source->gone) {
        source->gone_since_ns = now_ns;
    }
    source->gone = true;
    source->problem = *problem;
    close_round(source);
}

void top_source_refresh(struct top_source *source, uint64_t now_ns) {
    if (source->in_round) {
        return;
    }
    source->in_round = true;
    source->deadline_ns = now_ns + source->timeout_ns;
    for (unsigned i = 0; i < TOP_DOCUMENT_COUNT; i++) {
        struct control_problem problem;
        if (control_exchange_open(source->path, commands[i], NULL, &source->exchanges[i],
                                  &problem) != 0) {
            fail_round(source, &problem, now_ns);
            return;
        }
    }
}

void top_source_explain(struct top_source *source, const struct top_view *view, const char *subject,
                        uint64_t now_ns) {
    close_exchange(source, DETAIL);
    json_decref(source->detail);
    source->detail = NULL;
    source->detail_failed = false;
    source->detail_deadline_ns = now_ns + source->timeout_ns;
    const char *key = strcmp(view->explain, "links") == 0 ? "why" : "flow";
    json_t *arguments = json_pack("{s:s}", key, subject);
    source->detail_failed =
        control_exchange_open(source->path, view->explain, arguments, &source->exchanges[DETAIL],
                              &source->detail_problem) != 0;
    json_decref(arguments);
}

unsigned top_source_poll(const struct top_source *source,
                         struct pollfd polled[TOP_EXCHANGE_COUNT]) {
    unsigned count = 0;
    for (unsigned i = 0; i < TOP_EXCHANGE_COUNT; i++) {
        if (source->exchanges[i] != NULL) {
            polled[count++] =
                (struct pollfd){.fd = control_exchange_fd(source->exchanges[i]),
                                .events = control_exchange_events(source->exchanges[i])};
        }
    }
    return count;
}

static void set_timed_out(const struct top_source *source, struct control_problem *problem) {
    control_problem_set(problem, -ETIMEDOUT, TOOL_TIMED_OUT, "agent did not answer in time: %s",
                        source->path);
}

static bool work_document(struct top_source *source, unsigned index, uint64_t now_ns) {
    struct control_problem problem;
    json_t *document = NULL;
    int rc = control_exchange_step(source->exchanges[index], &document, &problem);
    if (rc == 0) {
        return false;
    }
    if (rc < 0) {
        fail_round(source, &problem, now_ns);
        return true;
    }
    json_decref(source->documents[index]);
    source->documents[index] = document;
    close_exchange(source, index);
    return true;
}

static bool work_round(struct top_source *source, uint64_t now_ns) {
    bool changed = false, open = false;
    for (unsigned i = 0; i < TOP_DOCUMENT_COUNT && source->in_round; i++) {
        if (source->exchanges[i] != NULL) {
            changed |= work_document(source, i, now_ns);
            open |= source->exchanges[i] != NULL;
        }
    }
    if (source->in_round && !open) {
        source->gone = false;
        close_round(source);
    } else if (source->in_round && now_ns >= source->deadline_ns) {
        struct control_problem problem;
        set_timed_out(source, &problem);
        fail_round(source, &problem, now_ns);
        changed = true;
    }
    return changed;
}

static bool work_detail(struct top_source *source, uint64_t now_ns) {
    if (source->exchanges[DETAIL] == NULL) {
        return false;
    }
    int rc =
        control_exchange_step(source->exchanges[DETAIL], &source->detail, &source->detail_problem);
    if (rc == 0 && now_ns >= source->detail_deadline_ns) {
        set_timed_out(source, &source->detail_problem);
        rc = -ETIMEDOUT;
    }
    if (rc != 0) {
        source->detail_failed = rc < 0;
        close_exchange(source, DETAIL);
    }
    return rc != 0;
}

bool top_source_work(struct top_source *source, uint64_t now_ns) {
    bool changed = source->in_round && work_round(source, now_ns);
    return work_detail(source, now_ns) || changed;
}

uint64_t top_source_deadline_ns(const struct top_source *source) {
    uint64_t deadline_ns = source->in_round ? source->deadline_ns : UINT64_MAX;
    if (source->exchanges[DETAIL] != NULL && source->detail_deadline_ns < deadline_ns) {
        deadline_ns = source->detail_deadline_ns;
    }
    return deadline_ns;
}
