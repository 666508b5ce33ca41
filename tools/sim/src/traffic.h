// SPDX-License-Identifier: Apache-2.0
// What the jobs ask of the fabric, whatever any planner makes of it: bytes from leaf to leaf and
// through each host port, and what no choice of paths can beat because of them. It is added up from
// job_demands, so that bytes which a plan loses cannot make its bound smaller.
//
// Demands without a live path are left out and counted. Units: bytes, bits per second, seconds.
// Ownership: the input is borrowed for the traffic's life.
#ifndef SIM_TRAFFIC_H
#define SIM_TRAFFIC_H

#include "pathalg/plan.h"

struct traffic {
    const struct fabric *fabric;
    uint64_t *rate_bps; // by directed link: what is left of it, 0 when dead
    uint32_t leaf_count;
    node_id *leaves;           // by leaf index
    uint32_t *leaf_index;      // by node; ID_NONE for what is no leaf
    uint64_t *paths;           // [from * leaf_count + to]: live shortest paths; 1 within a leaf
    uint64_t *bytes;           // [from * leaf_count + to]
    uint64_t *sent, *received; // by port, within a leaf too
    uint64_t demand_count, unreachable_count; // of (rank, rank, collective)
};

// The demands of one host, or with ID_NONE of all. -ENOMEM.
int traffic_open(const struct plan_input *input, node_id host, struct traffic **out);
void traffic_close(struct traffic *traffic); // NULL is a no-op

// The most that a leaf must send or receive, or a pod, over what its links upwards carry.
double traffic_cut_s(const struct traffic *traffic);
// The same for the hosts' own cables.
double traffic_nic_s(const struct traffic *traffic);

#endif
