// SPDX-License-Identifier: Apache-2.0
// Flows of jobs with algorithm `adaptive` in a run: each begins where the agents' rules put it and
// is then one QP that moves on what it sees (pathalg/adaptive.h), a round at a time.
//
// What it sees: a flow wishes for its share of its sender's port or its receiver's, whichever is
// less; a share is the port's rate over the number of flows that use it now. A link lets its rate
// pass and marks the rest of what is wished for: of what a flow sends over links whose wishes add
// up to w, min(1, rate / w) of each link in turn stays unmarked. A path over a link of rate 0 loses
// packets.
//
// How good that is: the time that the most loaded link between switches needs for the bytes left on
// it, against the least possible (what a leaf or port has to send or receive over what its links
// carry).
//
// Units: nanoseconds of the fleet's time. Ownership: flows and fleet are borrowed. One job each.
#ifndef SIM_RUN_ADAPTIVE_H
#define SIM_RUN_ADAPTIVE_H

#include "model/rng.h"
#include "pathalg/adaptive.h"
#include "run_flows.h"

#define ADAPTIVE_NEAR 1.2 // of the optimum: that close is worth a line

struct adaptive_paths; // those of one port to one leaf

struct run_adaptive {
    struct flows *flows;
    struct fleet *fleet;
    uint32_t first_flow, flow_count; // in flows->list
    struct adaptive *qps;            // by flow
    uint32_t *set_of;                // by flow; ID_NONE: within a leaf
    struct adaptive_paths *sets;
    uint32_t set_count;
    double *wish_bps, *left_bytes; // scratch, by link
    uint32_t *sending, *receiving; // scratch, by port
    struct rng rng;
    uint64_t round_ns, next_at_ns;
    uint32_t rounds, moves;
    uint32_t near_after; // rounds until it was first within ADAPTIVE_NEAR; ID_NONE: not yet
    double ratio;        // at present
};

// The flows of a job that has just begun, and been put on paths. -ENOMEM.
int adaptive_open(struct flows *flows, struct fleet *fleet, uint32_t first_flow, uint64_t round_ns,
                  uint64_t seed, struct run_adaptive **out);
void adaptive_close(struct run_adaptive *adaptive); // NULL is a no-op
// Does what is due by now. True: a flow moved.
bool adaptive_round(struct run_adaptive *adaptive, uint64_t now_ns);

#endif
