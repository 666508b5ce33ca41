// SPDX-License-Identifier: Apache-2.0
#include "agent_core/engine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/time.h"
#include "state.h"

#define NIC_RETRY_NS (200 * NS_PER_MS)
#define HOUSEKEEPING_NS NS_PER_S
// After joining, facts come in within this time; adopted rules stay at least the first and at most
// the second.
#define SETTLE_MIN_NS (300 * NS_PER_MS)
#define SETTLE_MAX_NS (3 * NS_PER_S)
#define CAPACITY_BYTES_LEAST 256
#define CAPACITY_BYTES_MOST 9000

struct probe_policy probe_policy_of(const struct engine_config *config) {
    return (struct probe_policy){.interval_ns = config->probe_interval_ns,
                                 .timeout_ns = config->probe_timeout_ns,
                                 .up_hold_ns = config->up_hold_ns,
                                 .up_hold_max_ns = config->up_hold_max_ns,
                                 .loss_threshold = config->loss_threshold};
}

static int check_config(const struct engine_config *config, struct error *error) {
    if (config->probe_interval_ns < NS_PER_MS / 10 || config->probe_interval_ns > 60 * NS_PER_S) {
        return error_set(error, -EINVAL, "probe interval: not between 100 us and 60 s");
    }
    if (config->probe_timeout_ns == 0 || config->loss_threshold == 0 || config->up_hold_ns == 0 ||
        config->up_hold_max_ns < config->up_hold_ns) {
        return error_set(error, -EINVAL,
                         "probe timeout, loss threshold and hold times must be positive");
    }
    const struct ecn_policy *ecn = &config->ecn;
    if (ecn->interval_ns != 0 &&
        (ecn->interval_ns < NS_PER_MS || ecn->interval_ns > NS_PER_S ||
         ecn->threshold_percent == 0 || ecn->threshold_percent > 100 || ecn->probes < 2 ||
         ecn->probes > CONGESTION_SAMPLES / 4 || ecn->quiet_ns == 0 ||
         ecn->quiet_max_ns < ecn->quiet_ns || (ecn->traffic_class & 3) == 0 ||
         (ecn->idle_interval_ns != 0 &&
          (ecn->idle_interval_ns < ecn->interval_ns || ecn->idle_interval_ns > 60 * NS_PER_S)))) {
        return error_set(error, -EINVAL, "ecn: a value is out of its range");
    }
    const struct diagnosis_policy *diagnosis = &config->diagnosis;
    if (diagnosis->probes_per_second > DIAGNOSIS_RATE_MAX ||
        (diagnosis->probes_per_second > 0 &&
         (diagnosis->avoid_ppm == 0 || diagnosis->avoid_ppm > 1000000))) {
        return error_set(error, -EINVAL, "diagnosis: a value is out of its range");
    }
    const struct capacity_policy *capacity = &config->capacity;
    if (capacity->interval_ns != 0 &&
        (capacity->interval_ns < 100 * NS_PER_MS || capacity->packets < CAPACITY_PACKETS_MIN ||
         capacity->packets > CAPACITY_PACKETS_MAX ||
         capacity->packet_bytes < CAPACITY_BYTES_LEAST ||
         capacity->packet_bytes > CAPACITY_BYTES_MOST)) {
        return error_set(error, -EINVAL, "capacity: a value is out of its range");
    }
    return 0;
}

int engine_open(const struct engine_config *config, struct fabric *fabric, uint64_t now_ns,
                struct engine **out, struct error *error) {
    int rc = check_config(config, error);
    if (rc != 0) {
        return rc;
    }
    struct engine *engine = calloc(1, sizeof *engine);
    if (engine == NULL) {
        return error_set(error, -ENOMEM, "no memory");
    }
    engine->config = *config;
    engine->now_ns = now_ns;
    engine->plan_version = plans_own_version(engine);
    engine->retry_nic_at_ns = engine->audit.due_at_ns = engine->pods_due_at_ns = NEVER_NS;
    engine->housekeeping_at_ns = now_ns + HOUSEKEEPING_NS;
    rc = gossip_open(&config->gossip, now_ns, &engine->gossip, error);
    rc = rc == 0 ? engine_adopt_fabric(engine, fabric, error) : rc;
    if (rc == 0) {
        // A first plan of no flows: the NIC gets its own SIDs to decapsulate at once.
        struct plan_input input = {.fabric = fabric, .algorithm = config->algorithm};
        rc = plan_host(&input, engine->self, &engine->router.plan, error);
    }
    if (rc != 0) {
        if (engine->fabric != NULL) {
            engine->fabric = NULL; // stays the caller's
        }
        engine_close(engine);
        return rc;
    }
    engine->holding = config->adopted;
    for (uint32_t i = 0; i < engine->own_port_count; i++) {
        engine->router.nic_holds[i] = config->adopted;
    }
    engine->hosts_changed = engine->beliefs_changed = true;
    *out = engine;
    return 0;
}

void engine_close(struct engine *engine) {
    if (engine == NULL) {
        return;
    }
    jobs_fini(engine);
    pods_fini(engine);
    route_fini(&engine->router);
    judge_fini(engine);
    if (engine->fabric != NULL) {
        learn_fini(engine);
    }
    free(engine->told);
    free(engine->link_cnps);
    free(engine->orders);
    fabric_close(engine->held);
    fabric_close(engine->fabric);
    gossip_close(engine->gossip);
    free(engine);
}

// ---- one step

static void tick(struct engine *engine) {
    struct probe_policy policy = probe_policy_of(&engine->config);
    gossip_tick(engine->gossip, engine->now_ns);
    learn_gossip(engine);
    prober_tick(&engine->prober, engine->now_ns, &policy, &engine->stats, judge_on_verdict, engine);
    engine->own_verdict_changed = engine->own_verdict_changed || engine->prober.span_ended;
    engine->prober.span_ended = false; // losses that were told may be of the past
    congestion_work(engine);
    diagnosis_work(engine);
    if (capacity_tick(&engine->capacity, engine->now_ns, &engine->config.capacity)) {
        engine->own_verdict_changed = true;
    }
    if (engine->now_ns >= engine->retry_nic_at_ns) {
        engine->retry_nic_at_ns = NEVER_NS;
        for (uint32_t i = 0; i < engine->own_port_count; i++) {
            engine->nic_dirty[i] = engine->nic_dirty[i] || engine->router.nic_failed[i];
        }
    }
    if (engine->now_ns >= engine->votes_due_at_ns || engine->now_ns >= valve_deadline_ns(engine)) {
        engine->evidence_changed = true;
    }
    if (engine->now_ns >= engine->housekeeping_at_ns) {
        engine->housekeeping_at_ns = engine->now_ns + HOUSEKEEPING_NS;
        jobs_succeed(engine);
        jobs_expire_bindings(engine);
        pods_expire(engine);
        loads_measure(engine);
        paces_judge(engine);
        audit_work(engine);
        trends_work(engine);
        engine->evidence_changed = engine->evidence_changed || engine->valve.shut;
    }
    pods_work(engine);
}

static void change_diagnosis(struct engine *engine, const struct diagnosis_policy *policy) {
    bool was_on = engine->config.diagnosis.probes_per_second > 0;
    engine->config.diagnosis = *policy;
    engine->own_verdict_changed = true; // what is avoided
    if (!was_on && policy->probes_per_second > 0) {
        diagnosis_watch(engine);
    }
    diagnosis_work(engine);
}

static int change_config(struct engine *engine, const struct engine_config *config,
                         struct error *error) {
    int rc = check_config(config, error);
    if (rc != 0) {
        return rc;
    }
    engine->config.probe_interval_ns = config->probe_interval_ns;
    engine->config.probe_timeout_ns = config->probe_timeout_ns;
    engine->config.loss_threshold = config->loss_threshold;
    engine->config.up_hold_ns = config->up_hold_ns;
    engine->config.up_hold_max_ns = config->up_hold_max_ns;
    bool ecn_was_on = engine->config.ecn.interval_ns != 0;
    engine->config.ecn = config->ecn;
    change_diagnosis(engine, &config->diagnosis);
    engine->config.capacity = config->capacity;
    capacity_follow_policy(&engine->capacity, engine->now_ns, &engine->config.capacity);
    if (ecn_was_on != (config->ecn.interval_ns != 0)) {
        congestion_follow_plan(engine);
        engine->ways_changed = true;
    }
    if (engine->config.plan_version != config->plan_version) {
        engine->config.plan_version = config->plan_version;
        engine->hosts_changed = engine->facts_changed = true;
    }
    if (strcmp(engine->config.algorithm, config->algorithm) != 0) {
        memcpy(engine->config.algorithm, config->algorithm, sizeof engine->config.algorithm);
        engine->plans_stale = engine->beliefs_changed = true;
    }
    if (!nic_capabilities_equal(&engine->config.nic, &config->nic)) {
        engine->config.nic = config->nic;
        engine->plans_stale = engine->beliefs_changed = true;
    }
    return 0;
}

static void nic_applied(struct engine *engine, uint32_t port) {
    engine->facts_changed = engine->facts_changed || !engine->router.nic_holds[port];
    engine->router.nic_holds[port] = true;
    engine->router.nic_failed[port] = false;
}

static void nic_failed(struct engine *engine, uint32_t port) {
    engine->router.nic_failed[port] = true;
    engine->stats.nic_failures++;
    engine->retry_nic_at_ns = engine->now_ns + NIC_RETRY_NS;
}

static void nic_lost(struct engine *engine, uint32_t port) {
    engine->facts_changed = engine->facts_changed || engine->router.nic_holds[port];
    engine->router.nic_holds[port] = false; // peers are told to send plain
    nic_failed(engine, port);
}

static void probe_returned(struct engine *engine, const struct engine_probe_result *probe) {
    struct probe_policy policy = probe_policy_of(&engine->config);
    if ((probe->token & CONGESTION_TOKEN) != 0) {
        congestion_probe_returned(engine, probe);
        return;
    }
    if ((probe->token & DIAGNOSE_TOKEN) != 0) {
        diagnose_returned(&engine->diagnose, engine->now_ns, probe);
        loads_count_probe(engine, probe->ce);
        return;
    }
    if ((probe->token & CAPACITY_TOKEN) != 0) {
        capacity_returned(&engine->capacity, probe);
        return;
    }
    uint64_t returned = engine->stats.probes_returned;
    prober_returned(&engine->prober, engine->now_ns, probe, &policy, &engine->stats,
                    judge_on_verdict, engine);
    if (engine->stats.probes_returned > returned) {
        loads_count_probe(engine, probe->ce);
    }
}

static int learn(struct engine *engine, const struct engine_event *event, struct error *error) {
    switch (event->kind) {
    case ENGINE_TICK:
        tick(engine);
        return 0;
    case ENGINE_GOSSIP:
        learn_gossip(engine);
        return 0;
    case ENGINE_PROBE_RETURNED:
        probe_returned(engine, &event->probe);
        return 0;
    case ENGINE_PROBE_FAILED:
        if ((event->probe.token & CONGESTION_TOKEN) != 0) {
            congestion_unsent(&engine->congestion, event->probe.token);
        } else if ((event->probe.token & DIAGNOSE_TOKEN) != 0) {
            diagnose_unsent(&engine->diagnose, event->probe.token);
        } else if ((event->probe.token & CAPACITY_TOKEN) == 0) { // of a train it is lost
            prober_unsent(&engine->prober, event->probe.token);
        }
        return 0;
    case ENGINE_FABRIC:
        return fabric_offer(engine, event->fabric, error);
    case ENGINE_JOB_SUBMIT:
        return jobs_submit(engine, event->job, error);
    case ENGINE_JOB_REMOVE:
        return jobs_remove(engine, event->name, error);
    case ENGINE_DRAIN:
        return learn_order(engine, &event->drain, error);
    case ENGINE_QPS:
        route_learn_qps(engine, &event->qps);
        return 0;
    case ENGINE_COUNTERS:
        route_learn_counters(engine, &event->counters);
        return 0;
    case ENGINE_CNPS:
        congestion_learn_cnps(engine, &event->cnps);
        return 0;
    case ENGINE_NIC_APPLIED:
        nic_applied(engine, event->port);
        return 0;
    case ENGINE_NIC_FAILED:
        nic_failed(engine, event->port);
        return 0;
    case ENGINE_NIC_LOST:
        nic_lost(engine, event->port);
        return 0;
    case ENGINE_CONFIG:
        return change_config(engine, event->config, error);
    case ENGINE_HOST_FACTS:
        return audit_tell_own(engine, event->host_facts, error);
    case ENGINE_PODS:
        return pods_set_own(engine, &event->pods, error);
    case ENGINE_LEAVE:
        engine->leaving = true;
        engine->facts_changed = true;
        return 0;
    }
    return -EINVAL;
}

static bool all_steered(const struct engine *engine) {
    const struct plan *plan = &engine->router.plan;
    for (uint32_t i = 0; i < plan->flow_count; i++) {
        if (!plan->flows[i].local && plain_reason(engine, plan, &plan->flows[i]) != NULL) {
            return false;
        }
    }
    return plan->flow_count > 0;
}

// Keeps the NIC as it was found until the fleet's facts are in; then the wanted rules go out, which
// are the same when nothing has changed meanwhile.
static void hold_adopted(struct engine *engine) {
    if (engine->joined_at_ns == 0 && gossip_joined(engine->gossip)) {
        engine->joined_at_ns = engine->now_ns;
    }
    uint64_t since = engine->joined_at_ns == 0 ? 0 : engine->now_ns - engine->joined_at_ns;
    bool waits = engine->config.expects_pods && engine->pods_known_at_ns == 0;
    bool settled = all_steered(engine) && pods_are_complete(engine);
    engine->holding = since < (waits     ? ENGINE_PODS_WAIT_NS
                               : settled ? SETTLE_MIN_NS
                                         : SETTLE_MAX_NS);
    if (waits && !engine->holding) {
        engine_note(engine, NOTE_WARNING, "pods_unknown", engine->config.host,
                    "this node's pods are still unknown: rules that were kept for their jobs go");
    }
    for (uint32_t i = 0; i < engine->own_port_count; i++) {
        engine->nic_dirty[i] = !engine->holding;
    }
}

int engine_step(struct engine *engine, uint64_t now_ns, const struct engine_event *event,
                struct engine_effects *effects, struct error *error) {
    engine->now_ns = now_ns;
    engine->note_count = 0;
    memset(engine->nic_dirty, 0, sizeof engine->nic_dirty);
    prober_begin(&engine->prober);
    congestion_begin(&engine->congestion);
    diagnose_begin(&engine->diagnose);
    capacity_begin(&engine->capacity);
    engine->stats.steps++;

    int rc = learn(engine, event, error);
    // A stage may leave work for an earlier one (own reports are evidence too): at most one more
    // round.
    for (unsigned round = 0; round < 2; round++) {
        judge(engine);
        route(engine);
        tell(engine);
        engine->beliefs_changed = engine->own_verdict_changed = engine->ways_changed = false;
    }
    if (engine->holding) {
        hold_adopted(engine);
    }
    if (event->kind == ENGINE_LEAVE) {
        gossip_leave(engine->gossip, now_ns);
    }

    prober_append(&engine->prober, engine->congestion.out, engine->congestion.out_count);
    prober_append(&engine->prober, engine->diagnose.out, engine->diagnose.out_count);
    prober_append(&engine->prober, engine->capacity.out, engine->capacity.out_count);
    *effects = (struct engine_effects){.probes = engine->prober.out,
                                       .probe_count = engine->prober.out_count,
                                       .notes = engine->notes,
                                       .note_count = engine->note_count};
    memcpy(effects->nic_dirty, engine->nic_dirty, sizeof effects->nic_dirty);
    return rc;
}

uint64_t engine_deadline_ns(const struct engine *engine) {
    uint64_t deadline = gossip_deadline_ns(engine->gossip);
    const uint64_t others[] = {engine->prober.deadline_ns,
                               engine->retry_nic_at_ns,
                               engine->housekeeping_at_ns,
                               engine->votes_due_at_ns,
                               engine->congestion.deadline_ns,
                               valve_deadline_ns(engine),
                               engine->pods_due_at_ns,
                               diagnosis_deadline_ns(engine),
                               engine->config.capacity.interval_ns == 0
                                   ? NEVER_NS
                                   : engine->capacity.deadline_ns};
    for (unsigned i = 0; i < sizeof others / sizeof others[0]; i++) {
        deadline = others[i] < deadline ? others[i] : deadline;
    }
    return deadline;
}
