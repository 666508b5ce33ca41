// SPDX-License-Identifier: Apache-2.0
// The figures, once the command line is read. Each prints a table or a JSON document on stdout,
// writes a plot where one is asked for, and returns an exit code.
#ifndef SIM_FIGURE_H
#define SIM_FIGURE_H

#include <stdbool.h>
#include <stdint.h>

#include "chart.h"
#include "tool/table.h"

#define FIGURE_SIZES_MAX 16
#define FIGURE_ALGORITHMS_MAX 8

// As the command line gave it; texts are borrowed.
struct figure_options {
    const char *name;
    const char *fabric; // NULL: the paper's
    uint64_t bytes[FIGURE_SIZES_MAX];
    unsigned bytes_count; // 0: the figure's own
    const char *algorithms[FIGURE_ALGORITHMS_MAX];
    unsigned algorithm_count; // 0: the figure's own
    uint64_t seed;
    bool json;
    const char *svg; // NULL: no plot
};

// What they share; the reasons of failures are printed.
int figure_plot(const struct chart *chart, const char *file);
int figure_print_table(struct tool_table *table); // closes it

int figure_times(const struct figure_options *options);    // 1b and 1c
int figure_coverage(const struct figure_options *options); // 2a

#endif
