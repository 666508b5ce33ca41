// SPDX-License-Identifier: Apache-2.0
// What the engine wants done is done here, in the order that lets traffic move before peers are
// told: NIC, gossip, probes, log.
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent.h"
#include "agent_shell/clock.h"

#define PROBE_ROUNDS 4 // of draining in one turn: a flood must not starve the loop
#define QPS_MAX 4096   // seen sending since the last look
#define COUNTERS_MAX (1U << 16)

void agent_tell(struct agent *agent, enum log_level level, const char *kind, const char *subject,
                const char *format, ...) {
    char text[ERROR_TEXT_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    uint64_t wall_ns = clock_wall_ns();
    log_event(agent->log, wall_ns, level, kind, subject, text);
    events_add(agent->events, wall_ns, clock_now_ns(), level, kind, subject, text);
}

static enum log_level note_level(enum engine_note_level level) {
    switch (level) {
    case NOTE_DEBUG:
        return LOG_DEBUG;
    case NOTE_INFO:
        return LOG_INFO;
    case NOTE_WARNING:
        return LOG_WARNING;
    case NOTE_ALARM:
        return LOG_ALARM;
    }
    return LOG_ALARM;
}

static void apply_rules(struct agent *agent, const struct engine_effects *effects) {
    for (uint32_t i = 0; i < agent->port_count; i++) {
        struct error error = {0};
        if (!effects->nic_dirty[i]) {
            continue;
        }
        uint64_t begin_ns = clock_now_ns();
        int rc = nic_apply(agent->nics[i], engine_rules(agent->engine, i), &error);
        if (rc == 0) {
            metric_histogram_add(&agent->metrics.program, clock_now_ns() - begin_ns);
            agent_nic_applied(agent, i);
        } else if (rc != -EINPROGRESS) { // a worker's news will say how it went
            agent_nic_failed(agent, i, &error);
        }
    }
}

// Lets the carrier move messages; says whether the core has news for the engine.
static bool carry(struct agent *agent) {
    agent->gossip_more = gossip_zmq_work(agent->carrier, clock_now_ns());
    return gossip_has_change(engine_gossip(agent->engine));
}

// A probe's return rarely changes anything; the carrier is asked once for a whole batch of them.
// What gossip brought was passed on before the engine saw it: only what it led to is left.
static bool wants_gossip(const struct agent *agent, const struct engine_event *event,
                         const struct engine_effects *effects) {
    if (event->kind == ENGINE_GOSSIP) {
        return gossip_has_message(engine_gossip(agent->engine));
    }
    bool quiet = event->kind == ENGINE_PROBE_RETURNED || event->kind == ENGINE_PROBE_FAILED;
    for (uint32_t i = 0; quiet && i < ENGINE_PORTS_MAX; i++) {
        quiet = !effects->nic_dirty[i];
    }
    return !quiet || effects->note_count > 0;
}

static int step_once(struct agent *agent, const struct engine_event *event, struct error *error,
                     bool *news) {
    struct engine_effects effects;
    uint64_t now_ns = clock_now_ns();
    int rc = engine_step(agent->engine, now_ns, event, &effects, error);
    apply_rules(agent, &effects);
    if (wants_gossip(agent, event, &effects) && carry(agent)) {
        *news = true;
    }
    if (effects.probe_count > 0 && agent->probe != NULL) {
        probe_io_send(agent->probe, now_ns, effects.probes, effects.probe_count);
    }
    log_hold(agent->log);
    for (uint32_t i = 0; i < effects.note_count; i++) {
        const struct engine_note *note = &effects.notes[i];
        agent_tell(agent, note_level(note->level), note->kind, note->subject, "%s", note->text);
    }
    log_release(agent->log);
    return rc;
}

// One event for each port in *ports.
static void tell_ports(struct agent *agent, enum engine_event_kind kind, uint32_t *ports,
                       bool *news) {
    while (*ports != 0) {
        uint32_t port = (uint32_t)__builtin_ctz(*ports);
        struct engine_event event = {.kind = kind, .port = port};
        *ports &= *ports - 1;
        (void)step_once(agent, &event, NULL, news);
    }
}

static void follow_up(struct agent *agent, bool news) {
    bool ignored = false;
    agent->nic_good =
        (agent->nic_good | agent->nic_applied) & ~(agent->nic_failed | agent->nic_lost);
    tell_ports(agent, ENGINE_NIC_APPLIED, &agent->nic_applied, &news);
    tell_ports(agent, ENGINE_NIC_LOST, &agent->nic_lost, &news);
    tell_ports(agent, ENGINE_NIC_FAILED, &agent->nic_failed, &news);
    if (news) { // what comes in while this runs is taken in the loop's next turn
        struct engine_event event = {.kind = ENGINE_GOSSIP};
        (void)step_once(agent, &event, NULL, &ignored);
        agent->gossip_more = agent->gossip_more || ignored;
    }
}

static void measure(struct agent *agent, const struct engine_probe_result *probe) {
    if (probe->sent_at_ns > 0 && probe->received_at_ns > probe->sent_at_ns) {
        metric_histogram_add(&agent->metrics.rtt, probe->received_at_ns - probe->sent_at_ns);
    }
}

int agent_step(struct agent *agent, const struct engine_event *event, struct error *error) {
    bool news = false;
    int rc = step_once(agent, event, error, &news);
    follow_up(agent, news);
    return rc;
}

void agent_tell_nics(struct agent *agent) {
    follow_up(agent, false);
}

void agent_work_gossip(struct agent *agent) {
    struct engine_event event = {.kind = ENGINE_GOSSIP};
    if (carry(agent)) { // seven of eight messages say what another neighbour has said
        (void)agent_step(agent, &event, NULL);
    }
}

void agent_drain_probes(struct agent *agent, bool woken) {
    for (int round = 0; round < PROBE_ROUNDS && agent->probe != NULL; round++) {
        struct probe_outcome outcome;
        bool any = false;
        if (woken && round == 0) {
            probe_io_work(agent->probe);
        } else {
            probe_io_look(agent->probe);
        }
        while (probe_io_take(agent->probe, &outcome)) {
            struct engine_event event = {.kind = outcome.failed ? ENGINE_PROBE_FAILED
                                                                : ENGINE_PROBE_RETURNED,
                                         .probe = outcome.result};
            measure(agent, &outcome.result);
            (void)agent_step(agent, &event, NULL);
            any = true;
        }
        if (!any) {
            return;
        }
    }
}

// ---- the NIC's side

struct qp_list {
    struct nic_qp *qps;
    uint32_t count;
};

static void add_qp(void *context, const struct nic_qp *qp) {
    struct qp_list *list = context;
    if (list->count < QPS_MAX) {
        list->qps[list->count++] = *qp;
    }
}

static void read_qps(struct agent *agent, uint32_t port) {
    struct nic *nic = agent->nics[port];
    struct qp_list list = {calloc(QPS_MAX, sizeof(struct nic_qp)), 0};
    if (list.qps != NULL && nic->driver->qps != NULL && nic->driver->qps(nic, add_qp, &list) == 0 &&
        list.count > 0) {
        struct engine_event event = {.kind = ENGINE_QPS, .qps = {port, list.qps, list.count}};
        (void)agent_step(agent, &event, NULL);
    }
    free(list.qps);
}

struct counter_list {
    struct nic_counter *counters;
    uint32_t count, capacity;
};

static void add_counter(void *context, const struct nic_counter *counter) {
    struct counter_list *list = context;
    if (list->count < list->capacity) {
        list->counters[list->count++] = *counter;
    }
}

static void read_counters(struct agent *agent, uint32_t port) {
    struct nic *nic = agent->nics[port];
    uint32_t capacity = 0;
    for (uint32_t i = 0; i < nic->applied.rule_count; i++) {
        capacity += nic->applied.rules[i].path_count;
    }
    capacity = capacity < COUNTERS_MAX ? capacity : COUNTERS_MAX;
    struct counter_list list = {calloc((size_t)capacity + 1, sizeof(struct nic_counter)), 0,
                                capacity};
    if (list.counters != NULL && nic->driver->counters(nic, add_counter, &list) == 0 &&
        list.count > 0) {
        struct engine_event event = {.kind = ENGINE_COUNTERS,
                                     .counters = {port, list.counters, list.count}};
        (void)agent_step(agent, &event, NULL);
    }
    free(list.counters);
}

void agent_read_nics(struct agent *agent) {
    for (uint32_t i = 0; i < agent->port_count; i++) {
        read_qps(agent, i);
        read_counters(agent, i);
    }
}
