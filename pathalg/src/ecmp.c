// SPDX-License-Identifier: Apache-2.0
// Equal-cost multi-path as switches do it: a hash of the flow's headers picks one path for the
// whole flow, whatever else is there. It is the control that the other algorithms are held against:
// few large flows collide on some links while others stay idle.
#include "pathalg/algorithm.h"

#include "model/rng.h"

static int ecmp_assign(const struct assign_batch *batch, assign_emit_fn *emit, void *context) {
    for (uint32_t i = 0; i < batch->flow_count; i++) {
        const struct assign_flow *flow = &batch->flows[i];
        // The salt stands for what else is in the 5-tuple: flows of two jobs differ in UDP source
        // port.
        uint64_t hash = hash_pair(batch->salt, hash_pair(flow->src.i, flow->dst.i));
        int rc = emit(context, i, (uint32_t)(hash % batch->candidate_count), flow->bytes);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

const struct algorithm algorithm_ecmp = {.name = "ecmp",
                                         .since_version = 1,
                                         .spray = false,
                                         .assign = ecmp_assign};
