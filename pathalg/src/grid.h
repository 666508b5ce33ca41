// SPDX-License-Identifier: Apache-2.0
// The fabric as a table: leaves in rows, ways up from a leaf to a top switch in columns. A path
// from one leaf to another goes up a column and down the same column, so a path between two leaves
// is one small number, and the load of a column at a leaf is the load of its links.
//
//              column 0        column 1   ...      A region is a set of leaves that some switch one
//   leaf 0   leaf0>spine0    leaf0>spine1          tier above them joins: all leaves (leaf-spine),
//   leaf 1   leaf1>spine0    leaf1>spine1          a pod (three-tier), a plane (dual-plane).
//
// `near` holds the ways between leaves of one region (top: a spine or agg; one link). `far` holds
// the ways between regions (top: a core; two links); a fabric without cores has none. Column i of
// two leaves of one region (near), or of any two leaves (far), ends at the same top switch.
// Parallel cables are columns of their own, cable k up with cable k down; where two leaves have
// different numbers of cables to a top, the one with fewer uses its own again (k modulo its count),
// so that columns may share links. Where a leaf has no way to a top the route is empty.
//
// The grid depends on the fabric alone, not on beliefs. Ownership: the fabric is borrowed.
#ifndef PATHALG_GRID_H
#define PATHALG_GRID_H

#include "pathalg/plan.h"

struct grid_route {
    uint32_t link_count; // 0: no such way; 1 near, 2 far
    link_id links[2];    // upwards, from the leaf
};

struct grid_space {
    uint32_t column_count;
    struct grid_route *routes; // [leaf * column_count + column]
};

struct grid {
    const struct fabric *fabric;
    uint32_t leaf_count;
    node_id *leaves;      // by leaf index
    uint32_t *leaf_index; // by node; ID_NONE for what is no leaf
    uint32_t region_count;
    uint32_t *regions;   // by leaf index
    uint32_t column_max; // the larger of the two column counts
    bool repeats;        // some leaf has fewer ways to a top than others and uses its own again
    struct grid_space near, far;
};

int grid_open(const struct fabric *fabric, struct grid **out); // -ENOMEM
void grid_close(struct grid *grid);                            // NULL is a no-op

// What joins two different leaves. Its column_count is 0 when nothing does.
static inline const struct grid_space *grid_between(const struct grid *grid, uint32_t src_leaf,
                                                    uint32_t dst_leaf) {
    return grid->regions[src_leaf] == grid->regions[dst_leaf] ? &grid->near : &grid->far;
}
static inline const struct grid_route *grid_route(const struct grid_space *space, uint32_t leaf,
                                                  uint32_t column) {
    return &space->routes[(size_t)leaf * space->column_count + column];
}
// True when both routes exist and every link of the path, in its direction, has a rate above 0.
// rate_bps: one per directed link.
bool grid_column_lives(const struct grid *grid, const uint64_t *rate_bps, uint32_t src_leaf,
                       uint32_t dst_leaf, uint32_t column);
// The whole path between two ports of different leaves. Both routes must exist (asserted).
void grid_path(const struct grid *grid, port_id src, port_id dst, uint32_t column,
               struct path *out);

#endif
