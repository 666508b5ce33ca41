// SPDX-License-Identifier: Apache-2.0
// SIDs and routes. A switch knows: its own uN and uAs, its neighbours' uNs, the uSIDs of the host
// ports below it, and, for packets that nobody steers, the host subnets by ECMP.
#include "plan.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_BITS ((unsigned)(8 * sizeof(struct usid_block)))
#define USID_BITS 16
#define LOCATOR_BITS (BLOCK_BITS + USID_BITS)
#define FLAVORS "flavors next-csid lblen %u nflen %u"
#define PORT_TABLE_FIRST 100 // routing table of a host's port

static void format_sid(const struct lab *lab, uint16_t usid, char text[SID_TEXT_SIZE]) {
    struct sid sid = sid_of(lab->fabric->block, usid);
    sid_format(&sid, text);
}

static void print_next_hop(const struct lab *lab, link_id link, const char *family, FILE *file) {
    char device[IFNAMSIZ], peer[LAB_ADDRESS_SIZE];
    lab_device(lab, link, device);
    lab_ipv6(lab, link_opposite(link), peer);
    fprintf(file, " nexthop via %s%s dev %s", family, peer, device);
}

// The neighbour's uN over all cables to it. `adjacency` is the first of them; returns how many.
static uint32_t print_neighbour_sid(const struct lab *lab, const struct fabric_node *self,
                                    uint32_t first, FILE *file) {
    const struct fabric_adjacency *adjacency =
        &lab->fabric->adjacencies[self->first_adjacency + first];
    const struct fabric_port *port = lab_port_of_link(lab, adjacency->link);
    char sid[SID_TEXT_SIZE];
    format_sid(lab, port != NULL ? port->usid : lab->fabric->nodes[adjacency->peer.i].usid, sid);
    fprintf(file, "route add %s/%u", sid, LOCATOR_BITS);
    uint32_t count = 0;
    do {
        print_next_hop(lab, adjacency[count].link, "", file);
        count++;
    } while (port == NULL && first + count < self->adjacency_count &&
             adjacency[count].peer.i == adjacency->peer.i);
    fputc('\n', file);
    return count;
}

void plan_node_sids(const struct lab *lab, node_id node, FILE *file) {
    const struct fabric_node *self = &lab->fabric->nodes[node.i];
    if (self->adjacency_count == 0) {
        return;
    }
    char sid[SID_TEXT_SIZE], device[IFNAMSIZ];
    format_sid(lab, self->usid, sid);
    lab_device(lab, lab->fabric->adjacencies[self->first_adjacency].link, device);
    fprintf(file, "route add %s/%u encap seg6local action End " FLAVORS " dev %s\n", sid,
            LOCATOR_BITS, BLOCK_BITS, USID_BITS, device);
    for (uint32_t i = 0; i < self->adjacency_count;) {
        i += print_neighbour_sid(lab, self, i, file);
    }
}

void plan_adjacency_sids(const struct lab *lab, node_id node, FILE *file) {
    const struct fabric_node *self = &lab->fabric->nodes[node.i];
    for (uint32_t i = 0; i < self->adjacency_count; i++) {
        link_id link = lab->fabric->adjacencies[self->first_adjacency + i].link;
        const struct fabric_cable *cable = &lab->fabric->cables[link_cable(link).i];
        uint16_t usid = cable->usid_adjacency[link_is_reverse(link) ? 1 : 0];
        if (usid == 0) {
            continue;
        }
        char sid[SID_TEXT_SIZE], device[IFNAMSIZ], peer[LAB_ADDRESS_SIZE];
        format_sid(lab, usid, sid);
        lab_device(lab, link, device);
        lab_ipv6(lab, link_opposite(link), peer);
        fprintf(file, "route add %s/%u encap seg6local action End.X nh6 %s " FLAVORS " dev %s\n",
                sid, LOCATOR_BITS, peer, BLOCK_BITS, USID_BITS, device);
    }
}

// One way out of a host: to everything, and to the SID block (a probe's way back must not depend on
// a default route that someone removes).
static void print_exit(const struct lab *lab, const struct fabric_port *port, const char *where,
                       FILE *file) {
    char device[IFNAMSIZ], gateway[LAB_ADDRESS_SIZE], block[SID_TEXT_SIZE];
    link_id down = link_of(port->cable, true);
    lab_device(lab, link_opposite(down), device);
    format_sid(lab, 0, block);
    lab_ipv4(lab, down, gateway);
    fprintf(file, "route add default via %s dev %s %s\n", gateway, device, where);
    lab_ipv6(lab, down, gateway);
    fprintf(file, "route add default via %s dev %s %s\n", gateway, device, where);
    fprintf(file, "route add %s/%u via %s dev %s %s\n", block, BLOCK_BITS, gateway, device, where);
}

static void print_source_rule(const struct fabric_port *port, const char *address, FILE *file) {
    fprintf(file, "rule add from %s table %u\n", address, (unsigned)PORT_TABLE_FIRST + port->index);
}

// Packets leave by the port whose address they carry; others by the lowest port that is up.
static void print_ipv4_rule(const struct fabric_port *port, FILE *file) {
    char address[LAB_ADDRESS_SIZE];
    inet_ntop(AF_INET, port->ipv4, address, sizeof address);
    print_source_rule(port, address, file);
}

void plan_host_routes(const struct lab *lab, node_id host, FILE *file) {
    const struct fabric_node *self = &lab->fabric->nodes[host.i];
    for (uint32_t i = 0; i < self->port_count; i++) {
        const struct fabric_port *port = &lab->fabric->ports[self->first_port + i];
        char sid[SID_TEXT_SIZE], where[32];
        format_sid(lab, port->usid, sid);
        fprintf(file, "addr add %s/128 dev lo nodad\n", sid);
        snprintf(where, sizeof where, "metric %u", 1024U + port->index);
        print_exit(lab, port, where, file);
        if (self->port_count > 1) {
            snprintf(where, sizeof where, "table %u", (unsigned)PORT_TABLE_FIRST + port->index);
            print_exit(lab, port, where, file);
            print_ipv4_rule(port, file);
        }
    }
}

void plan_host_rules(const struct lab *lab, node_id host, FILE *file) {
    const struct fabric_node *self = &lab->fabric->nodes[host.i];
    for (uint32_t i = 0; i < self->port_count && self->port_count > 1; i++) {
        const struct fabric_port *port = &lab->fabric->ports[self->first_port + i];
        char address[LAB_ADDRESS_SIZE], sid[SID_TEXT_SIZE];
        inet_ntop(AF_INET6, port->ipv6, address, sizeof address);
        print_source_rule(port, address, file);
        format_sid(lab, port->usid, sid);
        print_source_rule(port, sid, file);
    }
}

// Hops from every switch to `leaf` over links that carry anything; UINT32_MAX where there is no
// way.
static void measure_distances(const struct lab *lab, node_id leaf, uint32_t *distance,
                              uint32_t *queue) {
    const struct fabric *fabric = lab->fabric;
    memset(distance, 0xff, sizeof *distance * fabric->node_count);
    uint32_t head = 0, tail = 0;
    distance[leaf.i] = 0;
    queue[tail++] = leaf.i;
    while (head < tail) {
        const struct fabric_node *node = &fabric->nodes[queue[head++]];
        uint32_t from = (uint32_t)(node - fabric->nodes);
        for (uint32_t i = 0; i < node->adjacency_count; i++) {
            const struct fabric_adjacency *next = &fabric->adjacencies[node->first_adjacency + i];
            if (lab_is_host_link(lab, next->link) || distance[next->peer.i] != UINT32_MAX ||
                lab_link_is_dead(lab, link_opposite(next->link))) {
                continue;
            }
            distance[next->peer.i] = distance[from] + 1;
            queue[tail++] = next->peer.i;
        }
    }
}

static void print_subnet_route(const struct lab *lab, const struct fabric_node *self,
                               const char *subnet, const char *family, const uint32_t *distance,
                               FILE *file) {
    uint32_t own = distance[self - lab->fabric->nodes];
    fprintf(file, "route add %s", subnet);
    for (uint32_t i = 0; i < self->adjacency_count; i++) {
        const struct fabric_adjacency *next = &lab->fabric->adjacencies[self->first_adjacency + i];
        if (!lab_is_host_link(lab, next->link) && !lab_link_is_dead(lab, next->link) &&
            distance[next->peer.i] + 1 == own) {
            print_next_hop(lab, next->link, family, file);
        }
    }
    fputc('\n', file);
}

static void format_subnets(const struct fabric_port *port, char ipv4[64], char ipv6[64]) {
    uint8_t net4[4], net6[16];
    char text[LAB_ADDRESS_SIZE];
    memcpy(net4, port->ipv4, sizeof net4);
    net4[3] &= 0xfc;
    inet_ntop(AF_INET, net4, text, sizeof text);
    snprintf(ipv4, 64, "%s/30", text);
    memcpy(net6, port->ipv6, sizeof net6);
    net6[14] = net6[15] = 0;
    inet_ntop(AF_INET6, net6, text, sizeof text);
    snprintf(ipv6, 64, "%s/112", text);
}

int plan_switch_routes(const struct lab *lab, node_id node, FILE *file) {
    const struct fabric *fabric = lab->fabric;
    uint32_t *distance = malloc(2 * sizeof *distance * fabric->node_count);
    if (distance == NULL) {
        return -ENOMEM;
    }
    node_id measured = {ID_NONE};
    for (uint32_t i = 0; i < fabric->port_count; i++) {
        const struct fabric_port *port = &fabric->ports[i];
        if (measured.i != port->leaf.i) {
            measured = port->leaf;
            measure_distances(lab, measured, distance, distance + fabric->node_count);
        }
        if (port->leaf.i == node.i || distance[node.i] == UINT32_MAX) {
            continue; // connected, or out of reach
        }
        char ipv4[64], ipv6[64];
        format_subnets(port, ipv4, ipv6);
        print_subnet_route(lab, &fabric->nodes[node.i], ipv4, "inet6 ", distance, file);
        print_subnet_route(lab, &fabric->nodes[node.i], ipv6, "", distance, file);
    }
    free(distance);
    return 0;
}
