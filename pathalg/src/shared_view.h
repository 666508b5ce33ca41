// SPDX-License-Identifier: Apache-2.0
// The columns of dense flows that some leaves send: the shares of their pairs, and the flows placed
// by them. A view holds one group of leaves (dense.h) in one tier; a host needs those of the leaves
// that its ports are on. Private to pathalg.
#ifndef PATHALG_SHARED_VIEW_H
#define PATHALG_SHARED_VIEW_H

#include "dense.h"
#include "shared_tier.h"

// Unequal flows of one job from some leaves.
struct view_list {
    uint32_t job;
    struct dense_group group;
    struct flow_list list;
    struct dense_flow *flows; // by index in the list: its column
    struct dense_list *placed;
};

struct view {
    struct dense_group group; // leaf_count is 0: no view
    uint32_t tier;
    bool followed;            // `now` and what follows from it is known
    uint32_t *base, *now;     // shares (dense_cell)
    struct dense_rows **rows; // by job; NULL: not of equal dense flows
    struct view_list *lists;
    uint32_t list_count, job_count;
};

// What a view is made of and looked up in.
struct view_input {
    const struct tier *tier;
    uint32_t tier_index;
    const uint32_t *tier_of; // by job
    const struct shape *shapes;
    const struct plan_job *jobs;
    uint32_t job_count;
};

int view_open(const struct view_input *input, const struct dense_group *group, struct view *out);
void view_fini(struct view *view);
// After the tier's rates have changed. -ENOMEM.
int view_follow(struct view *view, const struct view_input *input);
// The column of a dense flow; false when its leaves are not joined. -ENOMEM by *rc, else untouched.
bool view_column(struct view *view, const struct view_input *input, const struct plan_flow *flow,
                 uint32_t *column, int *rc);

#endif
