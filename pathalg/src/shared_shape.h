// SPDX-License-Identifier: Apache-2.0
// One job as `shared` sees it. Its collectives are either dense (an AlltoAll of so many ranks that
// sums by leaf say all) or listed flow by flow. Private to pathalg.
//
// Nothing here points into the plan's input: shapes outlive it.
#ifndef PATHALG_SHARED_SHAPE_H
#define PATHALG_SHARED_SHAPE_H

#include "sparse.h"

struct shape {
    uint16_t dense, listed; // bit c: collective c is so; neither: it moves nothing
    // Dense flows are all of one size. Then also:
    bool equal;
    uint32_t *sources, *destinations;           // by leaf: ports that send, that receive
    uint32_t *source_index, *destination_index; // by port: which of its leaf's; else ID_NONE
};

// -ENOMEM, and *out is untouched.
int shape_open(const struct grid *grid, const struct plan_job *job, struct shape *out);
void shape_fini(struct shape *shape);

// The job with one set of its collectives alone.
struct shape_job {
    struct job job; // borrows; not to be finished
    const uint32_t *permutations[JOB_COLLECTIVES_MAX];
};
void shape_select(const struct plan_job *job, uint16_t collectives, struct shape_job *out);

// How many ranks send by each port to ports of its plane. units: one counter per port, cleared by
// the caller; the ranks are those below `takers`.
void shape_count_units(const struct fabric *fabric, const struct plan_job *job, uint32_t takers,
                       uint32_t *units);

struct flow_list {
    struct sparse_flow *flows;
    uint32_t count, capacity;
};
int flow_list_add(struct flow_list *list, const struct demand *demand); // -ENOMEM
// Appends the listed flows that cross leaves, of all ranks. sent: NULL, or by rank what it sends in
// listed flows is added. -ENOMEM.
int shape_list(const struct grid *grid, const struct plan_job *job, const struct shape *shape,
               struct flow_list *list, uint64_t *sent);
// Sorts by (source, destination) and merges what is of one pair.
void flow_list_merge(struct flow_list *list);
// In a merged list; false when the pair is not in it.
bool flow_list_find(const struct flow_list *list, port_id src, port_id dst, uint32_t *index);

#endif
