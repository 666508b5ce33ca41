// SPDX-License-Identifier: Apache-2.0
// Private to run*.c: a run's state. See run.h.
#ifndef SIM_RUN_INTERNAL_H
#define SIM_RUN_INTERNAL_H

#include "run.h"
#include "run_adaptive.h"
#include "run_flows.h"
#include "run_watch.h"

// What is to happen; at one instant in this order, then as the file has it.
enum item_kind { ITEM_EVENT, ITEM_SUBMIT, ITEM_BEGIN, ITEM_REMOVE };
struct item {
    uint64_t at_ns; // of the fleet's time
    enum item_kind kind;
    uint32_t index;
};

// Moves of flows that belong together: until something else is told, or nothing moves for a while.
struct moves {
    struct flows_moved moved;
    uint32_t hosts;
    uint64_t first_at_ns, last_at_ns;
};

struct run {
    const struct scenario *scenario;
    struct fleet *fleet;
    struct fluid *fluid;
    struct flows flows;
    struct watch watch;
    struct trace *trace;
    uint64_t seed;
    uint64_t base_ns; // time 0 of the scenario
    uint64_t end_ns;
    struct item *items;
    uint32_t item_count, next_item;
    struct link_belief *physical; // what links can do now; by directed link
    uint64_t *nic_changes;        // by host, as of the last look
    struct trace_job jobs[SCENARIO_JOBS_MAX];
    struct run_adaptive *adaptive[SCENARIO_JOBS_MAX]; // NULL: placed by rules alone
    struct moves moves;
    struct trace_summary summary;
    uint32_t stalled;
    bool paths_changed; // links or paths: stalls are counted anew
};

// A line at the present time, after what was gathered. The kind and text as in trace_line.
void run_write(struct run *run, struct trace_line *line);
void run_say(struct run *run, const char *kind, const char *subject, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
// Happenings at the present time.
void run_event(struct run *run, const struct scenario_event *event);
void run_break_initially(struct run *run);
int run_submit(struct run *run, uint32_t index, struct error *error);
int run_begin(struct run *run, uint32_t index, struct error *error);
void run_remove(struct run *run, uint32_t index);
void run_end_jobs(struct run *run);
// Rounds of adaptive jobs that are due.
void run_adapt(struct run *run);
// Keeps what is to be told of an adaptive job, and ends its rounds.
void run_leave_adaptive(struct run *run, uint32_t index);
// The lowest host with a live agent, where operators give their orders; ID_NONE: none lives.
uint32_t run_live_host(const struct run *run);

#endif
