// SPDX-License-Identifier: Apache-2.0
// Flows on columns where there are few of them (rings, permutations, trees, pairs): all agents
// place all flows, alike, and keep their own. No host is asked what it does; so the plan of a
// link's failure is this one, on new rates.
//
//   1 baseline   every link alive and alike (sparse_baseline.c): flows, largest first, are coloured
//                (colouring.h) with as many colours as there are columns. No flow is split. Equal
//                flows load no link with more than the unsplit optimum; unequal ones load no link
//                with more than the mean of the leaf's links and one flow, and go largest first to
//                the least loaded column (LPT) where that is better still.
//   2 repair     with the rates of now (sparse_repair.c): every link may carry what the goal allows
//                (the largest cut; or, where links as good as ever carry more by the baseline, as
//                much as these). Flows beyond that leave, and go whole to where there is room.
//   3 split      what fits nowhere whole (sparse_split.c) is split over the room that is left;
//   where
//                that does not suffice, other flows give way with a part of theirs along a chain.
//                About one flow for each leaf and link lost is split, where Ethereal splits all.
//
// So a healthy fabric of equal links has no split; a broken one few; and what a failure does not
// touch stays where it was. Only where three tiers leave the baseline above the goal by more than a
// twentieth is a healthy fabric's plan repaired, too: there is no unsplit optimum to keep to. No
// part is on a dead link; every byte is placed once, or not at all where no column lives.
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

// Columns of the healthy fabric, by flow; ID_NONE where no column joins the leaves. It depends on
// the grid and the flows alone, so one may be kept from plan to plan while these do not change.
struct sparse_baseline; // opaque

struct sparse_input {
    const struct grid *grid;
    const uint64_t *nominal_bps;       // one per directed link
    const uint64_t *rate_bps;          // now
    const double *occupied_base_bytes; // one per directed link, what dense jobs put there: baseline
    const double *occupied_bytes;      // and now. NULL: nothing
    const struct sparse_flow *flows;   // sorted by (src, dst); each pair once
    uint32_t flow_count;
    uint32_t parts_max; // of one flow, at least 1 (RULE_PATHS_MAX; 1: never split)
    const struct sparse_baseline *baseline; // of the same grid and flows; NULL: found anew
};

struct sparse_placement {
    struct sparse_part *parts; // sorted by (flow, column)
    uint32_t part_count;
    uint32_t *base_column; // by flow: where the baseline put it; ID_NONE: nowhere
    double goal_s;         // the largest cut, of occupied and sparse bytes together
};

// -ENOMEM. Borrows nothing.
int sparse_baseline_open(const struct grid *grid, const struct sparse_flow *flows,
                         uint32_t flow_count, struct sparse_baseline **out);
void sparse_baseline_close(struct sparse_baseline *baseline); // NULL is a no-op

// -ENOMEM; *out is untouched on failure.
int sparse_place(const struct sparse_input *input, struct sparse_placement *out);
void sparse_placement_fini(struct sparse_placement *placement);

#endif
