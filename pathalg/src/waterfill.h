// SPDX-License-Identifier: Apache-2.0
// The fractional optimum: how much of what leaf l sends to leaf m goes over each column, so that
// the most loaded link between switches is as little loaded as can be. Every agent computes it from
// the same facts and gets the same bits.
//
// The answer has the form  share(l, m, c) ~ up(l, c) x down(m, c): one factor for each leaf, column
// and direction, found by scaling the factors of overloaded links down, beginning with the links'
// capacities, until no link exceeds the goal (the largest leaf or region cut), which no solution
// can beat. So memory is leaves x columns, not leaves squared x columns. Where few pairs of leaves
// send and links are dead, the goal may be out of reach; it is then raised to what is proven.
//
// Leaves that are alike (same demands, same capacities column by column) are computed once; a
// fabric with one broken link has a handful of kinds of leaves, whatever its size.
//
// Arithmetic: IEEE 754 double, only + - x / (exactly rounded everywhere), no libm, no contraction
// (-ffp-contract=off), sums in the order that the source says. Shares are handed out as integers.
#ifndef PATHALG_WATERFILL_H
#define PATHALG_WATERFILL_H

#include "grid.h"

#define SHARE_ONE (UINT32_C(1) << 30)

// What leaves send each other. Leaves of one kind send and receive alike:
// bytes[a * kind_count + b] is what one leaf of kind a sends to one *other* leaf of kind b.
struct leaf_demand {
    uint32_t kind_count;
    uint32_t *kind; // by leaf index
    double *bytes;
};

struct waterfill; // opaque: factors by kind of leaf

struct waterfill_result {
    double goal_s;    // no plan drains faster: the largest cut, or more where prices proved it
    double reached_s; // the most loaded link under the shares
    uint32_t rounds;
    uint32_t kind_count; // of leaves, after capacities were told apart
};

// rate_bps: one per directed link, 0 for dead. Demands that no live column serves are left out of
// the goal and the loads. -ENOMEM.
int waterfill_open(const struct grid *grid, const uint64_t *rate_bps,
                   const struct leaf_demand *demand, struct waterfill **out,
                   struct waterfill_result *result);
void waterfill_close(struct waterfill *waterfill); // NULL is a no-op
// shares[column] for one pair of different leaves, grid_between(...)->column_count of them. They
// sum to exactly SHARE_ONE, dead columns have 0; false (and all 0) when no column lives. Rounded so
// that the shares up to any column are within half a unit of the exact ones.
bool waterfill_shares(const struct waterfill *waterfill, uint32_t src_leaf, uint32_t dst_leaf,
                      uint32_t *shares);
// Adds the fractional loads in bytes to one counter per directed link. Uses scratch space of the
// waterfill: one caller at a time.
void waterfill_add_loads(const struct waterfill *waterfill, double *link_bytes);

#endif
