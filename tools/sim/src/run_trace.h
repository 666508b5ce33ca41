// SPDX-License-Identifier: Apache-2.0
// The trace of a run: one line per event in virtual time, or the same as one JSON document. Only
// this file writes to stdout.
//
//        1.250 ms  cut        leaf0-spine1: 6 flows stall
//   {"at_ns":1250000,"event":"cut","subject":"leaf0-spine1","text":"6 flows stall","flows":6}
#ifndef SIM_RUN_TRACE_H
#define SIM_RUN_TRACE_H

#include "json_writer.h"
#include "model/fabric.h"

#define TRACE_VALUES_MAX 4
#define TRACE_SUBJECT_SIZE 160
#define TRACE_TEXT_SIZE 240

struct trace_value {
    const char *key; // with its unit
    uint64_t value;
};

struct trace_line {
    uint64_t at_ns;
    const char *kind;
    char subject[TRACE_SUBJECT_SIZE];
    char text[TRACE_TEXT_SIZE];
    struct trace_value values[TRACE_VALUES_MAX]; // JSON only
    unsigned value_count;
};

// What came of a job.
struct trace_job {
    const char *name, *algorithm;
    bool begun, ended, removed;
    uint64_t begin_at_ns, end_at_ns, bound_ns;
    const char *bound_kind; // "cut" or "nic"
    uint64_t bytes, left_bytes;
    uint32_t rounds, moves, near_after; // adaptive; near_after: ID_NONE: never
    bool adaptive;
};

struct trace_summary {
    uint32_t flows_moved; // so often was a flow with bytes left put on another path
    uint64_t moved_bytes;
    uint64_t longest_stall_ns; // of a flow
    uint64_t stalled_at_end;   // flows
};

struct trace {
    bool json;
    struct json_writer writer;
};

void trace_open(struct trace *trace, const char *scenario, const struct fabric *fabric,
                uint64_t seed);
void trace_write(struct trace *trace, const struct trace_line *line);
void trace_begin_summary(struct trace *trace);
void trace_write_job(struct trace *trace, const struct trace_job *job);
void trace_close(struct trace *trace, const struct trace_summary *summary);

#endif
