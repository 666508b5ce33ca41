// SPDX-License-Identifier: Apache-2.0
// The interface behind which path algorithms live, one file each. An algorithm gets all flows of
// one source host to one destination leaf at a time (Ethereal's unit) and assigns parts.
#ifndef PATHALG_ALGORITHM_H
#define PATHALG_ALGORITHM_H

#include "pathalg/plan.h"

struct assign_flow {
    port_id src, dst;
    uint64_t bytes;
    uint32_t index; // in the plan
};

// One batch: one job's flows from one source port to ports of one destination leaf, sorted by
// (bytes, destination), with equal candidate sets in the same order except for the last link.
struct assign_batch {
    const struct fabric *fabric;
    const struct link_belief *beliefs; // NULL: all up
    const struct assign_flow *flows;
    uint32_t flow_count;
    const struct path *candidates; // for flows[0]; the fabric part is common to all
    uint32_t candidate_count;      // 1 to CANDIDATES_MAX
    uint64_t salt; // (job's name, source port, destination leaf): rotates where round robin starts
};

// Emits one part of batch->flows[flow] on candidate `candidate`. An algorithm emits all parts of a
// flow, at most RULE_PATHS_MAX, before the next flow's, and each on a different candidate. It
// returns what the callback returns when that is not 0.
typedef int assign_emit_fn(void *context, uint32_t flow, uint32_t candidate, uint64_t bytes);

struct algorithm {
    const char *name;
    uint32_t since_version; // plans of an older version do not know it
    bool spray;             // parts are a set to spray over, not paths of sub-flows
    // True: flows are placed on the healthy fabric, and only parts whose path is broken are moved,
    // to the backup that the healthy plan names; so a failure moves no flow that it does not touch.
    // False: flows are placed anew on what lives.
    bool repaired;
    // NULL: it does not go by batches but looks at all its jobs' flows together (`shared`).
    int (*assign)(const struct assign_batch *batch, assign_emit_fn *emit, void *context);
};

extern const struct algorithm algorithm_adaptive, algorithm_ecmp, algorithm_ethereal,
    algorithm_flowlet, algorithm_qp_scaling, algorithm_shared, algorithm_spray,
    algorithm_spray_random, algorithm_weighted;

// NULL when unknown; "" is the default.
const struct algorithm *algorithm_find(const char *name);
// The same for plans of an older version (plan.h), which know less and had another default.
const struct algorithm *algorithm_find_version(const char *name, uint32_t version);
const char *algorithm_names(void); // "ecmp, ethereal, ...", for messages

#endif
