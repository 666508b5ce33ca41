// SPDX-License-Identifier: Apache-2.0
// Whole flows on columns where many flows join every pair of leaves (AlltoAll): counts follow from
// the shares, and a host's flows from the counts, so that nobody looks at other hosts' flows.
//
//   shares of the leaf pairs  --error diffusion-->  how many of a pair's flows each column carries
//                             --interleaving-->     the column of the flow from source i to
//                                                   destination j
//
// A link's debt is what the shares put on it less the flows that it has. Each pair's flows that do
// not divide go where the debts of the path's links are largest, so that errors do not add up, on
// uplinks nor on downlinks. Downlinks are shared by all leaves, so leaves are placed in groups: as
// many rows together (dense_group_of) as take few milliseconds; a small fabric is one group. All
// hosts of a group compute the same. Where a fabric has many groups, it also has so many leaf pairs
// that what the groups do not know of each other averages out.
//
// Each source gets its part of every column (not one source column 0 and another column 1), and so
// does each destination: while some hosts still plan with an older view, each counts alike.
//
// Two sets of shares, `base` of the healthy fabric and `now`: flows are laid out by base; then only
// as many as a column must lose move, to columns that must gain. A pair whose shares did not change
// moves nothing. A column with a share of 0 carries nothing.
//
// Integers only. Ownership: the grid is borrowed while the rows live; arrays during the call.
#ifndef PATHALG_DENSE_H
#define PATHALG_DENSE_H

#include "waterfill.h"

struct dense_group {
    uint32_t first_leaf, leaf_count;
};
struct dense_group dense_group_of(const struct grid *grid, uint32_t leaf);

// Where in an array of a group's shares those of a pair begin: for each leaf of the group, for each
// destination leaf, column_max shares. Each pair's sum to SHARE_ONE, or are all 0 (unreachable).
static inline size_t dense_cell(const struct grid *grid, const struct dense_group *group,
                                uint32_t src_leaf, uint32_t dst_leaf) {
    size_t pair = (size_t)(src_leaf - group->first_leaf) * grid->leaf_count + dst_leaf;
    return pair * grid->column_max;
}

// ---- equal flows
// By leaf index; each of a leaf's sources sends one flow to each destination of every other leaf.
struct dense_ends {
    const uint32_t *sources, *destinations;
};

struct dense_rows; // opaque: counts by pair and column
// Laid out by the base shares. -ENOMEM.
int dense_rows_open(const struct grid *grid, const struct dense_group *group,
                    const struct dense_ends *ends, const uint32_t *base, struct dense_rows **out);
void dense_rows_close(struct dense_rows *rows); // NULL is a no-op
// Repairs the base layout for the shares of now; what an earlier call did is forgotten.
void dense_rows_repair(struct dense_rows *rows, const uint32_t *now);
// The column of the flow from the leaf's source (0 to sources - 1) to the other leaf's destination;
// false when unreachable. src_leaf must be of the group.
bool dense_rows_column(const struct dense_rows *rows, const uint32_t leaves[2], uint32_t source,
                       uint32_t destination, uint32_t *column);
// How many of the pair's flows the column has.
uint32_t dense_rows_count(const struct dense_rows *rows, uint32_t src_leaf, uint32_t dst_leaf,
                          uint32_t column);

// ---- unequal flows: largest first to the column that lacks most of its share
struct dense_flow {
    uint32_t src_leaf, dst_leaf; // different; src_leaf of the group
    uint64_t bytes;              // all together below 2^62
    uint32_t column;             // out; ID_NONE when unreachable
};
// The part of a group to place together, for leaves of so many flows: a few of them, for a flow
// that exceeds a column's share of its pair is made up for by other leaves.
struct dense_group dense_flow_group_of(const struct dense_group *group, uint32_t leaf,
                                       uint32_t flows_per_leaf);

struct dense_list; // opaque: flows in the order in which they are placed, and where base has them
// All flows of the group's leaves, in an order on which all agents agree; laid out by the base
// shares. base and flows are borrowed while the list lives. -ENOMEM; flows are untouched then.
int dense_list_open(const struct grid *grid, const struct dense_group *group, const uint32_t *base,
                    struct dense_flow *flows, uint32_t count, struct dense_list **out);
void dense_list_close(struct dense_list *list); // NULL is a no-op
// Repairs the base layout for the shares of now; what an earlier call did is forgotten.
void dense_list_repair(struct dense_list *list, const uint32_t *now);

#endif
