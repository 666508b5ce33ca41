// SPDX-License-Identifier: Apache-2.0
// Packet spraying at random: every packet takes a path of its own by chance (oblivious packet
// spraying), where `spray` goes round robin. In the fluid view a flow's shares are the counts of
// its packets' draws: nearly even, and the less so the shorter the flow.
#include "pathalg/algorithm.h"

#include "pieces.h"

#define PACKET_BYTES 4096 // RoCEv2's largest path MTU

static int spray_random_assign(const struct assign_batch *batch, assign_emit_fn *emit,
                               void *context) {
    return pieces_assign(batch, PACKET_BYTES, emit, context);
}

const struct algorithm algorithm_spray_random = {.name = "spray-random",
                                                 .since_version = 2,
                                                 .spray = true,
                                                 .assign = spray_random_assign};
