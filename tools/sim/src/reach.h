// SPDX-License-Identifier: Apache-2.0
// Where a leaf can be reached from: how many live shortest paths lead to it from every switch.
//
//   leaf --up--> spine or agg --down--> destination          as long as one such way lives
//   leaf --up--> agg --up--> core --down--> agg --down--> destination          otherwise
//
// It walks the fabric's cables itself and shares nothing with the planner, because it is what plans
// are judged by.
#ifndef SIM_REACH_H
#define SIM_REACH_H

#include "model/fabric.h"

struct reach {
    const struct fabric *fabric; // borrowed
    const uint64_t *rate_bps;    // borrowed; by directed link, 0: dead
    node_id leaf;                // the destination
    uint64_t *down;              // by node: ways from a switch above the leaves that only go down
    uint64_t *over;              // by node: ways from an agg that go over a core first
};

int reach_init(struct reach *reach, const struct fabric *fabric,
               const uint64_t *rate_bps); // -ENOMEM
void reach_fini(struct reach *reach);
void reach_aim(struct reach *reach, node_id leaf);
// Live shortest paths from another leaf, parallel cables in all combinations; *over says which kind
// of way they are.
uint64_t reach_paths(const struct reach *reach, node_id from, bool *over);

#endif
