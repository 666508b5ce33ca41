// SPDX-License-Identifier: Apache-2.0
// Charts of figures: a group of bars, or a point of each line, for every label on the x axis.
// Everything is borrowed during the call.
#ifndef SIM_CHART_H
#define SIM_CHART_H

#include <stdbool.h>

#define CHART_SERIES_MAX 8

struct chart_series {
    const char *name;
    const double *values; // one per label
};
// A value worth knowing across the chart, or at one label.
struct chart_note {
    const char *text;
    double value;
    int label; // -1: a dashed line over all of them
};

struct chart {
    const char *title, *subtitle, *x_title, *y_title;
    const char *const *labels;
    unsigned label_count;
    const struct chart_series *series;
    unsigned series_count; // at most CHART_SERIES_MAX
    const struct chart_note *notes;
    unsigned note_count;
    bool lines; // instead of bars
};

// -errno when the file cannot be written.
int chart_write(const struct chart *chart, const char *file);

#endif
