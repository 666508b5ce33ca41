// SPDX-License-Identifier: Apache-2.0
// What agents find out, as lines of a trace: who says first that a link is down, what is believed
// and when all live agents believe the same.
//
// It hears the engines' notes while the fleet runs, and asks the engines afterwards.
#ifndef SIM_RUN_WATCH_H
#define SIM_RUN_WATCH_H

#include "fleet/fleet.h"
#include "run_trace.h"

struct watch_link {
    uint32_t verdicts; // agents that say down now
    bool asked;        // a belief about it changed somewhere, and not all agree yet
    bool told;         // who was first
    uint32_t first_host;
};

struct watch_heard {
    uint32_t host;
    struct engine_note note;
};

// What agents said besides, so that what all of them say at about one time is one line.
#define WATCH_SAID_MAX 64
struct watch_said {
    uint64_t hash, at_ns;
};

struct watch {
    const struct fabric *fabric;
    struct fleet *fleet; // set once it is open
    struct watch_link *links;
    bool *says_down; // [host * links + link]
    enum { MEMBER_HERE, MEMBER_GONE } * members;
    struct watch_heard *heard;
    uint32_t heard_count, heard_capacity;
    struct watch_said said[WATCH_SAID_MAX]; // the oldest is overwritten
    uint32_t said_next;
    int error;
};

int watch_init(struct watch *watch, const struct fabric *fabric);
void watch_fini(struct watch *watch);
// A fleet_note_fn.
void watch_hear(void *watch, uint32_t host, const struct engine_note *note);
// An agent has died: what it said counts no more.
void watch_forget(struct watch *watch, uint32_t host);
// Writes what has been heard since the last time. quiet: only remembers.
typedef void watch_write_fn(void *context, const struct trace_line *line);
void watch_tell(struct watch *watch, bool quiet, watch_write_fn *write, void *context);

#endif
