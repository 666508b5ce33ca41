// SPDX-License-Identifier: Apache-2.0
#include "qps.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent.h"
#include "agent_shell/clock.h"

#define LOOK_NS (5 * UINT64_C(1000000000)) // half of what the engine remembers a silent QP
#define RDMA_DEVICES "/sys/class/infiniband"

// ---- in the worker

static void take(void *context, const struct rdma_qp *qp) {
    struct agent_qps *qps = context;
    if (qps->reading_count < AGENT_QPS_MAX) {
        qps->reading[qps->reading_count++] = *qp;
    }
}

static void read_in_worker(uv_work_t *work) {
    struct agent_qps *qps = work->data;
    qps->error = (struct error){.code = 0};
    qps->reading_count = 0;
    if (qps->rdma != NULL || rdma_qps_open(&qps->rdma, &qps->error) == 0) {
        (void)rdma_qps_read(qps->rdma, take, qps, &qps->error);
    }
}

// ---- in the loop

static void port_addresses(const struct agent *agent, port_id port, uint8_t ipv4[16],
                           const uint8_t **ipv6) {
    const struct fabric_port *at = &engine_fabric(agent->engine)->ports[port.i];
    memset(ipv4, 0, 10);
    memset(ipv4 + 10, 0xff, 2);
    memcpy(ipv4 + 12, at->ipv4, 4);
    *ipv6 = at->ipv6;
}

static bool is_of_port(const struct agent *agent, port_id port, const uint8_t address[16]) {
    uint8_t ipv4[16];
    const uint8_t *ipv6;
    port_addresses(agent, port, ipv4, &ipv6);
    return memcmp(address, ipv4, 16) == 0 || memcmp(address, ipv6, 16) == 0;
}

static void tell_port(struct agent *agent, uint32_t port, struct nic_qp *seen) {
    const struct agent_qps *qps = &agent->qps;
    struct engine_event event = {.kind = ENGINE_QPS, .qps = {port, seen, 0}};
    for (uint32_t i = 0; i < qps->count; i++) {
        const struct rdma_qp *qp = &qps->list[i];
        if (qp->has_addresses &&
            is_of_port(agent, engine_own_port(agent->engine, port), qp->source)) {
            struct nic_qp *next = &seen[event.qps.count++];
            *next = (struct nic_qp){.qp = qp->peer, .sport = qp->sport};
            memcpy(next->destination, qp->destination, sizeof next->destination);
        }
    }
    if (event.qps.count > 0) {
        (void)agent_step(agent, &event, NULL);
    }
}

static void tell_engine(struct agent *agent) {
    struct nic_qp *seen = calloc((size_t)agent->qps.count + 1, sizeof *seen);
    for (uint32_t i = 0; seen != NULL && i < agent->port_count; i++) {
        if (agent->nics[i]->driver->qps == NULL) {
            tell_port(agent, i, seen);
        }
    }
    free(seen);
}

static void on_read(uv_work_t *work, int status) {
    struct agent_qps *qps = work->data;
    struct agent *agent = qps->agent;
    struct rdma_qp *before = qps->list;
    qps->working = false;
    snprintf(qps->reason, sizeof qps->reason, "%s",
             qps->error.code != 0 ? qps->error.text : rdma_qps_reason(qps->rdma));
    if (status != 0 || qps->error.code != 0 || agent->stopping) {
        return;
    }
    qps->list = qps->reading;
    qps->count = qps->reading_count;
    qps->reading = before;
    tell_engine(agent);
}

void agent_qps_look(struct agent *agent) {
    struct agent_qps *qps = &agent->qps;
    uint64_t now_ns = clock_now_ns();
    bool due = qps->read_at_ns == 0 || now_ns - qps->read_at_ns >= LOOK_NS;
    if (qps->working || !due || access(RDMA_DEVICES, F_OK) != 0) {
        return;
    }
    if (qps->reading == NULL) {
        qps->reading = calloc(AGENT_QPS_MAX, sizeof *qps->reading);
    }
    qps->read_at_ns = now_ns;
    qps->agent = agent;
    qps->work.data = qps;
    qps->working = qps->reading != NULL &&
                   uv_queue_work(&agent->loop, &qps->work, read_in_worker, on_read) == 0;
}

void agent_qps_fini(struct agent_qps *qps) {
    if (qps->working) {
        return; // the process ends with a reading under way: its memory is not ours
    }
    rdma_qps_close(qps->rdma);
    free(qps->list);
    free(qps->reading);
}

// ---- views

json_t *agent_qps_json(const struct agent *agent, uint32_t flow) {
    const struct plan_flow *planned = &engine_plan(agent->engine)->flows[flow];
    json_t *list = json_array();
    for (uint32_t i = 0; i < agent->qps.count; i++) {
        const struct rdma_qp *qp = &agent->qps.list[i];
        if (qp->has_addresses && is_of_port(agent, planned->src, qp->source) &&
            is_of_port(agent, planned->dst, qp->destination)) {
            json_array_append_new(list, json_pack("{s:I, s:I, s:i, s:I, s:s, s:s}", "qp",
                                                  (json_int_t)qp->peer, "local_qp",
                                                  (json_int_t)qp->number, "sport", (int)qp->sport,
                                                  "pid", (json_int_t)qp->pid, "process",
                                                  qp->process, "device", qp->device));
        }
    }
    return list;
}

json_t *agent_qps_status(const struct agent *agent) {
    const struct agent_qps *qps = &agent->qps;
    const char *reason = qps->read_at_ns == 0 ? "this machine has no RDMA device" : qps->reason;
    return json_pack("{s:I, s:o}", "count", (json_int_t)qps->count, "reason",
                     reason[0] != '\0' ? json_string(reason) : json_null());
}
