// SPDX-License-Identifier: Apache-2.0
// Leaves that are alike become one row: of one kind of demand, in one region, with the same rates
// column by column. Where leaves share links with others (cores) or columns of a leaf share links,
// every leaf is a row of its own.
#include <stdlib.h>
#include <string.h>

#include "model/rng.h"
#include "waterfill_solve.h"

static void *array_new(size_t count, size_t size) {
    return calloc(count > 0 ? count : 1, size);
}

// ---- rows

struct alike {
    const struct grid *grid;
    const uint64_t *rate_bps;
    const struct leaf_demand *demand;
    uint32_t *slots;  // open-addressed: row + 1, 0 for free
    uint64_t *hashes; // by row
    uint64_t mask;
};

// What a column of a leaf offers; no way is as good as a dead one.
static uint64_t column_rate(const struct alike *alike, const struct grid_route *route, bool down) {
    if (route->link_count == 0) {
        return 0;
    }
    link_id link = down ? link_opposite(route->links[0]) : route->links[0];
    return alike->rate_bps[link.i];
}

static uint64_t leaf_hash(const struct alike *alike, uint32_t leaf) {
    const struct grid *grid = alike->grid;
    const uint64_t odd = UINT64_C(0x9e3779b97f4a7c15);
    uint64_t hash = hash_pair(alike->demand->kind[leaf], grid->regions[leaf]);
    const struct grid_route *routes = grid_route(&grid->near, leaf, 0);
    for (uint32_t i = 0; i < grid->near.column_count; i++) {
        hash = (hash ^ column_rate(alike, &routes[i], false)) * odd;
        hash = ((hash ^ (hash >> 32)) + column_rate(alike, &routes[i], true)) * odd;
    }
    return hash_u64(hash);
}

static bool leaves_alike(const struct alike *alike, uint32_t a, uint32_t b) {
    const struct grid *grid = alike->grid;
    bool same =
        alike->demand->kind[a] == alike->demand->kind[b] && grid->regions[a] == grid->regions[b];
    const struct grid_route *x = grid_route(&grid->near, a, 0);
    const struct grid_route *y = grid_route(&grid->near, b, 0);
    for (uint32_t i = 0; same && i < grid->near.column_count; i++) {
        same = column_rate(alike, &x[i], false) == column_rate(alike, &y[i], false) &&
               column_rate(alike, &x[i], true) == column_rate(alike, &y[i], true);
    }
    return same;
}

static uint32_t add_row(struct waterfill *water, uint32_t leaf) {
    water->leaf[water->row_count] = leaf;
    return water->row_count++;
}

static uint32_t find_row(struct waterfill *water, struct alike *alike, uint32_t leaf) {
    uint64_t hash = leaf_hash(alike, leaf);
    uint64_t slot = hash & alike->mask;
    while (alike->slots[slot] != 0) {
        uint32_t row = alike->slots[slot] - 1;
        if (alike->hashes[row] == hash && leaves_alike(alike, water->leaf[row], leaf)) {
            return row;
        }
        slot = (slot + 1) & alike->mask;
    }
    uint32_t row = add_row(water, leaf);
    alike->slots[slot] = row + 1;
    alike->hashes[row] = hash;
    return row;
}

static bool find_rows(struct waterfill *water, struct alike *alike) {
    uint32_t leaves = water->grid->leaf_count;
    uint64_t size = 2;
    while (size < 2 * (uint64_t)leaves) {
        size *= 2;
    }
    alike->mask = size - 1;
    alike->slots = array_new(size, sizeof alike->slots[0]);
    alike->hashes = array_new(leaves, sizeof alike->hashes[0]);
    bool whole = alike->slots != NULL && alike->hashes != NULL;
    for (uint32_t leaf = 0; whole && leaf < leaves; leaf++) {
        water->row[leaf] = find_row(water, alike, leaf);
    }
    free(alike->slots);
    free(alike->hashes);
    return whole;
}

static bool make_rows(struct waterfill *water, const uint64_t *rate_bps,
                      const struct leaf_demand *demand) {
    const struct grid *grid = water->grid;
    water->row = array_new(grid->leaf_count, sizeof water->row[0]);
    water->leaf = array_new(grid->leaf_count, sizeof water->leaf[0]);
    water->count = array_new(grid->leaf_count, sizeof water->count[0]);
    if (water->row == NULL || water->leaf == NULL || water->count == NULL) {
        return false;
    }
    struct alike alike = {.grid = grid, .rate_bps = rate_bps, .demand = demand};
    bool together = grid->far.column_count == 0 && !grid->repeats;
    if (together && !find_rows(water, &alike)) {
        return false;
    }
    for (uint32_t leaf = 0; leaf < grid->leaf_count; leaf++) {
        if (!together) {
            water->row[leaf] = add_row(water, leaf);
        }
        water->count[water->row[leaf]] += 1;
    }
    return true;
}

// ---- columns and cables

// The place of a cable in waterfill.cables; places: by cable id.
static uint32_t use_cable(struct waterfill *water, uint32_t *places, link_id up, uint32_t row,
                          uint32_t hop) {
    uint32_t *place = &places[link_cable(up).i];
    if (*place == ID_NONE) {
        *place = water->cable_count++;
        water->cables[*place] = (struct water_cable){
            .up = up,
            .row = row,
            .region = water->grid->regions[water->leaf[row]],
            .hop = hop,
            .factor = {1, 1},
        };
    }
    return *place;
}

static void use_routes(struct waterfill *water, struct water_space *space, uint32_t *places) {
    for (uint32_t row = 0; row < water->row_count; row++) {
        for (uint32_t i = 0; i < space->column_count; i++) {
            const struct grid_route *route = grid_route(space->grid, water->leaf[row], i);
            struct water_route *to = &space->routes[(size_t)row * space->column_count + i];
            for (uint32_t hop = 0; hop < 2; hop++) {
                to->cables[hop] = hop < route->link_count
                                      ? use_cable(water, places, route->links[hop], row, hop)
                                      : ID_NONE;
            }
        }
    }
}

static bool make_space(struct waterfill *water, const struct grid_space *grid, bool far) {
    struct water_space *space = &water->spaces[far];
    *space = (struct water_space){
        .grid = grid,
        .far = far,
        .column_count = grid->column_count,
        .stride = (grid->column_count + WATER_LANES - 1) / WATER_LANES * WATER_LANES,
    };
    size_t size = (size_t)water->row_count * space->stride;
    space->routes =
        array_new((size_t)water->row_count * space->column_count, sizeof space->routes[0]);
    bool whole = space->routes != NULL;
    for (unsigned way = 0; way < 2; way++) {
        space->start[way] = array_new(size, sizeof(double));
        space->factor[way] = array_new(size, sizeof(double));
        whole = whole && space->start[way] != NULL && space->factor[way] != NULL;
    }
    return whole;
}

static bool make_cables(struct waterfill *water) {
    const struct fabric *fabric = water->grid->fabric;
    size_t most = (size_t)water->row_count *
                  (water->spaces[0].column_count + 2 * (size_t)water->spaces[1].column_count);
    most = most < fabric->cable_count ? most : fabric->cable_count;
    water->cables = array_new(most, sizeof water->cables[0]);
    water->best = array_new(most, 2 * sizeof water->best[0]);
    water->before = array_new(most, 2 * sizeof water->before[0]);
    uint32_t *places = array_new(fabric->cable_count, sizeof places[0]);
    if (water->cables == NULL || water->best == NULL || water->before == NULL || places == NULL) {
        free(places);
        return false;
    }
    memset(places, 0xff, fabric->cable_count * sizeof places[0]); // ID_NONE
    use_routes(water, &water->spaces[0], places);
    use_routes(water, &water->spaces[1], places);
    free(places);
    return true;
}

static void set_rates(struct waterfill *water, const uint64_t *rate_bps) {
    for (uint32_t i = 0; i < water->cable_count; i++) {
        struct water_cable *cable = &water->cables[i];
        cable->rate[WATER_UP] = (double)rate_bps[cable->up.i] / 8;
        cable->rate[WATER_DOWN] = (double)rate_bps[link_opposite(cable->up).i] / 8;
    }
}

// A column begins with what its links can carry, each against the fastest.
static void set_starts(struct waterfill *water, struct water_space *space, enum water_way way) {
    double fastest = 0;
    for (uint32_t i = 0; i < water->cable_count; i++) {
        double rate = water->cables[i].rate[way];
        fastest = rate > fastest ? rate : fastest;
    }
    for (uint32_t row = 0; fastest > 0 && row < water->row_count; row++) {
        const struct water_route *routes = &space->routes[(size_t)row * space->column_count];
        double *start = &space->start[way][(size_t)row * space->stride];
        for (uint32_t i = 0; i < space->column_count; i++) {
            start[i] = routes[i].cables[0] != ID_NONE ? 1 : 0;
            for (uint32_t hop = 0; hop < 2 && routes[i].cables[hop] != ID_NONE; hop++) {
                start[i] *= water->cables[routes[i].cables[hop]].rate[way] / fastest;
            }
        }
    }
}

bool water_init(struct waterfill *water, const struct grid *grid, const uint64_t *rate_bps,
                const struct leaf_demand *demand) {
    water->grid = grid;
    if (!make_rows(water, rate_bps, demand) || !make_space(water, &grid->near, false) ||
        !make_space(water, &grid->far, true) || !make_cables(water)) {
        return false;
    }
    water->hop_count = grid->far.column_count > 0 ? 2 : 1;
    set_rates(water, rate_bps);
    for (unsigned way = 0; way < 2; way++) {
        set_starts(water, &water->spaces[0], way);
        set_starts(water, &water->spaces[1], way);
        water_update_columns(water, way);
    }
    uint32_t stride = water->spaces[0].stride > water->spaces[1].stride ? water->spaces[0].stride
                                                                        : water->spaces[1].stride;
    water->sums = array_new(stride, sizeof water->sums[0]);
    water->cuts = array_new((size_t)water->row_count + grid->region_count, sizeof water->cuts[0]);
    return water->sums != NULL && water->cuts != NULL;
}
