// SPDX-License-Identifier: Apache-2.0
// E-ECMP with queue pair scaling (Gangidi et al., "RDMA over Ethernet for Distributed Training at
// Meta Scale", SIGCOMM 2024): the messages of a flow go round robin over QPS_PER_FLOW queue pairs,
// and switches hash the destination QP too, so each QP takes a path of its own by chance. A control
// that is fairer than `ecmp`: many draws even out, but never wholly, and capacities play no part.
//
// In the fluid view every QP carries the same bytes. QPs that fall on one path are one part.
#include "pathalg/algorithm.h"

#include "model/rng.h"
#include "tally.h"

#define QPS_PER_FLOW 16

static int qp_scaling_assign(const struct assign_batch *batch, assign_emit_fn *emit,
                             void *context) {
    for (uint32_t i = 0; i < batch->flow_count; i++) {
        const struct assign_flow *flow = &batch->flows[i];
        uint64_t headers = hash_pair(batch->salt, hash_pair(flow->src.i, flow->dst.i));
        struct tally tally = {0};
        for (uint64_t qp = 0; qp < QPS_PER_FLOW; qp++) {
            uint64_t hash = hash_pair(headers, qp);
            tally_add(&tally, (uint32_t)(hash % batch->candidate_count), 1);
        }
        int rc = tally_emit(&tally, batch, i, emit, context);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

const struct algorithm algorithm_qp_scaling = {.name = "qp-scaling",
                                               .since_version = 2,
                                               .spray = false,
                                               .assign = qp_scaling_assign};
