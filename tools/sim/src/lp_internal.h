// SPDX-License-Identifier: Apache-2.0
// The matrix of a linear program, by columns. Private to lp*.c.
#ifndef SIM_LP_INTERNAL_H
#define SIM_LP_INTERNAL_H

#include "lp.h"

struct lp_bounds {
    double lower, upper;
};

struct lp {
    struct lp_bounds *rows;
    double *costs;    // by column
    uint64_t *starts; // by column: its first entry; one more than columns when sealed
    uint32_t *entry_rows;
    double *entry_values;
    uint32_t row_count, row_capacity, column_count, column_capacity;
    uint64_t entry_count, entry_capacity;
    bool failed; // out of memory
};

// Classes of rows and columns, numbered from 0 in order of their first member.
struct lp_classes {
    uint32_t *row_class, *column_class; // owned
    uint32_t row_class_count, column_class_count;
};

int lp_refine(const struct lp *lp, struct lp_classes *out); // -ENOMEM
void lp_classes_fini(struct lp_classes *classes);

#endif
