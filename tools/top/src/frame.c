// SPDX-License-Identifier: Apache-2.0
#include "frame.h"

#include <string.h>

#include "tool/table.h"

void top_frame_widths(const struct top_view *view, const struct top_rows *rows,
                      size_t widths[TOP_COLUMNS_MAX]) {
    for (unsigned i = 0; i < view->column_count; i++) {
        widths[i] = strlen(view->columns[i].title) + 1; // room for the sort mark
        for (size_t row = 0; row < rows->count; row++) {
            size_t width = tool_text_width(rows->rows[row].cells[i].text);
            widths[i] = width > widths[i] ? width : widths[i];
        }
    }
}

// Appends one cell; the last column is not padded.
static void append(char line[TOP_LINE_SIZE], const struct top_view *view, unsigned column,
                   size_t column_width, const char *text) {
    size_t used = strlen(line), width = tool_text_width(text);
    size_t padding = column_width > width ? column_width - width : 0;
    bool last = column + 1 == view->column_count;
    if (view->columns[column].right) {
        snprintf(line + used, TOP_LINE_SIZE - used, "%*s%s%s", (int)padding, "", text,
                 last ? "" : "  ");
    } else {
        snprintf(line + used, TOP_LINE_SIZE - used, "%s%*s%s", text, last ? 0 : (int)padding, "",
                 last ? "" : "  ");
    }
}

void top_frame_titles(const struct top_view *view, const size_t widths[TOP_COLUMNS_MAX],
                      int sort_column, bool reverse, char line[TOP_LINE_SIZE]) {
    line[0] = '\0';
    for (unsigned i = 0; i < view->column_count; i++) {
        char title[64];
        snprintf(title, sizeof title, "%s%s", view->columns[i].title,
                 (int)i != sort_column ? ""
                 : reverse             ? "v"
                                       : "^");
        append(line, view, i, widths[i], title);
    }
}

void top_frame_row(const struct top_view *view, const size_t widths[TOP_COLUMNS_MAX],
                   const struct top_row *row, char line[TOP_LINE_SIZE]) {
    line[0] = '\0';
    for (unsigned i = 0; i < view->column_count; i++) {
        append(line, view, i, widths[i], row->cells[i].text);
    }
}

void top_frame_print(const struct top_view *view, const struct top_rows *rows, FILE *out) {
    size_t widths[TOP_COLUMNS_MAX];
    char line[TOP_LINE_SIZE];
    top_frame_widths(view, rows, widths);
    top_frame_titles(view, widths, -1, false, line);
    fprintf(out, "%s\n", line);
    for (size_t i = 0; i < rows->count; i++) {
        top_frame_row(view, widths, &rows->rows[i], line);
        fprintf(out, "%s\n", line);
    }
}
