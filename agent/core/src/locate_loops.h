// SPDX-License-Identifier: Apache-2.0
// The loops that locate.h wants, for fabrics of two tiers. Pure.
//
//   round      h > leaf > spine > leaf' > spine' > leaf > h    each directed link between switches
//              once a round: in every round the leaves are paired anew, and so are a pair's spines
//   on demand  h > leaf > spine > leaf > h                     hairpins, two per cable
//              h > leaf > h                                    host loops, one per port
//
// All of them fit one carrier where cables are not parallel. Leaves without ports are gone through,
// not started from. An odd leaf out rests for a round.
#ifndef AGENT_CORE_LOCATE_LOOPS_H
#define AGENT_CORE_LOCATE_LOOPS_H

#include "locate.h"

struct locate_loops {
    struct locate_loop_spec *specs; // owned
    uint32_t count, capacity;
};

// `rounds`: so many different ones, fewer where the fabric has not as many. `port`: only its loops,
// ID_NONE: those of all ports. -ENOMEM.
int locate_loops_make(struct locate_loops *loops, const struct fabric *fabric, uint32_t rounds,
                      port_id port);
void locate_loops_free(struct locate_loops *loops);

#endif
