// SPDX-License-Identifier: Apache-2.0
// Flowlet switching (Sinha, Kandula, Katabi, HotNets 2004; in switches: CONGA, LetFlow): a flow is
// hashed anew after each pause, so it is a sequence of bursts on paths of their own. RDMA has few
// pauses of its own; FLOWLET_BYTES is a burst between two of them (about 1.3 us at 400G). A
// control: in the fluid view each flow's shares are the counts of its flowlets' hashes.
//
// Packets of one QP take several paths, one after the other, so to a NIC it is a set to spray over.
#include "pathalg/algorithm.h"

#include "pieces.h"

#define FLOWLET_BYTES (UINT64_C(64) << 10)

static int flowlet_assign(const struct assign_batch *batch, assign_emit_fn *emit, void *context) {
    return pieces_assign(batch, FLOWLET_BYTES, emit, context);
}

const struct algorithm algorithm_flowlet = {.name = "flowlet",
                                            .since_version = 2,
                                            .spray = true,
                                            .assign = flowlet_assign};
