// SPDX-License-Identifier: Apache-2.0
// Scenario files (YAML): what happens to a fabric and its agents, and when.
//
//   version: 1
//   fabric: ../fabrics/lab-8.yaml              # as seen from the scenario
//   until: 6s                                  # of virtual time; 0 is when all agents have joined
//   seed: 7                                    # optional: of all chance; srv6-sim run --seed
//   algorithm: ethereal                        # optional: for jobs that name none
//   probe_interval: 3ms                        # optional
//   adaptive_round: 100us                      # optional: of algorithm adaptive, about a round
//   trip fail: [leaf0-spine0=0.5, "leaf1>spine2"]   # optional: as srv6-sim plan --fail, before
//   time 0 jobs:
//     - {file: ../jobs/ring.yaml, at: 0ms, [lead: 200ms], [remove: 3s], [algorithm: ecmp]}
//   events:
//     - {at: 1s, cut: leaf0-spine1, [for: 500ms]}         # packets are lost
//     - {at: 2s, heal: leaf0-spine1}                      # of a cut and of slow
//     - {at: 1s, slow: leaf0-spine0, capacity: 0.5, [for: 1s]}
//     - {at: 1s, link_set: leaf0-spine0, capacity: 0.5}   # orders, as srv6-ctl gives them
//     - {at: 1s, drain: spine2}                           # a link or a node
//     - {at: 2s, undrain: spine2}
//     - {at: 1s, kill: h3}                                # an agent; its NIC goes on
//     - {at: 2s, start: h3}
//     - {at: 1s, pause: h3, for: 20ms}                    # not scheduled
//     - {at: 1s, partition: [h0-h3, "h4,h6"], [for: 1s]}  # gossip; who is not named is a group
//     - {at: 2s, rejoin: all}
//     - {at: 1s, stale: {share: 0.25}, for: 100ms}        # that share of hosts hears no gossip
//
// A job's bytes begin to flow at `at`; it is submitted `lead` earlier. Links go by the names of
// fail.h. `for` undoes an event after a while.
//
// Ownership: scenario_load returns owned (scenario_fini). Units: nanoseconds, parts per million.
#ifndef SIM_SCENARIO_H
#define SIM_SCENARIO_H

#include "fail.h"
#include "model/job.h"

#define SCENARIO_VERSION 1
#define SCENARIO_JOBS_MAX 64
#define SCENARIO_EVENTS_MAX 10000
#define SCENARIO_NAME_SIZE (LINK_NAME_SIZE + 32) // a link, "=" and a fraction
#define SCENARIO_SPAN_MAX_NS UINT64_C(3600000000000)
#define SCENARIO_LEAD_NS UINT64_C(200000000)      // unless it says otherwise
#define SCENARIO_LEAD_MAX_NS UINT64_C(1000000000) // agents have joined that long before 0
#define SCENARIO_PROBE_INTERVAL_NS UINT64_C(3000000)
#define SCENARIO_ADAPTIVE_ROUND_NS UINT64_C(100000)

enum scenario_verb {
    VERB_CUT,
    VERB_HEAL,
    VERB_SLOW,
    VERB_LINK_SET,
    VERB_DRAIN,
    VERB_UNDRAIN,
    VERB_KILL,
    VERB_START,
    VERB_PAUSE,
    VERB_PARTITION,
    VERB_REJOIN,
    VERB_STALE,
    VERB_HEAR, // the end of stale
    VERB_COUNT
};

struct scenario_event {
    uint64_t at_ns;
    uint64_t for_ns; // VERB_PAUSE; elsewhere what undoes it is an event of its own
    enum scenario_verb verb;
    char subject[SCENARIO_NAME_SIZE]; // as the file says
    struct fail_target links;         // of cut, heal, slow, link_set, drain and undrain of links
    node_id node; // of kill, start, pause; drain and undrain of a node; else ID_NONE
    uint32_t capacity_ppm;
    uint32_t *groups; // owned; VERB_PARTITION: by host
    uint32_t share_ppm;
    uint32_t line;
};

struct scenario_job {
    struct job job;
    uint64_t at_ns, lead_ns;
    uint64_t remove_at_ns; // NEVER_NS: stays
    uint32_t line;
};

struct scenario {
    struct fabric *fabric;
    uint64_t seed, until_ns, probe_interval_ns, adaptive_round_ns;
    char algorithm[NAME_SIZE];   // "": the default
    struct link_belief *initial; // what is broken before time 0; by directed link
    struct scenario_job jobs[SCENARIO_JOBS_MAX];
    uint32_t job_count;
    struct scenario_event *events; // in order of time, then of the file
    uint32_t event_count;
};

const char *scenario_verb_name(enum scenario_verb verb);

// How the files that a scenario names are got; both as in model_yaml.
struct scenario_files {
    int (*load_fabric)(void *context, const char *file, fabric_complain_fn *complain,
                       void *complain_context, struct fabric **out);
    int (*load_job)(void *context, const char *file, fabric_complain_fn *complain,
                    void *complain_context, struct job *out);
    void *context;
};

// 0; -EINVAL when something was complained about (all of it, each file in order of lines), -errno
// when a file could not be read. *out is untouched on failure.
int scenario_load(const char *path, fabric_complain_fn *complain, void *context,
                  struct scenario *out);
int scenario_parse(const char *name, const char *text, size_t size,
                   const struct scenario_files *files, fabric_complain_fn *complain, void *context,
                   struct scenario *out);
void scenario_fini(struct scenario *scenario);

#endif
