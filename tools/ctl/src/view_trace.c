// SPDX-License-Identifier: Apache-2.0
#include <inttypes.h>
#include <string.h>

#include "tool/json.h"
#include "tool/table.h"
#include "tool/tool.h"
#include "view.h"

static void duration_cell(struct tool_table *table, const json_t *object, const char *key,
                          const char *before) {
    char text[24];
    uint64_t ns = tool_json_u64(object, key, UINT64_MAX);
    if (ns == UINT64_MAX) {
        tool_table_cell(table, "-");
        return;
    }
    tool_format_duration(ns, text);
    tool_table_cell(table, "%s%s", before, text);
}

static void counts_cell(struct tool_table *table, const json_t *object, const char *some,
                        const char *all) {
    uint64_t count = tool_json_u64(object, all, 0);
    if (count == 0) {
        tool_table_cell(table, "-");
    } else {
        tool_table_cell(table, "%" PRIu64 "/%" PRIu64, tool_json_u64(object, some, 0), count);
    }
}

static void share_cell(struct tool_table *table, const json_t *object, const char *key) {
    char text[24];
    uint64_t ppm = tool_json_u64(object, key, UINT64_MAX);
    tool_format_share((double)ppm / 1e6, text);
    tool_table_cell(table, "%s", ppm != UINT64_MAX ? text : "-");
}

// "lossy 1.2%", "slow", "-": as localization has named it.
static void fault_cell(struct tool_table *table, const json_t *object, const char *fault,
                       const char *loss) {
    char text[24] = "";
    uint64_t ppm = tool_json_u64(object, loss, UINT64_MAX);
    if (ppm != UINT64_MAX) {
        tool_format_share((double)ppm / 1e6, text);
    }
    tool_table_cell(table, "%s%s%s", tool_json_text(object, fault, "-"), text[0] != '\0' ? " " : "",
                    text);
}

static void hop_cells(struct tool_table *table, const json_t *hop) {
    const json_t *loops = json_object_get(hop, "loops"), *peers = json_object_get(hop, "peers");
    const json_t *recent = json_object_get(hop, "last_minute");
    tool_table_cell(table, "  %s", tool_json_text(hop, "link", "-"));
    tool_table_cell(table, "%s", tool_json_text(hop, "state", "-"));
    tool_table_cell(table, "%s", tool_json_text(hop, "own", "-"));
    fault_cell(table, json_object_get(hop, "located"), "fault", "loss_ppm");
    duration_cell(table, loops, "loop_rtt_ns", "");
    duration_cell(table, loops, "excess_ns", "<= ");
    tool_table_cell(table, "%s",
                    tool_json_u64(loops, "loops", 0) == 0        ? "-"
                    : tool_json_bool(loops, "told_apart", false) ? "this way"
                                                                 : "both ways");
    duration_cell(table, loops, "age_ns", "");
    counts_cell(table, recent, "probes_lost", "probes_sent");
    share_cell(table, recent, "ecn_ppm");
    counts_cell(table, peers, "down", "reports");
    fault_cell(table, peers, "fault", "fault_loss_ppm");
    duration_cell(table, peers, "age_ns", "");
}

static int part_table(const json_t *part, FILE *out) {
    static const struct tool_column columns[] = {{"  LINK", false},    {"STATE", false},
                                                 {"OWN", false},       {"FOUND", false},
                                                 {"LOOP", true},       {"EXCESS", true},
                                                 {"OF", false},        {"LOOP AGE", true},
                                                 {"LOST/SENT", true},  {"MARKED", true},
                                                 {"PEERS DOWN", true}, {"PEERS FOUND", false},
                                                 {"REPORT AGE", true}};
    struct tool_table *table = tool_table_open(columns, 13);
    size_t index;
    const json_t *hop;
    if (table == NULL) {
        return TOOL_FAILED;
    }
    json_array_foreach(tool_json_array(part, "hops"), index, hop) {
        hop_cells(table, hop);
    }
    int rc = tool_table_print(table, out);
    tool_table_close(table);
    return rc == 0 ? TOOL_OK : TOOL_FAILED;
}

int view_trace(const json_t *result, FILE *out) {
    size_t index;
    const json_t *part, *qp_known = json_object_get(result, "qp_known");
    const char *flow = tool_json_text(result, "flow", "-");
    const char *plain = tool_json_text(result, "plain_reason", NULL);
    char share[24], text[256];
    int rc = TOOL_OK;
    if (json_is_false(qp_known)) {
        snprintf(text, sizeof text,
                 "%s: this QP was not seen sending, or its flow is not steered: all parts", flow);
        view_sentence(out, text);
    }
    if (plain != NULL) {
        snprintf(text, sizeof text, "%s leaves plain, its links are not known: %s", flow, plain);
        view_sentence(out, text);
    }
    json_array_foreach(tool_json_array(result, "parts"), index, part) {
        tool_format_share(tool_json_real(part, "share", -1), share);
        snprintf(text, sizeof text, "%s part %zu: %s, %s", flow, index + 1, share,
                 tool_json_text(part, "state", "-"));
        view_sentence(out, text);
        if (rc == TOOL_OK && json_array_size(tool_json_array(part, "hops")) > 0) {
            rc = part_table(part, out);
        }
    }
    return ferror(out) != 0 ? TOOL_FAILED : rc;
}
