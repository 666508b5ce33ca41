// SPDX-License-Identifier: Apache-2.0
#include "capacity.h"

#include "live.h"

uint32_t greatest_common_divisor(uint32_t a, uint32_t b) {
    while (b != 0) {
        uint32_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static uint64_t candidate_rate_bps(const struct assign_batch *batch, uint32_t candidate) {
    const struct path *path = &batch->candidates[candidate];
    link_id up = path->links[1];
    link_id down = path->links[path->link_count - 2];
    uint64_t up_bps = link_live_rate_bps(batch->fabric, batch->beliefs, up);
    uint64_t down_bps = link_live_rate_bps(batch->fabric, batch->beliefs, down);
    return up_bps < down_bps ? up_bps : down_bps;
}

// rate / most in units of 1 / CAPACITY_WEIGHT_MAX, rounded to the nearest; never 0 for what lives.
static uint16_t weight_of(uint64_t rate_bps, uint64_t most_bps) {
    uint64_t unit = most_bps / CAPACITY_WEIGHT_MAX;
    uint64_t weight = unit > 0 ? (rate_bps + unit / 2) / unit : CAPACITY_WEIGHT_MAX;
    weight = weight < CAPACITY_WEIGHT_MAX ? weight : CAPACITY_WEIGHT_MAX;
    return (uint16_t)(weight > 0 ? weight : 1);
}

uint32_t capacity_weights(const struct assign_batch *batch, uint16_t *weights) {
    uint64_t most = 0;
    for (uint32_t i = 0; i < batch->candidate_count; i++) {
        uint64_t rate = candidate_rate_bps(batch, i);
        most = rate > most ? rate : most;
    }
    uint32_t divisor = 0;
    for (uint32_t i = 0; i < batch->candidate_count; i++) {
        weights[i] = weight_of(candidate_rate_bps(batch, i), most);
        divisor = greatest_common_divisor(weights[i], divisor);
    }
    uint32_t sum = 0;
    for (uint32_t i = 0; i < batch->candidate_count; i++) {
        weights[i] = (uint16_t)(weights[i] / divisor);
        sum += weights[i];
    }
    return sum;
}
