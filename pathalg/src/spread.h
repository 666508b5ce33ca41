// SPDX-License-Identifier: Apache-2.0
// The order in which round robin visits candidates: every uplink of the leaf once before any twice,
// so that a flow that does not reach all paths still reaches all uplinks. In a leaf-spine fabric
// with single cables it is the order of the candidates. Private to pathalg.
#ifndef PATHALG_SPREAD_H
#define PATHALG_SPREAD_H

#include "pathalg/candidates.h"

// order must hold `count` entries, at most CANDIDATES_MAX; it becomes a permutation of 0..count-1.
void spread_order(const struct path *candidates, uint32_t count, uint16_t *order);

#endif
