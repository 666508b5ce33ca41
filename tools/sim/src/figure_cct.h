// SPDX-License-Identifier: Apache-2.0
// Completion times of an AlltoAll of all hosts, as in the paper's Figures 1(B) and 1(C): every
// host's plan, and all of its parts sent at once over links that they share max-min fairly.
// Packets, queues and congestion control are not modelled; a part arrives when its last byte is
// through, and as much later as its path is long.
#ifndef SIM_FIGURE_CCT_H
#define SIM_FIGURE_CCT_H

#include "model/belief.h"
#include "model/error.h"
#include "model/fabric.h"

#define CCT_LINK_LATENCY_NS 500 // as in Ethereal's evaluation

struct cct_case {
    const struct fabric *fabric;
    const struct link_belief *beliefs; // what agents know, and what is so
    const char *algorithm;
    uint64_t bytes; // per rank
};

struct cct {
    uint64_t drained_ns; // all bytes have left the last link
    uint64_t cct_ns;     // and have arrived
};

// -ENOMEM, -EINVAL (unknown algorithm), each with the reason.
int cct_measure(const struct cct_case *cct_case, struct cct *out, struct error *error);
// No plan drains sooner: the larger of the bounds by links between switches and of hosts.
int cct_bound(const struct cct_case *cct_case, uint64_t *bound_ns, struct error *error);

#endif
