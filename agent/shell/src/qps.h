// SPDX-License-Identifier: Apache-2.0
// The QPs of this machine for the agent: read now and then in a worker (a driver may ask its
// firmware about each), told to the engine where a NIC cannot see them itself, and shown beside the
// flow that they belong to. Inside of srv6-agent only.
#ifndef AGENT_SHELL_QPS_H
#define AGENT_SHELL_QPS_H

#include <jansson.h>
#include <uv.h>

#include "model/error.h"
#include "nicdrv/rdma_qps.h"

struct agent;

#define AGENT_QPS_MAX 4096 // the rest is not shown

struct agent_qps {
    struct rdma_qps *rdma; // the worker's while `working`; NULL: no RDMA here yet
    struct rdma_qp *list;  // owned; as last read
    uint32_t count;
    struct rdma_qp *reading; // owned; the worker's while `working`
    uint32_t reading_count;
    struct error error;           // the worker's
    char reason[ERROR_TEXT_SIZE]; // why less is known than could be; "" otherwise
    uint64_t read_at_ns;
    bool working;
    struct agent *agent;
    uv_work_t work;
};

// Starts a reading when the last one is long enough ago. Calls agent_step when it ends.
void agent_qps_look(struct agent *agent);
// After the loop has run its last callback.
void agent_qps_fini(struct agent_qps *qps);
// Of the plan's flow: [{"qp" (the destination's, as in the packets), "local_qp", "sport", "pid",
// "process", "device"}]. Owned by the caller.
json_t *agent_qps_json(const struct agent *agent, uint32_t flow);
// {"count", "reason"} for the status.
json_t *agent_qps_status(const struct agent *agent);

#endif
