// SPDX-License-Identifier: Apache-2.0
// Colour refinement of a linear program. A colour is a 64-bit hash; each round gives every row the
// hash of its old colour and of the sum of hash(colour, coefficient) over its entries, then every
// column likewise, until a round finds no more colours than the one before. Two that are unlike
// could only get one colour by a collision of 64-bit hashes, with a probability below 1e-6 for ten
// million rows and columns.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lp_internal.h"
#include "model/rng.h"

static uint64_t hash_double(double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return hash_u64(bits);
}

struct refinement {
    const struct lp *lp;
    uint64_t *rows, *columns; // colours
    uint64_t *sums;           // by row
    uint32_t *table;          // open-addressed: index + 1 of the first member of a colour
    uint32_t table_size;      // a power of two, over twice the larger count
};

static uint32_t *find_colour(const struct refinement *refinement, const uint64_t *colours,
                             uint64_t colour) {
    uint32_t mask = refinement->table_size - 1;
    uint32_t at = (uint32_t)colour & mask;
    while (refinement->table[at] != 0 && colours[refinement->table[at] - 1] != colour) {
        at = (at + 1) & mask;
    }
    return &refinement->table[at];
}

// Numbers colours by their first members; classes may be NULL to count only.
static uint32_t number_colours(struct refinement *refinement, const uint64_t *colours,
                               uint32_t count, uint32_t *classes) {
    uint32_t found = 0;
    memset(refinement->table, 0, refinement->table_size * sizeof refinement->table[0]);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t *place = find_colour(refinement, colours, colours[i]);
        bool first = *place == 0;
        if (first) {
            *place = i + 1;
        }
        if (classes != NULL) {
            classes[i] = first ? found : classes[*place - 1];
        }
        found += first;
    }
    return found;
}

static void begin(struct refinement *refinement) {
    const struct lp *lp = refinement->lp;
    for (uint32_t i = 0; i < lp->row_count; i++) {
        refinement->rows[i] =
            hash_pair(hash_double(lp->rows[i].lower), hash_double(lp->rows[i].upper));
    }
    for (uint32_t i = 0; i < lp->column_count; i++) {
        refinement->columns[i] = hash_double(lp->costs[i]);
    }
}

static void refine_once(struct refinement *refinement) {
    const struct lp *lp = refinement->lp;
    memset(refinement->sums, 0, (size_t)lp->row_count * sizeof refinement->sums[0]);
    for (uint32_t i = 0; i < lp->column_count; i++) {
        for (uint64_t e = lp->starts[i]; e < lp->starts[i + 1]; e++) {
            refinement->sums[lp->entry_rows[e]] +=
                hash_pair(refinement->columns[i], hash_double(lp->entry_values[e]));
        }
    }
    for (uint32_t i = 0; i < lp->row_count; i++) {
        refinement->rows[i] = hash_pair(refinement->rows[i], refinement->sums[i]);
    }
    for (uint32_t i = 0; i < lp->column_count; i++) {
        uint64_t sum = 0;
        for (uint64_t e = lp->starts[i]; e < lp->starts[i + 1]; e++) {
            sum += hash_pair(refinement->rows[lp->entry_rows[e]], hash_double(lp->entry_values[e]));
        }
        refinement->columns[i] = hash_pair(refinement->columns[i], sum);
    }
}

static void refine(struct refinement *refinement, struct lp_classes *out) {
    const struct lp *lp = refinement->lp;
    begin(refinement);
    for (uint64_t before = 0, now = 1; now > before;) {
        refine_once(refinement);
        before = now;
        now = (uint64_t)number_colours(refinement, refinement->rows, lp->row_count, NULL) +
              number_colours(refinement, refinement->columns, lp->column_count, NULL);
    }
    out->row_class_count =
        number_colours(refinement, refinement->rows, lp->row_count, out->row_class);
    out->column_class_count =
        number_colours(refinement, refinement->columns, lp->column_count, out->column_class);
}

static uint32_t table_size(const struct lp *lp) {
    uint32_t most = lp->row_count > lp->column_count ? lp->row_count : lp->column_count;
    uint32_t size = 16;
    while (size / 2 <= most) {
        size *= 2;
    }
    return size;
}

int lp_refine(const struct lp *lp, struct lp_classes *out) {
    struct lp_classes classes = {
        .row_class = calloc((size_t)lp->row_count + 1, sizeof classes.row_class[0]),
        .column_class = calloc((size_t)lp->column_count + 1, sizeof classes.column_class[0]),
    };
    struct refinement refinement = {
        .lp = lp,
        .rows = calloc((size_t)lp->row_count + 1, sizeof refinement.rows[0]),
        .columns = calloc((size_t)lp->column_count + 1, sizeof refinement.columns[0]),
        .sums = calloc((size_t)lp->row_count + 1, sizeof refinement.sums[0]),
        .table_size = table_size(lp),
    };
    refinement.table = calloc(refinement.table_size, sizeof refinement.table[0]);
    int rc = -ENOMEM;
    if (classes.row_class != NULL && classes.column_class != NULL && refinement.rows != NULL &&
        refinement.columns != NULL && refinement.sums != NULL && refinement.table != NULL) {
        refine(&refinement, &classes);
        *out = classes;
        rc = 0;
    } else {
        lp_classes_fini(&classes);
    }
    free(refinement.rows);
    free(refinement.columns);
    free(refinement.sums);
    free(refinement.table);
    return rc;
}

void lp_classes_fini(struct lp_classes *classes) {
    free(classes->row_class);
    free(classes->column_class);
    *classes = (struct lp_classes){0};
}
