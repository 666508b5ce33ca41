// SPDX-License-Identifier: Apache-2.0
// The commands that only look.
#include "commands.h"
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

int run_audit(const struct ctl *ctl) {
    json_t *audit = NULL;
    int rc = ctl_ask(ctl, "audit", NULL, &audit);
    if (rc != TOOL_OK) {
        return rc;
    }
    bool consistent = tool_json_bool(audit, "consistent", false);
    if (ctl->json) {
        rc = tool_print_json(audit);
    } else {
        rc = view_audit(audit, stdout);
        json_decref(audit);
    }
    return rc == TOOL_OK && !consistent ? TOOL_UNHEALTHY : rc;
}

#define TABLE_POINTS 24 // lines of a link's table

int run_history(const struct ctl *ctl) {
    json_t *arguments = json_object();
    if (ctl->operand_count > 0) {
        json_object_set_new(arguments, "link", json_string(ctl->operands[0]));
    }
    if (ctl->since_ns > 0) {
        json_object_set_new(arguments, "since_ns", json_integer((json_int_t)ctl->since_ns));
    }
    if (!ctl->json) {
        json_object_set_new(arguments, "points", json_integer(TABLE_POINTS));
    }
    return ctl_show(ctl, "history", arguments, view_history);
}

int run_events(const struct ctl *ctl) {
    json_t *arguments = json_pack("{s:s}", "level", ctl->level != NULL ? ctl->level : "info");
    return ctl->follow ? ctl_follow(ctl, arguments)
                       : ctl_show(ctl, "events", arguments, view_events);
}
