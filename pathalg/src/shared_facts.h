// SPDX-License-Identifier: Apache-2.0
// What `shared` knows of jobs and beliefs before it looks at any one host's flows. Private to
// shared*.c.
#ifndef PATHALG_SHARED_FACTS_H
#define PATHALG_SHARED_FACTS_H

#include "shared.h"
#include "shared_view.h"

// Enough for a host with a port on each of so many leaves.
#define VIEWS_MAX HOST_PORTS_MAX

struct shared {
    const struct fabric *fabric;
    struct grid *grid; // NULL until something is planned
    // Of the jobs.
    bool jobs_known;
    uint32_t job_count, tier_count;
    struct shape *shapes; // by job; empty for jobs of other algorithms
    uint32_t *tier_of;    // by job; ID_NONE for jobs of other algorithms
    struct tier *tiers;
    // Of the beliefs.
    bool beliefs_known;
    uint64_t *live_bps; // before reservations
    // Of leaves whose hosts were planned.
    struct view views[VIEWS_MAX];
    uint32_t next_view;
};

// Computes what is not known. -ENOMEM.
int shared_update(struct shared *shared, const struct plan_input *input);
// The view of a leaf in a tier, up to date. The tier must have dense flows. -ENOMEM.
int shared_view(struct shared *shared, const struct view_input *input, uint32_t leaf,
                struct view **out);

#endif
