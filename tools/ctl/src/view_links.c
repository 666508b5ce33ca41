// SPDX-License-Identifier: Apache-2.0
#include <inttypes.h>
#include <string.h>

#include "tool/found.h"
#include "tool/json.h"
#include "tool/table.h"
#include "tool/tool.h"
#include "view.h"

static int finish(struct tool_table *table, FILE *out) {
    int rc = tool_table_print(table, out);
    tool_table_close(table);
    return rc == 0 ? TOOL_OK : TOOL_FAILED;
}

static void duration_cell(struct tool_table *table, const json_t *object, const char *key) {
    char text[24];
    uint64_t ns = tool_json_u64(object, key, 0);
    tool_format_duration(ns, text);
    tool_table_cell(table, "%s", ns > 0 ? text : "-"); // 0: never measured
}

static void probes_cell(struct tool_table *table, const json_t *object) {
    uint64_t sent = tool_json_u64(object, "probes_sent", 0);
    if (sent == 0) {
        tool_table_cell(table, "-");
        return;
    }
    tool_table_cell(table, "%" PRIu64 "/%" PRIu64, tool_json_u64(object, "probes_lost", 0), sent);
}

// The share of marked probes, where own probes of the flows' class crossed the link lately.
static void ecn_cell(struct tool_table *table, const json_t *object) {
    char share[24];
    uint64_t ppm = tool_json_u64(object, "ecn_ppm", UINT64_MAX);
    tool_format_share((double)ppm / 1e6, share);
    tool_table_cell(table, "%s", ppm != UINT64_MAX ? share : "-");
}

int view_links(const json_t *result, FILE *out) {
    static const struct tool_column columns[] = {{"LINK", false},      {"STATE", false},
                                                 {"OWN", false},       {"CAPACITY", true},
                                                 {"RATE", true},       {"RTT", true},
                                                 {"LOST/SENT", true},  {"MARKED", true},
                                                 {"DOWN VOTES", true}, {"FOUND", false}};
    struct tool_table *table = tool_table_open(columns, 10);
    if (table == NULL) {
        return TOOL_FAILED;
    }
    size_t index;
    const json_t *link;
    json_array_foreach(tool_json_array(result, "links"), index, link) {
        char share[24], rate[24], found[TOOL_FOUND_SIZE];
        tool_format_share(tool_json_real(link, "capacity", -1), share);
        tool_format_rate(tool_json_u64(link, "rate_bps", 0), rate);
        tool_table_cell(table, "%s", tool_json_text(link, "link", "-"));
        tool_table_cell(table, "%s", tool_json_text(link, "state", "-"));
        tool_table_cell(table, "%s", tool_json_text(link, "own", "-"));
        tool_table_cell(table, "%s", share);
        tool_table_cell(table, "%s", rate);
        duration_cell(table, link, "rtt_ns");
        probes_cell(table, link);
        ecn_cell(table, link);
        tool_table_cell(table, "%" PRIu64 "/%" PRIu64, tool_json_u64(link, "down_votes", 0),
                        tool_json_u64(link, "observers", 0));
        tool_format_found(link, found);
        tool_table_cell(table, "%s", found);
    }
    return finish(table, out);
}

static int print_evidence(const json_t *evidence, FILE *out) {
    static const struct tool_column columns[] = {{"  OBSERVER", false}, {"RACK", false},
                                                 {"VERDICT", false},    {"CAPACITY", true},
                                                 {"LOSS", true},        {"DELAY", true},
                                                 {"PROBES", true},      {"VOTE", false}};
    struct tool_table *table = tool_table_open(columns, 8);
    if (table == NULL) {
        return TOOL_FAILED;
    }
    size_t index;
    const json_t *row;
    json_array_foreach(evidence, index, row) {
        char capacity[24], loss[24];
        tool_format_share((double)tool_json_u64(row, "capacity_ppm", 0) / 1e6, capacity);
        tool_format_share((double)tool_json_u64(row, "loss_ppm", 0) / 1e6, loss);
        tool_table_cell(table, "  %s", tool_json_text(row, "observer", "-"));
        tool_table_cell(table, "%s", tool_json_text(row, "rack", "-"));
        tool_table_cell(table, "%s", tool_json_text(row, "verdict", "-"));
        tool_table_cell(table, "%s", capacity);
        tool_table_cell(table, "%s", loss);
        duration_cell(table, row, "delay_ns");
        tool_table_cell(table, "%" PRIu64, tool_json_u64(row, "probe_count", 0));
        tool_table_cell(table, "%s", tool_json_text(row, "vote", "-"));
    }
    return finish(table, out);
}

static void print_own(const json_t *own, FILE *out) {
    if (own == NULL) {
        return;
    }
    char changed[24], held[24], marked[24], recent[24], text[256];
    tool_format_duration(tool_json_u64(own, "changed_ago_ns", 0), changed);
    uint64_t held_ns = tool_json_u64(own, "held_for_ns", 0);
    tool_format_duration(held_ns, held);
    uint64_t ppm = tool_json_u64(own, "ecn_ppm", 0);
    tool_format_share((double)ppm / 1e6, marked);
    tool_format_duration(tool_json_u64(own, "recent_ns", 0), recent);
    snprintf(text, sizeof text,
             "  This host: %s since %s, %" PRIu64 " of %" PRIu64 " probes of the last %s lost "
             "(%" PRIu64 " of %" PRIu64 " ever)%s%s%s%s",
             tool_json_text(own, "state", "-"), changed,
             tool_json_u64(own, "recent_probes_lost", 0),
             tool_json_u64(own, "recent_probes_sent", 0), recent,
             tool_json_u64(own, "probes_lost", 0), tool_json_u64(own, "probes_sent", 0),
             held_ns > 0 ? ", held for another " : "", held_ns > 0 ? held : "",
             ppm > 0 ? ", marked (ECN) up to " : "", ppm > 0 ? marked : "");
    view_sentence(out, text);
}

static void print_diagnosis(const json_t *diagnosis, FILE *out) {
    size_t index;
    const json_t *sentence;
    json_array_foreach(tool_json_array(diagnosis, "sentences"), index, sentence) {
        char text[512];
        const char *words = json_string_value(sentence);
        snprintf(text, sizeof text, "  Diagnosis: %s", words != NULL ? words : "-");
        view_sentence(out, text);
    }
}

static int print_why(const json_t *link, FILE *out) {
    char text[1024];
    snprintf(text, sizeof text, "%s: %s: %s", tool_json_text(link, "link", "-"),
             tool_json_text(link, "state", "-"), tool_json_text(link, "reason", "no reason given"));
    view_sentence(out, text);
    print_own(tool_json_object(link, "own"), out);
    print_diagnosis(tool_json_object(link, "diagnosis"), out);
    size_t index;
    const json_t *order;
    json_array_foreach(tool_json_array(link, "orders"), index, order) {
        snprintf(text, sizeof text, "  Order: %s %s, by %s", tool_json_text(order, "kind", "-"),
                 tool_json_text(order, "name", "-"), tool_json_text(order, "origin", "-"));
        view_sentence(out, text);
    }
    const json_t *evidence = tool_json_array(link, "evidence");
    return json_array_size(evidence) > 0 ? print_evidence(evidence, out) : TOOL_OK;
}

int view_link_why(const json_t *result, FILE *out) {
    const json_t *links = tool_json_array(result, "links");
    if (links == NULL) {
        return print_why(result, out);
    }
    int rc = TOOL_OK;
    size_t index;
    const json_t *link;
    json_array_foreach(links, index, link) {
        rc = rc == TOOL_OK ? print_why(link, out) : rc;
    }
    return rc;
}
