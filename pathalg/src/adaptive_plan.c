// SPDX-License-Identifier: Apache-2.0
// Where the flows of a private workload begin: nobody else knows what they ask, so each is put
// whole on a path by hash, in proportion to what the paths can carry. From there it moves on its
// own observation (pathalg/adaptive.h).
//
// Weighted rendezvous hashing: each candidate draws -log(u) / weight from the flow's headers and
// its own links, and the least wins. So candidates win in proportion to their weights, and when one
// is lost or weakened, only flows that were on it choose anew.
#include "pathalg/algorithm.h"

#include "capacity.h"
#include "model/rng.h"

// -log2(u / 2^64) in units of 2^-32, 0.01 off at most: log2(1 + f) ~ f + 0.344 f (1 - f).
static uint64_t minus_log2(uint64_t u) {
    uint64_t floor = u | 1;
    unsigned zeros = (unsigned)__builtin_clzll(floor);
    uint64_t f = (floor << zeros << 1) >> 32; // what follows the leading one
    uint64_t bulge = (f >> 16) * (((UINT64_C(1) << 32) - f) >> 16);
    return ((uint64_t)(zeros + 1) << 32) - f - bulge / 256 * 88;
}

static uint64_t path_hash(const struct path *path, uint64_t headers) {
    uint64_t hash = headers;
    for (uint32_t i = 1; i + 1 < path->link_count; i++) {
        hash = hash_pair(hash, path->links[i].i);
    }
    return hash;
}

static uint32_t choose(const struct assign_batch *batch, const uint16_t *weights,
                       uint64_t headers) {
    uint32_t best = 0;
    uint64_t least = UINT64_MAX;
    for (uint32_t i = 0; i < batch->candidate_count; i++) {
        uint64_t draw = minus_log2(path_hash(&batch->candidates[i], headers)) / weights[i];
        if (draw < least) {
            least = draw;
            best = i;
        }
    }
    return best;
}

static int adaptive_assign(const struct assign_batch *batch, assign_emit_fn *emit, void *context) {
    uint16_t weights[CANDIDATES_MAX];
    capacity_weights(batch, weights);
    for (uint32_t i = 0; i < batch->flow_count; i++) {
        const struct assign_flow *flow = &batch->flows[i];
        uint64_t headers = hash_pair(batch->salt, hash_pair(flow->src.i, flow->dst.i));
        int rc = emit(context, i, choose(batch, weights, headers), flow->bytes);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

const struct algorithm algorithm_adaptive = {.name = "adaptive",
                                             .since_version = 2,
                                             .spray = false,
                                             .assign = adaptive_assign};
