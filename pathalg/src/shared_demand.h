// SPDX-License-Identifier: Apache-2.0
// What dense collectives make leaves send each other, by kinds of leaves, without looking at pairs
// of ranks. Private to pathalg.
//
//   what leaf l has for leaf m = units(l) x weight(m) - what stays within hosts that are on both
//   units     ranks that send by the leaf's ports       weight    bytes that a rank has for a leaf
//
// Only an AlltoAllv by matrix is added up pair by pair (job.h bounds its ranks).
#ifndef PATHALG_SHARED_DEMAND_H
#define PATHALG_SHARED_DEMAND_H

#include "shared_shape.h"
#include "waterfill.h"

struct demand_jobs {
    const struct plan_job *jobs; // of the input
    const struct shape *shapes;  // by job
    const uint32_t *members;     // which of them
    uint32_t member_count;
};

// kind_count is 0 when the jobs have no dense collectives. -ENOMEM, and *out is untouched.
int demand_build(const struct grid *grid, const struct demand_jobs *jobs, struct leaf_demand *out);
void demand_fini(struct leaf_demand *demand);
// Adds what each rank sends in dense collectives. -ENOMEM.
int demand_add_sent(const struct grid *grid, const struct plan_job *job, const struct shape *shape,
                    uint64_t *sent);

#endif
