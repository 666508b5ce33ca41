// SPDX-License-Identifier: Apache-2.0
#include "figure.h"

#include <stdio.h>
#include <string.h>

#include "inputs.h"
#include "tool/tool.h"

int figure_plot(const struct chart *chart, const char *file) {
    int rc = chart_write(chart, file);
    return rc == 0 ? TOOL_OK : tool_error(SIM_NAME, TOOL_FAILED, file, "%s", strerror(-rc));
}

int figure_print_table(struct tool_table *table) {
    int rc = tool_table_print(table, stdout);
    tool_table_close(table);
    return rc == 0 ? TOOL_OK : tool_error(SIM_NAME, TOOL_FAILED, "stdout", "%s", strerror(-rc));
}
