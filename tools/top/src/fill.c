// SPDX-License-Identifier: Apache-2.0
#include "fill.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tool/found.h"
#include "tool/json.h"
#include "tool/table.h"
#include "tool/tool.h"

static struct top_row *add_row(struct top_rows *rows) {
    if (rows->count == rows->capacity) {
        size_t capacity = rows->capacity == 0 ? 64 : 2 * rows->capacity;
        struct top_row *larger = reallocarray(rows->rows, capacity, sizeof *larger);
        if (larger == NULL) {
            rows->truncated = true;
            return NULL;
        }
        rows->rows = larger;
        rows->capacity = capacity;
    }
    struct top_row *row = &rows->rows[rows->count++];
    memset(row, 0, sizeof *row);
    return row;
}

static struct top_cell *next_cell(struct top_row *row) {
    assert(row->cell_count < TOP_COLUMNS_MAX);
    return &row->cells[row->cell_count++];
}

__attribute__((format(printf, 2, 3))) static void text_cell(struct top_row *row, const char *format,
                                                            ...) {
    struct top_cell *cell = next_cell(row);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(cell->text, sizeof cell->text, format, arguments);
    va_end(arguments);
    tool_clean(cell->text);
}

static void key_cell(struct top_row *row, const json_t *object, const char *key) {
    text_cell(row, "%s", tool_json_text(object, key, "-"));
}

static struct top_cell *number_cell(struct top_row *row, double number) {
    struct top_cell *cell = next_cell(row);
    cell->number = number;
    cell->is_number = true;
    return cell;
}

static void count_cell(struct top_row *row, const json_t *object, const char *key) {
    uint64_t count = tool_json_u64(object, key, 0);
    struct top_cell *cell = number_cell(row, (double)count);
    snprintf(cell->text, sizeof cell->text, "%" PRIu64, count);
}

static void duration_cell(struct top_row *row, const json_t *object, const char *key) {
    uint64_t ns = tool_json_u64(object, key, 0);
    struct top_cell *cell = number_cell(row, (double)ns);
    char text[24];
    tool_format_duration(ns, text);
    snprintf(cell->text, sizeof cell->text, "%s", ns > 0 ? text : "-");
}

static void bytes_cell(struct top_row *row, const json_t *object, const char *key) {
    uint64_t bytes = tool_json_u64(object, key, 0);
    struct top_cell *cell = number_cell(row, (double)bytes);
    tool_format_bytes(bytes, cell->text);
}

// "-" where the document does not say.
static void rate_cell(struct top_row *row, const json_t *object, const char *key) {
    bool known = json_is_integer(json_object_get(object, key));
    uint64_t bps = tool_json_u64(object, key, 0);
    struct top_cell *cell = number_cell(row, (double)bps);
    char text[24] = "-";
    if (known) {
        tool_format_rate(bps, text);
    }
    snprintf(cell->text, sizeof cell->text, "%s", text);
}

static void share_cell(struct top_row *row, const json_t *object, const char *key) {
    double share = tool_json_real(object, key, -1);
    struct top_cell *cell = number_cell(row, share);
    tool_format_share(share, cell->text);
}

static void set_subject(struct top_row *row, const json_t *object, const char *key) {
    snprintf(row->subject, sizeof row->subject, "%s", tool_json_text(object, key, ""));
}

static enum top_mood link_mood(const json_t *link) {
    const char *state = tool_json_text(link, "state", "-");
    const char *own = tool_json_text(link, "own", "-");
    if (strcmp(state, "down") == 0 || strcmp(own, "down") == 0) {
        return TOP_BAD;
    }
    bool calm = strcmp(state, "up") == 0 &&
                (strcmp(own, "good") == 0 || strcmp(own, "none") == 0) &&
                strcmp(tool_json_text(link, "fault", "none"), "none") == 0;
    return calm ? TOP_CALM : TOP_NOTICE;
}

void fill_links(const json_t *document, struct top_rows *rows) {
    size_t index;
    const json_t *link;
    json_array_foreach(tool_json_array(document, "links"), index, link) {
        struct top_row *row = add_row(rows);
        if (row == NULL) {
            return;
        }
        row->mood = link_mood(link);
        set_subject(row, link, "link");
        key_cell(row, link, "link");
        key_cell(row, link, "state");
        key_cell(row, link, "own");
        share_cell(row, link, "capacity");
        duration_cell(row, link, "rtt_ns");
        count_cell(row, link, "probes_lost");
        count_cell(row, link, "probes_sent");
        text_cell(row, "%" PRIu64 "/%" PRIu64, tool_json_u64(link, "down_votes", 0),
                  tool_json_u64(link, "observers", 0));
        char found[TOOL_FOUND_SIZE];
        tool_format_found(link, found);
        text_cell(row, "%s", found);
    }
}

static void part_row(struct top_rows *rows, const json_t *flow, const json_t *part) {
    struct top_row *row = add_row(rows);
    if (row == NULL) {
        return;
    }
    const char *state = tool_json_text(part, "state", "-");
    row->mood = strcmp(state, "primary") == 0 ? TOP_CALM : TOP_NOTICE;
    set_subject(row, flow, "flow");
    key_cell(row, flow, "flow");
    key_cell(row, flow, "job");
    bytes_cell(row, flow, "bytes");
    share_cell(row, part, "share");
    share_cell(row, part, "realised_share");
    text_cell(row, "%s", state);
    count_cell(row, part, "packets");
    char path[TOP_CELL_SIZE];
    text_cell(row, "%s", tool_json_join(tool_json_array(part, "nodes"), " ", path, sizeof path));
}

static void partless_row(struct top_rows *rows, const json_t *flow) {
    struct top_row *row = add_row(rows);
    if (row == NULL) {
        return;
    }
    bool local = tool_json_bool(flow, "local", false);
    row->mood = local ? TOP_CALM : TOP_NOTICE;
    set_subject(row, flow, "flow");
    key_cell(row, flow, "flow");
    key_cell(row, flow, "job");
    bytes_cell(row, flow, "bytes");
    share_cell(row, NULL, "share");
    share_cell(row, NULL, "realised_share");
    text_cell(row, "%s", local ? "local" : "plain");
    count_cell(row, NULL, "packets");
    text_cell(row, "%s",
              local ? "within one leaf or host" : tool_json_text(flow, "plain_reason", "-"));
}

void fill_flows(const json_t *document, struct top_rows *rows) {
    size_t flow_index, part_index;
    const json_t *flow, *part;
    json_array_foreach(tool_json_array(document, "flows"), flow_index, flow) {
        const json_t *parts = tool_json_array(flow, "parts");
        if (json_array_size(parts) == 0) {
            partless_row(rows, flow);
        }
        json_array_foreach(parts, part_index, part) {
            part_row(rows, flow, part);
        }
    }
}

static void collectives_cell(struct top_row *row, const json_t *job) {
    char text[TOP_CELL_SIZE] = "";
    size_t index;
    const json_t *collective;
    json_array_foreach(tool_json_array(job, "collectives"), index, collective) {
        char bytes[24];
        size_t used = strlen(text);
        uint64_t matrix = tool_json_u64(collective, "matrix_bytes", 0);
        tool_format_bytes(tool_json_u64(collective, "bytes", matrix), bytes);
        snprintf(text + used, sizeof text - used, "%s%s %s", index > 0 ? ", " : "",
                 tool_json_text(collective, "type", "-"), bytes);
    }
    text_cell(row, "%s", text);
}

void fill_jobs(const json_t *document, struct top_rows *rows) {
    size_t index;
    const json_t *job;
    json_array_foreach(tool_json_array(document, "jobs"), index, job) {
        struct top_row *row = add_row(rows);
        if (row == NULL) {
            return;
        }
        bool orphaned = tool_json_bool(job, "orphaned", false);
        row->mood = orphaned ? TOP_NOTICE : TOP_CALM;
        key_cell(row, job, "job");
        text_cell(row, "%s%s", tool_json_text(job, "owner", "-"), orphaned ? " (orphaned)" : "");
        key_cell(row, job, "algorithm");
        count_cell(row, job, "ranks");
        count_cell(row, job, "bound");
        collectives_cell(row, job);
    }
}

void fill_members(const json_t *document, struct top_rows *rows) {
    size_t index;
    const json_t *member;
    json_array_foreach(tool_json_array(document, "members"), index, member) {
        struct top_row *row = add_row(rows);
        if (row == NULL) {
            return;
        }
        const char *state = tool_json_text(member, "state", "-");
        row->mood = strcmp(state, "alive") == 0  ? TOP_CALM
                    : strcmp(state, "dead") == 0 ? TOP_BAD
                                                 : TOP_NOTICE;
        key_cell(row, member, "name");
        text_cell(row, "%s", state);
        key_cell(row, member, "rack");
        text_cell(row, "%s",
                  tool_json_bool(member, "self", false)        ? "self"
                  : tool_json_bool(member, "neighbour", false) ? "neighbour"
                                                               : "-");
        duration_cell(row, member, "heard_ago_ns");
        text_cell(row, "%s", tool_json_bool(member, "decap_ready", false) ? "yes" : "NO");
        count_cell(row, member, "fabric_generation");
        rate_cell(row, member, "load_bps");
        key_cell(row, member, "address");
    }
}

// One level of a document as rows: part, key, value.
static void value_row(struct top_rows *rows, const char *part, const char *key, const json_t *value,
                      enum top_mood mood) {
    struct top_row *row = add_row(rows);
    if (row == NULL) {
        return;
    }
    row->mood = mood;
    size_t length = strlen(key);
    text_cell(row, "%s", part);
    text_cell(row, "%s", key);
    if (json_is_string(value)) {
        text_cell(row, "%s", json_string_value(value));
    } else if (json_is_number(value)) {
        struct top_cell *cell = number_cell(row, json_number_value(value));
        bool is_time = length > 3 && strcmp(key + length - 3, "_ns") == 0;
        if (is_time && cell->number >= 0 && cell->number < 18446744073709551615.0) {
            tool_format_duration((uint64_t)cell->number, cell->text);
        } else {
            snprintf(cell->text, sizeof cell->text, "%.15g", cell->number);
        }
    } else {
        text_cell(row, "%s", json_is_true(value) ? "yes" : json_is_false(value) ? "no" : "-");
    }
}

void fill_status(const json_t *document, struct top_rows *rows) {
    const char *part, *key;
    json_t *group, *value;
    size_t index;
    json_object_foreach((json_t *)(uintptr_t)document, part, group) {
        if (json_is_object(group)) {
            json_object_foreach(group, key, value) {
                if (!json_is_array(value)) {
                    value_row(rows, part, key, value, TOP_CALM);
                }
            }
        } else if (json_is_array(group)) {
            json_array_foreach(group, index, value) {
                value_row(rows, part, "alarm", value, TOP_BAD);
            }
        } else {
            value_row(rows, "agent", part, group, TOP_CALM);
        }
    }
}

// Newest first.
void fill_events(const json_t *document, struct top_rows *rows) {
    const json_t *events = tool_json_array(document, "events");
    for (size_t i = json_array_size(events); i > 0; i--) {
        const json_t *event = json_array_get(events, i - 1);
        struct top_row *row = add_row(rows);
        if (row == NULL) {
            return;
        }
        const char *level = tool_json_text(event, "level", "-");
        row->mood = strcmp(level, "alarm") == 0     ? TOP_BAD
                    : strcmp(level, "warning") == 0 ? TOP_NOTICE
                                                    : TOP_CALM;
        key_cell(row, event, "at");
        text_cell(row, "%s", level);
        key_cell(row, event, "kind");
        key_cell(row, event, "subject");
        key_cell(row, event, "text");
    }
}
