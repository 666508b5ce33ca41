// SPDX-License-Identifier: Apache-2.0
// Flows of algorithms that look at one batch at a time (algorithm.h). Private to pathalg.
#ifndef PATHALG_BATCHES_H
#define PATHALG_BATCHES_H

#include "pathalg/plan.h"

// Adds the parts of all flows whose job's algorithm is not `shared`. -ENOMEM.
int batches_assign(const struct plan_input *input, struct plan *plan);

#endif
