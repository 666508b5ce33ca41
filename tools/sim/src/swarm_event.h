// SPDX-License-Identifier: Apache-2.0
// How long one event takes to be known to a swarm, and what it costs: the same swarm runs twice,
// with the event and without, and the difference is the event's.
#ifndef SIM_SWARM_EVENT_H
#define SIM_SWARM_EVENT_H

#include "swarm.h"
#include "swarm_model.h"

struct swarm_outcome {
    uint32_t live, missing; // missing: live hosts that had not heard of it after ten seconds
    // From when it was written until so many of the other live hosts knew; NEVER_NS when they
    // never did.
    uint64_t all_know_ns, p50_ns, p99_ns;
    double messages_per_host, bytes_per_host; // sent, on average of live hosts
    uint64_t resident_bytes;                  // of memory, for each live host
};

// A live host reports a link down. As swarm_init, and -ENOMEM.
int swarm_tell_link_down(const struct swarm_config *config, const struct swarm_model *model,
                         struct swarm_outcome *out, struct error *error);

#endif
