// SPDX-License-Identifier: Apache-2.0
#include <inttypes.h>
#include <string.h>

#include "tool/json.h"
#include "tool/table.h"
#include "tool/tool.h"
#include "view.h"

#define TEXT_SIZE 512
#define LINE_WIDTH 80

void view_sentence(FILE *out, const char *text) {
    char clean[4096];
    snprintf(clean, sizeof clean, "%s", text);
    fprintf(out, "%s\n", tool_clean(clean));
}

static uint64_t count_of(const json_t *object, const char *key) {
    return tool_json_u64(object, key, 0);
}

static void print_head(const json_t *status, FILE *out) {
    char uptime[24], text[TEXT_SIZE];
    tool_format_duration(count_of(status, "uptime_ns"), uptime);
    bool healthy = tool_json_bool(status, "healthy", false);
    snprintf(text, sizeof text, "%s: %s%s%s, version %s, up %s%s",
             tool_json_text(status, "host", "-"), healthy ? "healthy" : "UNHEALTHY",
             healthy ? "" : ": ",
             healthy ? "" : tool_json_text(status, "reason", "no reason given"),
             tool_json_text(status, "version", "-"), uptime,
             tool_json_bool(status, "joined", true) ? "" : ", not joined yet");
    view_sentence(out, text);
}

static void print_fabric(const json_t *fabric, FILE *out) {
    char text[TEXT_SIZE];
    snprintf(text, sizeof text, "fabric   %s, generation %" PRIu64 ", digest %.12s",
             tool_json_text(fabric, "name", "-"), count_of(fabric, "generation"),
             tool_json_text(fabric, "digest", "-"));
    uint64_t held = count_of(fabric, "held_generation");
    if (held != count_of(fabric, "generation") && held != 0) {
        size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, "; holds %" PRIu64 ", waiting for all members",
                 held);
    }
    view_sentence(out, text);
}

static void print_counts(const json_t *status, FILE *out) {
    const json_t *members = tool_json_object(status, "members");
    const json_t *links = tool_json_object(status, "links");
    const json_t *flows = tool_json_object(status, "flows");
    fprintf(out,
            "members  %" PRIu64 " alive, %" PRIu64 " suspect, %" PRIu64 " dead, %" PRIu64 " left\n",
            count_of(members, "alive"), count_of(members, "suspect"), count_of(members, "dead"),
            count_of(members, "left"));
    fprintf(out,
            "links    %" PRIu64 ": %" PRIu64 " down, %" PRIu64 " drained, %" PRIu64
            " seen down by this host\n",
            count_of(links, "total"), count_of(links, "down"), count_of(links, "drained"),
            count_of(links, "own_down"));
    fprintf(out, "jobs     %" PRIu64 "\n", count_of(status, "jobs"));
    fprintf(out,
            "flows    %" PRIu64 ": %" PRIu64 " steered, %" PRIu64 " on a backup, %" PRIu64
            " plain, %" PRIu64 " local\n",
            count_of(flows, "total"), count_of(flows, "steered"), count_of(flows, "backup"),
            count_of(flows, "plain"), count_of(flows, "local"));
}

static void print_pods(const json_t *status, FILE *out) {
    const json_t *pods = tool_json_object(status, "pods");
    char text[TEXT_SIZE];
    if (pods == NULL) {
        return;
    }
    uint64_t refused = count_of(pods, "refused");
    snprintf(text, sizeof text, "pods     node %s: %" PRIu64 " ranks",
             tool_json_text(pods, "node", "-"), count_of(pods, "ranks"));
    if (refused > 0) {
        size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, ", %" PRIu64 " refused (see events)", refused);
    }
    if (!tool_json_bool(pods, "synced", true)) {
        size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, ", as they were: the API server does not answer");
    }
    view_sentence(out, text);
}

static void print_problems(const json_t *plan, FILE *out) {
    size_t index;
    const json_t *problem;
    json_array_foreach(tool_json_array(plan, "problems"), index, problem) {
        const char *text = json_string_value(problem);
        fputs("problem  ", out);
        view_sentence(out, text != NULL ? text : "-");
    }
    uint64_t count = count_of(plan, "problem_count");
    if (count > index) {
        fprintf(out, "problem  and %" PRIu64 " more\n", count - index);
    }
}

static void print_nic(const json_t *nic, FILE *out) {
    char text[TEXT_SIZE];
    snprintf(text, sizeof text,
             "NIC      %s: %" PRIu64 " encapsulated, %" PRIu64 " decapsulated, %" PRIu64
             " plain RoCE packets",
             tool_json_text(nic, "driver", "-"), count_of(nic, "encapsulated"),
             count_of(nic, "decapsulated"), count_of(nic, "plain_roce"));
    view_sentence(out, text);
    size_t index;
    const json_t *port;
    json_array_foreach(tool_json_array(nic, "ports"), index, port) {
        snprintf(text, sizeof text,
                 "         port %s on %s: %" PRIu64 " rules, %" PRIu64 " encapsulations",
                 tool_json_text(port, "port", "-"), tool_json_text(port, "device", "-"),
                 count_of(port, "rules"), count_of(port, "encaps"));
        view_sentence(out, text);
        const char *problem = tool_json_text(port, "problem", NULL);
        if (problem != NULL) {
            snprintf(text, sizeof text, "         %s", problem);
            view_sentence(out, text);
        }
    }
}

static void print_probe(const json_t *probe, FILE *out) {
    char interval[24], text[TEXT_SIZE];
    tool_format_duration(count_of(probe, "interval_ns"), interval);
    const char *reason = tool_json_text(probe, "backend_reason", NULL);
    snprintf(text, sizeof text, "probes   %s every %s%s%s%s", tool_json_text(probe, "backend", "-"),
             interval, reason != NULL ? " (" : "", reason != NULL ? reason : "",
             reason != NULL ? ")" : "");
    view_sentence(out, text);
    fprintf(out,
            "         %" PRIu64 " sent, %" PRIu64 " returned, %" PRIu64 " lost, %" PRIu64
            " void; %" PRIu64 " late windows\n",
            count_of(probe, "sent"), count_of(probe, "returned"), count_of(probe, "lost"),
            count_of(probe, "void"), count_of(probe, "late_windows"));
}

// Counters that stand at zero say nothing: they are left to --json.
static void print_gossip(json_t *gossip, FILE *out) {
    char line[TEXT_SIZE] = "gossip   ";
    const size_t indent = strlen(line);
    const char *key;
    json_t *value;
    json_object_foreach(gossip, key, value) {
        if (!json_is_integer(value) || json_integer_value(value) == 0) {
            continue;
        }
        char item[LINE_WIDTH - 16];
        snprintf(item, sizeof item, "%s %" JSON_INTEGER_FORMAT, key, json_integer_value(value));
        if (strlen(line) + strlen(item) + 3 > LINE_WIDTH) {
            strcat(line, ",");
            view_sentence(out, line);
            snprintf(line, sizeof line, "%*s", (int)indent, "");
        }
        size_t used = strlen(line);
        snprintf(line + used, sizeof line - used, "%s%s", used > indent ? ", " : "", item);
    }
    if (strlen(line) > indent) {
        view_sentence(out, line);
    }
}

int view_status(const json_t *status, FILE *out) {
    print_head(status, out);
    print_fabric(tool_json_object(status, "fabric"), out);
    print_counts(status, out);
    print_pods(status, out);
    print_problems(tool_json_object(status, "plan"), out);
    print_nic(tool_json_object(status, "nic"), out);
    print_probe(tool_json_object(status, "probe"), out);
    print_gossip(tool_json_object(status, "gossip"), out);
    size_t index;
    const json_t *alarm;
    json_array_foreach(tool_json_array(status, "alarms"), index, alarm) {
        const char *text = json_string_value(alarm);
        fputs("ALARM    ", out);
        view_sentence(out, text != NULL ? text : "-");
    }
    return ferror(out) != 0 ? TOOL_FAILED : TOOL_OK;
}

static const char *member_flags(const json_t *member) {
    bool self = tool_json_bool(member, "self", false);
    bool neighbour = tool_json_bool(member, "neighbour", false);
    return self ? "self" : neighbour ? "neighbour" : "-";
}

// Members that share neither rack nor job with this host tell it nothing.
static void load_cells(struct tool_table *table, const json_t *member) {
    char load[24] = "-", marked[24] = "-";
    if (json_is_integer(json_object_get(member, "load_bps"))) {
        tool_format_rate(count_of(member, "load_bps"), load);
        tool_format_share((double)count_of(member, "ecn_ppm") / 1e6, marked);
    }
    tool_table_cell(table, "%s", load);
    tool_table_cell(table, "%s", marked);
}

int view_members(const json_t *result, FILE *out) {
    static const struct tool_column columns[] = {{"MEMBER", false}, {"STATE", false},
                                                 {"RACK", false},   {"HEARD", true},
                                                 {"ROLE", false},   {"DECAP", false},
                                                 {"FABRIC", false}, {"NIC", false},
                                                 {"SENDS", true},   {"ECN", true},
                                                 {"ADDRESS", false}};
    struct tool_table *table = tool_table_open(columns, 11);
    if (table == NULL) {
        return TOOL_FAILED;
    }
    size_t index;
    const json_t *member;
    json_array_foreach(tool_json_array(result, "members"), index, member) {
        char heard[24];
        tool_format_duration(count_of(member, "heard_ago_ns"), heard);
        tool_table_cell(table, "%s", tool_json_text(member, "name", "-"));
        tool_table_cell(table, "%s", tool_json_text(member, "state", "-"));
        tool_table_cell(table, "%s", tool_json_text(member, "rack", "-"));
        tool_table_cell(table, "%s", tool_json_bool(member, "self", false) ? "-" : heard);
        tool_table_cell(table, "%s", member_flags(member));
        tool_table_cell(table, "%s", tool_json_bool(member, "decap_ready", false) ? "yes" : "NO");
        tool_table_cell(table, "%" PRIu64 "/%.6s", count_of(member, "fabric_generation"),
                        tool_json_text(member, "fabric_digest", "-"));
        tool_table_cell(table, "%s", tool_json_text(member, "nic_driver", "-"));
        load_cells(table, member);
        tool_table_cell(table, "%s", tool_json_text(member, "address", "-"));
    }
    int rc = tool_table_print(table, out);
    tool_table_close(table);
    return rc == 0 ? TOOL_OK : TOOL_FAILED;
}
