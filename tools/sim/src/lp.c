// SPDX-License-Identifier: Apache-2.0
#include "lp.h"

#include <Clp_C_Interface.h>
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "lp_internal.h"

#define TOLERANCE 1e-9 // values are scaled to about 1 by the caller

// ---- building

// Makes room for one more. False, and remembered, without memory.
static bool reserve(struct lp *lp, void **array, size_t capacity, size_t size) {
    void *grown = lp->failed ? NULL : realloc(*array, capacity * size);
    if (grown == NULL) {
        lp->failed = true;
        return false;
    }
    *array = grown;
    return true;
}

struct lp *lp_open(void) {
    return calloc(1, sizeof(struct lp));
}

void lp_close(struct lp *lp) {
    if (lp != NULL) {
        free(lp->rows);
        free(lp->costs);
        free(lp->starts);
        free(lp->entry_rows);
        free(lp->entry_values);
        free(lp);
    }
}

uint32_t lp_row(struct lp *lp, double lower, double upper) {
    if (lp->row_count == lp->row_capacity) {
        uint32_t capacity = lp->row_capacity == 0 ? 256 : 2 * lp->row_capacity;
        if (!reserve(lp, (void **)&lp->rows, capacity, sizeof lp->rows[0])) {
            return 0;
        }
        lp->row_capacity = capacity;
    }
    lp->rows[lp->row_count] = (struct lp_bounds){lower, upper};
    return lp->row_count++;
}

void lp_column(struct lp *lp, double cost) {
    if (lp->column_count == lp->column_capacity) {
        uint32_t capacity = lp->column_capacity == 0 ? 256 : 2 * lp->column_capacity;
        if (!reserve(lp, (void **)&lp->costs, capacity, sizeof lp->costs[0]) ||
            !reserve(lp, (void **)&lp->starts, (size_t)capacity + 1, sizeof lp->starts[0])) {
            return;
        }
        lp->column_capacity = capacity;
    }
    lp->costs[lp->column_count] = cost;
    lp->starts[lp->column_count++] = lp->entry_count;
    lp->starts[lp->column_count] = lp->entry_count;
}

void lp_entry(struct lp *lp, uint32_t row, double value) {
    if (lp->entry_count == lp->entry_capacity) {
        uint64_t capacity = lp->entry_capacity == 0 ? 1024 : 2 * lp->entry_capacity;
        if (!reserve(lp, (void **)&lp->entry_rows, capacity, sizeof lp->entry_rows[0]) ||
            !reserve(lp, (void **)&lp->entry_values, capacity, sizeof lp->entry_values[0])) {
            return;
        }
        lp->entry_capacity = capacity;
    }
    if (!lp->failed) {
        assert(lp->column_count > 0 && row < lp->row_count);
        lp->entry_rows[lp->entry_count] = row;
        lp->entry_values[lp->entry_count++] = value;
        lp->starts[lp->column_count] = lp->entry_count;
    }
}

bool lp_is_full(const struct lp *lp) {
    return lp->failed || lp->column_count > LP_COLUMNS_MAX;
}

// ---- one row and one column for each class

// Of each class its first member, which stands for all.
static uint32_t *first_members(const uint32_t *classes, uint32_t count, uint32_t class_count) {
    uint32_t *first = calloc((size_t)class_count + 1, sizeof first[0]);
    uint32_t found = 0;
    for (uint32_t i = 0; first != NULL && i < count && found < class_count; i++) {
        if (classes[i] == found) { // classes are numbered in the order of these
            first[found++] = i;
        }
    }
    return first;
}

// The rows of the reduced program are those of the first members, with the columns of a class
// added up; its columns' costs likewise. Entries are gathered column by column, unordered.
static void merge_columns(const struct lp *lp, const struct lp_classes *classes,
                          const uint32_t *row_first, struct lp *out) {
    uint32_t count = classes->column_class_count;
    uint32_t *next = calloc((size_t)lp->column_count + 1, sizeof next[0]);
    uint32_t *head = calloc((size_t)count + 1, sizeof head[0]);
    double *sums = calloc((size_t)classes->row_class_count + 1, sizeof sums[0]);
    uint32_t *touched = calloc((size_t)classes->row_class_count + 1, sizeof touched[0]);
    out->failed = out->failed || next == NULL || head == NULL || sums == NULL || touched == NULL;
    for (uint32_t i = lp->column_count; !out->failed && i > 0; i--) { // chains, 0 ends them
        next[i - 1] = head[classes->column_class[i - 1]];
        head[classes->column_class[i - 1]] = i;
    }
    for (uint32_t c = 0; !out->failed && c < count; c++) {
        uint32_t touched_count = 0;
        double cost = 0;
        for (uint32_t at = head[c]; at != 0; at = next[at - 1]) {
            cost += lp->costs[at - 1];
            for (uint64_t e = lp->starts[at - 1]; e < lp->starts[at]; e++) {
                uint32_t row = classes->row_class[lp->entry_rows[e]];
                if (row_first[row] == lp->entry_rows[e]) {
                    if (sums[row] == 0) {
                        touched[touched_count++] = row;
                    }
                    sums[row] += lp->entry_values[e];
                }
            }
        }
        lp_column(out, cost);
        for (uint32_t i = 0; i < touched_count; i++) {
            lp_entry(out, touched[i], sums[touched[i]]);
            sums[touched[i]] = 0;
        }
    }
    free(next);
    free(head);
    free(sums);
    free(touched);
}

static int reduce(const struct lp *lp, const struct lp_classes *classes, struct lp *out) {
    uint32_t *row_first =
        first_members(classes->row_class, lp->row_count, classes->row_class_count);
    if (row_first == NULL) {
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < classes->row_class_count; i++) {
        lp_row(out, lp->rows[row_first[i]].lower, lp->rows[row_first[i]].upper);
    }
    merge_columns(lp, classes, row_first, out);
    free(row_first);
    return out->failed ? -ENOMEM : 0;
}

// ---- solving

// What Clp_loadProblem wants beside the entries.
struct tables {
    int *starts, *rows;
    double *lower, *upper;
};

static void tables_fini(struct tables *tables) {
    free(tables->starts);
    free(tables->rows);
    free(tables->lower);
    free(tables->upper);
}

static int tables_init(struct tables *tables, const struct lp *lp) {
    *tables = (struct tables){
        .starts = calloc((size_t)lp->column_count + 1, sizeof tables->starts[0]),
        .rows = calloc(lp->entry_count + 1, sizeof tables->rows[0]),
        .lower = calloc((size_t)lp->row_count + 1, sizeof tables->lower[0]),
        .upper = calloc((size_t)lp->row_count + 1, sizeof tables->upper[0]),
    };
    if (tables->starts == NULL || tables->rows == NULL || tables->lower == NULL ||
        tables->upper == NULL) {
        tables_fini(tables);
        return -ENOMEM;
    }
    for (uint32_t i = 0; i <= lp->column_count; i++) {
        tables->starts[i] = (int)lp->starts[i];
    }
    for (uint64_t i = 0; i < lp->entry_count; i++) {
        tables->rows[i] = (int)lp->entry_rows[i];
    }
    for (uint32_t i = 0; i < lp->row_count; i++) {
        tables->lower[i] = lp->rows[i].lower;
        tables->upper[i] = lp->rows[i].upper;
    }
    return 0;
}

static int solve(const struct lp *lp, double *optimum, struct error *error) {
    struct tables tables;
    int rc = tables_init(&tables, lp);
    if (rc != 0) {
        return error_set(error, rc, "no memory to solve a linear program of %u columns",
                         lp->column_count);
    }
    Clp_Simplex *clp = Clp_newModel();
    Clp_setLogLevel(clp, 0);
    Clp_loadProblem(clp, (int)lp->column_count, (int)lp->row_count, tables.starts, tables.rows,
                    lp->entry_values, NULL, NULL, lp->costs, tables.lower, tables.upper);
    Clp_setPrimalTolerance(clp, TOLERANCE);
    Clp_setDualTolerance(clp, TOLERANCE);
    Clp_initialDualSolve(clp);
    int status = Clp_status(clp);
    if (status == 0) {
        *optimum = Clp_objectiveValue(clp);
    } else {
        rc = error_set(error, -EIO, "Clp found no optimum of a linear program (status %d)", status);
    }
    Clp_deleteModel(clp);
    tables_fini(&tables);
    return rc;
}

static int solve_reduced(const struct lp *lp, const struct lp_classes *classes, double *optimum,
                         struct error *error) {
    if (classes->column_class_count > LP_CLASSES_MAX) {
        return error_set(error, -E2BIG,
                         "a linear program of %u columns, %u of them unlike each other, is too "
                         "large to solve (more than %u)",
                         lp->column_count, classes->column_class_count, LP_CLASSES_MAX);
    }
    struct lp *small = lp_open();
    int rc = small != NULL ? reduce(lp, classes, small) : -ENOMEM;
    if (rc == 0) {
        rc = solve(small, optimum, error);
    } else {
        error_set(error, rc, "no memory for a linear program of %u columns", lp->column_count);
    }
    lp_close(small);
    return rc;
}

int lp_solve(struct lp *lp, struct lp_result *out, struct error *error) {
    if (lp->column_count > LP_COLUMNS_MAX) {
        return error_set(error, -E2BIG, "a linear program of more than %u columns is too large",
                         LP_COLUMNS_MAX);
    }
    struct lp_classes classes;
    if (lp->failed || lp_refine(lp, &classes) != 0) {
        return error_set(error, -ENOMEM, "no memory for a linear program of %u columns",
                         lp->column_count);
    }
    double optimum = 0;
    int rc = solve_reduced(lp, &classes, &optimum, error);
    if (rc == 0) {
        *out = (struct lp_result){
            .optimum = optimum,
            .column_count = lp->column_count,
            .row_count = lp->row_count,
            .column_class_count = classes.column_class_count,
            .row_class_count = classes.row_class_count,
        };
    }
    lp_classes_fini(&classes);
    return rc;
}
