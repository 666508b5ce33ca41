// SPDX-License-Identifier: Apache-2.0
#include "waterfill.h"

#include <errno.h>
#include <stdlib.h>

#include "waterfill_solve.h"

// ---- demands and cuts

static void set_demands(struct waterfill *water, const struct leaf_demand *demand) {
    uint32_t rows = water->row_count;
    for (uint32_t a = 0; a < rows; a++) {
        const double *bytes =
            &demand->bytes[(size_t)demand->kind[water->leaf[a]] * demand->kind_count];
        for (uint32_t b = 0; b < rows; b++) {
            double pair = bytes[demand->kind[water->leaf[b]]];
            water->demand[WATER_UP][(size_t)a * rows + b] = pair * (water->count[b] - (a == b));
            water->demand[WATER_DOWN][(size_t)b * rows + a] = pair * (water->count[a] - (a == b));
        }
    }
}

static bool pair_lives(const struct waterfill *water, uint32_t a, uint32_t b) {
    for (unsigned which = 0; which < 2; which++) {
        const struct water_space *space = &water->spaces[which];
        if (water_space_joins(water, space, a, b)) {
            return water_dot(&space->start[WATER_UP][(size_t)a * space->stride],
                             &space->start[WATER_DOWN][(size_t)b * space->stride],
                             space->stride) > 0;
        }
    }
    return false;
}

static void forget_dead_demands(struct waterfill *water) {
    uint32_t rows = water->row_count;
    for (uint32_t a = 0; a < rows; a++) {
        for (uint32_t b = 0; b < rows; b++) {
            if (!pair_lives(water, a, b)) {
                water->demand[WATER_UP][(size_t)a * rows + b] = 0;
                water->demand[WATER_DOWN][(size_t)b * rows + a] = 0;
            }
        }
    }
}

// What crosses the cut around each leaf and around each region.
static void add_cut_bytes(struct waterfill *water, enum water_way way) {
    const uint32_t *regions = water->grid->regions;
    uint32_t rows = water->row_count;
    for (uint32_t a = 0; a < rows; a++) {
        const double *demand = &water->demand[way][(size_t)a * rows];
        struct water_cut *region = &water->cuts[rows + regions[water->leaf[a]]];
        for (uint32_t b = 0; b < rows; b++) {
            water->cuts[a].bytes[way] += demand[b];
            if (regions[water->leaf[a]] != regions[water->leaf[b]]) {
                region->bytes[way] += demand[b];
            }
        }
    }
}

static double largest_cut_s(struct waterfill *water) {
    for (uint32_t i = 0; i < water->cable_count; i++) {
        const struct water_cable *cable = &water->cables[i];
        struct water_cut *cut =
            &water->cuts[cable->hop == 0 ? cable->row : water->row_count + cable->region];
        cut->rate[WATER_UP] += cable->rate[WATER_UP];
        cut->rate[WATER_DOWN] += cable->rate[WATER_DOWN];
    }
    add_cut_bytes(water, WATER_UP);
    add_cut_bytes(water, WATER_DOWN);
    double largest = 0;
    for (uint32_t i = 0; i < water->row_count + water->grid->region_count; i++) {
        for (unsigned way = 0; way < 2; way++) {
            const struct water_cut *cut = &water->cuts[i];
            // Demands that are left have a live column, so their cuts have a rate; regions of
            // fabrics without cores have neither.
            if (cut->rate[way] > 0 && cut->bytes[way] > largest * cut->rate[way]) {
                largest = cut->bytes[way] / cut->rate[way];
            }
        }
    }
    return largest;
}

// ---- the interface

static bool open_demands(struct waterfill *water, const struct leaf_demand *demand) {
    size_t pairs = (size_t)water->row_count * water->row_count;
    water->demand[WATER_UP] = calloc(pairs > 0 ? pairs : 1, sizeof(double));
    water->demand[WATER_DOWN] = calloc(pairs > 0 ? pairs : 1, sizeof(double));
    if (water->demand[WATER_UP] == NULL || water->demand[WATER_DOWN] == NULL) {
        return false;
    }
    set_demands(water, demand);
    forget_dead_demands(water);
    return true;
}

int waterfill_open(const struct grid *grid, const uint64_t *rate_bps,
                   const struct leaf_demand *demand, struct waterfill **out,
                   struct waterfill_result *result) {
    struct waterfill *water = calloc(1, sizeof *water);
    if (water == NULL || !water_init(water, grid, rate_bps, demand) ||
        !open_demands(water, demand)) {
        waterfill_close(water);
        return -ENOMEM;
    }
    struct waterfill_result found = {
        .goal_s = largest_cut_s(water),
        .kind_count = water->row_count,
    };
    water_solve(water, &found);
    *out = water;
    *result = found;
    return 0;
}

void waterfill_close(struct waterfill *water) {
    if (water == NULL) {
        return;
    }
    for (unsigned i = 0; i < 2; i++) {
        struct water_space *space = &water->spaces[i];
        free(space->routes);
        free(space->start[0]);
        free(space->start[1]);
        free(space->factor[0]);
        free(space->factor[1]);
        free(water->demand[i]);
    }
    free(water->row);
    free(water->leaf);
    free(water->count);
    free(water->cables);
    free(water->sums);
    free(water->best);
    free(water->before);
    free(water->cuts);
    free(water);
}

bool waterfill_shares(const struct waterfill *water, uint32_t src_leaf, uint32_t dst_leaf,
                      uint32_t *shares) {
    const uint32_t *regions = water->grid->regions;
    const struct water_space *space = &water->spaces[regions[src_leaf] != regions[dst_leaf]];
    const double *up = &space->factor[WATER_UP][(size_t)water->row[src_leaf] * space->stride];
    const double *down = &space->factor[WATER_DOWN][(size_t)water->row[dst_leaf] * space->stride];
    double sum = 0;
    uint32_t last = 0;
    for (uint32_t i = 0; i < space->column_count; i++) {
        double product = up[i] * down[i];
        sum += product;
        last = product > 0 ? i : last;
        shares[i] = 0;
    }
    if (!(sum > 0)) {
        return false;
    }
    // Rounded sums up to each column, so that no more than one unit is gained or lost anywhere.
    double before = 0, scale = SHARE_ONE / sum;
    uint32_t given = 0;
    for (uint32_t i = 0; i <= last; i++) {
        before += up[i] * down[i];
        double up_to = before * scale + 0.5;
        uint32_t total = i < last && up_to < SHARE_ONE ? (uint32_t)up_to : SHARE_ONE;
        shares[i] = total - given;
        given = total;
    }
    return true;
}

// The loads of one leaf's links, of one space and way.
static void add_leaf_loads(const struct waterfill *water, const struct water_space *space,
                           enum water_way way, uint32_t leaf, double *link_bytes) {
    for (uint32_t i = 0; i < space->column_count; i++) {
        const struct grid_route *route = grid_route(space->grid, leaf, i);
        for (uint32_t hop = 0; hop < route->link_count; hop++) {
            link_id up = route->links[hop];
            link_bytes[way == WATER_UP ? up.i : link_opposite(up).i] += water->sums[i];
        }
    }
}

void waterfill_add_loads(const struct waterfill *water, double *link_bytes) {
    for (unsigned which = 0; which < 2; which++) {
        const struct water_space *space = &water->spaces[which];
        for (uint32_t row = 0; space->column_count > 0 && row < water->row_count; row++) {
            for (unsigned way = 0; way < 2; way++) {
                water_row_loads(water, space, way, row);
                for (uint32_t leaf = 0; leaf < water->grid->leaf_count; leaf++) {
                    if (water->row[leaf] == row) {
                        add_leaf_loads(water, space, way, leaf, link_bytes);
                    }
                }
            }
        }
    }
}
