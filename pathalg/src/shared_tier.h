// SPDX-License-Identifier: Apache-2.0
// Jobs that share what rates leave them. A job with a reservation is a tier of its own; what it
// reserves is taken from the links that it uses before the next tier is planned. The last tier
// holds all other jobs. Private to pathalg.
//
//   tier_open      once for the jobs       demands
//   tier_lay       once for the jobs       the baseline: nominal rates, all links alive
//   tier_follow    for each set of beliefs the rates of now
#ifndef PATHALG_SHARED_TIER_H
#define PATHALG_SHARED_TIER_H

#include "shared_demand.h"

// A reservation leaves at least a tenth of every link to others.
#define RESERVED_PERCENT_MAX 90U

struct tier {
    const struct grid *grid;
    uint64_t reserved_bps; // for each rank; 0: no reservation
    uint64_t rank_bytes;   // what the rank that sends most sends at that rate
    struct leaf_demand demand;
    struct flow_list list;
    struct sparse_baseline *listed_base; // where the baseline has the list's flows
    uint64_t *base_bps;                  // rates of the baseline, one per directed link
    double *base_loads;                  // of dense collectives in the baseline
    struct waterfill *base, *now;        // NULL: nothing is dense; now may be base
    struct sparse_placement placed;      // of now
    uint32_t *backups;                   // by part placed: its backup's column, or ID_NONE
};

int tier_open(const struct grid *grid, const struct demand_jobs *jobs, struct tier *out); // -ENOMEM
void tier_fini(struct tier *tier);
// rate_bps: one per directed link; what the tier reserves is subtracted. -ENOMEM.
int tier_lay(struct tier *tier, uint64_t *rate_bps);
int tier_follow(struct tier *tier, uint64_t *rate_bps);
// Adds what the tier's reservation takes of each link under the plan of now. -ENOMEM.
int tier_add_reserved(const struct tier *tier, double *link_bps);
// The parts of a listed flow are placed.parts[*first] and so on; returns how many.
uint32_t tier_parts(const struct tier *tier, uint32_t flow, uint32_t *first);

#endif
