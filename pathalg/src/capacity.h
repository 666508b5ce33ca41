// SPDX-License-Identifier: Apache-2.0
// How much each candidate can carry, as far as the two leaves at its ends tell: the smaller live
// rate of the source leaf's uplink and the destination leaf's downlink. Private to pathalg.
#ifndef PATHALG_CAPACITY_H
#define PATHALG_CAPACITY_H

#include "pathalg/algorithm.h"
#include "pathalg/candidates.h"

#define CAPACITY_WEIGHT_MAX 64

// weights[candidate]: 1 to CAPACITY_WEIGHT_MAX in proportion to the rates, without a common factor.
// Returns their sum.
uint32_t capacity_weights(const struct assign_batch *batch, uint16_t *weights);
uint32_t greatest_common_divisor(uint32_t a, uint32_t b);

#endif
