// SPDX-License-Identifier: Apache-2.0
// Packet spraying: every flow goes over all paths in equal shares, oblivious of their capacity. A
// rule holds RULE_PATHS_MAX paths at most; where a fabric has more, each flow takes that many of
// them, evenly over the uplinks, and flows start at different places.
#include "pathalg/algorithm.h"

#include "model/rule.h"
#include "spread.h"

static int spray_flow(const struct assign_batch *batch, const uint16_t *order, uint32_t flow,
                      assign_emit_fn *emit, void *context) {
    uint32_t paths = batch->candidate_count;
    uint32_t parts = paths < RULE_PATHS_MAX ? paths : RULE_PATHS_MAX;
    uint64_t bytes = batch->flows[flow].bytes;
    uint64_t start = batch->salt % paths + (uint64_t)flow * parts;
    for (uint32_t i = 0; i < parts; i++) {
        // The bytes that do not divide go one each to the first parts.
        uint64_t share = bytes / parts + (i < bytes % parts ? 1 : 0);
        int rc = emit(context, flow, order[(start + i) % paths], share);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

static int spray_assign(const struct assign_batch *batch, assign_emit_fn *emit, void *context) {
    uint16_t order[CANDIDATES_MAX];
    spread_order(batch->candidates, batch->candidate_count, order);
    for (uint32_t i = 0; i < batch->flow_count; i++) {
        int rc = spray_flow(batch, order, i, emit, context);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

const struct algorithm algorithm_spray = {.name = "spray",
                                          .since_version = 1,
                                          .spray = true,
                                          .assign = spray_assign};
