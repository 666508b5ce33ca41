// SPDX-License-Identifier: Apache-2.0
// Debts of links: what the shares put on each less the flows that it has, in any one unit. The debt
// of a column between two leaves is that of its path's links together. Private to dense*.c.
#ifndef PATHALG_DENSE_DEBT_H
#define PATHALG_DENSE_DEBT_H

#include "dense.h"
#include "model/rng.h"

struct dense_pair {
    const struct grid_route *up, *down; // by column, of the source and of the destination leaf
    uint32_t column_count;
};

static inline struct dense_pair dense_pair_of(const struct grid *grid, uint32_t src_leaf,
                                              uint32_t dst_leaf) {
    const struct grid_space *space = grid_between(grid, src_leaf, dst_leaf);
    return (struct dense_pair){
        .up = &space->routes[(size_t)src_leaf * space->column_count],
        .down = &space->routes[(size_t)dst_leaf * space->column_count],
        .column_count = space->column_count,
    };
}

static inline uint32_t dense_links(const struct dense_pair *pair, uint32_t column) {
    return pair->up[column].link_count + pair->down[column].link_count;
}

static inline uint32_t dense_links_common(const struct grid_route *a, const struct grid_route *b) {
    uint32_t common = 0;
    for (uint32_t i = 0; i < a->link_count; i++) {
        for (uint32_t j = 0; j < b->link_count; j++) {
            common += a->links[i].i == b->links[j].i;
        }
    }
    return common;
}

// How many links are of one column's path and not of the other's.
static inline uint32_t dense_links_apart(const struct dense_pair *pair, uint32_t a, uint32_t b) {
    uint32_t common = dense_links_common(&pair->up[a], &pair->up[b]) +
                      dense_links_common(&pair->down[a], &pair->down[b]);
    return dense_links(pair, a) + dense_links(pair, b) - 2 * common;
}

static inline int64_t dense_debt(const struct dense_pair *pair, uint32_t column,
                                 const int64_t *debts) {
    const struct grid_route *up = &pair->up[column];
    const struct grid_route *down = &pair->down[column];
    int64_t sum = 0;
    for (uint32_t i = 0; i < up->link_count; i++) {
        sum += debts[up->links[i].i];
    }
    for (uint32_t i = 0; i < down->link_count; i++) {
        sum += debts[link_opposite(down->links[i]).i];
    }
    return sum;
}

static inline void dense_owe(const struct dense_pair *pair, uint32_t column, int64_t amount,
                             int64_t *debts) {
    const struct grid_route *up = &pair->up[column];
    const struct grid_route *down = &pair->down[column];
    for (uint32_t i = 0; i < up->link_count; i++) {
        debts[up->links[i].i] += amount;
    }
    for (uint32_t i = 0; i < down->link_count; i++) {
        debts[link_opposite(down->links[i]).i] += amount;
    }
}

// From 0 to SHARE_ONE - 1, evenly over the groups of leaves (multiples of the golden ratio), so
// that roundings which begin there err to both sides alike.
static inline int64_t dense_dither(const struct dense_group *group, link_id link) {
    uint64_t turn = group->first_leaf * UINT64_C(0x9e3779b97f4a7c15);
    return (int64_t)((hash_u64(link.i) + turn) >> 34);
}

#endif
