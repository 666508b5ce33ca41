// SPDX-License-Identifier: Apache-2.0
// Ethereal as published (Addanki et al., arXiv:2407.00550v2): with equal flow sizes it loads every
// uplink as evenly as perfect packet spraying would, but splits few flows.
//
//   n flows of one size from one source port to one destination leaf, s live paths, r = n mod s:
//   n - r flows   whole, round robin over the paths
//   r flows       each in s / gcd(r, s) parts, round robin continued
//   parts         floor(size / k) bytes; the last takes the remainder
//
// So n + r (s / gcd(r, s) - 1) sub-flows, and every path carries the same bytes (up to remainders).
// It knows no capacities: a half-speed link gets as much as a whole one, as published.
//
// Choices of this implementation where the paper is silent:
// - The paper assumes one flow size. Flows of different sizes are grouped by size, and each group
// is
//   placed as above, so that the balance still holds; many distinct sizes mean many splits.
// - The paper shuffles; agents must agree, so the salt rotates the order of the flows and the place
//   where round robin starts.
// - A rule holds RULE_PATHS_MAX paths, so a flow is never cut in more parts; beyond that many paths
//   the balance is approximate (over uplinks first, spread.h). No part is empty.
#include "pathalg/algorithm.h"

#include "model/rule.h"
#include "spread.h"

struct group {
    const struct assign_batch *batch;
    const uint16_t *order;
    uint32_t first, count; // flows of one size
    uint64_t cursor;       // round robin's place
};

static uint32_t gcd(uint32_t a, uint32_t b) {
    while (b != 0) {
        uint32_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static uint32_t parts_per_rest_flow(uint32_t rest, uint32_t paths, uint64_t bytes) {
    uint32_t parts = paths / gcd(rest, paths);
    if (parts > RULE_PATHS_MAX) {
        parts = RULE_PATHS_MAX;
    }
    if (parts > bytes) {
        parts = bytes > 0 ? (uint32_t)bytes : 1;
    }
    return parts;
}

static int place_flow(struct group *group, uint32_t flow, uint32_t parts, assign_emit_fn *emit,
                      void *context) {
    uint64_t bytes = group->batch->flows[flow].bytes;
    uint64_t each = bytes / parts;
    for (uint32_t i = 0; i < parts; i++) {
        uint32_t path = group->order[group->cursor++ % group->batch->candidate_count];
        uint64_t size = i + 1 < parts ? each : bytes - each * (parts - 1);
        int rc = emit(context, flow, path, size);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

static int place_group(struct group *group, assign_emit_fn *emit, void *context) {
    const struct assign_batch *batch = group->batch;
    uint32_t rest = group->count % batch->candidate_count;
    uint32_t rest_parts = rest == 0 ? 1
                                    : parts_per_rest_flow(rest, batch->candidate_count,
                                                          batch->flows[group->first].bytes);
    uint64_t turn = (batch->salt >> 32) % group->count;
    for (uint32_t i = 0; i < group->count; i++) {
        uint32_t flow = group->first + (uint32_t)((i + turn) % group->count);
        int rc = place_flow(group, flow, i < group->count - rest ? 1 : rest_parts, emit, context);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

static uint32_t size_end(const struct assign_batch *batch, uint32_t first) {
    uint32_t end = first + 1;
    while (end < batch->flow_count && batch->flows[end].bytes == batch->flows[first].bytes) {
        end++;
    }
    return end;
}

static int ethereal_assign(const struct assign_batch *batch, assign_emit_fn *emit, void *context) {
    uint16_t order[CANDIDATES_MAX];
    spread_order(batch->candidates, batch->candidate_count, order);
    struct group group = {.batch = batch,
                          .order = order,
                          .cursor = batch->salt % batch->candidate_count};
    for (uint32_t first = 0; first < batch->flow_count; first += group.count) {
        group.first = first;
        group.count = size_end(batch, first) - first;
        int rc = place_group(&group, emit, context);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

const struct algorithm algorithm_ethereal = {.name = "ethereal",
                                             .since_version = 1,
                                             .spray = false,
                                             .repaired = true,
                                             .assign = ethereal_assign};
