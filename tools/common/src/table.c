// SPDX-License-Identifier: Apache-2.0
#include "tool/table.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct tool_table {
    struct tool_column columns[TOOL_COLUMNS_MAX];
    unsigned column_count;
    char **cells; // row by row
    size_t cell_count, cell_capacity;
    bool out_of_memory;
};

struct tool_table *tool_table_open(const struct tool_column *columns, unsigned column_count) {
    assert(column_count >= 1 && column_count <= TOOL_COLUMNS_MAX);
    struct tool_table *table = calloc(1, sizeof *table);
    if (table != NULL) {
        memcpy(table->columns, columns, column_count * sizeof *columns);
        table->column_count = column_count;
    }
    return table;
}

void tool_table_close(struct tool_table *table) {
    if (table == NULL) {
        return;
    }
    for (size_t i = 0; i < table->cell_count; i++) {
        free(table->cells[i]);
    }
    free(table->cells);
    free(table);
}

static bool reserve_cell(struct tool_table *table) {
    if (table->cell_count < table->cell_capacity) {
        return true;
    }
    size_t capacity = table->cell_capacity == 0 ? 64 : 2 * table->cell_capacity;
    char **cells = realloc(table->cells, capacity * sizeof *cells);
    if (cells == NULL) {
        return false;
    }
    table->cells = cells;
    table->cell_capacity = capacity;
    return true;
}

void tool_table_cell(struct tool_table *table, const char *format, ...) {
    if (table->out_of_memory || !reserve_cell(table)) {
        table->out_of_memory = true;
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    char *text = NULL;
    int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (length < 0) {
        table->out_of_memory = true;
        return;
    }
    table->cells[table->cell_count++] = tool_clean(text);
}

static void print_cell(const struct tool_table *table, unsigned column, const char *text,
                       const size_t *widths, FILE *out) {
    size_t padding = widths[column] - tool_text_width(text);
    bool last = column + 1 == table->column_count;
    if (table->columns[column].right) {
        fprintf(out, "%*s%s", (int)padding, "", text);
    } else {
        fprintf(out, "%s%*s", text, last ? 0 : (int)padding, "");
    }
    fputs(last ? "\n" : "  ", out);
}

int tool_table_print(const struct tool_table *table, FILE *out) {
    if (table->out_of_memory) {
        return -ENOMEM;
    }
    size_t widths[TOOL_COLUMNS_MAX];
    for (unsigned i = 0; i < table->column_count; i++) {
        widths[i] = tool_text_width(table->columns[i].title);
    }
    for (size_t i = 0; i < table->cell_count; i++) {
        size_t width = tool_text_width(table->cells[i]);
        size_t *column = &widths[i % table->column_count];
        *column = width > *column ? width : *column;
    }
    for (unsigned i = 0; i < table->column_count; i++) {
        print_cell(table, i, table->columns[i].title, widths, out);
    }
    for (size_t i = 0; i < table->cell_count; i++) {
        print_cell(table, (unsigned)(i % table->column_count), table->cells[i], widths, out);
    }
    return ferror(out) != 0 ? -EIO : 0;
}

char *tool_clean(char *text) {
    for (unsigned char *at = (unsigned char *)text; *at != '\0'; at++) {
        // C1 controls (0x80-0x9f) arrive in UTF-8 as 0xc2 0x80-0x9f.
        bool c1 = at[0] == 0xc2 && at[1] >= 0x80 && at[1] <= 0x9f;
        if (*at < 0x20 || *at == 0x7f) {
            *at = '?';
        } else if (c1) {
            at[0] = at[1] = '?';
        }
    }
    return text;
}

size_t tool_text_width(const char *text) {
    size_t width = 0;
    for (const unsigned char *at = (const unsigned char *)text; *at != '\0'; at++) {
        width += (*at & 0xc0U) != 0x80U;
    }
    return width;
}

void tool_format_rate(uint64_t bps, char text[24]) {
    static const char *const names[] = {"bps", "kbps", "Mbps", "Gbps", "Tbps"};
    double value = (double)bps;
    size_t unit = 0;
    while (value >= 1000 && unit + 1 < sizeof names / sizeof names[0]) {
        value /= 1000;
        unit++;
    }
    snprintf(text, 24, "%.4g %s", value, names[unit]);
}

void tool_format_share(double share, char text[24]) {
    if (share < 0) {
        snprintf(text, 24, "-");
    } else {
        snprintf(text, 24, "%.1f%%", 100 * share);
    }
}
