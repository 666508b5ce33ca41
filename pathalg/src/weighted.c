// SPDX-License-Identifier: Apache-2.0
// Ethereal with weights, from local information only: what a host knows of its own leaf's uplinks
// and of the destination leaf's downlinks, not who else sends what. It is what is left when shared
// facts are missing, and the control for how much sharing them is worth.
//
//   weights w of the candidates: live capacities as small whole numbers (capacity.h), W their sum
//   n flows of one size from one source port to one destination leaf, r = n mod W
//   n - r flows   whole, on W slots round robin; a candidate has w of them, spread evenly
//   r flows       each in W / gcd(r, W) pieces, slots continued; pieces on one path are one part
//
// With equal capacities that is Ethereal. A rule holds RULE_PATHS_MAX paths: where there are more
// candidates, a flow is cut in so many pieces at most, and the balance is approximate.
#include "pathalg/algorithm.h"

#include <string.h>

#include "capacity.h"
#include "spread.h"
#include "tally.h"

// Slots go round so that a candidate's w of W are as far apart as can be (smooth weighted round
// robin: each turn every candidate earns its weight, and who has most pays W for the slot). After W
// slots all is as in the beginning.
struct slots {
    uint32_t count, sum;
    uint16_t order[CANDIDATES_MAX], weights[CANDIDATES_MAX]; // order: all uplinks before any twice
    int32_t earned[CANDIDATES_MAX];                          // by candidate
};

static uint32_t next_slot(struct slots *slots) {
    uint32_t best = slots->order[0];
    for (uint32_t i = 0; i < slots->count; i++) {
        uint32_t candidate = slots->order[i];
        slots->earned[candidate] += slots->weights[candidate];
        if (slots->earned[candidate] > slots->earned[best]) {
            best = candidate;
        }
    }
    slots->earned[best] -= (int32_t)slots->sum;
    return best;
}

// Different batches begin at different slots.
static void begin(struct slots *slots, const struct assign_batch *batch) {
    slots->count = batch->candidate_count;
    spread_order(batch->candidates, batch->candidate_count, slots->order);
    slots->sum = capacity_weights(batch, slots->weights);
    memset(slots->earned, 0, slots->count * sizeof slots->earned[0]);
    uint32_t skipped = slots->sum < RULE_PATHS_MAX ? slots->sum : RULE_PATHS_MAX;
    for (uint64_t i = batch->salt % skipped; i > 0; i--) {
        next_slot(slots);
    }
}

static uint32_t pieces_of_rest(const struct slots *slots, uint32_t rest, uint64_t bytes) {
    uint64_t pieces = slots->sum / greatest_common_divisor(rest, slots->sum);
    if (slots->count > RULE_PATHS_MAX && pieces > RULE_PATHS_MAX) {
        pieces = RULE_PATHS_MAX;
    }
    if (pieces > bytes) {
        pieces = bytes > 0 ? bytes : 1;
    }
    return (uint32_t)pieces;
}

static int place_flow(struct slots *slots, const struct assign_batch *batch, uint32_t flow,
                      uint32_t pieces, assign_emit_fn *emit, void *context) {
    struct tally tally = {0};
    for (uint32_t i = 0; i < pieces; i++) {
        tally_add(&tally, next_slot(slots), 1);
    }
    return tally_emit(&tally, batch, flow, emit, context);
}

static uint32_t size_end(const struct assign_batch *batch, uint32_t first) {
    uint32_t end = first + 1;
    while (end < batch->flow_count && batch->flows[end].bytes == batch->flows[first].bytes) {
        end++;
    }
    return end;
}

// The flows of one size begin at another one of them in each batch, for the last are cut.
static int place_size(struct slots *slots, const struct assign_batch *batch, uint32_t first,
                      uint32_t count, assign_emit_fn *emit, void *context) {
    uint32_t rest = count % slots->sum;
    uint32_t rest_pieces = rest == 0 ? 1 : pieces_of_rest(slots, rest, batch->flows[first].bytes);
    uint64_t turn = (batch->salt >> 32) % count;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t flow = first + (uint32_t)((i + turn) % count);
        int rc = place_flow(slots, batch, flow, i < count - rest ? 1 : rest_pieces, emit, context);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

static int weighted_assign(const struct assign_batch *batch, assign_emit_fn *emit, void *context) {
    struct slots slots;
    begin(&slots, batch);
    for (uint32_t first = 0, end; first < batch->flow_count; first = end) {
        end = size_end(batch, first);
        int rc = place_size(&slots, batch, first, end - first, emit, context);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

const struct algorithm algorithm_weighted = {.name = "weighted",
                                             .since_version = 2,
                                             .spray = false,
                                             .assign = weighted_assign};
