// SPDX-License-Identifier: Apache-2.0
// The plan of own flows, and how its parts share rules: all flows of one pair of ports are one
// steer, parts with equal primary paths one slot of its rule. What was learnt of a pair (its QPs,
// its buckets, its counters) survives a new plan.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pathalg/candidates.h"
#include "state.h"

// Whether the NIC can write the SIDs of every path that the plan has for the flow.
static bool nic_can_write(const struct engine *engine, const struct plan *plan,
                          const struct plan_flow *flow) {
    const struct nic_capabilities *nic = &engine->config.nic;
    for (uint32_t p = 0; p < flow->part_count; p++) {
        const struct path *path = &plan->parts[flow->first_part + p].path;
        struct sid_list sids;
        if (fabric_walk_sids(engine->fabric, path->links, path->link_count, &sids) != 0 ||
            (sids.count > 1 && !nic->srh) ||
            sid_list_overhead_bytes(&sids) > nic->encap_bytes_max) {
            return false;
        }
    }
    return true;
}

const char *plain_reason(const struct engine *engine, const struct plan *plan,
                         const struct plan_flow *flow) {
    if (flow->local) {
        return "source and destination share a leaf";
    }
    const struct host_view *host = &engine->hosts[engine->fabric->ports[flow->dst.i].host.i];
    if (!host->has_facts) {
        return "no agent is known on the destination";
    }
    if (!host->facts.decap_ready) {
        return "the destination is not ready to decapsulate";
    }
    if (flow->job >= engine->job_count) { // a plan that outlived its jobs: no new one could be made
        return "its job has ended";
    }
    if (!job_binds(engine, &engine->jobs[flow->job], flow->dst)) {
        return "the destination has not agreed to the job";
    }
    if (flow->part_count == 0) {
        return "no path to the destination";
    }
    if (!nic_can_write(engine, plan, flow)) {
        return "the NIC cannot write SIDs of this length";
    }
    return flow->steered ? NULL : "the destination cannot be steered to";
}

static int compare_pair(port_id src_a, port_id dst_a, port_id src_b, port_id dst_b) {
    if (src_a.i != src_b.i) {
        return src_a.i < src_b.i ? -1 : 1;
    }
    return dst_a.i == dst_b.i ? 0 : dst_a.i < dst_b.i ? -1 : 1;
}

bool steer_find(const struct engine *engine, port_id src, port_id dst, uint32_t *index) {
    uint32_t low = 0, high = engine->router.steer_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const struct steer *steer = &engine->router.steers[middle];
        int order = compare_pair(steer->src, steer->dst, src, dst);
        if (order == 0) {
            *index = middle;
            return true;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return false;
}

// The slot of a primary path; a new one, or the last when a rule holds no more.
static uint16_t slot_for(struct steer *steer, const struct path *primary) {
    for (uint16_t i = 0; i < steer->slot_count; i++) {
        if (path_equal(&steer->slots[i].primary, primary)) {
            return i;
        }
    }
    if (steer->slot_count == RULE_PATHS_MAX) {
        return RULE_PATHS_MAX - 1;
    }
    steer->slots[steer->slot_count] = (struct steer_slot){.primary = *primary};
    return steer->slot_count++;
}

static void fill_steer(const struct engine *engine, const struct plan *plan,
                       struct steer_part *parts, struct steer *steer) {
    for (uint32_t f = 0; f < steer->flow_count; f++) {
        const struct plan_flow *flow = &plan->flows[steer->first_flow + f];
        steer->steered = steer->steered || plain_reason(engine, plan, flow) == NULL;
        steer->spray = steer->spray || flow->spray;
        for (uint32_t p = 0; p < flow->part_count; p++) {
            uint32_t index = flow->first_part + p;
            parts[index].slot = slot_for(steer, &plan->parts[index].path);
            steer->slots[parts[index].slot].bytes += plan->parts[index].bytes;
        }
    }
    steer->steered = steer->steered && steer->slot_count > 0;
}

void steer_assign_buckets(struct steer *steer) {
    uint64_t weights[RULE_PATHS_MAX];
    uint32_t qps[RULE_BUCKETS] = {0};
    if (steer->slot_count == 0) {
        return;
    }
    for (unsigned i = 0; i < steer->slot_count; i++) {
        weights[i] = steer->slots[i].bytes;
    }
    for (unsigned i = 0; i < steer->qp_count; i++) {
        qps[steer->qps[i].key % RULE_BUCKETS]++;
    }
    buckets_assign(weights, steer->slot_count, qps, steer->bucket);
}

// The bucket of a QP; where the NIC chooses by source port it must have been seen sending.
static bool bucket_of(const struct engine *engine, const struct steer *steer, uint32_t qp,
                      uint32_t *bucket) {
    *bucket = qp % RULE_BUCKETS;
    for (unsigned i = 0; !engine->config.nic.per_qp && i < steer->qp_count; i++) {
        if (steer->qps[i].qp == qp) {
            *bucket = steer->qps[i].key % RULE_BUCKETS;
            return true;
        }
    }
    return engine->config.nic.per_qp;
}

bool steer_slot_of_qp(const struct engine *engine, const struct steer *steer, uint32_t qp,
                      uint8_t *slot) {
    uint32_t bucket = 0;
    if (!steer->steered || steer->spray ||
        (steer->slot_count > 1 && !bucket_of(engine, steer, qp, &bucket))) {
        return false;
    }
    *slot = steer->slot_count == 1 ? 0 : steer->bucket[bucket];
    return true;
}

// What was learnt of a pair survives a new plan: its QPs, and its buckets where the slots stayed.
static void carry_steer(struct steer *before, struct steer *steer) {
    memset(steer->bucket, 0xff, sizeof steer->bucket);
    if (before == NULL) {
        return;
    }
    steer->cnps_unplaced = before->cnps_unplaced;
    steer->cnps_noted_at_ns = before->cnps_noted_at_ns;
    steer->qps = before->qps;
    steer->qp_count = before->qp_count;
    steer->qp_capacity = before->qp_capacity;
    before->qps = NULL;
    before->qp_count = before->qp_capacity = 0;
    bool same = before->slot_count == steer->slot_count;
    for (unsigned i = 0; same && i < steer->slot_count; i++) {
        same = before->slots[i].bytes == steer->slots[i].bytes;
    }
    for (unsigned i = 0; i < steer->slot_count; i++) {
        struct steer_slot *slot = &steer->slots[i];
        for (unsigned family = 0; family < 2; family++) {
            slot->last_bytes[family] = same ? before->slots[i].last_bytes[family] : COUNTER_UNKNOWN;
            slot->last_packets[family] =
                same ? before->slots[i].last_packets[family] : COUNTER_UNKNOWN;
        }
        slot->cnps = same ? before->slots[i].cnps : 0;
    }
    if (same) { // slots are in the order of parts: the same part keeps its QPs wherever its path
                // leads now
        memcpy(steer->bucket, before->bucket, sizeof steer->bucket);
    }
}

static const struct plan_flow *find_flow(const struct plan *plan, const struct plan_flow *like) {
    uint32_t low = 0, high = plan->flow_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const struct plan_flow *flow = &plan->flows[middle];
        int order = compare_pair(flow->src, flow->dst, like->src, like->dst);
        order = order != 0 ? order : flow->job < like->job ? -1 : flow->job > like->job;
        if (order == 0) {
            return flow;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}

static void carry_parts(const struct router *before, const struct plan *plan,
                        struct steer_part *parts) {
    for (uint32_t i = 0; i < plan->flow_count; i++) {
        const struct plan_flow *flow = &plan->flows[i];
        const struct plan_flow *old = find_flow(&before->plan, flow);
        for (uint32_t p = 0; old != NULL && p < flow->part_count && p < old->part_count; p++) {
            struct steer_part *part = &parts[flow->first_part + p];
            uint16_t slot = part->slot;
            *part = before->parts[old->first_part + p];
            part->slot = slot;
            if (old->part_count != flow->part_count) { // other parts: they have carried nothing yet
                part->packets = part->bytes = 0;
            }
        }
    }
}

void steer_free(struct steer *steers, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        free(steers[i].qps);
    }
    free(steers);
}

static uint32_t group_flows(const struct plan *plan, struct steer *steers) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < plan->flow_count; i++) {
        const struct plan_flow *flow = &plan->flows[i];
        struct steer *last = count > 0 ? &steers[count - 1] : NULL;
        if (last != NULL && compare_pair(last->src, last->dst, flow->src, flow->dst) == 0) {
            last->flow_count++;
        } else {
            steers[count++] = (struct steer){.src = flow->src,
                                             .dst = flow->dst,
                                             .first_flow = i,
                                             .flow_count = 1};
        }
    }
    return count;
}

int steer_replan(struct engine *engine) {
    struct router *router = &engine->router;
    struct plan plan;
    plan_init(&plan);
    int rc = plans_make(engine, &plan);
    if (rc != 0) {
        return rc;
    }
    struct steer *steers = calloc(plan.flow_count > 0 ? plan.flow_count : 1, sizeof *steers);
    struct steer_part *parts = calloc(plan.part_count > 0 ? plan.part_count : 1, sizeof *parts);
    if (steers == NULL || parts == NULL) {
        free(steers);
        free(parts);
        plan_fini(&plan);
        return -ENOMEM;
    }
    uint32_t steer_count = group_flows(&plan, steers);
    for (uint32_t i = 0; i < steer_count; i++) {
        uint32_t old;
        bool found = steer_find(engine, steers[i].src, steers[i].dst, &old);
        fill_steer(engine, &plan, parts, &steers[i]);
        carry_steer(found ? &router->steers[old] : NULL, &steers[i]);
        steer_assign_buckets(&steers[i]);
    }
    carry_parts(router, &plan, parts);
    plan_fini(&router->plan);
    steer_free(router->steers, router->steer_count);
    free(router->parts);
    router->plan = plan;
    router->steers = steers;
    router->parts = parts;
    router->steer_count = steer_count;
    engine->stats.plans++;
    return 0;
}
