// SPDX-License-Identifier: Apache-2.0
// A linear program,  minimise cost x  with  x >= 0  and  lower <= A x <= upper,  built column by
// column and solved by Clp (COIN-OR).
//
// Before Clp sees it, it is made as small as its symmetry allows, without changing its optimum:
// rows and columns are sorted into the coarsest equitable classes (colour refinement: two rows are
// alike when they have the same bounds and the same coefficients on alike columns, and the other
// way round), and each class becomes one row or column. For an optimum x, the average of x over
// each class is feasible and costs the same (Grohe, Kersting, Mladenov, Selman: "Dimension
// Reduction via Colour Refinement", ESA 2014). A fabric of 64 leaves with one slow link has a
// handful of classes; where every link differs nothing is gained.
//
// Out of memory is remembered and reported by lp_solve. Not thread-safe.
#ifndef SIM_LP_H
#define SIM_LP_H

#include <stdbool.h>
#include <stdint.h>

#include "model/error.h"

#define LP_COLUMNS_MAX 4000000U // 300 MB
#define LP_CLASSES_MAX 100000U  // two minutes

struct lp;

struct lp_result {
    double optimum;
    uint32_t column_count, row_count;             // as built
    uint32_t column_class_count, row_class_count; // as solved
};

struct lp *lp_open(void);     // NULL without memory
void lp_close(struct lp *lp); // NULL is a no-op
// A row's number; LP_FREE as a bound for none.
#define LP_FREE 1e300
uint32_t lp_row(struct lp *lp, double lower, double upper);
void lp_column(struct lp *lp, double cost);               // opens the next column
void lp_entry(struct lp *lp, uint32_t row, double value); // in the column that is open
bool lp_is_full(const struct lp *lp); // out of memory or beyond LP_COLUMNS_MAX: it can only fail
// -ENOMEM; -E2BIG: more than LP_COLUMNS_MAX columns, or more than LP_CLASSES_MAX are left, and the
// reason says so; -EIO: Clp found no optimum.
int lp_solve(struct lp *lp, struct lp_result *out, struct error *error);

#endif
