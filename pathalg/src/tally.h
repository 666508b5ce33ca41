// SPDX-License-Identifier: Apache-2.0
// One flow in equal units on candidates; what falls on one candidate becomes one part. Private to
// pathalg.
#ifndef PATHALG_TALLY_H
#define PATHALG_TALLY_H

#include "model/rule.h"
#include "pathalg/algorithm.h"

struct tally {
    uint32_t count;
    uint32_t candidates[RULE_PATHS_MAX];
    uint64_t units[RULE_PATHS_MAX]; // together below 2^32
};

// Adds units to a candidate. On a new candidate after RULE_PATHS_MAX others they go to one of
// these.
void tally_add(struct tally *tally, uint32_t candidate, uint64_t units);
// Emits the flow's bytes in proportion to the units, in the order in which candidates came; parts
// of no bytes are left out. At least one unit was added.
int tally_emit(const struct tally *tally, const struct assign_batch *batch, uint32_t flow,
               assign_emit_fn *emit, void *context);

#endif
