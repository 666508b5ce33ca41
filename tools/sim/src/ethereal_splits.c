// SPDX-License-Identifier: Apache-2.0
#include "ethereal_splits.h"

static uint64_t gcd(uint64_t a, uint64_t b) {
    while (b != 0) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

// Of the flows that were counted from one port; empties the counts.
static uint64_t take_splits(const struct traffic *traffic, port_id src, uint32_t *counts) {
    const uint64_t *paths =
        &traffic->paths[(size_t)traffic->leaf_index[traffic->fabric->ports[src.i].leaf.i] *
                        traffic->leaf_count];
    uint64_t splits = 0;
    for (uint32_t leaf = 0; leaf < traffic->leaf_count; leaf++) {
        uint64_t rest = counts[leaf] > 0 ? counts[leaf] % paths[leaf] : 0;
        if (rest > 0) {
            splits += rest * (paths[leaf] / gcd(rest, paths[leaf]) - 1);
        }
        counts[leaf] = 0;
    }
    return splits;
}

static uint64_t job_splits(const struct traffic *traffic, const struct plan *plan, uint32_t job,
                           uint32_t *counts) {
    uint64_t splits = 0;
    port_id src = {ID_NONE};
    for (uint32_t i = 0; i < plan->flow_count; i++) { // sorted by source port
        const struct plan_flow *flow = &plan->flows[i];
        if (flow->job != job || flow->local || flow->part_count == 0) {
            continue;
        }
        if (src.i != ID_NONE && src.i != flow->src.i) {
            splits += take_splits(traffic, src, counts);
        }
        src = flow->src;
        counts[traffic->leaf_index[traffic->fabric->ports[flow->dst.i].leaf.i]]++;
    }
    return src.i != ID_NONE ? splits + take_splits(traffic, src, counts) : 0;
}

uint64_t ethereal_splits(const struct traffic *traffic, const struct plan *plan, uint32_t job_count,
                         uint32_t *counts) {
    uint64_t splits = 0;
    for (uint32_t job = 0; job < job_count; job++) {
        splits += job_splits(traffic, plan, job, counts);
    }
    return splits;
}
