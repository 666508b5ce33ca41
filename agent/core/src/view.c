// SPDX-License-Identifier: Apache-2.0
// Read-only accessors for the daemon and its control socket.
#include <errno.h>

#include "pathalg/algorithm.h"
#include "state.h"

struct gossip *engine_gossip(struct engine *engine) {
    return engine->gossip;
}

const struct rule_set *engine_rules(const struct engine *engine, uint32_t port) {
    return &engine->router.rules[port];
}

const struct fabric *engine_fabric(const struct engine *engine) {
    return engine->fabric;
}

uint64_t engine_held_generation(const struct engine *engine) {
    return engine->held != NULL ? engine->held->generation : engine->fabric->generation;
}

uint32_t engine_own_port_count(const struct engine *engine) {
    return engine->own_port_count;
}

port_id engine_own_port(const struct engine *engine, uint32_t index) {
    return engine->own_ports[index];
}

const struct engine_config *engine_configuration(const struct engine *engine) {
    return &engine->config;
}

void engine_link_at(const struct engine *engine, link_id link, struct engine_link *out) {
    const struct probed_link *probed = &engine->prober.links[link.i];
    *out = (struct engine_link){.belief = engine->beliefs[link.i],
                                .own = probed->monitored ? probed->state : PROBE_NONE,
                                .monitored = probed->monitored,
                                .sent = probed->sent,
                                .lost = probed->lost,
                                .rtt_ns = probed->rtt_ns,
                                .changed_at_ns = probed->changed_at_ns,
                                .held_until_ns = probed->held_until_ns,
                                .held_by_valve = engine->valve.held[link.i]};
    struct probe_totals recent = prober_recent(&engine->prober, link);
    out->recent_sent = recent.sent;
    out->recent_lost = recent.lost;
    out->recent_ns = engine->now_ns - engine->prober.earlier_span_at_ns;
    struct link_report found = {0};
    const struct diagnose_finding *finding = diagnose_find(&engine->diagnose, link, engine->now_ns);
    diagnosis_describe(engine, link, &found);
    out->fault = found.fault;
    out->fault_ppm = found.fault_ppm;
    out->excess_ns = found.excess_ns;
    out->tested = found.tested;
    out->missed = found.missed;
    if (finding != NULL) {
        out->fault_place = (enum link_fault_place)finding->verdict.what.place;
        out->fault_confidence_ppm = finding->verdict.confidence_ppm;
    }
    out->cnps = engine->link_cnps[link.i];
    out->own_capacity_ppm = capacity_link_ppm(&engine->capacity, link);
    out->ecn_known = congestion_link_ppm(&engine->congestion, link, engine->now_ns, &out->ecn_ppm);
}

const struct link_evidence *engine_evidence(const struct engine *engine, link_id link,
                                            uint32_t *count) {
    *count = engine->links[link.i].count;
    return engine->links[link.i].reports;
}

enum vote_standing engine_vote_standing(const struct engine *engine, link_id link, uint32_t index) {
    const struct link_evidence *evidence = &engine->links[link.i].reports[index];
    const struct link_belief *belief = &engine->beliefs[link.i];
    bool held = votes_held(engine, link, index);
    if (evidence->observer.i != engine->self.i &&
        !host_is_live(&engine->hosts[evidence->observer.i])) {
        return VOTE_GONE;
    }
    if (!belief_is_elected(&engine->observers[link_cable(link).i], evidence->observer)) {
        return VOTE_NOT_ELECTED;
    }
    if (evidence->report.verdict == LINK_UP && !held) {
        return VOTE_COUNTS;
    }
    if (belief->blind_votes > 0 && belief_is_blind(&engine->sights[evidence->observer.i])) {
        return VOTE_BLIND;
    }
    if (!belief->down && !engine->valve.held[link.i] && belief->down_votes > 1) {
        return VOTE_ONE_RACK;
    }
    return held ? VOTE_TAKEN_BACK : VOTE_COUNTS;
}

uint32_t engine_valve_held(const struct engine *engine) {
    return engine->valve.held_count;
}

uint32_t engine_job_count(const struct engine *engine) {
    return engine->job_count;
}

void engine_job_at(const struct engine *engine, uint32_t index, struct engine_job *out) {
    const struct job_view *view = &engine->jobs[index];
    *out = (struct engine_job){.job = &view->record->job,
                               .owner = view->record->origin,
                               .orphaned = view->record->orphan_since_ns != 0,
                               .own_rank_count = view->own_rank_count};
    if (view->pods != NULL) {
        out->run = view->pods->run;
        out->trouble = view->pods->trouble;
        out->pods_present = view->pods->present;
        out->pods_wanted = view->pods->wanted;
    }
    for (uint32_t i = 0; i < view->rank_count; i++) {
        if (view->ranks[i].i != ID_NONE) {
            out->rank_count++;
            out->bound_count += job_binds(engine, view, view->ranks[i]);
        }
    }
}

const struct job *engine_job_here(const struct engine *engine, uint32_t index,
                                  uint32_t *own_ranks) {
    *own_ranks = engine->jobs[index].own_rank_count;
    return &engine->jobs[index].record->job;
}

const char *engine_algorithm(const struct engine *engine, const struct job *job) {
    const struct algorithm *algorithm = plans_algorithm(engine, job);
    return algorithm != NULL ? algorithm->name : NULL;
}

uint32_t engine_plan_version(const struct engine *engine) {
    return engine->plan_version;
}

uint32_t engine_problem_count(const struct engine *engine) {
    return engine->router.problems.count;
}

const char *engine_problem_at(const struct engine *engine, uint32_t index) {
    return index < ENGINE_PROBLEMS_MAX ? engine->router.problems.texts[index] : NULL;
}

const struct plan *engine_plan(const struct engine *engine) {
    return &engine->router.plan;
}

void engine_part_at(const struct engine *engine, uint32_t flow, uint32_t part,
                    struct engine_part *out) {
    const struct plan_flow *planned = &engine->router.plan.flows[flow];
    const struct steer_part *steered = &engine->router.parts[planned->first_part + part];
    *out = (struct engine_part){.choice = steered->choice,
                                .path = steered->choice == PART_PLAIN ? NULL : &steered->path,
                                .packets = steered->packets,
                                .bytes = steered->bytes,
                                .cause = steered->cause,
                                .lossy = steered->choice == PART_BACKUP && !steered->hot &&
                                         steered->lossy,
                                .hot = steered->hot,
                                .by_cnp = steered->by_cnp,
                                .hot_links = steered->hot_links,
                                .hot_ppm = steered->hot_ppm};
    uint32_t steer;
    if (steer_find(engine, planned->src, planned->dst, &steer)) {
        out->cnps = engine->router.steers[steer].slots[steered->slot].cnps;
    }
}

uint64_t engine_flow_cnps_unplaced(const struct engine *engine, uint32_t flow) {
    const struct plan_flow *planned = &engine->router.plan.flows[flow];
    uint32_t steer;
    return steer_find(engine, planned->src, planned->dst, &steer)
               ? engine->router.steers[steer].cnps_unplaced
               : 0;
}

const char *engine_plain_reason(const struct engine *engine, uint32_t flow) {
    return plain_reason(engine, &engine->router.plan, &engine->router.plan.flows[flow]);
}

bool engine_flow_qp_part(const struct engine *engine, uint32_t flow, uint32_t qp, uint32_t *part) {
    const struct plan_flow *planned = &engine->router.plan.flows[flow];
    uint32_t index;
    if (!steer_find(engine, planned->src, planned->dst, &index)) {
        return false;
    }
    const struct steer *steer = &engine->router.steers[index];
    uint8_t slot;
    if (!steer_slot_of_qp(engine, steer, qp, &slot)) {
        return false;
    }
    for (uint32_t p = 0; p < planned->part_count; p++) {
        if (engine->router.parts[planned->first_part + p].slot == slot) {
            *part = p;
            return true;
        }
    }
    return false;
}

bool engine_member_facts(const struct engine *engine, const char *name, struct member_facts *out) {
    node_id node;
    if (!fabric_find_node(engine->fabric, name, &node) || node.i >= engine->fabric->host_count ||
        !engine->hosts[node.i].has_facts) {
        return false;
    }
    *out = engine->hosts[node.i].facts;
    return true;
}

uint32_t engine_order_count(const struct engine *engine) {
    return engine->order_count;
}

void engine_order_at(const struct engine *engine, uint32_t index, struct engine_order *out) {
    const struct order_record *record = &engine->orders[index];
    *out = (struct engine_order){record->name, record->order, record->origin};
}

void engine_stats(const struct engine *engine, struct engine_stats *out) {
    *out = engine->stats;
    out->diagnosis_sent = engine->diagnose.sent;
    out->diagnosis_lost = engine->diagnose.lost;
    out->diagnosis_late = engine->diagnose.late_windows;
    out->trains_sent = engine->capacity.trains_sent;
    out->trains_failed = engine->capacity.trains_failed;
    out->ecn_probes_sent = engine->congestion.sent;
    out->ecn_probes_marked = engine->congestion.marked;
}

static int check_members(const struct engine *engine, struct error *why) {
    if (!gossip_joined(engine->gossip)) {
        return error_set(why, -EAGAIN, "not joined: no seed has answered yet");
    }
    for (uint32_t i = 0; i < engine->fabric->host_count; i++) {
        const struct host_view *host = &engine->hosts[i];
        const char *name = engine->fabric->nodes[i].name;
        if (host->known && (host->state == GOSSIP_DEAD || host->state == GOSSIP_SUSPECT)) {
            return error_set(why, -EIO, "member %s does not answer", name);
        }
        if (host_is_live(host) && host->has_facts && host->mismatch_noted) {
            return error_set(why, -EIO, "member %s has another fabric file of generation %llu",
                             name, (unsigned long long)engine->fabric->generation);
        }
    }
    return 0;
}

static int check_links(const struct engine *engine, struct error *why) {
    if (engine->valve.shut) {
        return error_set(why, -EIO, "the safety valve holds up %u links that would be down",
                         engine->valve.held_count);
    }
    for (uint32_t i = 0; i < fabric_link_count(engine->fabric); i++) {
        enum probe_state own = engine->prober.links[i].state;
        if (engine->beliefs[i].down || own == PROBE_DOWN) {
            char name[LINK_NAME_SIZE];
            fabric_format_link(engine->fabric, (link_id){i}, name);
            return error_set(why, -EIO, "link %s is down", name);
        }
    }
    return 0;
}

static int check_flows(const struct engine *engine, struct error *why) {
    for (uint32_t i = 0; i < engine->own_port_count; i++) {
        if (engine->router.nic_failed[i]) {
            return error_set(why, -EIO,
                             "the NIC does not take the rules of port %u: srv6-ctl events says why",
                             i);
        }
    }
    for (uint32_t i = 0; i < engine->router.plan.flow_count; i++) {
        const struct plan_flow *flow = &engine->router.plan.flows[i];
        const char *reason = plain_reason(engine, &engine->router.plan, flow);
        if (reason != NULL && !flow->local) {
            char dst[NAME_SIZE + 4];
            fabric_format_port(engine->fabric, flow->dst, dst);
            return error_set(why, -EIO, "flow to %s is not steered: %s", dst, reason);
        }
    }
    return 0;
}

bool engine_healthy(const struct engine *engine, struct error *why) {
    return check_members(engine, why) == 0 && check_links(engine, why) == 0 &&
           check_flows(engine, why) == 0;
}
