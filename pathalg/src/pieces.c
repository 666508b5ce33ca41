// SPDX-License-Identifier: Apache-2.0
// A flow of n pieces over p paths has x pieces on a path, with mean n / p and a variance that grows
// like n. Beyond DRAWS_MAX pieces only d = DRAWS_MAX are drawn, and what a path has above or below
// the mean is scaled by sqrt(n / d), which gives the same mean and variance:
//
//   share = 1 / p + (x - d / p) / sqrt(n d)  ~  sqrt(n d) + p x - d,  never negative for n >= d
#include "pieces.h"

#include "model/rng.h"
#include "model/rule.h"
#include "spread.h"
#include "tally.h"

#define DRAWS_MAX 256
#define PIECES_MAX (UINT64_C(1) << 40) // keeps units within a tally's limit

static uint64_t square_root(uint64_t value) {
    uint64_t root = 0;
    for (uint64_t bit = UINT64_C(1) << 31; bit > 0; bit >>= 1) {
        if ((root + bit) * (root + bit) <= value) {
            root += bit;
        }
    }
    return root;
}

static int assign_flow(const struct assign_batch *batch, uint64_t pieces, const uint16_t *paths,
                       uint32_t flow, assign_emit_fn *emit, void *context) {
    uint32_t count = batch->candidate_count;
    uint32_t taken = count < RULE_PATHS_MAX ? count : RULE_PATHS_MAX;
    uint64_t draws = pieces < DRAWS_MAX ? pieces : DRAWS_MAX;
    uint64_t root = square_root(pieces * draws);
    uint64_t start = batch->salt % count + (uint64_t)flow * taken;
    const struct assign_flow *headers = &batch->flows[flow];
    struct rng rng;
    rng_init(&rng, hash_pair(batch->salt, hash_pair(headers->src.i, headers->dst.i)));
    uint64_t drawn[RULE_PATHS_MAX] = {0};
    for (uint64_t i = 0; i < draws; i++) {
        drawn[rng_below(&rng, taken)]++;
    }
    struct tally tally = {0};
    for (uint32_t i = 0; i < taken; i++) {
        tally_add(&tally, paths[(start + i) % count], root + taken * drawn[i] - draws);
    }
    return tally_emit(&tally, batch, flow, emit, context);
}

int pieces_assign(const struct assign_batch *batch, uint64_t piece_bytes, assign_emit_fn *emit,
                  void *context) {
    uint16_t paths[CANDIDATES_MAX];
    spread_order(batch->candidates, batch->candidate_count, paths);
    for (uint32_t i = 0; i < batch->flow_count; i++) {
        uint64_t bytes = batch->flows[i].bytes;
        uint64_t pieces = bytes / piece_bytes + (bytes % piece_bytes > 0 || bytes == 0 ? 1 : 0);
        pieces = pieces < PIECES_MAX ? pieces : PIECES_MAX;
        int rc = assign_flow(batch, pieces, paths, i, emit, context);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}
