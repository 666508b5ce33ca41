// SPDX-License-Identifier: Apache-2.0
// From the steering of own flows to the rule set that a port's NIC shall hold.
#include <errno.h>
#include <string.h>

#include "state.h"

static void match_ipv4(const struct fabric_port *port, struct rule_match *match) {
    *match = (struct rule_match){.destination = {[10] = 0xff, [11] = 0xff},
                                 .key_kind = RULE_KEY_DEFAULT};
    memcpy(&match->destination[12], port->ipv4, sizeof port->ipv4);
}

static void match_ipv6(const struct fabric_port *port, struct rule_match *match) {
    *match = (struct rule_match){.key_kind = RULE_KEY_DEFAULT};
    memcpy(match->destination, port->ipv6, sizeof port->ipv6);
}

// The path that a slot uses now: that of any of its parts, which move together.
static const struct path *slot_path(const struct engine *engine, const struct steer *steer,
                                    unsigned slot) {
    const struct router *router = &engine->router;
    for (uint32_t f = 0; f < steer->flow_count; f++) {
        const struct plan_flow *flow = &router->plan.flows[steer->first_flow + f];
        for (uint32_t p = 0; p < flow->part_count; p++) {
            if (router->parts[flow->first_part + p].slot == slot) {
                return &router->parts[flow->first_part + p].path;
            }
        }
    }
    return NULL;
}

static int add_steer(const struct engine *engine, const struct steer *steer, struct rule_set *out) {
    const struct fabric *fabric = engine->fabric;
    struct encap encap = {0};
    struct sid own = sid_of(fabric->block, fabric->ports[steer->src.i].usid);
    memcpy(encap.source, own.bytes, sizeof encap.source);
    enum rule_select split = steer->spray && engine->config.nic.spray ? RULE_SPRAY
                             : engine->config.nic.per_qp              ? RULE_BUCKET_QP
                                                                      : RULE_BUCKET_SPORT;
    struct rule rule = {.select = (uint8_t)(steer->slot_count == 1 ? RULE_SINGLE : split),
                        .path_count = (uint8_t)steer->slot_count};
    for (unsigned slot = 0; slot < steer->slot_count; slot++) {
        const struct path *path = slot_path(engine, steer, slot);
        int rc = path == NULL
                     ? -EINVAL
                     : fabric_walk_sids(fabric, path->links, path->link_count, &encap.sids);
        rc = rc == 0 ? rule_set_intern(out, &encap, &rule.encap[slot]) : rc;
        if (rc != 0) {
            return rc;
        }
    }
    if (rule.select == RULE_BUCKET_QP || rule.select == RULE_BUCKET_SPORT) {
        memcpy(rule.bucket, steer->bucket, sizeof rule.bucket);
    }
    const struct fabric_port *destination = &fabric->ports[steer->dst.i];
    match_ipv4(destination, &rule.match);
    int rc = rule_set_add(out, &rule);
    match_ipv6(destination, &rule.match);
    return rc != 0 ? rc : rule_set_add(out, &rule);
}

// The paths that flows of the port may turn to: their backups, and the planned paths of those that
// are on one.
static int add_spares(const struct engine *engine, const struct steer *steer,
                      struct rule_set *out) {
    const struct fabric *fabric = engine->fabric;
    const struct plan *plan = &engine->router.plan;
    struct encap encap = {0};
    struct sid own = sid_of(fabric->block, fabric->ports[steer->src.i].usid);
    memcpy(encap.source, own.bytes, sizeof encap.source);
    int rc = 0;
    for (uint32_t f = 0; f < steer->flow_count; f++) {
        const struct plan_flow *flow = &plan->flows[steer->first_flow + f];
        for (uint32_t p = 0; rc == 0 && p < 2 * (uint32_t)flow->part_count; p++) {
            const struct plan_part *part = &plan->parts[flow->first_part + p / 2];
            const struct path *path = p % 2 == 0 ? &part->path : &part->backup;
            if (path->link_count > 0 &&
                fabric_walk_sids(fabric, path->links, path->link_count, &encap.sids) == 0) {
                rc = rule_set_add_spare(out, &encap);
            }
        }
    }
    return rc == -ENOSPC ? 0 : rc; // what is not named is made when it is needed
}

int rules_build(const struct engine *engine, uint32_t own_port, struct rule_set *out) {
    rule_set_clear(out);
    port_id port = engine->own_ports[own_port];
    out->local_sids[0] = sid_of(engine->fabric->block, engine->fabric->ports[port.i].usid);
    out->local_sid_count = 1;
    for (uint32_t i = 0; i < engine->router.steer_count; i++) {
        const struct steer *steer = &engine->router.steers[i];
        if (steer->src.i == port.i && steer->steered) {
            int rc = add_steer(engine, steer, out);
            if (rc == 0 && engine->config.nic.spares) {
                rc = add_spares(engine, steer, out);
            }
            if (rc != 0) {
                return rc;
            }
        }
    }
    return rule_set_seal(out, NULL);
}
