// SPDX-License-Identifier: Apache-2.0
#include <inttypes.h>
#include <string.h>

#include "tool/json.h"
#include "tool/table.h"
#include "tool/tool.h"
#include "view.h"

#define NS_PER_MINUTE UINT64_C(60000000000)

static void known_cell(struct tool_table *table, const json_t *object, const char *key,
                       void (*format)(uint64_t value, char text[24])) {
    char text[24];
    uint64_t value = tool_json_u64(object, key, UINT64_MAX);
    if (value == UINT64_MAX) {
        tool_table_cell(table, "-");
        return;
    }
    format(value, text);
    tool_table_cell(table, "%s", text);
}

static void format_ppm(uint64_t ppm, char text[24]) {
    tool_format_share((double)ppm / 1e6, text);
}

static void point_cells(struct tool_table *table, const json_t *point) {
    known_cell(table, point, "rate_bps", tool_format_rate);
    known_cell(table, point, "rtt_ns", tool_format_duration);
    uint64_t sent = tool_json_u64(point, "probes_sent", 0);
    if (sent > 0) {
        tool_table_cell(table, "%" PRIu64 "/%" PRIu64, tool_json_u64(point, "probes_lost", 0),
                        sent);
    } else {
        tool_table_cell(table, "-");
    }
    known_cell(table, point, "ecn_ppm", format_ppm);
}

// "in about 12 min (9 to 17)"; "-" where nothing points to it.
static void format_forecast(const json_t *object, char *text, size_t size) {
    const json_t *forecast = json_object_get(object, "forecast");
    if (!json_is_object(forecast)) {
        snprintf(text, size, "-");
        return;
    }
    char latest[32] = "";
    uint64_t in_ns = tool_json_u64(forecast, "full_in_ns", 0);
    uint64_t latest_ns = tool_json_u64(forecast, "latest_ns", UINT64_MAX);
    if (latest_ns != UINT64_MAX) {
        snprintf(latest, sizeof latest, " to %" PRIu64,
                 (latest_ns + NS_PER_MINUTE - 1) / NS_PER_MINUTE);
    }
    snprintf(text, size, "in about %" PRIu64 " min (%" PRIu64 "%s)%s",
             (in_ns + NS_PER_MINUTE / 2) / NS_PER_MINUTE,
             tool_json_u64(forecast, "earliest_ns", 0) / NS_PER_MINUTE, latest,
             strcmp(tool_json_text(forecast, "of", ""), "ecn") == 0 ? " ECN" : "");
}

static int finish(struct tool_table *table, FILE *out) {
    int rc = tool_table_print(table, out);
    tool_table_close(table);
    return rc == 0 && ferror(out) == 0 ? TOOL_OK : TOOL_FAILED;
}

static int one_link(const json_t *link, FILE *out) {
    static const struct tool_column columns[] = {
        {"  AGO", true}, {"OWN RATE", true}, {"RTT", true}, {"LOST/SENT", true}, {"MARKED", true}};
    char forecast[96], text[256], step[24], ago[24];
    size_t index;
    const json_t *point;
    format_forecast(link, forecast, sizeof forecast);
    tool_format_duration(tool_json_u64(link, "step_ns", 0), step);
    snprintf(text, sizeof text, "%s, means of %s%s%s", tool_json_text(link, "link", "-"), step,
             forecast[0] != '-' ? "; full " : "", forecast[0] != '-' ? forecast : "");
    view_sentence(out, text);
    struct tool_table *table = tool_table_open(columns, 5);
    if (table == NULL) {
        return TOOL_FAILED;
    }
    json_array_foreach(tool_json_array(link, "points"), index, point) {
        tool_format_duration(tool_json_u64(point, "ago_ns", 0), ago);
        tool_table_cell(table, "  %s", ago);
        point_cells(table, point);
    }
    return finish(table, out);
}

static int all_links(const json_t *result, FILE *out) {
    static const struct tool_column columns[] = {{"LINK", false},  {"OWN RATE", true},
                                                 {"MEAN", true},   {"OF", true},
                                                 {"RTT", true},    {"LOST/SENT", true},
                                                 {"MARKED", true}, {"FULL", false}};
    struct tool_table *table = tool_table_open(columns, 8);
    size_t index;
    const json_t *series;
    if (table == NULL) {
        return TOOL_FAILED;
    }
    json_array_foreach(tool_json_array(result, "series"), index, series) {
        char forecast[96];
        const json_t *mean = json_object_get(series, "mean");
        format_forecast(series, forecast, sizeof forecast);
        tool_table_cell(table, "%s", tool_json_text(series, "link", "-"));
        known_cell(table, series, "rate_bps", tool_format_rate);
        known_cell(table, mean, "rate_bps", tool_format_rate);
        known_cell(table, series, "capacity_bps", tool_format_rate);
        known_cell(table, mean, "rtt_ns", tool_format_duration);
        tool_table_cell(table, "%" PRIu64 "/%" PRIu64, tool_json_u64(mean, "probes_lost", 0),
                        tool_json_u64(mean, "probes_sent", 0));
        known_cell(table, mean, "ecn_ppm", format_ppm);
        tool_table_cell(table, "%s", forecast);
    }
    return finish(table, out);
}

int view_history(const json_t *result, FILE *out) {
    size_t index;
    const json_t *link;
    int rc = TOOL_OK;
    if (json_object_get(result, "links") == NULL) {
        return all_links(result, out);
    }
    json_array_foreach(tool_json_array(result, "links"), index, link) {
        rc = rc == TOOL_OK ? one_link(link, out) : rc;
    }
    return rc;
}
