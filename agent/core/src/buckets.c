// SPDX-License-Identifier: Apache-2.0
// Which bucket of QPs takes which path, so that each path carries its share of the QPs seen.
// Integer arithmetic only.
#include <assert.h>

#include "state.h"

struct balance {
    const uint64_t *weights;
    unsigned slot_count;
    uint64_t weight_sum;
    uint64_t load[RULE_PATHS_MAX]; // QPs now on the slot
    uint64_t load_sum;
};

// How far a slot is above (positive) its due, in units of 1 / weight_sum QPs.
static int64_t excess(const struct balance *balance, unsigned slot) {
    return (int64_t)(balance->load[slot] * balance->weight_sum) -
           (int64_t)(balance->load_sum * balance->weights[slot]);
}

static unsigned neediest(const struct balance *balance) {
    unsigned best = 0;
    for (unsigned slot = 1; slot < balance->slot_count; slot++) {
        if (excess(balance, slot) < excess(balance, best)) {
            best = slot;
        }
    }
    return best;
}

// Without QPs: slots in turn, each as often as its weight says (smooth weighted round robin), so
// that QPs of consecutive numbers spread out.
static void fill_pattern(struct balance *balance, uint8_t bucket[RULE_BUCKETS]) {
    for (unsigned i = 0; i < RULE_BUCKETS; i++) {
        balance->load_sum++;
        unsigned slot = neediest(balance);
        balance->load[slot]++;
        bucket[i] = (uint8_t)slot;
    }
}

static bool assigned(const struct balance *balance, uint8_t slot) {
    return slot < balance->slot_count;
}

// One move of a bucket from a slot above its due to the neediest that brings the two nearer to
// their dues.
static bool move_one(struct balance *balance, const uint32_t qps[RULE_BUCKETS],
                     uint8_t bucket[RULE_BUCKETS]) {
    unsigned to = neediest(balance);
    int64_t room = -excess(balance, to);
    int best = -1;
    int64_t best_gain = 0;
    for (unsigned i = 0; i < RULE_BUCKETS; i++) {
        int64_t size = (int64_t)(qps[i] * balance->weight_sum);
        if (size == 0 || bucket[i] == to) {
            continue;
        }
        // The sum of squares falls by 2 size (excess(from) + room - size): no gain, no move.
        int64_t gain = excess(balance, bucket[i]) + room - size;
        if (gain > best_gain) {
            best = (int)i;
            best_gain = gain;
        }
    }
    if (best < 0) {
        return false;
    }
    balance->load[bucket[best]] -= qps[best];
    balance->load[to] += qps[best];
    bucket[best] = (uint8_t)to;
    return true;
}

void buckets_assign(const uint64_t *weights, unsigned slot_count, const uint32_t qps[RULE_BUCKETS],
                    uint8_t bucket[RULE_BUCKETS]) {
    assert(slot_count >= 1 && slot_count <= RULE_PATHS_MAX);
    // Weights are bytes: scaled down so that products with QP counts stay within 63 bits.
    uint64_t scaled[RULE_PATHS_MAX], largest = 0;
    for (unsigned i = 0; i < slot_count; i++) {
        largest = weights[i] > largest ? weights[i] : largest;
    }
    unsigned shift = 0;
    while (largest >> shift >= 1U << 20) {
        shift++;
    }
    struct balance balance = {.weights = scaled, .slot_count = slot_count};
    for (unsigned i = 0; i < slot_count; i++) {
        scaled[i] = (weights[i] >> shift) + (weights[i] >> shift == 0 ? 1 : 0);
        balance.weight_sum += scaled[i];
    }
    bool complete = true;
    for (unsigned i = 0; i < RULE_BUCKETS; i++) {
        complete = complete && assigned(&balance, bucket[i]);
    }
    if (!complete) {
        fill_pattern(&balance, bucket);
        balance.load_sum = 0;
    }
    for (unsigned i = 0; i < slot_count; i++) {
        balance.load[i] = 0;
    }
    for (unsigned i = 0; i < RULE_BUCKETS; i++) {
        balance.load[bucket[i]] += qps[i];
        balance.load_sum += qps[i];
    }
    for (unsigned i = 0; i < RULE_BUCKETS && move_one(&balance, qps, bucket); i++) {
    }
}
