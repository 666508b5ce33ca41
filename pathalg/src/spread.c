// SPDX-License-Identifier: Apache-2.0
#include "spread.h"

#include <assert.h>

// Candidates over one uplink are neighbours in the fixed order.
static uint32_t uplink_end(const struct path *candidates, uint32_t count, uint32_t start) {
    uint32_t end = start + 1;
    while (end < count && candidates[end].links[1].i == candidates[start].links[1].i) {
        end++;
    }
    return end;
}

void spread_order(const struct path *candidates, uint32_t count, uint16_t *order) {
    assert(count <= CANDIDATES_MAX);
    uint32_t placed = 0;
    for (uint32_t round = 0; placed < count; round++) {
        for (uint32_t start = 0, end; start < count; start = end) {
            end = uplink_end(candidates, count, start);
            if (start + round < end) {
                order[placed++] = (uint16_t)(start + round);
            }
        }
    }
}
