// SPDX-License-Identifier: Apache-2.0
#include "rdma.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent.h"
#include "agent_shell/clock.h"
#include "model/time.h"
#include "side.h"

#define LOOK_NS (5 * UINT64_C(1000000000))    // half of what the engine remembers a silent QP
#define REOPEN_NS (60 * UINT64_C(1000000000)) // functions come and go
#define SLOW_NS (10 * NS_PER_S)               // a reading that takes longer is told of
#define RDMA_DEVICES "/sys/class/infiniband"

struct rdma_reader {
    struct rdma_facts next;
    struct rdma_qps *rdma; // NULL: no RDMA here yet
    uint32_t port_count;
    char devices[ENGINE_PORTS_MAX][32];
    struct port_counters *counters[ENGINE_PORTS_MAX];
    uint64_t opened_at_ns; // the counters
};

// ---- in the thread

static void take(void *context, const struct rdma_qp *qp) {
    struct rdma_facts *facts = context;
    if (facts->qp_count < AGENT_QPS_MAX) {
        facts->qps[facts->qp_count++] = *qp;
    }
}

static void read_qps(struct rdma_reader *reader) {
    struct error error = {0};
    struct rdma_facts *facts = &reader->next;
    facts->qp_count = 0;
    snprintf(facts->reason, sizeof facts->reason, "this machine has no RDMA device");
    if (access(RDMA_DEVICES, F_OK) != 0) {
        return;
    }
    int rc = reader->rdma != NULL ? 0 : rdma_qps_open(&reader->rdma, &error);
    rc = rc != 0 ? rc : rdma_qps_read(reader->rdma, take, facts, &error);
    snprintf(facts->reason, sizeof facts->reason, "%s",
             rc != 0 ? error.text : rdma_qps_reason(reader->rdma));
}

static void open_counters(struct rdma_reader *reader) {
    uint64_t now_ns = clock_now_ns();
    if (reader->opened_at_ns != 0 && now_ns - reader->opened_at_ns < REOPEN_NS) {
        return;
    }
    reader->opened_at_ns = now_ns;
    for (uint32_t i = 0; i < reader->port_count; i++) {
        port_counters_close(reader->counters[i]);
        reader->counters[i] = NULL;
        (void)port_counters_open(reader->devices[i], &reader->counters[i], NULL);
    }
}

static void read_all(void *data) {
    struct rdma_reader *reader = data;
    read_qps(reader);
    open_counters(reader);
    for (uint32_t i = 0; i < reader->port_count; i++) {
        memset(&reader->next.ports[i], 0xff, sizeof reader->next.ports[i]); // PORT_COUNTER_ABSENT
        if (reader->counters[i] != NULL) {
            port_counters_read(reader->counters[i], &reader->next.ports[i]);
        }
    }
}

static void release(void *data) {
    struct rdma_reader *reader = data;
    rdma_qps_close(reader->rdma);
    for (uint32_t i = 0; i < reader->port_count; i++) {
        port_counters_close(reader->counters[i]);
    }
    free(reader->next.qps);
    free(reader);
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
    const struct rdma_facts *facts = &agent->rdma.facts;
    struct engine_event event = {.kind = ENGINE_QPS, .qps = {port, seen, 0}};
    for (uint32_t i = 0; i < facts->qp_count; i++) {
        const struct rdma_qp *qp = &facts->qps[i];
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
    struct nic_qp *seen = calloc((size_t)agent->rdma.facts.qp_count + 1, sizeof *seen);
    for (uint32_t i = 0; seen != NULL && i < agent->port_count; i++) {
        if (agent->nics[i]->driver->qps == NULL) {
            tell_port(agent, i, seen);
        }
    }
    free(seen);
}

static void on_read(void *context) {
    struct agent *agent = context;
    struct agent_rdma *rdma = &agent->rdma;
    struct rdma_facts before = rdma->facts;
    if (agent->stopping) {
        return;
    }
    rdma->facts = rdma->reader->next;
    rdma->reader->next = before;
    if (rdma->said_slow) {
        rdma->said_slow = false;
        agent_tell(agent, LOG_INFO, "counters_return", agent->config.host,
                   "the counters of the ports are read again");
    }
    tell_engine(agent);
}

static bool make_reader(struct agent *agent) {
    struct agent_rdma *rdma = &agent->rdma;
    struct rdma_reader *reader = calloc(1, sizeof *reader);
    if (reader == NULL) {
        return false;
    }
    struct side_job job = {read_all, on_read, release, reader, agent};
    reader->port_count = agent->port_count;
    for (uint32_t i = 0; i < agent->port_count; i++) {
        snprintf(reader->devices[i], sizeof reader->devices[i], "%s", agent->ports[i].device);
    }
    if (side_open(&agent->loop, &job, &rdma->side) != 0) {
        free(reader);
        return false;
    }
    rdma->reader = reader;
    return true;
}

static void warn_of_slow(struct agent *agent) {
    struct agent_rdma *rdma = &agent->rdma;
    if (!rdma->said_slow && clock_now_ns() - rdma->read_at_ns > SLOW_NS) {
        rdma->said_slow = true;
        agent_tell(agent, LOG_WARNING, "counters_slow", agent->config.host,
                   "the driver has not answered for %u s: counters and QPs are as they were then",
                   (unsigned)(SLOW_NS / NS_PER_S));
    }
}

void agent_rdma_look(struct agent *agent) {
    struct agent_rdma *rdma = &agent->rdma;
    uint64_t now_ns = clock_now_ns();
    if (rdma->side == NULL && !make_reader(agent)) {
        return;
    }
    if (side_is_busy(rdma->side)) {
        warn_of_slow(agent);
        return;
    }
    if (rdma->read_at_ns != 0 && now_ns - rdma->read_at_ns < LOOK_NS) {
        return;
    }
    struct rdma_facts *next = &rdma->reader->next;
    if (next->qps == NULL) {
        next->qps = calloc(AGENT_QPS_MAX, sizeof *next->qps);
    }
    rdma->read_at_ns = now_ns;
    if (next->qps != NULL) {
        (void)side_start(rdma->side); // else with the next look
    }
}

bool agent_rdma_peer_qp(const struct agent *agent, uint32_t port, const uint8_t destination[16],
                        uint32_t own, uint32_t *peer) {
    const struct rdma_facts *facts = &agent->rdma.facts;
    for (uint32_t i = 0; i < facts->qp_count; i++) {
        const struct rdma_qp *qp = &facts->qps[i];
        if (qp->number == own && qp->has_addresses &&
            memcmp(qp->destination, destination, sizeof qp->destination) == 0 &&
            is_of_port(agent, engine_own_port(agent->engine, port), qp->source)) {
            *peer = qp->peer;
            return true;
        }
    }
    return false;
}

void agent_rdma_close(struct agent_rdma *rdma) {
    side_close(rdma->side); // takes the reader with it
    rdma->side = NULL;
    rdma->reader = NULL;
}

void agent_rdma_fini(struct agent_rdma *rdma) {
    free(rdma->facts.qps);
}

// ---- views

json_t *agent_rdma_flow_json(const struct agent *agent, uint32_t flow) {
    const struct plan_flow *planned = &engine_plan(agent->engine)->flows[flow];
    const struct rdma_facts *facts = &agent->rdma.facts;
    json_t *list = json_array();
    for (uint32_t i = 0; i < facts->qp_count; i++) {
        const struct rdma_qp *qp = &facts->qps[i];
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

json_t *agent_rdma_qps_json(const struct agent *agent) {
    const struct rdma_facts *facts = &agent->rdma.facts;
    const char *reason = facts->qps == NULL ? "not read yet" : facts->reason;
    return json_pack("{s:I, s:o}", "count", (json_int_t)facts->qp_count, "reason",
                     reason[0] != '\0' ? json_string(reason) : json_null());
}

static void set_counter(json_t *object, const char *name, uint64_t value) {
    if (value != PORT_COUNTER_ABSENT) {
        json_object_set_new(object, name, json_integer((json_int_t)value));
    }
}

static json_t *priorities_json(const struct port_values *values) {
    json_t *list = json_array();
    for (unsigned p = 0; p < PORT_PRIORITIES; p++) {
        json_t *one = json_object();
        for (unsigned i = 0; i < PORT_PRIORITY_COUNTERS; i++) {
            set_counter(one, port_priority_counter_name(i), values->priority[p][i]);
        }
        if (json_object_size(one) > 0) {
            json_object_set_new(one, "priority", json_integer((json_int_t)p));
            json_array_append(list, one);
        }
        json_decref(one);
    }
    return list;
}

json_t *agent_rdma_port_json(const struct agent *agent, uint32_t port) {
    const struct port_values *values = &agent->rdma.facts.ports[port];
    json_t *out = json_object();
    for (unsigned i = 0; i < PORT_COUNTERS && agent->rdma.facts.qps != NULL; i++) {
        set_counter(out, port_counter_name(i), values->values[i]);
    }
    if (agent->rdma.facts.qps != NULL) {
        json_object_set_new(out, "priorities", priorities_json(values));
    }
    return out;
}
