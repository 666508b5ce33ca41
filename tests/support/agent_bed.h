// SPDX-License-Identifier: Apache-2.0
// The daemon's inside without a daemon: a `struct agent` around the engine of one host of a fleet
// in memory (fleet/fleet.h), with the NIC driver `mem`, for tests of the views, of the commands and
// of SIGHUP. What start.c, effects.c and the carrier do in the daemon is done here in their names.
//
// Ownership: agent_bed_open returns owned; everything in it lives until agent_bed_close. One bed at
// a time, one thread.
#ifndef SUPPORT_AGENT_BED_H
#define SUPPORT_AGENT_BED_H

#include <jansson.h>

#include "agent.h"
#include "fleet_fixture.h"

struct agent_bed {
    struct agent agent; // of host 0
    struct fleet *sim;
    bool frozen;         // orders and jobs are taken and dropped: the fleet stays as it is
    unsigned step_count; // events that the commands gave to the engine
    struct engine_config last_config;     // of the last ENGINE_CONFIG
    char secret_key[CURVE_KEY_TEXT_SIZE]; // what the carrier was last told
    uint32_t fleet_keys;
};

// A leaf-spine fabric of 4 x 4 with 2 hosts a leaf, joined, with job "demo" (AlltoAll) steered.
struct agent_bed *agent_bed_open(void);
// Another fabric, with that many such jobs: "demo", "demo-1", ...
struct agent_bed *agent_bed_open_of(const struct fleet_shape *shape, unsigned job_count);
void agent_bed_close(struct agent_bed *bed);
// Virtual time passes; the NIC of host 0 then holds what its engine wants.
void agent_bed_run(struct agent_bed *bed, uint64_t span_ns);
void agent_bed_cut(struct agent_bed *bed, const char *link, bool cut);
// The answer to `arguments` (JSON text, NULL for none), owned by the caller; NULL with `refusal`.
json_t *agent_bed_ask(struct agent_bed *bed, const char *command, const char *arguments,
                      struct control_refusal *refusal);

#endif
