// SPDX-License-Identifier: Apache-2.0
// What the NIC saw: QPs, which make some buckets heavier, and counters, which say what each part
// really carried.
#include <stdlib.h>
#include <string.h>

#include "state.h"

#define QPS_FIRST 8 // known of a pair; doubled up to STEER_QPS_MAX

bool route_port_of_address(const struct engine *engine, const uint8_t address[16], port_id *out,
                           unsigned *family) {
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    *family = memcmp(address, mapped, sizeof mapped) == 0 ? 0 : 1;
    for (uint32_t i = 0; i < engine->router.steer_count; i++) {
        const struct fabric_port *port = &engine->fabric->ports[engine->router.steers[i].dst.i];
        if (*family == 0 ? memcmp(address + 12, port->ipv4, 4) == 0
                         : memcmp(address, port->ipv6, 16) == 0) {
            *out = engine->router.steers[i].dst;
            return true;
        }
    }
    return false;
}

static bool make_room(struct steer *steer) {
    if (steer->qp_count < steer->qp_capacity) {
        return true;
    }
    uint16_t capacity = steer->qp_capacity == 0 ? QPS_FIRST : (uint16_t)(2 * steer->qp_capacity);
    struct seen_qp *qps =
        steer->qp_count < STEER_QPS_MAX ? reallocarray(steer->qps, capacity, sizeof *qps) : NULL;
    if (qps == NULL) {
        return false; // buckets hold enough by then for shares to be even; or no memory now
    }
    steer->qps = qps;
    steer->qp_capacity = capacity;
    return true;
}

// True when the set of QPs changed.
static bool learn_qp(struct steer *steer, uint32_t qp, uint32_t key, uint64_t now_ns) {
    for (unsigned i = 0; i < steer->qp_count; i++) {
        if (steer->qps[i].qp == qp) {
            bool changed = steer->qps[i].key != key;
            steer->qps[i] = (struct seen_qp){qp, key, now_ns};
            return changed;
        }
    }
    for (unsigned i = 0; i < steer->qp_count;) {
        bool forgotten = now_ns - steer->qps[i].seen_at_ns > QP_FORGET_NS;
        if (forgotten) {
            steer->qps[i] = steer->qps[--steer->qp_count];
        } else {
            i++;
        }
    }
    if (!make_room(steer)) {
        return false;
    }
    steer->qps[steer->qp_count++] = (struct seen_qp){qp, key, now_ns};
    return true;
}

void route_learn_qps(struct engine *engine, const struct engine_port_qps *event) {
    bool changed = false;
    for (uint32_t i = 0; i < event->count; i++) {
        port_id dst;
        unsigned family;
        uint32_t index;
        if (!route_port_of_address(engine, event->qps[i].destination, &dst, &family) ||
            !steer_find(engine, engine->own_ports[event->port], dst, &index)) {
            continue;
        }
        struct steer *steer = &engine->router.steers[index];
        const struct nic_qp *seen = &event->qps[i];
        uint32_t key = engine->config.nic.per_qp ? seen->qp : seen->sport;
        steer->qps_changed |= learn_qp(steer, seen->qp, key, engine->now_ns);
    }
    // Once all are known: QPs that come in one after the other would be moved for each other's
    // sake.
    for (uint32_t i = 0; i < engine->router.steer_count; i++) {
        struct steer *steer = &engine->router.steers[i];
        if (steer->qps_changed) {
            steer_assign_buckets(steer);
            steer->qps_changed = false;
            changed = true;
        }
    }
    if (changed) {
        route_program(engine);
    }
}

// A counter that is lower than before began anew with its path.
static uint64_t growth(uint64_t *last, uint64_t now) {
    uint64_t more = *last == COUNTER_UNKNOWN ? 0 : now >= *last ? now - *last : now;
    *last = now;
    return more;
}

static void credit_slot(struct engine *engine, const struct steer *steer, unsigned slot,
                        uint64_t packets, uint64_t bytes) {
    struct router *router = &engine->router;
    for (uint32_t f = 0; f < steer->flow_count; f++) {
        const struct plan_flow *flow = &router->plan.flows[steer->first_flow + f];
        for (uint32_t p = 0; p < flow->part_count; p++) {
            struct steer_part *part = &router->parts[flow->first_part + p];
            uint64_t planned = router->plan.parts[flow->first_part + p].bytes;
            if (part->slot == slot && steer->slots[slot].bytes > 0) {
                double share = (double)planned / (double)steer->slots[slot].bytes;
                part->packets += (uint64_t)((double)packets * share + 0.5);
                uint64_t more = (uint64_t)((double)bytes * share + 0.5);
                part->bytes += more;
                paces_count(engine, flow, more);
                if (part->choice != PART_PLAIN) {
                    trends_count(engine, &part->path, more);
                }
            }
        }
    }
}

void route_learn_counters(struct engine *engine, const struct engine_port_counters *event) {
    for (uint32_t i = 0; i < event->count; i++) {
        const struct nic_counter *counter = &event->counters[i];
        port_id dst;
        unsigned family;
        uint32_t index;
        if (!route_port_of_address(engine, counter->match.destination, &dst, &family) ||
            !steer_find(engine, engine->own_ports[event->port], dst, &index)) {
            continue;
        }
        struct steer *steer = &engine->router.steers[index];
        if (counter->path < steer->slot_count) {
            struct steer_slot *slot = &steer->slots[counter->path];
            uint64_t packets = growth(&slot->last_packets[family], counter->packets);
            uint64_t bytes = growth(&slot->last_bytes[family], counter->bytes);
            credit_slot(engine, steer, counter->path, packets, bytes);
            loads_count_sent(engine, bytes);
        }
    }
    paces_read(engine, engine->own_ports[event->port]);
}
