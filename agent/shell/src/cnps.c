// SPDX-License-Identifier: Apache-2.0
#include "cnps.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent.h"
#include "agent_shell/clock.h"
#include "model/time.h"
#include "nicdrv/port_counters.h"
#include "side.h"

#define REST_MS 1                 // those who send CNPs do not keep the loop busy
#define CNPS_MAX 1024             // told at once; the rest comes with the next look, or again
#define WATCH_NS (10 * NS_PER_MS) // drivers cache their counters for about as long
#define REOPEN_NS (60 * NS_PER_S) // functions come and go

// ---- the driver's

struct cnp_list {
    const struct agent *agent;
    uint32_t port, count;
    struct engine_cnp *cnps; // CNPS_MAX
};

static void add(void *context, const struct nic_cnp *cnp) {
    struct cnp_list *list = context;
    if (list->count == CNPS_MAX) {
        return;
    }
    struct engine_cnp *out = &list->cnps[list->count++];
    *out = (struct engine_cnp){.count = cnp->count};
    memcpy(out->source, cnp->source, sizeof out->source);
    out->qp_known = agent_rdma_peer_qp(list->agent, list->port, cnp->source, cnp->qp, &out->qp);
}

static void tell(struct agent *agent, uint32_t port, bool hints) {
    struct nic *nic = agent->nics[port];
    struct cnp_list list = {agent, port, 0, calloc(CNPS_MAX, sizeof *list.cnps)};
    if (list.cnps == NULL) {
        return;
    }
    if (hints) {
        nic->driver->cnp_hints(nic, add, &list);
    } else {
        (void)nic->driver->cnps(nic, add, &list);
    }
    if (list.count > 0) {
        struct engine_event event = {
            .kind = ENGINE_CNPS, .cnps = {.port = port, .cnps = list.cnps, .count = list.count}};
        (void)agent_step(agent, &event, NULL);
    }
    free(list.cnps);
}

static bool tells_hints(const struct nic *nic) {
    return nic->driver->cnp_hints != NULL && nic->cnp_fd >= 0;
}

static void on_hints(uv_poll_t *poll, int status, int events);

static void on_rested(uv_timer_t *rest) {
    struct agent *agent = rest->data;
    for (uint32_t i = 0; i < agent->port_count; i++) {
        if (tells_hints(agent->nics[i])) {
            (void)uv_poll_start(&agent->cnps.polls[i], UV_READABLE, on_hints);
        }
    }
}

static void on_hints(uv_poll_t *poll, int status, int events) {
    struct agent *agent = poll->data;
    (void)status;
    (void)events;
    uv_poll_stop(poll);
    tell(agent, (uint32_t)(poll - agent->cnps.polls), true);
    (void)uv_timer_start(&agent->cnps.rest, on_rested, REST_MS, 0);
}

// ---- a port's counter

struct cnp_watch {
    uint32_t port_count;
    char devices[ENGINE_PORTS_MAX][32];
    struct port_counters *counters[ENGINE_PORTS_MAX];
    uint64_t opened_at_ns;
    uint64_t values[ENGINE_PORTS_MAX]; // as last read; PORT_COUNTER_ABSENT
    uint64_t more[ENGINE_PORTS_MAX];   // since the loop last took them
    atomic_bool quit;
};

static void open_counters(struct cnp_watch *watch) {
    uint64_t now_ns = clock_now_ns();
    if (watch->opened_at_ns != 0 && now_ns - watch->opened_at_ns < REOPEN_NS) {
        return;
    }
    watch->opened_at_ns = now_ns;
    for (uint32_t i = 0; i < watch->port_count; i++) {
        port_counters_close(watch->counters[i]);
        watch->counters[i] = NULL;
        (void)port_counters_open(watch->devices[i], &watch->counters[i], NULL);
    }
}

// A counter that is lower than before began anew with its functions.
static void read_counters(struct cnp_watch *watch, bool *any, bool *grew) {
    for (uint32_t i = 0; i < watch->port_count; i++) {
        uint64_t before = watch->values[i], now = PORT_COUNTER_ABSENT;
        if (watch->counters[i] != NULL) {
            now = port_counters_read_rdma(watch->counters[i], PORT_CNP_HANDLED);
        }
        watch->values[i] = now;
        *any = *any || now != PORT_COUNTER_ABSENT;
        if (now != PORT_COUNTER_ABSENT && before != PORT_COUNTER_ABSENT && now > before) {
            watch->more[i] += now - before;
            *grew = true;
        }
    }
}

// Until there are new ones, or nothing counts them any more.
static void watch_counters(void *data) {
    struct cnp_watch *watch = data;
    const struct timespec rest = {0, WATCH_NS};
    bool any = true, grew = false;
    while (any && !grew && !atomic_load(&watch->quit)) {
        any = false;
        (void)nanosleep(&rest, NULL);
        open_counters(watch);
        read_counters(watch, &any, &grew);
    }
}

static void release(void *data) {
    struct cnp_watch *watch = data;
    for (uint32_t i = 0; i < watch->port_count; i++) {
        port_counters_close(watch->counters[i]);
    }
    free(watch);
}

static void on_watched(void *context) {
    struct agent *agent = context;
    struct cnp_watch *watch = agent->cnps.watch;
    for (uint32_t i = 0; i < agent->port_count && !agent->stopping; i++) {
        struct engine_event event = {.kind = ENGINE_CNPS,
                                     .cnps = {.port = i, .of_port = watch->more[i]}};
        watch->more[i] = 0;
        if (event.cnps.of_port > 0) {
            (void)agent_step(agent, &event, NULL);
        }
    }
}

static bool ports_count(const struct agent *agent) {
    const struct rdma_facts *facts = &agent->rdma.facts;
    bool any = false;
    for (uint32_t i = 0; i < agent->port_count && facts->qps != NULL; i++) {
        any = any || facts->ports[i].values[PORT_CNP_HANDLED] != PORT_COUNTER_ABSENT;
    }
    return any;
}

static void make_watch(struct agent *agent) {
    struct agent_cnps *cnps = &agent->cnps;
    struct cnp_watch *watch = calloc(1, sizeof *watch);
    struct side_job job = {watch_counters, on_watched, release, watch, agent};
    if (watch == NULL) {
        return;
    }
    watch->port_count = agent->port_count;
    memset(watch->values, 0xff, sizeof watch->values); // PORT_COUNTER_ABSENT
    for (uint32_t i = 0; i < agent->port_count; i++) {
        snprintf(watch->devices[i], sizeof watch->devices[i], "%s", agent->ports[i].device);
    }
    if (side_open(&agent->loop, &job, &cnps->side) != 0) {
        free(watch); // tried again with the next look
        return;
    }
    cnps->watch = watch;
}

// ---- both

int agent_cnps_start(struct agent *agent) {
    int rc = uv_timer_init(&agent->loop, &agent->cnps.rest);
    agent->cnps.rest.data = agent;
    for (uint32_t i = 0; rc == 0 && i < agent->port_count; i++) {
        uv_poll_t *poll = &agent->cnps.polls[i];
        if (tells_hints(agent->nics[i])) {
            rc = uv_poll_init(&agent->loop, poll, agent->nics[i]->cnp_fd);
            poll->data = agent;
            rc = rc != 0 ? rc : uv_poll_start(poll, UV_READABLE, on_hints);
        }
    }
    return rc;
}

void agent_cnps_look(struct agent *agent) {
    struct agent_cnps *cnps = &agent->cnps;
    for (uint32_t i = 0; i < agent->port_count; i++) {
        if (agent->nics[i]->driver->cnps != NULL) {
            tell(agent, i, false);
        }
    }
    if (cnps->side == NULL && ports_count(agent)) {
        make_watch(agent);
    }
    if (cnps->side != NULL && !side_is_busy(cnps->side) && ports_count(agent)) {
        (void)side_start(cnps->side);
    }
}

void agent_cnps_close(struct agent *agent) {
    struct agent_cnps *cnps = &agent->cnps;
    if (cnps->watch != NULL) {
        atomic_store(&cnps->watch->quit, true);
    }
    side_close(cnps->side); // takes the watch with it
    cnps->side = NULL;
    cnps->watch = NULL;
}
