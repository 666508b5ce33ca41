// SPDX-License-Identifier: Apache-2.0
// From members to elected observers, from their reports to beliefs.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/time.h"
#include "state.h"

int judge_init(struct engine *engine) {
    const struct fabric *fabric = engine->fabric;
    engine->beliefs = calloc(fabric_link_count(fabric), sizeof *engine->beliefs);
    engine->elected = calloc(fabric->cable_count, sizeof *engine->elected);
    engine->elected_ports = calloc(fabric->cable_count, sizeof *engine->elected_ports);
    engine->observers = calloc(fabric->cable_count, sizeof *engine->observers);
    engine->sights = calloc(fabric->host_count, sizeof *engine->sights);
    if (engine->beliefs == NULL || engine->elected == NULL || engine->elected_ports == NULL ||
        engine->observers == NULL || engine->sights == NULL) {
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < fabric_link_count(fabric); i++) {
        engine->beliefs[i].capacity_ppm = CAPACITY_FULL_PPM;
    }
    engine->votes_due_at_ns = NEVER_NS;
    int rc = valve_init(&engine->valve, fabric);
    rc = rc == 0 ? monitors_init(&engine->monitors, fabric) : rc;
    engine->loops_due_at_ns = NEVER_NS;
    rc = rc != 0 ? rc
                 : diagnose_init(&engine->diagnose, fabric, engine->config.seed, engine->now_ns);
    rc = rc != 0 ? rc : congestion_init(&engine->congestion, fabric, engine->config.seed);
    rc = rc != 0 ? rc : capacity_init(&engine->capacity, fabric);
    return rc != 0 ? rc : prober_init(&engine->prober, fabric, engine->now_ns);
}

void judge_fini(struct engine *engine) {
    prober_fini(&engine->prober);
    congestion_fini(&engine->congestion);
    diagnose_fini(&engine->diagnose);
    capacity_fini(&engine->capacity);
    monitors_fini(&engine->monitors);
    valve_fini(&engine->valve);
    free(engine->observers);
    free(engine->sights);
    free(engine->beliefs);
    free(engine->evidence);
    free(engine->elected);
    free(engine->elected_ports);
    engine->observers = NULL;
    engine->sights = NULL;
    engine->beliefs = NULL;
    engine->evidence = NULL;
    engine->evidence_capacity = 0;
    engine->elected = NULL;
    engine->elected_ports = NULL;
}

// ---- own verdicts

void judge_on_verdict(void *context, link_id link, enum probe_state from, enum probe_state to) {
    struct engine *engine = context;
    char name[LINK_NAME_SIZE];
    bool was_down = from == PROBE_DOWN || from == PROBE_HELD;
    bool is_down = to == PROBE_DOWN || to == PROBE_HELD;
    if (was_down == is_down && !(from == PROBE_NONE && to == PROBE_GOOD)) {
        return; // suspicion and hold-down are not yet, or still, the same to others
    }
    engine->own_verdict_changed = true;
    if (was_down != is_down) {
        fabric_format_link(engine->fabric, link, name);
        const struct probed_link *probed = &engine->prober.links[link.i];
        if (is_down) {
            engine_note(engine, NOTE_WARNING, "link_down", name,
                        "%u probes in a row were lost over %s, the way there answers",
                        probed->loss_run, name);
        } else {
            engine_note(engine, NOTE_INFO, "link_up", name,
                        "%s has answered without a loss for %llu ms", name,
                        (unsigned long long)(probed->hold_ns / 1000000));
        }
    }
}

// ---- elected targets

static bool *links_to_avoid(const struct engine *engine) {
    bool *avoid = calloc(fabric_link_count(engine->fabric), sizeof *avoid);
    for (uint32_t i = 0; avoid != NULL && i < fabric_link_count(engine->fabric); i++) {
        enum probe_state own = engine->prober.links[i].state;
        avoid[i] = engine->beliefs[i].down || own == PROBE_DOWN || own == PROBE_HELD;
    }
    return avoid;
}

static void elect(struct engine *engine) {
    bool *live = calloc(engine->fabric->host_count, sizeof *live);
    if (live == NULL) {
        return; // those elected before stay
    }
    for (uint32_t i = 0; i < engine->fabric->host_count; i++) {
        live[i] = i == engine->self.i || host_is_live(&engine->hosts[i]);
    }
    engine->elected_count = monitors_elect(&engine->monitors, live, engine->self, engine->observers,
                                           engine->elected, engine->elected_ports);
    free(live);
    diagnosis_watch(engine);
}

static void set_targets(struct engine *engine) {
    bool *avoid = links_to_avoid(engine);
    if (avoid != NULL &&
        prober_set_targets(&engine->prober, engine->elected, engine->elected_ports,
                           engine->own_ports, engine->elected_count, avoid, engine->now_ns,
                           engine->config.probe_interval_ns) == 0) {
        engine->own_verdict_changed = true; // reports of links no longer watched are withdrawn
        (void)capacity_set_targets(&engine->capacity, engine->elected, engine->elected_ports,
                                   engine->own_ports, engine->elected_count, avoid, engine->now_ns,
                                   &engine->config.capacity); // else those of before stay
    }
    free(avoid);
}

// ---- beliefs

static void note_belief(struct engine *engine, link_id link, const struct link_belief *before) {
    const struct link_belief *now = &engine->beliefs[link.i];
    char name[LINK_NAME_SIZE];
    fabric_format_link(engine->fabric, link, name);
    if (before->down != now->down) {
        engine_note(engine, now->down ? NOTE_WARNING : NOTE_INFO,
                    now->down ? "belief_down" : "belief_up", name,
                    now->down ? "%s is down for all: %u of %u observers say so"
                              : "%s is up for all: %u of %u observers say down",
                    name, now->down_votes, now->observer_count);
    }
    if (before->lossy != now->lossy) {
        engine_note(engine, now->lossy ? NOTE_WARNING : NOTE_INFO,
                    now->lossy ? "belief_lossy" : "belief_well", name,
                    now->lossy ? "%s is lossy for all: %u of %u observers say so%s"
                               : "%s is not lossy for all: %u of %u observers say lossy%s",
                    name, now->lossy_votes, now->observer_count,
                    !now->lossy    ? ""
                    : now->avoided ? "; flows keep off it"
                                   : "; it stays in use, there is no other way");
    }
    const struct order_record *record;
    if (now->drained && !before->drained && order_covers(engine, link, DRAIN_LINK, &record)) {
        engine_note(engine, NOTE_INFO, "drained", name, "%s is drained by an order of %s", name,
                    record->origin);
    } else if (before->drained && !now->drained) {
        engine_note(engine, NOTE_INFO, "undrained", name, "%s is in use again", name);
    }
    if (before->capacity_ppm != now->capacity_ppm) {
        engine_note(engine, NOTE_INFO, "capacity", name, "%s has %u ppm of its nominal capacity",
                    name, now->capacity_ppm);
    }
}

static bool same_belief(const struct link_belief *a, const struct link_belief *b) {
    return a->down == b->down && a->drained == b->drained && a->lossy == b->lossy &&
           a->avoided == b->avoided && a->capacity_ppm == b->capacity_ppm;
}

static void drain(struct engine *engine, link_id link) {
    const struct order_record *record;
    engine->beliefs[link.i].drained = order_covers(engine, link, DRAIN_LINK, &record);
}

static void apply_orders(struct engine *engine) {
    for (uint32_t i = 0; i < fabric_link_count(engine->fabric); i++) {
        engine->beliefs[i].drained = false;
    }
    order_links(engine, DRAIN_LINK, drain);
}

static void limit(struct engine *engine, link_id link) {
    const struct order_record *record;
    if (order_covers(engine, link, DRAIN_CAPACITY, &record)) {
        engine->beliefs[link.i].capacity_ppm = record->order.capacity_ppm;
    }
}

// Returns whether other links are down than before: probes keep off those.
static bool believe(struct engine *engine) {
    bool outages_changed = false;
    uint32_t link_count = fabric_link_count(engine->fabric);
    struct link_belief *before = malloc(link_count * sizeof *before);
    if (before == NULL) {
        return false; // in doubt the old beliefs stay
    }
    memcpy(before, engine->beliefs, link_count * sizeof *before);
    apply_orders(engine);
    uint32_t evidence_count = votes_collect(engine);
    const struct belief_input input = {.fabric = engine->fabric,
                                       .observers = engine->observers,
                                       .evidence = engine->evidence,
                                       .evidence_count = evidence_count,
                                       .sights = engine->sights};
    belief_compute(&input, engine->beliefs);
    if (engine->plan_version >= PLAN_VERSION_AVOIDS) {
        (void)belief_avoid(engine->fabric, engine->beliefs); // without memory none is avoided
    }
    valve_pass(engine, before);
    order_links(engine, DRAIN_CAPACITY, limit);
    for (uint32_t i = 0; i < link_count; i++) {
        if (!same_belief(&before[i], &engine->beliefs[i])) {
            engine->beliefs_changed = engine->rates_changed = true;
            note_belief(engine, (link_id){i}, &before[i]);
        }
        outages_changed = outages_changed || before[i].down != engine->beliefs[i].down;
    }
    free(before);
    return outages_changed;
}

void judge(struct engine *engine) {
    if (engine->hosts_changed || engine->orders_changed) {
        learn_adopt_orders(engine);
        fabric_try_activate(engine); // perhaps everything below is another now
        plans_choose_version(engine);
    }
    bool hosts_changed = engine->hosts_changed;
    if (hosts_changed || engine->jobs_changed) {
        jobs_succeed(engine);
    }
    if (engine->jobs_changed) {
        jobs_resolve(engine);
        jobs_bind(engine);
        engine->plans_stale = engine->beliefs_changed = true;
    }
    bool loops_stale = engine->own_verdict_changed || hosts_changed;
    if (hosts_changed) {
        elect(engine);
        engine->beliefs_changed = true; // who is decap-ready
    }
    if (hosts_changed || engine->evidence_changed || engine->orders_changed) {
        loops_stale = believe(engine) || loops_stale;
    }
    if (loops_stale) {
        set_targets(engine);
    }
    engine->hosts_changed = engine->evidence_changed = engine->orders_changed = false;
    engine->jobs_changed = false;
}
