// SPDX-License-Identifier: Apache-2.0
// Whole flows on columns where many flows join every pair of leaves (AlltoAll): each host places
// its own flows from the shares of its own leaf alone, without looking at any other leaf's flows,
// and all hosts together come within a flow of the shares on every uplink.
//
//   shares of (own leaf, every destination leaf)  --error diffusion along the row-->  how many of
//   the pair's flows each column carries  --a fixed interleaving of the pair's flows-->  the column
//   of the flow at position i
//
// The row goes from the leaf after the own one round to the one before it, so that with equal
// shares the rows of all leaves form a Latin square and downlinks are as even as uplinks. Each host
// gets its part of every column (not one host column 0 and another column 1).
//
// Two sets of shares, `base` of the healthy fabric and `now`: flows are first laid out by base;
// then only as many as a column must lose move, to columns that must gain. A pair whose shares did
// not change moves nothing. A column with a share of 0 carries nothing.
#ifndef PATHALG_DENSE_H
#define PATHALG_DENSE_H

#include "waterfill.h"

struct dense_input {
    const struct grid *grid;
    uint32_t src_leaf;
    // By destination leaf and column: [leaf * column_max + column]; each pair's sum to SHARE_ONE,
    // or are all 0 (unreachable). now may be equal to base.
    const uint32_t *base, *now;
};

// ---- equal flows
struct dense_row; // opaque: counts by destination leaf and column
// flows: by destination leaf, how many equal flows the leaf pair has (0 for the own leaf). -ENOMEM.
int dense_row_open(const struct dense_input *input, const uint32_t *flows, struct dense_row **out);
void dense_row_close(struct dense_row *row); // NULL is a no-op
// The column of the flow at `position` (0 to flows - 1) of the pair; false when unreachable. A
// pair's positions are numbered source rank first: position = source's index x destinations +
// destination's index.
bool dense_row_column(const struct dense_row *row, uint32_t dst_leaf, uint32_t position,
                      uint32_t *column);

// ---- unequal flows: largest first to the column that lacks most of its share
struct dense_flow {
    uint32_t dst_leaf;
    uint64_t bytes;
    uint32_t column; // out; ID_NONE when unreachable
};
// All flows of the leaf, not of one host alone, in an order on which all agents agree. -ENOMEM.
int dense_place(const struct dense_input *input, struct dense_flow *flows, uint32_t count);

#endif
