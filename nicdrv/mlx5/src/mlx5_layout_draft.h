// SPDX-License-Identifier: Apache-2.0
// A layout in the making, between the files mlx5_layout*.c:
//
//   mlx5_layout_flows.c   rules -> flow entries; which old entry each continues
//   mlx5_layout_ids.c     which path id each entry leads to
//   mlx5_layout_merge.c   two ids of one encap become one again
//   mlx5_layout.c         the changes and the finished layout
//
// While it is made, a flow entry's path_id is the number of a slot. The first now->path_count slots
// are the old path entries in their order, further ones are new.
#ifndef MLX5_LAYOUT_DRAFT_H
#define MLX5_LAYOUT_DRAFT_H

#include "mlx5_layout.h"

struct slot {
    uint32_t id;
    uint32_t before; // wanted encap that it leads to now; MLX5_NONE: one that is wanted no more
    uint32_t after;  // wanted encap that it leads to at the end; MLX5_NONE as before
    uint32_t users;  // at the end
    uint32_t merged; // users to be given to another slot of the same encap
    uint32_t place;  // index in the next layout's paths, when it has users
};

struct draft {
    const struct mlx5_layout *now;
    const struct rule_set *wanted;
    struct mlx5_flow *flows; // as in the next layout
    uint32_t flow_count;
    uint32_t *encaps;    // of each flow entry: the wanted encap that it leads to
    uint32_t *origin;    // of each flow entry: index in now->flows, or MLX5_NONE
    uint32_t *successor; // of each old flow entry: index in flows, or MLX5_NONE
    struct slot *slots;
    uint32_t slot_count, slot_capacity;
    uint32_t *settled; // of each wanted encap: a slot that leads to it during the whole step
    uint32_t *slot_of; // of each id in use now; ids without one are never asked for
    uint32_t *votes;   // encaps that the entries of a slot go to, slot after slot
    uint32_t *first_vote;
    uint32_t *tally;   // of each wanted encap, all zero between uses
    uint32_t *doubles; // slots whose encap has a settled one besides
    uint32_t double_count;
};

// -EOPNOTSUPP with the rule that this layout cannot hold.
int draft_check(const struct rule_set *wanted, bool per_qp, struct error *error);
// The number of flow entries that the rules take.
uint32_t draft_count_flows(const struct rule_set *wanted);
// Fills flows, sorted, flow_count and encaps.
void draft_fill_flows(struct draft *draft);
// Fills origin and successor.
void draft_match_flows(struct draft *draft);
// Where packets that meet the old entry, which goes away, are led afterwards: a wanted encap,
// DRAFT_PLAIN, or DRAFT_SEVERAL when that is not one place.
#define DRAFT_PLAIN MLX5_NONE
#define DRAFT_SEVERAL (MLX5_NONE - 1)
uint32_t draft_fallback(const struct draft *draft, const struct mlx5_flow *old);

// Fills slots and the flow entries' path_id. -ENOSPC when the ids do not suffice.
int draft_assign(struct draft *draft, struct error *error);
// Moves some of the entries to the settled slot of their encap, as mlx5_layout.h says.
void draft_merge(struct draft *draft);

#endif
