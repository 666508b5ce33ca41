// SPDX-License-Identifier: Apache-2.0
// CNPs that came for own flows: counted by path where it is known, and told to congestion.h as
// hints. A CNP names our QP by our own number, packets and rules know it by its destination's: who
// reports it may know both. Else the two ports are known, and the path if there is but one.
#include "model/time.h"
#include "state.h"

#define NOTE_AGAIN_NS (60 * NS_PER_S) // flows that get CNPs all the time are no news

static void note_cnps(struct engine *engine, struct steer *steer) {
    char subject[LINK_NAME_SIZE];
    if (steer->cnps_noted_at_ns != 0 && engine->now_ns - steer->cnps_noted_at_ns < NOTE_AGAIN_NS) {
        return;
    }
    steer->cnps_noted_at_ns = engine->now_ns;
    route_format_pair(engine, steer->src, steer->dst, subject);
    engine_note(engine, NOTE_INFO, "cnps", subject,
                "its receiver says that packets came marked; probes look where");
}

// By the link that the slot's path, as it is now, takes out of the leaf.
static void count_on_link(struct engine *engine, const struct steer *steer, uint8_t slot,
                          uint64_t count) {
    const struct router *router = &engine->router;
    for (uint32_t f = 0; f < steer->flow_count; f++) {
        const struct plan_flow *flow = &router->plan.flows[steer->first_flow + f];
        for (uint32_t p = 0; p < flow->part_count; p++) {
            const struct steer_part *part = &router->parts[flow->first_part + p];
            if (part->slot == slot && part->path.link_count > 2) {
                engine->link_cnps[part->path.links[1].i] += count;
                return;
            }
        }
    }
}

static void hint(struct engine *engine, const struct steer *steer, uint8_t slot,
                 const struct ecn_policy *policy) {
    if (steer->slots[slot].way != WAY_NONE) {
        congestion_hint(&engine->congestion, steer->slots[slot].way, engine->now_ns, policy);
    }
}

static void learn_cnp(struct engine *engine, uint32_t port, const struct engine_cnp *cnp,
                      const struct ecn_policy *policy) {
    port_id dst;
    unsigned family;
    uint32_t index;
    uint8_t slot = 0;
    if (!route_port_of_address(engine, cnp->source, &dst, &family) ||
        !steer_find(engine, engine->own_ports[port], dst, &index)) {
        engine->stats.cnps_of_port += cnp->count; // of a flow that no job planned
        return;
    }
    struct steer *steer = &engine->router.steers[index];
    bool one = steer->slot_count == 1 && steer->steered && !steer->spray;
    note_cnps(engine, steer);
    if (one || (cnp->qp_known && steer_slot_of_qp(engine, steer, cnp->qp, &slot))) {
        steer->slots[slot].cnps += cnp->count;
        engine->stats.cnps_of_path += cnp->count;
        count_on_link(engine, steer, slot, cnp->count);
        hint(engine, steer, slot, policy);
        return;
    }
    steer->cnps_unplaced += cnp->count;
    engine->stats.cnps_of_pair += cnp->count;
    for (slot = 0; slot < steer->slot_count; slot++) {
        hint(engine, steer, slot, policy);
    }
}

void congestion_learn_cnps(struct engine *engine, const struct engine_port_cnps *event) {
    struct ecn_policy policy = ecn_policy_of(engine);
    for (uint32_t i = 0; i < event->count; i++) {
        learn_cnp(engine, event->port, &event->cnps[i], &policy);
    }
    if (event->of_port > 0) {
        engine->stats.cnps_of_port += event->of_port;
        congestion_hint_port(&engine->congestion, event->port, engine->now_ns);
    }
    congestion_work(engine);
}
