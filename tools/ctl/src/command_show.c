// SPDX-License-Identifier: Apache-2.0
// The commands that only look.
#include <errno.h>

#include "commands.h"
#include "control_client/control.h"
#include "tool/json.h"
#include "tool/tool.h"

// Exit 4 with the reason when the agent calls itself unhealthy.
static int check_status(const struct ctl *ctl) {
    json_t *status = NULL;
    int rc = ctl_ask(ctl, "status", NULL, &status);
    if (rc != TOOL_OK) {
        return rc;
    }
    if (!tool_json_bool(status, "healthy", false)) {
        char text[1024];
        snprintf(text, sizeof text, CTL_NAME ": unhealthy: %s: %s",
                 tool_json_text(status, "reason", "no reason given"),
                 tool_json_text(status, "host", "-"));
        view_sentence(stderr, text);
        rc = TOOL_UNHEALTHY;
    }
    if (ctl->json) {
        int printed = tool_print_json(status);
        return rc == TOOL_OK ? printed : rc;
    }
    if (rc == TOOL_OK) {
        char text[128];
        snprintf(text, sizeof text, "%s: healthy", tool_json_text(status, "host", "-"));
        view_sentence(stdout, text);
    }
    json_decref(status);
    return rc;
}

int run_status(const struct ctl *ctl) {
    return ctl->check ? check_status(ctl) : ctl_show(ctl, "status", NULL, view_status);
}

int run_members(const struct ctl *ctl) {
    return ctl_show(ctl, "members", NULL, view_members);
}

int run_links(const struct ctl *ctl) {
    if (ctl->why != NULL) {
        return ctl_show(ctl, "links", json_pack("{s:s}", "why", ctl->why), view_link_why);
    }
    return ctl_show(ctl, "links", NULL, view_links);
}

int run_jobs(const struct ctl *ctl) {
    return ctl_show(ctl, "jobs", NULL, view_jobs);
}

int run_flows(const struct ctl *ctl) {
    return ctl_show(ctl, "flows", NULL, view_flows);
}

int run_rules(const struct ctl *ctl) {
    return ctl_show(ctl, "rules", NULL, view_rules);
}

int run_paths(const struct ctl *ctl) {
    return ctl_show(ctl, "paths",
                    json_pack("{s:s,s:s}", "src", ctl->operands[0], "dst", ctl->operands[1]),
                    view_paths);
}

int run_why(const struct ctl *ctl) {
    return ctl_show(ctl, "why", json_pack("{s:s}", "flow", ctl->operands[0]), view_why);
}

int run_trace(const struct ctl *ctl) {
    return ctl_show(ctl, "trace", json_pack("{s:s}", "flow", ctl->operands[0]), view_trace);
}

static int print_event(const struct ctl *ctl, json_t *event) {
    if (ctl->json) {
        return tool_print_json(event); // one document on each line
    }
    int rc = view_event(event, stdout);
    json_decref(event);
    return fflush(stdout) == 0 ? rc : TOOL_FAILED;
}

static int follow_events(const struct ctl *ctl, json_t *arguments) {
    char path[CONTROL_PATH_SIZE];
    struct control_problem problem;
    struct control_exchange *exchange = NULL;
    int rc = control_find(ctl->socket, ctl->host, path, &problem);
    if (rc == 0) {
        rc = control_exchange_open(path, "events", arguments, &exchange, &problem);
    }
    json_decref(arguments);
    while (rc == 0) {
        json_t *event = NULL;
        rc = control_exchange_wait(exchange, UINT64_MAX, &event, &problem);
        if (rc == 0 && print_event(ctl, event) != TOOL_OK) {
            control_exchange_close(exchange);
            return TOOL_FAILED; // the reader of our output went away
        }
    }
    control_exchange_close(exchange);
    return tool_error(CTL_NAME, problem.exit_code, NULL, "%s", problem.text);
}

int run_events(const struct ctl *ctl) {
    json_t *arguments = json_pack("{s:b,s:s}", "follow", ctl->follow, "level",
                                  ctl->level != NULL ? ctl->level : "info");
    return ctl->follow ? follow_events(ctl, arguments)
                       : ctl_show(ctl, "events", arguments, view_events);
}
