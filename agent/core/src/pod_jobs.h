// SPDX-License-Identifier: Apache-2.0
// Jobs that nobody submits: what the pods of all hosts say of themselves, made into jobs.
//
// No host knows where the other ranks of a job run, and none writes the job down: each publishes
// the ranks of its own pods, and every agent makes the job of all of them by one pure function. So
// there is no owner who could die, nothing to hand over when rank 0 moves, no limit to a job's size
// but what hosts publish, and the order in which anything arrives does not matter.
//
//   claims of a job  -> the run that began last (a run: the pods of one owner, by its UID)
//                    -> what most of its hosts say of the job; who says otherwise is left out
//                    -> of each rank the pod that was created last (it moved; or somebody lies)
//                    -> the ports of those, in the order of the lowest rank on each
//
// A rank takes part as soon as it is there: a job of which some are missing is planned among the
// others. Ranks that share a port are one rank of the job, which has a size for each of them.
//
// What a lying member can do: take one rank for each of its ports away from whom it belongs, whose
// flows then leave plain, and make up jobs of its own ports. Both have a trouble that names it.
#ifndef AGENT_CORE_POD_JOBS_H
#define AGENT_CORE_POD_JOBS_H

#include "state.h"

struct pod_claim {
    const struct pod_rank *rank; // borrowed
    node_id host;
    port_id port; // of the host
    bool live;    // else its host's agent is gone for good: counts as long as one of the run lives
};

// `claims` is scratch afterwards. *out is owned (pod_jobs_free), sorted by name. At most JOBS_MAX
// jobs, those of most hosts. -ENOMEM.
int pod_jobs_derive(struct pod_claim *claims, uint32_t count, const struct fabric *fabric,
                    struct pod_job **out, uint32_t *out_count);
void pod_jobs_free(struct pod_job *jobs, uint32_t count);

#endif
