// SPDX-License-Identifier: Apache-2.0
#include "rows.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fill.h"
#include "tool/json.h"
#include "tool/table.h"

const struct top_view top_views[TOP_VIEW_COUNT] = {
    {"links",
     TOP_LINKS,
     {{"LINK", false},
      {"STATE", false},
      {"OWN", false},
      {"CAPACITY", true},
      {"RTT", true},
      {"LOST", true},
      {"SENT", true},
      {"VOTES", true},
      {"FOUND", false}},
     9,
     fill_links,
     "links"},
    {"flows",
     TOP_FLOWS,
     {{"FLOW", false},
      {"JOB", false},
      {"SIZE", true},
      {"PLAN", true},
      {"REAL", true},
      {"STATE", false},
      {"PACKETS", true},
      {"PATH", false}},
     8,
     fill_flows,
     "why"},
    {"jobs",
     TOP_JOBS,
     {{"JOB", false},
      {"OWNER", false},
      {"ALGORITHM", false},
      {"RANKS", true},
      {"BOUND", true},
      {"COLLECTIVES", false}},
     6,
     fill_jobs,
     NULL},
    {"members",
     TOP_MEMBERS,
     {{"MEMBER", false},
      {"STATE", false},
      {"RACK", false},
      {"ROLE", false},
      {"HEARD", true},
      {"DECAP", false},
      {"GENERATION", true},
      {"SENDS", true},
      {"ADDRESS", false}},
     9,
     fill_members,
     NULL},
    {"status",
     TOP_STATUS,
     {{"PART", false}, {"WHAT", false}, {"VALUE", true}},
     3,
     fill_status,
     NULL},
    {"events",
     TOP_EVENTS,
     {{"AT", false}, {"LEVEL", false}, {"KIND", false}, {"SUBJECT", false}, {"TEXT", false}},
     5,
     fill_events,
     NULL},
};

void top_rows_fill(struct top_rows *rows, const struct top_view *view, const json_t *document) {
    rows->count = 0;
    rows->truncated = false;
    view->fill(document, rows);
}

void top_rows_fini(struct top_rows *rows) {
    free(rows->rows);
    *rows = (struct top_rows){0};
}

// True when the filter names a column: "state=down".
static bool split_filter(const struct top_view *view, const char *filter, unsigned *column,
                         const char **text) {
    const char *equals = strchr(filter, '=');
    for (unsigned i = 0; equals != NULL && i < view->column_count; i++) {
        const char *title = view->columns[i].title;
        if (strlen(title) == (size_t)(equals - filter) &&
            strncasecmp(title, filter, strlen(title)) == 0) {
            *column = i;
            *text = equals + 1;
            return true;
        }
    }
    return false;
}

static bool row_matches(const struct top_row *row, bool named, unsigned column, const char *text) {
    if (named) {
        return strcasestr(row->cells[column].text, text) != NULL;
    }
    for (unsigned i = 0; i < row->cell_count; i++) {
        if (strcasestr(row->cells[i].text, text) != NULL) {
            return true;
        }
    }
    return false;
}

void top_rows_filter(struct top_rows *rows, const struct top_view *view, const char *filter) {
    unsigned column = 0;
    const char *text = filter;
    bool named = split_filter(view, filter, &column, &text);
    size_t kept = 0;
    for (size_t i = 0; i < rows->count; i++) {
        if (row_matches(&rows->rows[i], named, column, text)) {
            if (kept != i) {
                rows->rows[kept] = rows->rows[i];
            }
            kept++;
        }
    }
    rows->count = kept;
}

struct order {
    int column;
    bool reverse;
};

static int compare_rows(const void *a, const void *b, void *context) {
    const struct order *order = context;
    const struct top_cell *left = &((const struct top_row *)a)->cells[order->column];
    const struct top_cell *right = &((const struct top_row *)b)->cells[order->column];
    int result;
    if (left->is_number && right->is_number) {
        result = (left->number > right->number) - (left->number < right->number);
    } else {
        result = strverscmp(left->text, right->text);
    }
    if (result == 0) { // qsort alone is not stable
        const struct top_row *first = a, *second = b;
        return (first->place > second->place) - (first->place < second->place);
    }
    return order->reverse ? -result : result;
}

void top_rows_sort(struct top_rows *rows, int column, bool reverse) {
    if (column < 0) {
        for (size_t i = 0; reverse && i < rows->count / 2; i++) {
            struct top_row swapped = rows->rows[i];
            rows->rows[i] = rows->rows[rows->count - 1 - i];
            rows->rows[rows->count - 1 - i] = swapped;
        }
        return;
    }
    for (size_t i = 0; i < rows->count; i++) {
        rows->rows[i].place = i;
    }
    struct order order = {.column = column, .reverse = reverse};
    qsort_r(rows->rows, rows->count, sizeof *rows->rows, compare_rows, &order);
}

void top_headline(const json_t *status, char *text, size_t size) {
    if (status == NULL) {
        snprintf(text, size, "no answer yet");
        return;
    }
    const json_t *members = tool_json_object(status, "members");
    const json_t *links = tool_json_object(status, "links");
    const json_t *flows = tool_json_object(status, "flows");
    bool healthy = tool_json_bool(status, "healthy", false);
    snprintf(text, size,
             "%s %s%s%s  members %" PRIu64 " alive %" PRIu64 " dead  links %" PRIu64
             " down of %" PRIu64 "  flows %" PRIu64 " steered %" PRIu64 " backup",
             tool_json_text(status, "host", "-"), healthy ? "healthy" : "UNHEALTHY",
             healthy ? "" : ": ",
             healthy ? "" : tool_json_text(status, "reason", "no reason given"),
             tool_json_u64(members, "alive", 0), tool_json_u64(members, "dead", 0),
             tool_json_u64(links, "down", 0), tool_json_u64(links, "total", 0),
             tool_json_u64(flows, "steered", 0), tool_json_u64(flows, "backup", 0));
    tool_clean(text);
}
