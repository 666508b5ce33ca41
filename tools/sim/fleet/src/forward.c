// SPDX-License-Identifier: Apache-2.0
#include "forward.h"

#include <string.h>

// The link that a node takes for a uSID that is not its own: a neighbour's uN, or a host port below
// it.
static bool next_link(const struct fabric *fabric, node_id at, uint16_t usid, link_id *out) {
    const struct fabric_node *node = &fabric->nodes[at.i];
    for (uint32_t i = 0; i < node->adjacency_count; i++) {
        const struct fabric_adjacency *adjacency = &fabric->adjacencies[node->first_adjacency + i];
        port_id port;
        bool is_host = fabric->nodes[adjacency->peer.i].kind == NODE_HOST;
        bool match = is_host ? fabric_find_port_by_usid(fabric, usid, &port) &&
                                   fabric->ports[port.i].cable.i == link_cable(adjacency->link).i
                             : fabric->nodes[adjacency->peer.i].usid == usid;
        if (match) {
            *out = adjacency->link;
            return true;
        }
    }
    return false;
}

static bool adjacency_link(const struct fabric *fabric, node_id at, uint16_t usid, link_id *out) {
    const struct fabric_node *node = &fabric->nodes[at.i];
    for (uint32_t i = 0; i < node->adjacency_count; i++) {
        link_id link = fabric->adjacencies[node->first_adjacency + i].link;
        if (fabric->cables[link_cable(link).i].usid_adjacency[link_is_reverse(link)] == usid) {
            *out = link;
            return true;
        }
    }
    return false;
}

// A packet on its way: the list, the carrier in use and what is left of it.
struct packet {
    const struct sid_list *sids;
    unsigned carrier;
    struct sid sid;
};

static bool shift(struct packet *packet) {
    if (!sid_shift(&packet->sid)) {
        if (++packet->carrier == packet->sids->count) {
            return false;
        }
        packet->sid = packet->sids->sids[packet->carrier];
    }
    return true;
}

// A switch takes its own uN and its uAs off, and sends the packet on. False: it has no way.
static bool leave_switch(const struct fabric *fabric, node_id at, struct packet *packet,
                         link_id *link) {
    for (;;) {
        uint16_t usid = sid_first_usid(&packet->sid);
        if (usid >= USID_ADJACENCY_MIN) {
            return adjacency_link(fabric, at, usid, link) && shift(packet);
        }
        if (usid != fabric->nodes[at.i].usid) {
            return next_link(fabric, at, usid, link);
        }
        if (!shift(packet)) {
            return false;
        }
    }
}

static enum delivery arrive(const struct fabric *fabric, link_id link, const struct packet *packet,
                            port_id *port) {
    bool known = fabric_find_port_by_usid(fabric, sid_first_usid(&packet->sid), port);
    bool own = known && fabric->ports[port->i].cable.i == link_cable(link).i;
    return own ? DELIVERED : LOST_ASTRAY;
}

void forward(const struct fabric *fabric, const bool *cut, port_id from,
             const struct sid_list *sids, struct fleet_trip *trip) {
    *trip = (struct fleet_trip){.end = LOST_ASTRAY, .cut = {ID_NONE}};
    struct packet packet = {.sids = sids, .sid = sids->sids[0]};
    link_id link = link_of(fabric->ports[from.i].cable, false);
    bool way = true;
    while (way && trip->link_count < TRIP_LINKS_MAX) {
        trip->links[trip->link_count++] = link;
        if (cut[link.i] && trip->cut.i == ID_NONE) {
            trip->cut = link;
        }
        node_id at = fabric_link_to(fabric, link);
        if (fabric->nodes[at.i].kind == NODE_HOST) {
            trip->end = arrive(fabric, link, &packet, &trip->port);
            break;
        }
        way = leave_switch(fabric, at, &packet, &link);
    }
    if (trip->cut.i != ID_NONE) {
        trip->end = LOST_ON_CUT;
    }
}

static const struct rule *find_rule(const struct rule_set *nic, const struct rule_match *match) {
    uint32_t first = 0, end = nic->rule_count;
    while (first < end) {
        uint32_t middle = first + (end - first) / 2;
        if (rule_match_compare(&nic->rules[middle].match, match) < 0) {
            first = middle + 1;
        } else {
            end = middle;
        }
    }
    bool found =
        first < nic->rule_count && rule_match_compare(&nic->rules[first].match, match) == 0;
    return found ? &nic->rules[first] : NULL;
}

const struct rule *forward_rule(const struct rule_set *nic, const struct fabric_port *to,
                                uint32_t qp, bool ipv6) {
    struct rule_match match = {.destination = {[10] = 0xff, [11] = 0xff},
                               .key_kind = RULE_KEY_QP,
                               .key = qp};
    if (ipv6) {
        memcpy(match.destination, to->ipv6, sizeof match.destination);
    } else {
        memcpy(match.destination + 12, to->ipv4, 4);
    }
    const struct rule *exact = find_rule(nic, &match);
    match.key_kind = RULE_KEY_DEFAULT;
    match.key = 0;
    return exact != NULL ? exact : find_rule(nic, &match);
}
