// SPDX-License-Identifier: Apache-2.0
// uSIDs of nodes and ports, and the ports' addresses.
//
//   port p: IPv4 base + 4p + 2 in a /30 whose + 1 is the leaf;  IPv6 base + (p << 16) + 2 in a /112
//   whose + 1 is the leaf
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "fabric_internal.h"

struct numbering {
    struct builder *builder;
    uint32_t *owner; // by uSID: the node, ID_NONE when free
    uint32_t next;
};

static void claim(struct numbering *numbering, uint32_t node, uint32_t usid) {
    struct builder *builder = numbering->builder;
    const struct fabric_node *nodes = builder->fabric->nodes;
    if (usid < USID_NODE_MIN || usid > USID_NODE_MAX) {
        complaints_add(&builder->complaints, nodes[node].line, "%s: uSID 0x%x: 0x%04x to 0x%04x",
                       nodes[node].name, usid, USID_NODE_MIN, USID_NODE_MAX);
    } else if (numbering->owner[usid] != ID_NONE) {
        complaints_add(&builder->complaints, nodes[node].line,
                       "%s: uSID 0x%04x: already that of %s", nodes[node].name, usid,
                       nodes[numbering->owner[usid]].name);
    } else {
        numbering->owner[usid] = node;
    }
}

// How many uSIDs a node has: a host one for each port.
static uint32_t usid_count(const struct fabric_node *node) {
    return node->kind == NODE_HOST ? node->port_count : 1;
}

static uint32_t wanted_usid(const struct builder *builder, uint32_t node) {
    return builder->nodes[builder->node_desc[node]].usid;
}

// The next `count` free uSIDs in a row; 0 when the block is used up.
static uint32_t next_free(struct numbering *numbering, uint32_t count) {
    uint32_t row = 0;
    while (row < count && numbering->next <= USID_NODE_MAX) {
        row = numbering->owner[numbering->next++] == ID_NONE ? row + 1 : 0;
    }
    return row == count ? numbering->next - count : 0;
}

static void set_usid(struct fabric *fabric, uint32_t i, uint32_t usid) {
    struct fabric_node *node = &fabric->nodes[i];
    node->usid = (uint16_t)usid;
    for (uint32_t k = 0; k < node->port_count; k++) {
        uint32_t port = node->first_port + k;
        fabric->ports[port].usid = (uint16_t)(usid + k);
        fabric->port_by_usid[(uint16_t)(usid + k)] = port;
    }
}

static void number_node(struct numbering *numbering, uint32_t node) {
    struct fabric *fabric = numbering->builder->fabric;
    uint32_t usid = wanted_usid(numbering->builder, node);
    uint32_t count = usid_count(&fabric->nodes[node]);
    if (usid == 0 && count > 0) {
        usid = next_free(numbering, count);
        for (uint32_t k = 0; usid != 0 && k < count; k++) {
            numbering->owner[usid + k] = node;
        }
    }
    set_usid(fabric, node, usid);
}

static void number_all(struct numbering *numbering) {
    const struct builder *builder = numbering->builder;
    const struct fabric *fabric = builder->fabric;
    for (uint32_t i = 0; i < fabric->node_count; i++) {
        uint32_t usid = wanted_usid(builder, i);
        for (uint32_t k = 0; usid != 0 && k < usid_count(&fabric->nodes[i]); k++) {
            claim(numbering, i, usid + k);
        }
    }
    for (uint32_t i = fabric->host_count; i < fabric->node_count; i++) {
        number_node(numbering, i);
    }
    for (uint32_t i = 0; i < fabric->host_count; i++) {
        number_node(numbering, i);
    }
}

static bool set_usids(struct builder *builder) {
    struct fabric *fabric = builder->fabric;
    struct numbering numbering = {.builder = builder, .next = USID_NODE_MIN};
    const size_t size = (UINT16_MAX + 1) * sizeof numbering.owner[0];
    fabric->port_by_usid = malloc(size);
    numbering.owner = malloc(size);
    if (fabric->port_by_usid == NULL || numbering.owner == NULL) {
        free(numbering.owner);
        complaints_no_memory(&builder->complaints);
        return false;
    }
    memset(fabric->port_by_usid, 0xff, size); // ID_NONE
    memset(numbering.owner, 0xff, size);
    uint32_t needed = fabric->node_count - fabric->host_count + fabric->port_count;
    if (needed > USID_NODE_MAX) {
        complaints_add(&builder->complaints, builder->desc->line_block,
                       "block %.40s: %u node uSIDs needed, a block has %d", builder->desc->block,
                       needed, USID_NODE_MAX);
    } else {
        number_all(&numbering);
    }
    free(numbering.owner);
    return true;
}

static void put_ipv4(uint8_t bytes[4], uint32_t address) {
    for (unsigned i = 0; i < 4; i++) {
        bytes[i] = (uint8_t)(address >> (24 - 8 * i));
    }
}

static uint32_t get_ipv4(const uint8_t bytes[4]) {
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

// base + (port << 16) + low, carried into the bytes above.
static void put_ipv6(uint8_t bytes[16], const uint8_t base[16], uint64_t port, uint64_t low) {
    uint64_t sum = (port << 16) + low;
    unsigned carry = 0;
    for (unsigned i = 16; i-- > 0; sum >>= 8) {
        unsigned digit = base[i] + (unsigned)(sum & 0xff) + carry;
        bytes[i] = (uint8_t)digit;
        carry = digit >> 8;
    }
}

static void set_ipv4(struct builder *builder, struct fabric_port *port, const char *text,
                     uint32_t number, uint32_t line) {
    uint32_t address = builder->ipv4_base + 4 * number + 2;
    if (text != NULL) {
        uint8_t bytes[4];
        if (inet_pton(AF_INET, text, bytes) != 1 || (get_ipv4(bytes) & 3) != 2) {
            complaints_add(&builder->complaints, line,
                           "ipv4 %.40s: not the second address of a /30 (the first is the leaf's)",
                           text);
            return;
        }
        address = get_ipv4(bytes) + 4 * number;
    }
    put_ipv4(port->ipv4, address);
    put_ipv4(port->gateway_ipv4, address - 1);
}

static void set_ipv6(struct builder *builder, struct fabric_port *port, const char *text,
                     uint32_t number, uint32_t line) {
    uint8_t network[16];
    memcpy(network, builder->ipv6_base, sizeof network);
    if (text != NULL) {
        if (inet_pton(AF_INET6, text, network) != 1 || network[14] != 0 || network[15] != 2) {
            complaints_add(&builder->complaints, line,
                           "ipv6 %.40s: not address 2 of a /112 (1 is the leaf's)", text);
            return;
        }
        network[15] = 0;
    }
    put_ipv6(port->ipv6, network, number, 2);
    put_ipv6(port->gateway_ipv6, network, number, 1);
}

bool fabric_address_ports(struct builder *builder) {
    struct fabric *fabric = builder->fabric;
    if (!set_usids(builder)) {
        return false;
    }
    for (uint32_t i = 0; i < fabric->port_count; i++) {
        struct fabric_port *port = &fabric->ports[i];
        const struct resolved_link *link = &builder->resolved[builder->cable_link[port->cable.i]];
        const struct fabric_link_desc *desc = &builder->links[link->desc];
        // An address in the file is that of the link's first cable; its parallels follow on.
        uint32_t parallel = port->cable.i - link->first_cable;
        set_ipv4(builder, port, desc->ipv4, desc->ipv4 != NULL ? parallel : i, desc->line);
        set_ipv6(builder, port, desc->ipv6, desc->ipv6 != NULL ? parallel : i, desc->line);
    }
    return true;
}
