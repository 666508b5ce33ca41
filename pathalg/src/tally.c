// SPDX-License-Identifier: Apache-2.0
#include "tally.h"

#include <assert.h>

void tally_add(struct tally *tally, uint32_t candidate, uint64_t units) {
    uint32_t at = 0;
    while (at < tally->count && tally->candidates[at] != candidate) {
        at++;
    }
    if (at == RULE_PATHS_MAX) {
        at = candidate % RULE_PATHS_MAX;
    } else if (at == tally->count) {
        tally->candidates[tally->count] = candidate;
        tally->units[tally->count++] = 0;
    }
    tally->units[at] += units;
}

// bytes x units / all, rounded down, whose product may exceed 64 bits.
static uint64_t bytes_up_to(uint64_t bytes, uint64_t units, uint64_t all) {
    return bytes / all * units + bytes % all * units / all;
}

int tally_emit(const struct tally *tally, const struct assign_batch *batch, uint32_t flow,
               assign_emit_fn *emit, void *context) {
    uint64_t bytes = batch->flows[flow].bytes;
    uint64_t all = 0;
    for (uint32_t i = 0; i < tally->count; i++) {
        all += tally->units[i];
    }
    assert(all > 0 && all <= UINT32_MAX);
    if (bytes == 0) {
        return emit(context, flow, tally->candidates[0], 0);
    }
    uint64_t before = 0;
    uint64_t units = 0;
    for (uint32_t i = 0; i < tally->count; i++) {
        units += tally->units[i];
        uint64_t after = bytes_up_to(bytes, units, all);
        int rc = after > before ? emit(context, flow, tally->candidates[i], after - before) : 0;
        if (rc != 0) {
            return rc;
        }
        before = after;
    }
    return 0;
}
