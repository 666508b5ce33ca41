// SPDX-License-Identifier: Apache-2.0
#include "report.h"

#include <stdarg.h>
#include <string.h>

#include "tool/json.h"
#include "tool/table.h"
#include "tool/tool.h"

#define TEXT_SIZE 1024

__attribute__((format(printf, 2, 3))) static void say(FILE *out, const char *format, ...) {
    char text[TEXT_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    fprintf(out, "%s\n", tool_clean(text)); // names come from the agents
}

void report_write_plan(const json_t *plan, const json_t *reasons, FILE *out) {
    size_t index;
    const json_t *flow, *reason;
    say(out, "%s", tool_json_text(plan, "summary", "-"));
    json_array_foreach(tool_json_array(plan, "flows"), index, flow) {
        char share[24];
        tool_format_share(tool_json_real(flow, "share", 1), share);
        say(out, "  %s: %s of it%s", tool_json_text(flow, "flow", "-"), share,
            tool_json_bool(flow, "other_path", false) ? "" : "; NO OTHER PATH");
    }
    json_array_foreach(reasons, index, reason) {
        say(out, "would be refused: %s", json_string_value(reason));
    }
    if (json_array_size(reasons) == 0) {
        say(out, "nothing speaks against it; nothing was changed");
    }
}

int report_plan(const struct drill_request *request, json_t *plan, json_t *reasons) {
    if (request->json) {
        return tool_print_json(json_pack("{s:s,s:O,s:O}", "drill", request->drill->name, "plan",
                                         plan, "refusals", reasons));
    }
    report_write_plan(plan, reasons, stdout);
    return fflush(stdout) == 0 ? TOOL_OK : TOOL_FAILED;
}

static void write_time(const json_t *report, const char *key, const char *words, FILE *out) {
    const json_t *time = tool_json_object(report, key);
    if (time == NULL) {
        return;
    }
    char most[24], least[24];
    tool_format_duration(tool_json_u64(time, "at_most_ns", 0), most);
    tool_format_duration(tool_json_u64(time, "at_least_ns", 0), least);
    bool range = json_object_get(time, "at_least_ns") != NULL;
    say(out, "%s after %s%s%s, by %s", words, range ? least : "at most ", range ? " to " : "", most,
        tool_json_text(time, "host", "-"));
}

static void write_flows(const json_t *report, FILE *out) {
    size_t index;
    const json_t *flow;
    json_array_foreach(tool_json_array(report, "flows"), index, flow) {
        char paths[TEXT_SIZE / 2];
        tool_json_join(tool_json_array(flow, "paths"), "; ", paths, sizeof paths);
        say(out, "  %s %s: %s", tool_json_text(flow, "flow", "-"),
            tool_json_bool(flow, "moved", false) ? "moved" : "DID NOT MOVE", paths);
    }
}

void report_write(const json_t *report, FILE *out) {
    write_time(report, "first_seen", "first seen", out);
    write_time(report, "believed", "believed by agreement", out);
    write_time(report, "noticed", "noticed", out);
    const char *verdict = tool_json_text(report, "verdict", NULL);
    if (verdict != NULL) {
        say(out, "verdict on the link: %s", verdict);
    }
    write_flows(report, out);
    char settled[24];
    tool_format_duration(tool_json_u64(report, "settled_after_ns", 0), settled);
    say(out, "%s %s after the revert",
        tool_json_bool(report, "settled", false) ? "as before" : "NOT as before", settled);
    size_t index;
    const json_t *deviation;
    json_array_foreach(tool_json_array(report, "deviations"), index, deviation) {
        say(out, "DEVIATION: %s", json_string_value(deviation));
    }
    if (json_array_size(tool_json_array(report, "lost_events")) > 0) {
        char hosts[TEXT_SIZE / 2];
        tool_json_join(tool_json_array(report, "lost_events"), " ", hosts, sizeof hosts);
        say(out, "events were lost (the ring is too short): %s", hosts);
    }
    bool judged = strcmp(tool_json_text(report, "status", "-"), "completed") == 0;
    say(out, "status: %s, %s", tool_json_text(report, "status", "-"),
        !judged                                    ? "not judged"
        : tool_json_bool(report, "deviated", true) ? "deviated"
                                                   : "held");
}

int report_print(const struct drill_request *request, json_t *report) {
    if (request->json) {
        return tool_print_json(report);
    }
    report_write(report, stdout);
    json_decref(report);
    return fflush(stdout) == 0 ? TOOL_OK : TOOL_FAILED;
}
