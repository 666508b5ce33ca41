// SPDX-License-Identifier: Apache-2.0
// The numbers behind waterfill.h: what the rounds work on. Private to waterfill*.c.
//
// Rows are kinds of leaves, columns those of a grid space. A link's factor scales all columns that
// use the link; a column's factor is what its links' rates and factors multiply to.
//
//   link factors --product--> up[row, column], down[row, column] --shares--> loads --> link factors
//
// Only a kind's first leaf has its cables here. Where kinds hold more than one leaf, each leaf's
// links are its own, so the load of one stands for all.
#ifndef PATHALG_WATERFILL_SOLVE_H
#define PATHALG_WATERFILL_SOLVE_H

#include "waterfill.h"

#define WATER_LANES 8 // columns are padded to a multiple: sums run in so many lanes

enum water_way { WATER_UP, WATER_DOWN };

// The cables of a column by hop: places in waterfill.cables, ID_NONE where there is none.
struct water_route {
    uint32_t cables[2];
};

struct water_space {
    const struct grid_space *grid;
    bool far;
    uint32_t column_count, stride;
    struct water_route *routes; // [row * column_count + column]
    // By way: [row * stride + column]. start: what the rates alone give, 0 for dead columns.
    double *start[2], *factor[2];
};

// A cable that some column uses, both directions.
struct water_cable {
    link_id up;
    uint32_t row, region, hop; // whose it is: a leaf's (hop 0) or a region's (hop 1)
    double rate[2];            // bytes per second, by way; 0 for dead
    double factor[2];          // at most 1
    double price[2];           // scratch of waterfill_bound.c
    double load[2];            // bytes
};

// What leaves and enters a leaf (rows first) or a region, and what its cables carry.
struct water_cut {
    double bytes[2], rate[2]; // by way
};

struct waterfill {
    const struct grid *grid;
    uint32_t row_count;
    uint32_t *row;     // by leaf index: its kind
    uint32_t *leaf;    // by row: the first leaf of the kind
    double *count;     // by row: leaves of the kind
    double *demand[2]; // up: what a leaf of row a sends to all leaves of row b, [a * row_count +
                       // b]; down: what a leaf of row a gets from all leaves of row b
    struct water_space spaces[2]; // near, far; column_count 0 when unused
    struct water_cable *cables;
    uint32_t cable_count;
    uint32_t hop_count;     // 1, or 2 with a far space
    double *sums;           // scratch: one row
    double *best;           // factors of the best iterate: 2 a cable
    double *before;         // factors of some rounds ago
    struct water_cut *cuts; // rows, then regions
};

static inline bool water_space_joins(const struct waterfill *water, const struct water_space *space,
                                     uint32_t a, uint32_t b) {
    const uint32_t *regions = water->grid->regions;
    return space->column_count > 0 &&
           (regions[water->leaf[a]] != regions[water->leaf[b]]) == space->far;
}

// waterfill_kinds.c: rows, columns and cables. False when there is no memory.
bool water_init(struct waterfill *water, const struct grid *grid, const uint64_t *rate_bps,
                const struct leaf_demand *demand);

// waterfill_solve.c
// Factors of columns from those of links.
void water_update_columns(struct waterfill *water, enum water_way way);
// What the columns of `row` carry: water->sums, [column].
void water_row_loads(const struct waterfill *water, const struct water_space *space,
                     enum water_way way, uint32_t row);
void water_solve(struct waterfill *water, struct waterfill_result *result);

// waterfill_bound.c: seconds below which no plan drains; before: NULL, or what factors were when
// the fall that is to prove it began.
double water_proven_s(struct waterfill *water, const double *before);

// Sum of products; padded to WATER_LANES.
double water_dot(const double *a, const double *b, uint32_t stride);

#endif
