// SPDX-License-Identifier: Apache-2.0
// What srv6-sim computes on: a fabric, jobs resolved on it, beliefs. Complaints about the files go
// to stderr as they are found, all of them.
#ifndef SIM_INPUTS_H
#define SIM_INPUTS_H

#include "pathalg/plan.h"

#define SIM_NAME "srv6-sim"
#define INPUT_JOBS_MAX 64

// As the command line gave it; all borrowed.
struct plan_options {
    const char *fabric;
    const char *jobs[INPUT_JOBS_MAX];
    uint32_t job_count;
    const char **fails;
    uint32_t fail_count;
    const char *algorithm; // NULL: what each job says, or the default
    const char *host;      // NULL: all
    double stale;          // share of hosts that do not know of the failures
    bool seeded;           // by a draw; else they are evenly spaced
    uint64_t seed;
    bool exact, json, summary;
};

// One job and what plan_job borrows.
struct input_job {
    const char *file;
    struct job job;
    port_id *ranks; // owned
    uint32_t rank_count;
    const uint32_t *maps[JOB_COLLECTIVES_MAX]; // owned; NULL where the collective has none
};

struct inputs {
    struct fabric *fabric;
    struct link_belief *beliefs;
    struct input_job jobs[INPUT_JOBS_MAX]; // sorted by name
    struct plan_job plan_jobs[INPUT_JOBS_MAX];
    uint32_t job_count;
    struct plan_input plan; // points into the above
};

// Loads and resolves everything. Returns an exit code of tool.h; on failure nothing is left open
// and the reasons have been printed.
int inputs_open(const struct plan_options *options, struct inputs *inputs);
void inputs_close(struct inputs *inputs);

#endif
