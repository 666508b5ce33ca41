// SPDX-License-Identifier: Apache-2.0
// Fleets (fleet/fleet.h) over generated fabrics for tests. A fixture that cannot be built ends the
// program. SIM_VERBOSE in the environment prints every note.
#ifndef SUPPORT_FLEET_FIXTURE_H
#define SUPPORT_FLEET_FIXTURE_H

#include "fleet/fleet.h"

struct fleet_shape {
    const char *clos_kind; // "leaf-spine"
    uint32_t leaves, spines, hosts_per_leaf, cables;
    uint32_t pods, leaves_per_pod, aggs_per_pod, cores; // three-tier
    uint64_t probe_interval_ns, seed;
    uint32_t history_links;
    uint32_t diagnosis_pps; // 0: the agents do not diagnose
    fleet_note_fn *on_note; // instead of SIM_VERBOSE
    void *context;
    bool no_srh;  // the NICs write one carrier only
    bool eswitch; // the NICs look at source ports, not at QPs, and want spares
};

struct fleet *fleet_fixture_open(const struct fleet_shape *shape);
// Two and a half seconds on: all have joined, and the job "demo", an all-to-all of all hosts, is
// steered.
struct fleet *fleet_fixture_open_steered(const struct fleet_shape *shape);
// Gives an agent a new file of the same fabric.
int fleet_fixture_offer(struct fleet *fleet, const struct fleet_shape *shape, uint32_t host,
                        uint64_t generation, struct error *error);

#endif
