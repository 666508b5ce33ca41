// SPDX-License-Identifier: Apache-2.0
// A flow as a sequence of pieces, each on a path of its own by chance. Private to pathalg.
#ifndef PATHALG_PIECES_H
#define PATHALG_PIECES_H

#include "pathalg/algorithm.h"

// Assigns every flow of the batch in pieces of piece_bytes, drawn from the flow's headers. Where
// there are more candidates than a rule holds, each flow takes RULE_PATHS_MAX of them, evenly over
// the uplinks, and flows start at different places.
int pieces_assign(const struct assign_batch *batch, uint64_t piece_bytes, assign_emit_fn *emit,
                  void *context);

#endif
