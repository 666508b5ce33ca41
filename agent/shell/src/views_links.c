// SPDX-License-Identifier: Apache-2.0
// links, and why a link is what it is.
#include <stdio.h>
#include <string.h>

#include "agent.h"
#include "agent_shell/clock.h"
#include "views_diagnosis.h"

#define EXIT_FAILED 1

static json_t *integer(uint64_t value) {
    return json_integer((json_int_t)value);
}

static json_t *link_row(const struct agent *agent, link_id id) {
    const struct fabric *fabric = engine_fabric(agent->engine);
    struct engine_link link;
    engine_link_at(agent->engine, id, &link);
    return json_pack(
        "{s:o, s:s, s:s, s:f, s:o, s:o, s:o, s:o, s:i, s:i, s:b, s:o, s:o, s:s, s:s, s:i, s:o}",
        "link", link_name_json(fabric, id), "state", link_state_name(&link.belief), "own",
        probe_state_name(link.own), "capacity", link.belief.capacity_ppm / 1e6, "rate_bps",
        integer(belief_rate_bps(fabric, &link.belief, id)), "rtt_ns", integer(link.rtt_ns),
        "probes_sent", integer(link.sent), "probes_lost", integer(link.lost), "down_votes",
        (int)link.belief.down_votes, "observers", (int)link.belief.observer_count, "monitored",
        link.monitored, "ecn_ppm", link.ecn_known ? integer(link.ecn_ppm) : json_null(), "cnps",
        integer(link.cnps), "fault", link_fault_name(link.fault), "fault_place",
        fault_place_name(link.fault_place), "loss_ppm", (int)link.fault_ppm, "excess_ns",
        integer(link.excess_ns));
}

// ---- why

static const char *standing_name(enum vote_standing standing) {
    static const char *const names[] = {
        [VOTE_COUNTS] = "counts",      [VOTE_TAKEN_BACK] = "taken back, counts for a while",
        [VOTE_GONE] = "agent is dead", [VOTE_NOT_ELECTED] = "not elected",
        [VOTE_BLIND] = "blind",        [VOTE_ONE_RACK] = "from one rack only"};
    return names[standing];
}

static json_t *evidence_json(const struct agent *agent, link_id link) {
    const struct fabric *fabric = engine_fabric(agent->engine);
    uint32_t count = 0;
    const struct link_evidence *evidence = engine_evidence(agent->engine, link, &count);
    json_t *list = json_array();
    for (uint32_t i = 0; i < count; i++) {
        const struct link_report *report = &evidence[i].report;
        const struct fabric_node *observer = &fabric->nodes[evidence[i].observer.i];
        node_id leaf = fabric->ports[observer->first_port].leaf;
        json_array_append_new(
            list, json_pack("{s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o}", "observer", observer->name,
                            "rack", fabric->nodes[leaf.i].name, "verdict",
                            report->verdict == LINK_DOWN ? "down" : "up", "vote",
                            standing_name(engine_vote_standing(agent->engine, link, i)),
                            "capacity_ppm", integer(report->capacity_ppm), "loss_ppm",
                            integer(report->loss_ppm), "delay_ns", integer(report->delay_ns),
                            "probe_count", integer(report->probe_count)));
    }
    return list;
}

static const char *order_kind(enum drain_kind kind) {
    return kind == DRAIN_LINK ? "link" : kind == DRAIN_NODE ? "node" : "capacity";
}

// True when an order names the link, its cable, or one of its ends.
static bool concerns(const struct fabric *fabric, const char *name, link_id link) {
    link_id named;
    cable_id first;
    uint32_t count;
    node_id node;
    if (fabric_find_link(fabric, name, &named) && named.i == link.i) {
        return true;
    }
    if (fabric_find_cables(fabric, name, &first, &count)) {
        uint32_t cable = link_cable(link).i;
        return cable >= first.i && cable < first.i + count;
    }
    return fabric_find_node(fabric, name, &node) &&
           (node.i == fabric_link_from(fabric, link).i || node.i == fabric_link_to(fabric, link).i);
}

static json_t *orders_json(const struct agent *agent, link_id link) {
    json_t *list = json_array();
    for (uint32_t i = 0; i < engine_order_count(agent->engine); i++) {
        struct engine_order order;
        engine_order_at(agent->engine, i, &order);
        if (order.order.active && concerns(engine_fabric(agent->engine), order.name, link)) {
            json_array_append_new(list,
                                  json_pack("{s:s, s:s, s:s}", "name", order.name, "kind",
                                            order_kind(order.order.kind), "origin", order.origin));
        }
    }
    return list;
}

static json_t *own_json(const struct engine_link *link) {
    uint64_t now_ns = clock_now_ns();
    uint64_t changed_ns = link->changed_at_ns < now_ns ? now_ns - link->changed_at_ns : 0;
    bool held = link->own == PROBE_HELD && link->held_until_ns > now_ns;
    return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "state",
                     probe_state_name(link->own), "probes_sent", integer(link->sent), "probes_lost",
                     integer(link->lost), "recent_probes_sent", integer(link->recent_sent),
                     "recent_probes_lost", integer(link->recent_lost), "recent_ns",
                     integer(link->recent_ns), "rtt_ns", integer(link->rtt_ns), "changed_ago_ns",
                     link->changed_at_ns == 0 ? json_null() : integer(changed_ns), "held_for_ns",
                     integer(held ? link->held_until_ns - now_ns : 0), "ecn_ppm",
                     link->ecn_known ? integer(link->ecn_ppm) : json_null());
}

static json_t *reason_up(const struct engine_link *link, const char *name, size_t orders) {
    const struct link_belief *belief = &link->belief;
    if (belief->observer_count == 0) {
        return json_sprintf("%s is taken to be up: no elected observer reports on it", name);
    }
    if (belief->blind_votes > 0) {
        return json_sprintf(
            "%s is up: %u observers report; %u say down and count, %u say so of most "
            "of their links while others see this one up",
            name, belief->observer_count, belief->down_votes, belief->blind_votes);
    }
    return json_sprintf("%s is up: %u observers report, %u of them say down%s", name,
                        belief->observer_count, belief->down_votes,
                        orders > 0 ? "; an operator changed its capacity" : "");
}

static json_t *reason_json(const struct engine_link *link, const char *name, size_t orders) {
    const struct link_belief *belief = &link->belief;
    if (belief->down) {
        return json_sprintf("%s is down: %u of %u observers say so", name, belief->down_votes,
                            belief->observer_count);
    }
    if (link->held_by_valve) {
        return json_sprintf("%s would be down by %u of %u observers; the safety valve holds it up, "
                            "since too many links would go down at once",
                            name, belief->down_votes, belief->observer_count);
    }
    if (belief->drained) {
        return json_sprintf("%s is drained by an operator's order", name);
    }
    if (belief->lossy) {
        return json_sprintf("%s loses %.2f %% or more by %u of %u observers%s", name,
                            belief->loss_ppm / 1e4, belief->lossy_votes, belief->observer_count,
                            belief->avoided ? ": it is avoided as if drained"
                                            : "; it stays in use");
    }
    if (link->own == PROBE_DOWN) {
        return json_sprintf("%s is up for all (%u of %u observers say down, which is not enough), "
                            "but this host's own probes are lost: its own flows avoid it",
                            name, belief->down_votes, belief->observer_count);
    }
    if (link->own == PROBE_HELD) {
        return json_sprintf("%s answers again and is held down until it has answered long enough",
                            name);
    }
    return reason_up(link, name, orders);
}

static json_t *explain_link(const struct agent *agent, link_id id) {
    struct engine_link link;
    char name[LINK_NAME_SIZE];
    fabric_format_link(engine_fabric(agent->engine), id, name);
    engine_link_at(agent->engine, id, &link);
    json_t *orders = orders_json(agent, id);
    return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o}", "link", name, "state",
                     link_state_name(&link.belief), "reason",
                     reason_json(&link, name, json_array_size(orders)), "evidence",
                     evidence_json(agent, id), "own", own_json(&link), "orders", orders,
                     "diagnosis", diagnosis_json(agent, id, &link));
}

static json_t *explain(struct agent *agent, const char *name, struct control_refusal *refusal) {
    const struct fabric *fabric = engine_fabric(agent->engine);
    link_id link;
    cable_id first;
    uint32_t count;
    if (fabric_find_link(fabric, name, &link)) {
        return explain_link(agent, link);
    }
    if (!fabric_find_cables(fabric, name, &first, &count)) {
        return refuse(refusal, EXIT_FAILED,
                      "no link %.80s in this fabric (a link is named leaf0>spine0, a cable "
                      "leaf0-spine0)",
                      name);
    }
    json_t *list = json_array();
    for (uint32_t i = 0; i < count; i++) {
        for (int reverse = 0; reverse < 2; reverse++) {
            json_array_append_new(list, explain_link(agent, link_of((cable_id){first.i + i},
                                                                    reverse != 0)));
        }
    }
    return json_pack("{s:o}", "links", list);
}

json_t *view_links(struct agent *agent, json_t *arguments, struct control_refusal *refusal) {
    const struct fabric *fabric = engine_fabric(agent->engine);
    json_t *why = json_object_get(arguments, "why");
    if (json_is_string(why)) {
        return explain(agent, json_string_value(why), refusal);
    }
    json_t *list = json_array();
    for (uint32_t i = 0; i < fabric_link_count(fabric); i++) {
        if (fabric_link_is_internal(fabric, (link_id){i})) {
            json_array_append_new(list, link_row(agent, (link_id){i}));
        }
    }
    return json_pack("{s:o}", "links", list);
}
