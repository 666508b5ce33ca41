// SPDX-License-Identifier: Apache-2.0
// Rows: what the six views of srv6-top show, made from the agent's documents. Pure: no terminal, no
// socket.
//
// Each view is one entry of top_views: its columns and the function that turns documents into rows.
// Cells are texts without control characters; a number kept beside a cell sorts it. State is always
// a word, never only a colour. Out of memory drops rows and sets `truncated`.
#ifndef TOP_ROWS_H
#define TOP_ROWS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TOP_COLUMNS_MAX 9
#define TOP_CELL_SIZE 160
#define TOP_VIEW_COUNT 6

// The documents of one moment, as the agent gave them; NULL: not there yet. Borrowed.
enum top_document {
    TOP_LINKS,
    TOP_FLOWS,
    TOP_JOBS,
    TOP_MEMBERS,
    TOP_STATUS,
    TOP_EVENTS,
    TOP_DOCUMENT_COUNT
};

enum top_mood { TOP_CALM, TOP_NOTICE, TOP_BAD }; // the row's colour, beside its words

struct top_cell {
    char text[TOP_CELL_SIZE];
    double number;
    bool is_number;
};

struct top_row {
    struct top_cell cells[TOP_COLUMNS_MAX];
    unsigned cell_count;
    char subject[TOP_CELL_SIZE]; // what Enter explains; "" for nothing
    enum top_mood mood;
    size_t place; // private: before sorting
};

struct top_rows {
    struct top_row *rows;
    size_t count, capacity;
    bool truncated;
};

struct top_column {
    const char *title;
    bool right;
};

struct top_view {
    const char *name;
    enum top_document document;
    struct top_column columns[TOP_COLUMNS_MAX];
    unsigned column_count;
    void (*fill)(const json_t *document, struct top_rows *rows);
    const char *explain; // the agent's command that explains a subject, NULL: none
};

extern const struct top_view top_views[TOP_VIEW_COUNT];

// Filled anew from the document (NULL: no rows); the caller frees with top_rows_fini.
void top_rows_fill(struct top_rows *rows, const struct top_view *view, const json_t *document);
void top_rows_fini(struct top_rows *rows);
// Keeps the rows in which some cell contains the text, whatever the case; or, for COLUMN=TEXT with
// a column's title, in which that cell does.
void top_rows_filter(struct top_rows *rows, const struct top_view *view, const char *filter);
// Stable. column < 0: as the agent ordered them.
void top_rows_sort(struct top_rows *rows, int column, bool reverse);
// The line above the rows: who, healthy or why not, counts. `status` may be NULL.
void top_headline(const json_t *status, char *text, size_t size);

#endif
