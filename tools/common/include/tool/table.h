// SPDX-License-Identifier: Apache-2.0
// Aligned text tables, and text made safe for a terminal.
//
// Cells are filled row by row; the table takes copies. Columns are as wide as their widest cell and
// two spaces apart; the last column is never padded, so that lines carry no trailing blanks. Cells
// are bytes of ASCII or UTF-8 (a continuation byte takes no column). Names in a table may come from
// other hosts: control characters become '?', so that no peer can write escape sequences to an
// operator's terminal. Out of memory is remembered and reported by print.
#ifndef TOOL_TABLE_H
#define TOOL_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define TOOL_COLUMNS_MAX 16

struct tool_column {
    const char *title; // borrowed for the table's life
    bool right;        // numbers
};

struct tool_table;

// NULL when out of memory; column_count is 1..TOOL_COLUMNS_MAX.
struct tool_table *tool_table_open(const struct tool_column *columns, unsigned column_count);
void tool_table_close(struct tool_table *table); // NULL is a no-op
// The next cell, left to right; the first cell after a full row opens the next row.
void tool_table_cell(struct tool_table *table, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
// Header and rows. Returns 0, -ENOMEM or -EIO.
int tool_table_print(const struct tool_table *table, FILE *out);

// Control characters become '?' in place; returns `text`.
char *tool_clean(char *text);
// Columns that the text takes on a terminal (no wide glyphs).
size_t tool_text_width(const char *text);

// "400 Gbps", "1.5 Gbps"
void tool_format_rate(uint64_t bps, char text[24]);
// "49.8%"; "-" for a negative share (unknown)
void tool_format_share(double share, char text[24]);

#endif
