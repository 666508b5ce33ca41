// SPDX-License-Identifier: Apache-2.0
// The engine's side of congestion.h: the slots of rules as ways, and marked probes in and out.
#include <stdlib.h>
#include <string.h>

#include "state.h"

struct ecn_policy ecn_policy_of(const struct engine *engine) {
    struct ecn_policy policy = engine->config.ecn;
    policy.timeout_ns = engine->config.probe_timeout_ns;
    return policy;
}

// The first part of a slot: its parts move together.
static const struct plan_part *part_of_slot(const struct engine *engine, const struct steer *steer,
                                            uint16_t slot) {
    const struct plan *plan = &engine->router.plan;
    for (uint32_t f = 0; f < steer->flow_count; f++) {
        const struct plan_flow *flow = &plan->flows[steer->first_flow + f];
        for (uint32_t p = 0; p < flow->part_count; p++) {
            if (engine->router.parts[flow->first_part + p].slot == slot) {
                return &plan->parts[flow->first_part + p];
            }
        }
    }
    return NULL;
}

static uint32_t own_index(const struct engine *engine, port_id port) {
    return port.i - engine->own_ports[0].i; // ports of a host are contiguous
}

static void add_ways(struct engine *engine, struct steer *steer, struct congestion_way *ways,
                     uint32_t *count) {
    for (uint16_t slot = 0; slot < steer->slot_count; slot++) {
        const struct plan_part *part = part_of_slot(engine, steer, slot);
        if (part == NULL || part->path.link_count <= 2 || part->backup.link_count <= 2 ||
            !steer->steered) {
            continue; // nothing to choose between
        }
        steer->slots[slot].way = *count;
        ways[(*count)++] = (struct congestion_way){.src = steer->src,
                                                   .dst = steer->dst,
                                                   .port = own_index(engine, steer->src),
                                                   .home = part->path,
                                                   .backup = part->backup};
    }
}

// No flow is away, and none leaves until the next plan.
static void no_ways(struct engine *engine) {
    struct router *router = &engine->router;
    for (uint32_t i = 0; i < router->steer_count; i++) {
        for (uint16_t slot = 0; slot < router->steers[i].slot_count; slot++) {
            router->steers[i].slots[slot].way = WAY_NONE;
        }
    }
}

void congestion_follow_plan(struct engine *engine) {
    struct router *router = &engine->router;
    bool on = engine->config.ecn.interval_ns != 0;
    uint32_t slots = 0, count = 0;
    for (uint32_t i = 0; on && i < router->steer_count; i++) {
        slots += router->steers[i].slot_count;
    }
    uint32_t link_count = fabric_link_count(engine->fabric);
    struct congestion_way *ways = calloc(slots > 0 ? slots : 1, sizeof *ways);
    bool *down = calloc(link_count, sizeof *down);
    no_ways(engine);
    for (uint32_t i = 0; on && ways != NULL && down != NULL && i < router->steer_count; i++) {
        add_ways(engine, &router->steers[i], ways, &count);
    }
    for (uint32_t i = 0; down != NULL && i < link_count; i++) {
        down[i] = engine->beliefs[i].down;
    }
    if (ways == NULL || down == NULL ||
        congestion_set_ways(&engine->congestion, ways, count, down, engine->now_ns) != 0) {
        free(ways);
        no_ways(engine);
    }
    free(down);
}

void congestion_probe_returned(struct engine *engine, const struct engine_probe_result *probe) {
    struct ecn_policy policy = ecn_policy_of(engine);
    congestion_returned(&engine->congestion, engine->now_ns, probe, &policy);
    loads_count_probe(engine, probe->ce);
}

void congestion_work(struct engine *engine) {
    struct ecn_policy policy = ecn_policy_of(engine);
    if (congestion_tick(&engine->congestion, engine->now_ns, &policy)) {
        engine->ways_changed = true;
    }
}

const struct congestion_way *way_of_part(const struct engine *engine, const struct plan_flow *flow,
                                         const struct steer_part *part, uint32_t *index) {
    uint32_t steer;
    if (!steer_find(engine, flow->src, flow->dst, &steer)) {
        return NULL;
    }
    *index = engine->router.steers[steer].slots[part->slot].way;
    return *index == WAY_NONE ? NULL : &engine->congestion.ways[*index];
}
