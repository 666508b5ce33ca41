// SPDX-License-Identifier: Apache-2.0
// What the machine's RDMA side says by itself: its QPs and the counters of its ports. Both are read
// now and then in a thread of their own (side.h), since a driver may ask its firmware about each.
// QPs are told to the engine where a NIC cannot see them itself, and shown beside the flow that
// they belong to; counters are shown in the status. Inside of srv6-agent only.
#ifndef AGENT_SHELL_RDMA_H
#define AGENT_SHELL_RDMA_H

#include <jansson.h>

#include "agent_core/engine.h"
#include "model/error.h"
#include "nicdrv/port_counters.h"
#include "nicdrv/rdma_qps.h"

struct agent;
struct rdma_reader; // what the reading thread has
struct side;

#define AGENT_QPS_MAX 4096 // the rest is not shown

struct rdma_facts {
    struct rdma_qp *qps; // owned
    uint32_t qp_count;
    struct port_values ports[ENGINE_PORTS_MAX];
    char reason[ERROR_TEXT_SIZE]; // why less is known of QPs than could be; "" otherwise
};

struct agent_rdma {
    struct rdma_facts facts; // as last read; qps is NULL before the first reading
    struct rdma_reader *reader;
    struct side *side; // NULL: not begun
    uint64_t read_at_ns;
    bool said_slow;
};

// Starts a reading when the last one is long enough ago. Calls agent_step when it ends.
void agent_rdma_look(struct agent *agent);
// The number of a QP at its destination, by ours. False: the machine did not tell.
bool agent_rdma_peer_qp(const struct agent *agent, uint32_t port, const uint8_t destination[16],
                        uint32_t own, uint32_t *peer);
// Ends the readings; one that does not end keeps nobody waiting. Before the loop's handles are
// closed.
void agent_rdma_close(struct agent_rdma *rdma);
void agent_rdma_fini(struct agent_rdma *rdma);
// Of the plan's flow: [{"qp" (the destination's, as in the packets), "local_qp", "sport", "pid",
// "process", "device"}]. Owned by the caller, as are those below.
json_t *agent_rdma_flow_json(const struct agent *agent, uint32_t flow);
json_t *agent_rdma_qps_json(const struct agent *agent);                 // {"count", "reason"}
json_t *agent_rdma_port_json(const struct agent *agent, uint32_t port); // counters that exist

#endif
