// SPDX-License-Identifier: Apache-2.0
// A new fabric file: held until all live members hold it, then active on all of them.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "state.h"

// Everything that is indexed by the fabric. On failure the engine is as before.
int engine_adopt_fabric(struct engine *engine, struct fabric *fabric, struct error *error) {
    node_id self;
    if (!fabric_find_node(fabric, engine->config.host, &self) || self.i >= fabric->host_count) {
        return error_set(error, -EINVAL, "host %s is not in fabric %s", engine->config.host,
                         fabric->name);
    }
    struct engine next = *engine;
    next.fabric = fabric;
    next.self = self;
    next.hosts = NULL;
    next.links = NULL;
    next.beliefs = NULL;
    next.evidence = NULL;
    next.evidence_capacity = 0;
    next.elected = NULL;
    next.elected_ports = NULL;
    next.observers = NULL;
    next.sights = NULL;
    next.valve = (struct valve){0};
    next.monitors = (struct monitors){0};
    next.prober = (struct prober){0};
    next.congestion = (struct congestion){0};
    next.diagnose = (struct diagnose){0};
    next.watched = 0;
    next.router = (struct router){0};
    next.jobs = NULL;
    next.job_count = 0;
    next.plans_stale = next.scopes_stale = true;
    next.told = calloc(fabric_link_count(fabric), sizeof *next.told);
    next.link_cnps = calloc(fabric_link_count(fabric), sizeof *next.link_cnps);
    int rc = next.told == NULL || next.link_cnps == NULL ? -ENOMEM : learn_init(&next);
    rc = rc == 0 ? judge_init(&next) : rc;
    if (rc != 0) {
        learn_fini(&next);
        judge_fini(&next);
        free(next.told);
        free(next.link_cnps);
        return error_set(error, rc, "no memory for fabric %s", fabric->name);
    }
    next.own_port_count = fabric->nodes[self.i].port_count;
    for (uint32_t i = 0; i < next.own_port_count; i++) {
        next.own_ports[i] = (port_id){fabric->nodes[self.i].first_port + i};
        rule_set_init(&next.router.rules[i]);
    }
    plan_init(&next.router.plan);
    memcpy(next.router.nic_holds, engine->router.nic_holds, sizeof next.router.nic_holds);
    memcpy(next.router.nic_failed, engine->router.nic_failed, sizeof next.router.nic_failed);
    next.hosts[self.i].known = true;
    next.hosts[self.i].state = GOSSIP_ALIVE;
    if (engine->fabric != NULL) {
        jobs_fini_views(engine);
        route_fini(&engine->router);
        judge_fini(engine);
        learn_fini(engine);
        free(engine->told);
        free(engine->link_cnps);
        fabric_close(engine->fabric);
    }
    *engine = next;
    engine->facts_changed = true;
    return 0;
}

int fabric_offer(struct engine *engine, struct fabric *fabric, struct error *error) {
    const struct fabric *newest = engine->held != NULL ? engine->held : engine->fabric;
    bool same = memcmp(newest->digest, fabric->digest, sizeof fabric->digest) == 0;
    node_id self;
    if (same && newest->generation == fabric->generation) {
        fabric_close(fabric);
        return 0; // nothing new
    }
    if (fabric->generation <= newest->generation) {
        return error_set(
            error, -EINVAL,
            "fabric %s: generation %llu is held already with other contents; raise the generation",
            fabric->name, (unsigned long long)newest->generation);
    }
    if (!fabric_find_node(fabric, engine->config.host, &self) || self.i >= fabric->host_count) {
        return error_set(error, -EINVAL, "host %s is not in fabric %s generation %llu",
                         engine->config.host, fabric->name, (unsigned long long)fabric->generation);
    }
    if (fabric->nodes[self.i].port_count != engine->own_port_count) {
        return error_set(error, -EINVAL,
                         "fabric %s generation %llu gives host %s %u ports; restart the agent",
                         fabric->name, (unsigned long long)fabric->generation, engine->config.host,
                         fabric->nodes[self.i].port_count);
    }
    fabric_close(engine->held);
    engine->held = fabric;
    engine->facts_changed = true;
    engine->hosts_changed = true; // perhaps all others hold it already
    engine_note(engine, NOTE_INFO, "fabric_held", fabric->name,
                "generation %llu is held; it becomes active when all live members hold it",
                (unsigned long long)fabric->generation);
    return 0;
}

void fabric_try_activate(struct engine *engine) {
    if (engine->held == NULL) {
        return;
    }
    for (uint32_t i = 0; i < engine->fabric->host_count; i++) {
        const struct host_view *host = &engine->hosts[i];
        if (i == engine->self.i || !host_is_live(host)) {
            continue;
        }
        bool holds = host->has_facts && (host->facts.held_generation > engine->held->generation ||
                                         (host->facts.held_generation == engine->held->generation &&
                                          memcmp(host->facts.held_digest, engine->held->digest,
                                                 sizeof engine->held->digest) == 0));
        if (!holds) {
            return;
        }
    }
    struct fabric *next = engine->held;
    engine->held = NULL;
    struct error error;
    if (engine_adopt_fabric(engine, next, &error) != 0) {
        engine_note(engine, NOTE_ALARM, "fabric_failed", next->name, "%s; the old one stays",
                    error.text);
        fabric_close(next);
        return;
    }
    learn_all(engine);
    engine_note(engine, NOTE_INFO, "fabric_active", next->name, "generation %llu is active",
                (unsigned long long)next->generation);
}
