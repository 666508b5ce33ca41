// SPDX-License-Identifier: Apache-2.0
// One trial of `srv6-sim locate`: probes of one scheme through a broken fabric, one after the
// other, each with the results of all before it known, until all faults are named or the cap is
// reached.
#ifndef SIM_LOCATE_TRIAL_H
#define SIM_LOCATE_TRIAL_H

#include "locate_loops.h"
#include "locate_world.h"

enum trial_scheme {
    TRIAL_OURS,    // agent/core's locate.h
    TRIAL_ECMP,    // pings between hosts whose paths a hash picks; the paths are known
    TRIAL_HAIRPIN, // each cable in turn
    TRIAL_SCHEMES
};

struct trial_outcome {
    uint64_t probes; // until the last fault was named, or the cap
    bool located;    // all faults were named
    bool right;      // and nothing else
    uint32_t false_down, false_other;
};

struct trial {
    struct world *world;
    const struct locate_loops *loops; // for TRIAL_OURS
    enum trial_scheme scheme;
    uint64_t cap; // probes
};

// Both -ENOMEM: ours for TRIAL_OURS, the other for the rest, of one fault or none.
int trial_run_ours(const struct trial *trial, struct rng *rng, struct trial_outcome *outcome);
int trial_run_baseline(const struct trial *trial, struct rng *rng, struct trial_outcome *outcome);

#endif
