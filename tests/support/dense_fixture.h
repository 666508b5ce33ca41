// SPDX-License-Identifier: Apache-2.0
// Shares of all pairs of leaves, drawn as a product of a factor of the source's column and one of
// the destination's, as the waterfill's are; and what the links carry under shares and counts.
#ifndef DENSE_FIXTURE_H
#define DENSE_FIXTURE_H

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "dense.h"
#include "model/rng.h"
#include "path_fixture.h"

struct dense_fixture {
    struct path_fixture paths;
    struct grid *grid;
    uint32_t links;
    uint32_t *base, *now;        // shares of all leaves: the group {0, leaf_count}
    double *fractional, *placed; // by directed link
};

// A column whose factor is 0 at either end is dead.
static inline void dense_shares(const struct grid *grid, const double *up, const double *down,
                                uint32_t *shares) {
    const struct dense_group all = {0, grid->leaf_count};
    for (uint32_t l = 0; l < grid->leaf_count; l++) {
        for (uint32_t m = 0; m < grid->leaf_count; m++) {
            uint32_t *pair = &shares[dense_cell(grid, &all, l, m)];
            uint32_t columns = l == m ? 0 : grid_between(grid, l, m)->column_count;
            double sum = 0;
            for (uint32_t c = 0; c < columns; c++) {
                sum += up[l * grid->column_max + c] * down[m * grid->column_max + c];
            }
            uint32_t left = SHARE_ONE;
            uint32_t last = 0;
            for (uint32_t c = 0; c < columns && sum > 0; c++) {
                double part = up[l * grid->column_max + c] * down[m * grid->column_max + c] / sum;
                pair[c] = (uint32_t)(part * SHARE_ONE);
                left -= pair[c];
                last = pair[c] > 0 ? c : last;
            }
            if (sum > 0) {
                pair[last] += left;
            }
        }
    }
}

// Factors of 1, except that `broken` of 1000 are `least` to 1, or 0 every second time.
static inline double *dense_factors(const struct grid *grid, struct rng *rng, uint32_t broken,
                                    double least) {
    size_t count = (size_t)grid->leaf_count * grid->column_max;
    double *factors = calloc(count, sizeof factors[0]);
    assert(factors != NULL);
    for (size_t i = 0; i < count; i++) {
        factors[i] = 1;
        if (rng_below(rng, 1000) < broken) {
            double drawn = least + (1 - least) * (double)rng_below(rng, 1000) / 1000;
            factors[i] = rng_below(rng, 2) == 0 ? 0 : drawn;
        }
    }
    return factors;
}

static inline void dense_draw(struct dense_fixture *fixture, struct rng *rng, uint32_t broken) {
    double *up = dense_factors(fixture->grid, rng, broken, 0.5);
    double *down = dense_factors(fixture->grid, rng, broken, 0.5);
    size_t pairs = (size_t)fixture->grid->leaf_count * fixture->grid->leaf_count;
    memset(fixture->now, 0, pairs * fixture->grid->column_max * sizeof fixture->now[0]);
    dense_shares(fixture->grid, up, down, fixture->now);
    free(up);
    free(down);
}

// The fabric is open in fixture->paths. Base: equal shares; now: the same.
static inline void dense_begin(struct dense_fixture *fixture) {
    int rc = grid_open(fixture->paths.fabric, &fixture->grid);
    assert(rc == 0);
    const struct grid *grid = fixture->grid;
    size_t cells = (size_t)grid->leaf_count * grid->leaf_count * grid->column_max;
    fixture->links = fabric_link_count(fixture->paths.fabric);
    fixture->base = calloc(cells, sizeof fixture->base[0]);
    fixture->now = calloc(cells, sizeof fixture->now[0]);
    fixture->fractional = calloc(fixture->links, sizeof fixture->fractional[0]);
    fixture->placed = calloc(fixture->links, sizeof fixture->placed[0]);
    assert(fixture->base != NULL && fixture->now != NULL && fixture->fractional != NULL &&
           fixture->placed != NULL);
    struct rng rng;
    rng_init(&rng, 0);
    dense_draw(fixture, &rng, 0);
    memcpy(fixture->base, fixture->now, cells * sizeof fixture->base[0]);
}

static inline void dense_end(struct dense_fixture *fixture) {
    grid_close(fixture->grid);
    free(fixture->base);
    free(fixture->now);
    free(fixture->fractional);
    free(fixture->placed);
    fixture_close(&fixture->paths);
}

static inline void dense_load(const struct grid *grid, const uint32_t leaves[2], uint32_t column,
                              double amount, double *loads) {
    const struct grid_space *space = grid_between(grid, leaves[0], leaves[1]);
    const struct grid_route *up = grid_route(space, leaves[0], column);
    const struct grid_route *down = grid_route(space, leaves[1], column);
    for (uint32_t i = 0; i < up->link_count; i++) {
        loads[up->links[i].i] += amount;
    }
    for (uint32_t i = 0; i < down->link_count; i++) {
        loads[link_opposite(down->links[i]).i] += amount;
    }
}

// The most that any link carries above what the shares give it, as a ratio; links that the shares
// leave empty must be empty.
static inline double dense_worst(const struct dense_fixture *fixture) {
    double worst = 0;
    for (uint32_t i = 0; i < fixture->links; i++) {
        assert(fixture->fractional[i] > 0 || fixture->placed[i] < 1e-9);
        if (fixture->fractional[i] > 0 && fixture->placed[i] / fixture->fractional[i] > worst) {
            worst = fixture->placed[i] / fixture->fractional[i];
        }
    }
    return worst;
}

#endif
