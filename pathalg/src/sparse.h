// SPDX-License-Identifier: Apache-2.0
// Flows on columns where there are few of them (rings, permutations, trees, pairs): all agents place
// all flows, alike, and keep their own.
//
//   1 baseline   on nominal rates with every link alive: flows of one size are coloured
//                (colouring.h), a size's colours go to the least loaded columns; sizes with few
//                flows are placed largest first (LPT). No flow is split.
//   2 repair     with the rates of now: each link may carry what the goal (the largest cut) allows,
//                or what the baseline put there if its rate is not reduced. Flows beyond that leave,
//                first whole to where both ends have room; those that fit nowhere whole are split
//                over the room that is left (cooperative minimal splitting: about one flow a leaf,
//                where Ethereal splits all). Where even that exceeds the goal, further flows of the
//                overloaded links are split too.
//
// So a healthy fabric of equal links has no split; a broken one few; and what a failure does not
// touch stays where it was. No part is on a dead link; every byte is placed once, or not at all
// where no column lives.
#ifndef PATHALG_SPARSE_H
#define PATHALG_SPARSE_H

#include "grid.h"

struct sparse_flow {
    port_id src, dst; // of different leaves
    uint64_t bytes;
};

struct sparse_part {
    uint32_t flow;
    uint32_t column;
    uint64_t bytes;
};

struct sparse_input {
    const struct grid *grid;
    const uint64_t *nominal_bps;      // one per directed link
    const uint64_t *rate_bps;         // now
    const double *occupied_base_bytes; // one per directed link, what dense jobs put there: baseline
    const double *occupied_bytes;      // and now. NULL: nothing
    const struct sparse_flow *flows;  // sorted by (src, dst); each pair once
    uint32_t flow_count;
    uint32_t parts_max; // of one flow, at least 1 (RULE_PATHS_MAX; 1: never split)
};

struct sparse_placement {
    struct sparse_part *parts; // sorted by (flow, column)
    uint32_t part_count;
    uint32_t *base_column; // by flow: where the baseline put it; ID_NONE: nowhere
    double goal_s;         // the largest cut, of occupied and sparse bytes together
};

// -ENOMEM; *out is untouched on failure.
int sparse_place(const struct sparse_input *input, struct sparse_placement *out);
void sparse_placement_fini(struct sparse_placement *placement);

#endif
