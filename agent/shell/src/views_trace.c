// SPDX-License-Identifier: Apache-2.0
// trace: the directed links that a flow's packets take now, and what probes over the same links
// say. No packet is sent for it.
#include "model/time.h"
#include "views_diagnosis.h"
#include "views_flows.h"

#define RECENT_NS (60 * NS_PER_S) // of losses and marks

static json_t *integer(uint64_t value) {
    return json_integer((json_int_t)value);
}

static json_t *known_integer(bool known, uint64_t value) {
    return known ? integer(value) : json_null();
}

// What own probes saw of the link in the last minute; nulls where none crossed it.
static json_t *recent_json(const struct agent *agent, link_id link) {
    struct engine_history_point point = {.sent = 0};
    (void)engine_history_at(agent->engine, link, RECENT_NS, RECENT_NS, &point);
    uint64_t loss = point.sent > 0 ? point.lost * UINT64_C(1000000) / point.sent : 0;
    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "probes_sent", integer(point.sent), "probes_lost",
                     integer(point.lost), "loss_ppm", known_integer(point.sent > 0, loss),
                     "ecn_ppm", known_integer(point.marks_known, point.marked_ppm), "own_rate_bps",
                     known_integer(point.rate_known, point.rate_bps));
}

static json_t *own_json(const struct engine_hop *hop) {
    return json_pack("{s:o, s:b, s:o, s:o, s:o, s:o}", "loops", integer(hop->loop_count),
                     "told_apart", hop->told_apart, "age_ns",
                     known_integer(hop->loop_count > 0, hop->age_ns), "loop_rtt_ns",
                     known_integer(hop->excess_known, hop->loop_rtt_ns), "usual_rtt_ns",
                     known_integer(hop->excess_known, hop->usual_rtt_ns), "excess_ns",
                     known_integer(hop->excess_known, hop->excess_ns));
}

// What localization named; null: nothing.
static json_t *fault_json(enum link_fault fault) {
    return fault == LINK_FAULT_LOSSY  ? json_string("lossy")
           : fault == LINK_FAULT_SLOW ? json_string("slow")
                                      : json_null();
}

static json_t *located_json(const struct engine_link *link) {
    bool lossy = link->fault == LINK_FAULT_LOSSY, slow = link->fault == LINK_FAULT_SLOW;
    return json_pack("{s:o, s:o, s:o}", "fault", fault_json(link->fault), "loss_ppm",
                     known_integer(lossy, link->fault_ppm), "excess_ns",
                     known_integer(slow, link->excess_ns));
}

static json_t *peers_json(const struct engine_hop *hop) {
    bool any = hop->report_count > 0;
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "reports", integer(hop->report_count),
                     "fault", fault_json(hop->report_fault), "fault_loss_ppm",
                     known_integer(hop->report_fault == LINK_FAULT_LOSSY, hop->report_fault_ppm),
                     "down", integer(hop->report_down_count), "loss_ppm",
                     known_integer(any, hop->report_loss_ppm), "age_ns",
                     known_integer(any, hop->report_age_ns));
}

static json_t *hop_json(const struct agent *agent, link_id id) {
    const struct fabric *fabric = engine_fabric(agent->engine);
    struct engine_link link;
    struct engine_hop hop;
    engine_link_at(agent->engine, id, &link);
    engine_hop_at(agent->engine, id, &hop);
    return json_pack("{s:s, s:s, s:o, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "from",
                     fabric->nodes[fabric_link_from(fabric, id).i].name, "to",
                     fabric->nodes[fabric_link_to(fabric, id).i].name, "link",
                     link_name_json(fabric, id), "state", link_state_name(&link.belief), "own",
                     probe_state_name(link.own), "rtt_ns", integer(link.rtt_ns), "probes_sent",
                     integer(link.sent), "probes_lost", integer(link.lost), "last_minute",
                     recent_json(agent, id), "loops", own_json(&hop), "located",
                     located_json(&link), "peers", peers_json(&hop));
}

static json_t *hops_json(const struct agent *agent, const struct path *path) {
    json_t *list = json_array();
    for (unsigned i = 0; path != NULL && i < path->link_count; i++) {
        json_array_append_new(list, hop_json(agent, path->links[i]));
    }
    return list;
}

// A part that leaves plain has no hops: switches choose its links by a hash.
static json_t *part_json(const struct agent *agent, uint32_t flow, uint32_t index) {
    const struct plan *plan = engine_plan(agent->engine);
    const struct plan_flow *planned = &plan->flows[flow];
    const struct plan_part *part = &plan->parts[planned->first_part + index];
    struct engine_part now;
    engine_part_at(agent->engine, flow, index, &now);
    double share = planned->bytes > 0 ? (double)part->bytes / (double)planned->bytes
                                      : 1.0 / planned->part_count;
    return json_pack("{s:f, s:s, s:o}", "share", share, "state", part_choice_name(now.choice),
                     "hops", hops_json(agent, now.path));
}

json_t *view_trace(struct agent *agent, json_t *arguments, struct control_refusal *refusal) {
    struct flow_name name;
    if (!flow_name_parse(agent, arguments, &name, refusal)) {
        return NULL;
    }
    const struct plan *plan = engine_plan(agent->engine);
    uint32_t flow = flow_name_next(agent, &name, 0), taken;
    bool qp_known = false;
    if (flow == plan->flow_count) {
        return flow_name_absent(agent, &name, refusal);
    }
    json_t *parts = json_array(), *reason = json_null();
    for (; flow < plan->flow_count; flow = flow_name_next(agent, &name, flow + 1)) {
        bool one = name.has_qp && engine_flow_qp_part(agent->engine, flow, name.qp, &taken);
        const char *plain = engine_plain_reason(agent->engine, flow);
        qp_known = qp_known || one;
        for (uint32_t i = 0; i < plan->flows[flow].part_count; i++) {
            if (!one || i == taken) {
                json_array_append_new(parts, part_json(agent, flow, i));
            }
        }
        if (plain != NULL) {
            json_decref(reason);
            reason = json_string(plain);
        }
    }
    return json_pack("{s:s, s:o, s:o, s:o}", "flow",
                     json_string_value(json_object_get(arguments, "flow")), "qp_known",
                     name.has_qp ? json_boolean(qp_known) : json_null(), "plain_reason", reason,
                     "parts", parts);
}
