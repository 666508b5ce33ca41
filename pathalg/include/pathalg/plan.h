// SPDX-License-Identifier: Apache-2.0
// From shared facts to paths: the plan of the flows that one host sends.
//
//   fabric + beliefs + jobs --(algorithm)--> for each own flow: paths with shares, and a backup for
//   each path
//
// The plan is a pure function of its input: no clock, no global random numbers, the same on every
// machine. A host plans only what it sends; srv6-sim calls it once per host to see the whole.
//
// Units: bytes, bits per second. Ownership: plan_init/plan_fini own the arrays; the input is
// borrowed during the call.
#ifndef PATHALG_PLAN_H
#define PATHALG_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "model/belief.h"
#include "model/error.h"
#include "model/fabric.h"
#include "model/job.h"
#include "model/rule.h"

#define PATH_LINKS_MAX 8
// Agents plan with the lowest version among live members. 1: ecmp, ethereal, spray, and ethereal
// was the default. 2: more algorithms, and `shared` is the default. 3:
// what lossy links carry goes elsewhere (belief_avoid).
#define PLAN_VERSION 3
#define PLAN_VERSION_AVOIDS 3

struct path {
    uint8_t link_count; // host up, fabric links, host down; 2 within a leaf
    link_id links[PATH_LINKS_MAX];
};

// A part of a flow that takes one path.
struct plan_part {
    uint64_t bytes;
    struct path path;
    struct path backup; // shares no fabric link with `path`; link_count 0 when there is none
};

struct plan_flow {
    port_id src, dst;
    uint32_t job;                    // index in the input
    uint64_t bytes;                  // sum over the job's collectives for this pair
    bool local;                      // same leaf: nothing to steer
    bool steered;                    // not local, reachable, and the destination is decap-ready;
                                     // others have parts, so that readiness moves no other flow
    bool spray;                      // packets of one QP may take all parts
    uint32_t first_part, part_count; // 0 parts: unreachable
};

struct plan {
    struct plan_flow *flows; // sorted by (src, dst, job)
    uint32_t flow_count, flow_capacity;
    struct plan_part *parts;
    uint32_t part_count, part_capacity;
    uint32_t split_count; // sub-flows beyond one per flow; a sprayed flow is not split
};

struct plan_job {
    const struct job *job;
    const port_id *ranks; // job_resolve
    uint32_t rank_count;
    // By collective: what job_permutation gave, NULL where collective_has_map says that there is
    // none.
    const uint32_t *const *permutations;
};

struct plan_input {
    const struct fabric *fabric;
    const struct link_belief *beliefs; // one per directed link; NULL: all up
    const struct plan_job *jobs;       // sorted by name
    uint32_t job_count;
    const char *algorithm;   // default for jobs that name none
    const bool *decap_ready; // by port; NULL: all are
    uint32_t version;        // of the plan: what it knows and its default; 0: PLAN_VERSION
};

void plan_init(struct plan *plan);
void plan_fini(struct plan *plan);
// Plans every flow that `host` sends. Unreachable destinations get flows without parts. -ENOMEM,
// -EINVAL (unknown algorithm, by name). *out is overwritten only on success.
int plan_host(const struct plan_input *input, node_id host, struct plan *out, struct error *error);
// Both are sorted; equal plans are equal in every path and byte.
bool plan_equal(const struct plan *a, const struct plan *b);

// ---- many plans of one fabric
// Keeps what survives between plans: what depends on the fabric alone, on the jobs, and on beliefs.
// Its plans equal those of plan_host. Who plans for all hosts with one planner computes only once
// what all hosts share.
struct planner;
int planner_open(const struct fabric *fabric, struct planner **out); // borrows the fabric; -ENOMEM
void planner_close(struct planner *planner);                         // NULL is a no-op
// Between plans the caller says what changed since: anything but beliefs and decap_ready, or
// beliefs alone. decap_ready may change unsaid.
void planner_forget(struct planner *planner);
void planner_forget_beliefs(struct planner *planner);
int planner_plan(struct planner *planner, const struct plan_input *input, node_id host,
                 struct plan *out, struct error *error);

// ---- problems
// What cannot be as the input says, a sentence each, by name: unreachable destinations, leaves that
// are cut off, reservations that contradict each other, ranks that the fabric lacks,
// lists for another number of ranks. The rest is
// planned. host: whose flows to look at; ID_NONE: all hosts'. After PLAN_PROBLEMS_MAX sentences one
// more says how many were left out. -ENOMEM, -EINVAL (unknown algorithm).
#define PLAN_PROBLEMS_MAX 100
typedef void plan_complain_fn(void *context, const struct error *error);
int plan_problems(const struct plan_input *input, node_id host, plan_complain_fn *complain,
                  void *context);

// ---- churn
// A byte has moved when it takes another path than before.
struct plan_churn {
    uint64_t bytes, moved_bytes; // of flows that cross leaves
    uint32_t flows, moved_flows; // moved: any of its bytes
};
// Adds what differs between two plans of one host to *churn.
void plan_churn(const struct plan *before, const struct plan *after, struct plan_churn *churn);
// What any plan that drains as fast as the cut bound allows must move: the bytes that links carry
// beyond what they may now, before: link loads of the plan before (plan_add_loads of all hosts).
uint64_t plan_least_moved_bytes(const struct plan_input *now, const uint64_t *before);

// ---- score ----
struct plan_score {
    double max_link_load_s; // seconds to drain the most loaded link between switches
    link_id max_link;
    double lower_bound_s;   // least possible; see bound_kind
    const char *bound_kind; // "cut"
    double nic_bound_s;     // the same for host links
    uint64_t split_count;   // 0: the caller adds up its plans' split_count
};
// link_bytes: one per directed link; adds what the plan puts there.
void plan_add_loads(const struct plan *plan, uint64_t *link_bytes);
// Cut bound: max over leaves, and over pods, of (bytes out / live uplink rate) and likewise in.
void plan_score(const struct plan_input *input, const uint64_t *link_bytes, struct plan_score *out);

#endif
