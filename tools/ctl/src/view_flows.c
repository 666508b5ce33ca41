// SPDX-License-Identifier: Apache-2.0
#include <inttypes.h>

#include "tool/json.h"
#include "tool/table.h"
#include "tool/tool.h"
#include "view.h"

#define PATH_TEXT_SIZE 512

static int finish(struct tool_table *table, FILE *out) {
    int rc = tool_table_print(table, out);
    tool_table_close(table);
    return rc == 0 ? TOOL_OK : TOOL_FAILED;
}

// Three cells: planned share, realised share, state; then the path.
static void part_cells(struct tool_table *table, const json_t *part) {
    char planned[24], realised[24], path[PATH_TEXT_SIZE];
    tool_format_share(tool_json_real(part, "share", -1), planned);
    tool_format_share(tool_json_real(part, "realised_share", -1), realised);
    tool_table_cell(table, "%s", planned);
    tool_table_cell(table, "%s", realised);
    tool_table_cell(table, "%s", tool_json_text(part, "state", "-"));
    tool_json_join(tool_json_array(part, "nodes"), " ", path, sizeof path);
    const char *cause = tool_json_text(part, "cause", NULL);
    const char *hot = tool_json_bool(part, "ecn", false) ? " ECN" : "";
    tool_table_cell(table, "%s%s%s%s%s", path[0] != '\0' ? path : "-", cause != NULL ? " (" : "",
                    cause != NULL ? cause : "", hot, cause != NULL ? ")" : "");
}

// A flow without parts is one row that says why.
static void partless_cells(struct tool_table *table, const json_t *flow) {
    bool local = tool_json_bool(flow, "local", false);
    tool_table_cell(table, "-");
    tool_table_cell(table, "-");
    tool_table_cell(table, "%s", local ? "local" : "plain");
    tool_table_cell(table, "%s",
                    local ? "within one leaf or host" : tool_json_text(flow, "plain_reason", "-"));
}

int view_flows(const json_t *result, FILE *out) {
    static const struct tool_column columns[] = {{"FLOW", false},  {"SIZE", true},
                                                 {"PLAN", true},   {"REAL", true},
                                                 {"STATE", false}, {"PATH", false}};
    struct tool_table *table = tool_table_open(columns, 6);
    if (table == NULL) {
        return TOOL_FAILED;
    }
    size_t flow_index, part_index;
    const json_t *flow, *part;
    json_array_foreach(tool_json_array(result, "flows"), flow_index, flow) {
        const json_t *parts = tool_json_array(flow, "parts");
        char size[24];
        tool_format_bytes(tool_json_u64(flow, "bytes", 0), size);
        tool_table_cell(table, "%s", tool_json_text(flow, "flow", "-"));
        tool_table_cell(table, "%s", size);
        if (json_array_size(parts) == 0) {
            partless_cells(table, flow);
        }
        json_array_foreach(parts, part_index, part) {
            if (part_index > 0) {
                tool_table_cell(table, "%s", "");
                tool_table_cell(table, "%s", "");
            }
            part_cells(table, part);
        }
    }
    return finish(table, out);
}

int view_why(const json_t *result, FILE *out) {
    size_t index;
    const json_t *sentence;
    json_array_foreach(tool_json_array(result, "explanation"), index, sentence) {
        const char *text = json_string_value(sentence);
        view_sentence(out, text != NULL ? text : "-");
    }
    const json_t *parts = tool_json_array(result, "parts");
    if (json_array_size(parts) == 0) {
        return ferror(out) != 0 ? TOOL_FAILED : TOOL_OK;
    }
    static const struct tool_column columns[] = {{"  PLAN", true},
                                                 {"REAL", true},
                                                 {"STATE", false},
                                                 {"PATH", false}};
    struct tool_table *table = tool_table_open(columns, 4);
    if (table == NULL) {
        return TOOL_FAILED;
    }
    const json_t *part;
    json_array_foreach(parts, index, part) {
        part_cells(table, part);
    }
    return finish(table, out);
}

int view_paths(const json_t *result, FILE *out) {
    static const struct tool_column columns[] = {{"LIVE", false},
                                                 {"RATE", true},
                                                 {"PATH", false},
                                                 {"SIDS", false}};
    struct tool_table *table = tool_table_open(columns, 4);
    if (table == NULL) {
        return TOOL_FAILED;
    }
    size_t index;
    const json_t *path;
    json_array_foreach(tool_json_array(result, "paths"), index, path) {
        char rate[24], nodes[PATH_TEXT_SIZE], sids[PATH_TEXT_SIZE];
        tool_format_rate(tool_json_u64(path, "rate_bps", 0), rate);
        tool_json_join(tool_json_array(path, "nodes"), " ", nodes, sizeof nodes);
        tool_json_join(tool_json_array(path, "sids"), ",", sids, sizeof sids);
        tool_table_cell(table, "%s", tool_json_bool(path, "live", false) ? "yes" : "NO");
        tool_table_cell(table, "%s", rate);
        tool_table_cell(table, "%s", nodes);
        tool_table_cell(table, "%s", sids);
    }
    return finish(table, out);
}

static void rule_rows(struct tool_table *table, const json_t *rule) {
    size_t index;
    const json_t *path;
    json_array_foreach(tool_json_array(rule, "paths"), index, path) {
        char bytes[24], sids[PATH_TEXT_SIZE];
        tool_format_bytes(tool_json_u64(path, "bytes", 0), bytes);
        tool_json_join(tool_json_array(path, "sids"), ",", sids, sizeof sids);
        tool_table_cell(table, "  %s", index == 0 ? tool_json_text(rule, "destination", "-") : "");
        tool_table_cell(table, "%s", index == 0 ? tool_json_text(rule, "key", "-") : "");
        tool_table_cell(table, "%s", index == 0 ? tool_json_text(rule, "select", "-") : "");
        tool_table_cell(table, "%" PRIu64, tool_json_u64(path, "buckets", 0));
        tool_table_cell(table, "%" PRIu64, tool_json_u64(path, "packets", 0));
        tool_table_cell(table, "%s", bytes);
        tool_table_cell(table, "%s", sids);
    }
}

int view_rules(const json_t *result, FILE *out) {
    static const struct tool_column columns[] = {{"  DESTINATION", false}, {"KEY", false},
                                                 {"SELECT", false},        {"BUCKETS", true},
                                                 {"PACKETS", true},        {"SENT", true},
                                                 {"SIDS", false}};
    size_t port_index, rule_index;
    const json_t *port, *rule;
    json_array_foreach(tool_json_array(result, "ports"), port_index, port) {
        char text[2 * PATH_TEXT_SIZE], sids[PATH_TEXT_SIZE];
        tool_json_join(tool_json_array(port, "local_sids"), " ", sids, sizeof sids);
        snprintf(text, sizeof text, "%s on %s, own SIDs %s", tool_json_text(port, "port", "-"),
                 tool_json_text(port, "device", "-"), sids[0] != '\0' ? sids : "none");
        view_sentence(out, text);
        struct tool_table *table = tool_table_open(columns, 7);
        if (table == NULL) {
            return TOOL_FAILED;
        }
        json_array_foreach(tool_json_array(port, "rules"), rule_index, rule) {
            rule_rows(table, rule);
        }
        if (finish(table, out) != TOOL_OK) {
            return TOOL_FAILED;
        }
    }
    return TOOL_OK;
}

static void collectives_text(const json_t *job, char *text, size_t size) {
    size_t index, used = 0;
    const json_t *collective;
    text[0] = '\0';
    json_array_foreach(tool_json_array(job, "collectives"), index, collective) {
        char bytes[24];
        uint64_t matrix = tool_json_u64(collective, "matrix_bytes", 0);
        tool_format_bytes(tool_json_u64(collective, "bytes", matrix), bytes);
        int length = snprintf(text + used, size - used, "%s%s %s", index > 0 ? ", " : "",
                              tool_json_text(collective, "type", "-"), bytes);
        used += length > 0 ? (size_t)length : 0;
        if (used >= size) {
            return;
        }
    }
    uint64_t reserved = tool_json_u64(job, "reserve_bps", 0);
    if (reserved > 0) {
        char rate[24];
        tool_format_rate(reserved, rate);
        snprintf(text + used, size - used, "; %s a rank reserved", rate);
    }
}

// A sentence for each rank that stays behind the others.
static void slow_ranks(const json_t *result, FILE *out) {
    size_t index, number;
    const json_t *job, *slow;
    json_array_foreach(tool_json_array(result, "jobs"), index, job) {
        const json_t *pace = json_object_get(job, "pace");
        json_array_foreach(tool_json_array(pace, "slow"), number, slow) {
            char text[256], own[24], median[24], since[24];
            tool_format_rate(tool_json_u64(slow, "pace_bps", 0), own);
            tool_format_rate(tool_json_u64(pace, "median_bps", 0), median);
            tool_format_duration(tool_json_u64(slow, "for_ns", 0), since);
            snprintf(text, sizeof text,
                     "SLOW %s: rank %" PRIu64 " (%s) sends %s while it sends, for %s; the median "
                     "of %" PRIu64 " ranks is %s",
                     tool_json_text(job, "job", "-"), tool_json_u64(slow, "rank", 0),
                     tool_json_text(slow, "port", "-"), own, since,
                     tool_json_u64(pace, "ranks_measured", 0), median);
            view_sentence(out, text);
        }
    }
}

static void owner_text(const json_t *job, char *text, size_t size) {
    const json_t *pods = tool_json_object(job, "pods");
    if (pods == NULL) {
        snprintf(text, size, "%s%s", tool_json_text(job, "owner", "-"),
                 tool_json_bool(job, "orphaned", false) ? " (orphaned)" : "");
        return;
    }
    uint64_t wanted = tool_json_u64(pods, "of", 0);
    int length = snprintf(text, size, "pods: %" PRIu64, tool_json_u64(pods, "ranks", 0));
    if (wanted > 0 && length > 0 && (size_t)length < size) {
        snprintf(text + length, size - (size_t)length, " of %" PRIu64, wanted);
    }
}

// What is wrong with jobs that pods make.
static void print_troubles(const json_t *result, FILE *out) {
    size_t index;
    const json_t *job;
    json_array_foreach(tool_json_array(result, "jobs"), index, job) {
        const char *trouble = tool_json_text(tool_json_object(job, "pods"), "trouble", "");
        char text[512];
        if (trouble[0] != '\0') {
            snprintf(text, sizeof text, "%s: %s", tool_json_text(job, "job", "-"), trouble);
            view_sentence(out, text);
        }
    }
}

int view_jobs(const json_t *result, FILE *out) {
    static const struct tool_column columns[] = {{"JOB", false},   {"GENERATION", true},
                                                 {"OWNER", false}, {"ALGORITHM", false},
                                                 {"RANKS", true},  {"BOUND", true},
                                                 {"OWN", true},    {"COLLECTIVES", false}};
    struct tool_table *table = tool_table_open(columns, 8);
    if (table == NULL) {
        return TOOL_FAILED;
    }
    size_t index;
    const json_t *job;
    json_array_foreach(tool_json_array(result, "jobs"), index, job) {
        char collectives[256], owner[96];
        collectives_text(job, collectives, sizeof collectives);
        owner_text(job, owner, sizeof owner);
        const json_t *own = json_object_get(job, "own_ranks");
        tool_table_cell(table, "%s", tool_json_text(job, "job", "-"));
        tool_table_cell(table, "%" PRIu64, tool_json_u64(job, "generation", 0));
        tool_table_cell(table, "%s", owner);
        tool_table_cell(table, "%s", tool_json_text(job, "algorithm", "-"));
        tool_table_cell(table, "%" PRIu64, tool_json_u64(job, "ranks", 0));
        tool_table_cell(table, "%" PRIu64, tool_json_u64(job, "bound", 0));
        tool_table_cell(table, "%" PRIu64,
                        json_is_array(own) ? (uint64_t)json_array_size(own)
                                           : tool_json_u64(job, "own_ranks", 0));
        tool_table_cell(table, "%s", collectives);
    }
    int rc = finish(table, out);
    slow_ranks(result, out);
    print_troubles(result, out);
    return rc;
}

int view_event(const json_t *event, FILE *out) {
    char text[2048];
    snprintf(text, sizeof text, "%s %-7s %-13s %s: %s", tool_json_text(event, "at", "-"),
             tool_json_text(event, "level", "-"), tool_json_text(event, "kind", "-"),
             tool_json_text(event, "subject", "-"), tool_json_text(event, "text", "-"));
    view_sentence(out, text);
    return ferror(out) != 0 ? TOOL_FAILED : TOOL_OK;
}

int view_events(const json_t *result, FILE *out) {
    size_t index;
    const json_t *event;
    int rc = TOOL_OK;
    json_array_foreach(tool_json_array(result, "events"), index, event) {
        rc = rc == TOOL_OK ? view_event(event, out) : rc;
    }
    return rc;
}
