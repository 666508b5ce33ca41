// SPDX-License-Identifier: Apache-2.0
// Own flows: the plan from the shared belief, and for each of its parts the path in use. A part
// leaves its planned path as soon as a link on it is down by the own verdict, for the backup that
// was computed with the plan; when the shared belief follows, the plan itself has the backup in
// that place, and nothing moves again.
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/rng.h"
#include "pathalg/candidates.h"
#include "state.h"

void route_fini(struct router *router) {
    plan_fini(&router->plan);
    free(router->parts);
    free(router->steers);
    for (unsigned i = 0; i < ENGINE_PORTS_MAX; i++) {
        rule_set_fini(&router->rules[i]);
    }
    *router = (struct router){0};
}

// ---- the plan
// -------------------------------------------------------------------------------------------------------

static bool *decap_ready_ports(const struct engine *engine) {
    const struct fabric *fabric = engine->fabric;
    bool *ready = calloc(fabric->port_count, sizeof *ready);
    for (uint32_t i = 0; ready != NULL && i < fabric->port_count; i++) {
        const struct host_view *host = &engine->hosts[fabric->ports[i].host.i];
        ready[i] = host->has_facts && host->facts.decap_ready;
    }
    return ready;
}

static int make_plan(const struct engine *engine, struct plan *plan) {
    struct plan_job *jobs = calloc(engine->job_count > 0 ? engine->job_count : 1, sizeof *jobs);
    bool *ready = decap_ready_ports(engine);
    if (jobs == NULL || ready == NULL) {
        free(jobs);
        free(ready);
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < engine->job_count; i++) {
        const struct job_view *view = &engine->jobs[i];
        jobs[i] = (struct plan_job){.job = &view->record->job,
                                    .ranks = view->ranks,
                                    .rank_count = view->rank_count,
                                    .permutations = (const uint32_t *const *)view->permutations};
    }
    struct plan_input input = {.fabric = engine->fabric,
                               .beliefs = engine->beliefs,
                               .jobs = jobs,
                               .job_count = engine->job_count,
                               .algorithm = engine->config.algorithm,
                               .decap_ready = ready};
    int rc = plan_host(&input, engine->self, plan, NULL);
    free(jobs);
    free(ready);
    return rc;
}

const char *plain_reason(const struct engine *engine, const struct plan_flow *flow) {
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
    if (!job_binds(engine, &engine->jobs[flow->job], flow->dst)) {
        return "the destination has not agreed to the job";
    }
    if (flow->part_count == 0) {
        return "no path to the destination";
    }
    return flow->steered ? NULL : "the destination cannot be steered to";
}

// ---- steering: flows of one pair of ports, slots of one rule
// --------------------------------------------------------

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
        steer->steered = steer->steered || plain_reason(engine, flow) == NULL;
        steer->spray = steer->spray || flow->spray;
        for (uint32_t p = 0; p < flow->part_count; p++) {
            uint32_t index = flow->first_part + p;
            parts[index].slot = slot_for(steer, &plan->parts[index].path);
            steer->slots[parts[index].slot].bytes += plan->parts[index].bytes;
        }
    }
    steer->steered = steer->steered && steer->slot_count > 0;
}

static void assign_buckets(struct steer *steer) {
    uint64_t weights[RULE_PATHS_MAX];
    uint32_t qps[RULE_BUCKETS] = {0};
    if (steer->slot_count == 0) {
        return;
    }
    for (unsigned i = 0; i < steer->slot_count; i++) {
        weights[i] = steer->slots[i].bytes;
    }
    for (unsigned i = 0; i < steer->qp_count; i++) {
        qps[steer->qps[i].qp % RULE_BUCKETS]++;
    }
    buckets_assign(weights, steer->slot_count, qps, steer->bucket);
}

// What was learnt of a pair survives a new plan: its QPs, and its buckets where the slots stayed.
static void carry_steer(const struct steer *before, struct steer *steer) {
    memset(steer->bucket, 0xff, sizeof steer->bucket);
    if (before == NULL) {
        return;
    }
    memcpy(steer->qps, before->qps, sizeof steer->qps);
    steer->qp_count = before->qp_count;
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
            uint16_t slot = parts[flow->first_part + p].slot;
            parts[flow->first_part + p] = before->parts[old->first_part + p];
            parts[flow->first_part + p].slot = slot;
        }
    }
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

static int replan(struct engine *engine) {
    struct router *router = &engine->router;
    struct plan plan;
    plan_init(&plan);
    int rc = make_plan(engine, &plan);
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
        assign_buckets(&steers[i]);
    }
    carry_parts(router, &plan, parts);
    plan_fini(&router->plan);
    free(router->steers);
    free(router->parts);
    router->plan = plan;
    router->steers = steers;
    router->parts = parts;
    router->steer_count = steer_count;
    engine->stats.plans++;
    return 0;
}

// ---- the path in use
// ------------------------------------------------------------------------------------------------

// Shared beliefs with the own bad verdicts on top; NULL when there are none (use the beliefs as
// they are).
static struct link_belief *own_view(const struct engine *engine) {
    uint32_t count = fabric_link_count(engine->fabric);
    struct link_belief *view = NULL;
    for (uint32_t i = 0; i < count; i++) {
        enum probe_state own = engine->prober.links[i].state;
        if (own != PROBE_DOWN && own != PROBE_HELD) {
            continue;
        }
        if (view == NULL) {
            view = malloc(count * sizeof *view);
            if (view == NULL) {
                return NULL;
            }
            memcpy(view, engine->beliefs, count * sizeof *view);
        }
        view[i].down = true;
    }
    return view;
}

static link_id first_dead_link(const struct engine *engine, const struct link_belief *view,
                               const struct path *path) {
    for (unsigned i = 0; i < path->link_count; i++) {
        if (belief_rate_bps(engine->fabric, &view[path->links[i].i], path->links[i]) == 0) {
            return path->links[i];
        }
    }
    return (link_id){ID_NONE};
}

static void choose_path(const struct engine *engine, const struct link_belief *view,
                        const struct plan_flow *flow, const struct plan_part *planned,
                        struct steer_part *part) {
    part->choice = PART_PRIMARY;
    part->path = planned->path;
    part->cause = first_dead_link(engine, view, &planned->path);
    if (part->cause.i == ID_NONE) {
        return;
    }
    struct path backup = planned->backup;
    if (backup.link_count == 0 || first_dead_link(engine, view, &backup).i != ID_NONE) {
        backup_find(engine->fabric, view, flow->src, flow->dst, &planned->path,
                    hash_pair(flow->src.i, flow->dst.i), &backup);
    }
    if (backup.link_count > 0) { // else nothing is better than the planned path
        part->choice = PART_BACKUP;
        part->path = backup;
    }
}

static void format_way(const struct engine *engine, const struct path *path, char *text,
                       size_t size) {
    size_t used = 0;
    text[0] = '\0';
    for (unsigned i = 0; i + 1 < path->link_count && used + NAME_SIZE + 1 < size; i++) {
        const char *name =
            engine->fabric->nodes[fabric_link_to(engine->fabric, path->links[i]).i].name;
        size_t length = strlen(name);
        if (i > 0) {
            text[used++] = ' ';
        }
        memcpy(text + used, name, length + 1);
        used += length;
    }
}

static void note_move(struct engine *engine, const struct plan_flow *flow, uint32_t part,
                      const struct steer_part *before, const struct steer_part *now) {
    char src[NAME_SIZE + 4], dst[NAME_SIZE + 4], old_way[72], new_way[72];
    fabric_format_port(engine->fabric, flow->src, src);
    fabric_format_port(engine->fabric, flow->dst, dst);
    format_way(engine, &before->path, old_way, sizeof old_way);
    format_way(engine, &now->path, new_way, sizeof new_way);
    char subject[LINK_NAME_SIZE] = "";
    size_t length = strlen(src);
    memcpy(subject, src, length);
    subject[length] = '>';
    memcpy(subject + length + 1, dst, strlen(dst) + 1);
    bool to_backup = now->choice == PART_BACKUP;
    engine->stats.moves_to_backup += to_backup;
    engine->stats.moves_by_plan += !to_backup;
    engine_note(engine, NOTE_INFO, "flow_moved", subject, "part %u of %u: from %s to %s", part + 1,
                flow->part_count, old_way, new_way);
}

static void choose_paths(struct engine *engine) {
    struct router *router = &engine->router;
    struct link_belief *overlay = own_view(engine);
    const struct link_belief *view = overlay != NULL ? overlay : engine->beliefs;
    for (uint32_t i = 0; i < router->plan.flow_count; i++) {
        const struct plan_flow *flow = &router->plan.flows[i];
        bool plain = plain_reason(engine, flow) != NULL;
        for (uint32_t p = 0; p < flow->part_count; p++) {
            struct steer_part *part = &router->parts[flow->first_part + p];
            const struct steer_part before = *part;
            choose_path(engine, view, flow, &router->plan.parts[flow->first_part + p], part);
            part->choice = plain ? PART_PLAIN : part->choice;
            bool was_steered = before.path.link_count > 0 && before.choice != PART_PLAIN;
            if (!plain && was_steered && !path_equal(&before.path, &part->path)) {
                note_move(engine, flow, p, &before, part);
            }
        }
    }
    free(overlay);
}

static void program(struct engine *engine) {
    for (uint32_t i = 0; i < engine->own_port_count; i++) {
        struct rule_set next;
        rule_set_init(&next);
        int rc = rules_build(engine, i, &next);
        if (rc != 0) {
            engine_note(engine, NOTE_ALARM, "rules_failed", engine->config.host,
                        "cannot build the rules of port %u: %s; the old ones stay", i,
                        code_text(rc));
            rule_set_fini(&next);
            continue;
        }
        if (rule_set_equal(&next, &engine->router.rules[i])) {
            rule_set_fini(&next);
            continue;
        }
        rule_set_fini(&engine->router.rules[i]);
        engine->router.rules[i] = next;
        engine->nic_dirty[i] = true;
        engine->stats.nic_updates++;
    }
}

void route(struct engine *engine) {
    if (!engine->beliefs_changed && !engine->own_verdict_changed) {
        return;
    }
    if (engine->beliefs_changed) {
        int rc = replan(engine);
        if (rc != 0) {
            engine_note(engine, NOTE_ALARM, "plan_failed", engine->config.host,
                        "cannot plan: %s; the old paths stay", code_text(rc));
        }
    }
    choose_paths(engine);
    program(engine);
}

// ---- what the NIC saw
// -----------------------------------------------------------------------------------------------

static bool find_port_by_address(const struct engine *engine, const uint8_t address[16],
                                 port_id *out, unsigned *family) {
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

// True when the set of QPs changed.
static bool learn_qp(struct steer *steer, uint32_t qp, uint64_t now_ns) {
    for (unsigned i = 0; i < steer->qp_count; i++) {
        if (steer->qps[i].qp == qp) {
            steer->qps[i].seen_at_ns = now_ns;
            return false;
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
    if (steer->qp_count == STEER_QPS_MAX) {
        return false; // buckets hold enough by then for shares to be even
    }
    steer->qps[steer->qp_count++] = (struct seen_qp){qp, now_ns};
    return true;
}

void route_learn_qps(struct engine *engine, const struct engine_port_qps *event) {
    bool changed = false;
    for (uint32_t i = 0; i < event->count; i++) {
        port_id dst;
        unsigned family;
        uint32_t index;
        if (!find_port_by_address(engine, event->qps[i].destination, &dst, &family) ||
            !steer_find(engine, engine->own_ports[event->port], dst, &index)) {
            continue;
        }
        struct steer *steer = &engine->router.steers[index];
        if (learn_qp(steer, event->qps[i].qp, engine->now_ns)) {
            assign_buckets(steer);
            changed = true;
        }
    }
    if (changed) {
        program(engine);
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
                part->bytes += (uint64_t)((double)bytes * share + 0.5);
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
        if (!find_port_by_address(engine, counter->match.destination, &dst, &family) ||
            !steer_find(engine, engine->own_ports[event->port], dst, &index)) {
            continue;
        }
        struct steer *steer = &engine->router.steers[index];
        if (counter->path < steer->slot_count) {
            struct steer_slot *slot = &steer->slots[counter->path];
            uint64_t packets = growth(&slot->last_packets[family], counter->packets);
            uint64_t bytes = growth(&slot->last_bytes[family], counter->bytes);
            credit_slot(engine, steer, counter->path, packets, bytes);
        }
    }
}
