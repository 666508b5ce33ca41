// SPDX-License-Identifier: Apache-2.0
// Rows as lines of text: shared by the screen and by batch mode.
#ifndef TOP_FRAME_H
#define TOP_FRAME_H

#include <stdio.h>

#include "rows.h"

#define TOP_LINE_SIZE 1024

// How wide each column must be for its title and these rows.
void top_frame_widths(const struct top_view *view, const struct top_rows *rows,
                      size_t widths[TOP_COLUMNS_MAX]);
// The titles; the sort column is marked with '^' or, reversed, 'v'.
void top_frame_titles(const struct top_view *view, const size_t widths[TOP_COLUMNS_MAX],
                      int sort_column, bool reverse, char line[TOP_LINE_SIZE]);
void top_frame_row(const struct top_view *view, const size_t widths[TOP_COLUMNS_MAX],
                   const struct top_row *row, char line[TOP_LINE_SIZE]);
// A whole view, without escape sequences.
void top_frame_print(const struct top_view *view, const struct top_rows *rows, FILE *out);

#endif
