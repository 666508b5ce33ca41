// SPDX-License-Identifier: Apache-2.0
// Lists of nodes and links -> the arrays of a fabric.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fabric_internal.h"
#include "fabric_name.h"

uint8_t node_kind_tier(enum node_kind kind) {
    switch (kind) {
    case NODE_HOST:
        return 0;
    case NODE_LEAF:
        return 1;
    case NODE_AGG:
    case NODE_SPINE:
        return 2;
    case NODE_CORE:
        return 3;
    }
    return 0;
}

uint32_t builder_cable_line(const struct builder *builder, uint32_t cable) {
    return builder->links[builder->resolved[builder->cable_link[cable]].desc].line;
}

static bool no_memory(struct builder *builder) {
    complaints_no_memory(&builder->complaints);
    return false;
}

static void add_node(struct builder *builder, uint32_t desc_index) {
    const struct fabric_node_desc *desc = &builder->nodes[desc_index];
    struct fabric *fabric = builder->fabric;
    if (!fabric_name_valid(desc->name)) {
        complaints_add(&builder->complaints, desc->line,
                       "%.40s: bad name: letters, digits, - and _, at most %d", desc->name,
                       NAME_SIZE - 1);
        return;
    }
    struct fabric_node *node = &fabric->nodes[fabric->node_count];
    snprintf(node->name, NAME_SIZE, "%s", desc->name);
    node->kind = desc->kind;
    node->tier = node_kind_tier(desc->kind);
    node->pod = desc->pod;
    node->line = desc->line;
    if (!fabric_name_index_add(fabric, fabric->node_count)) {
        complaints_add(&builder->complaints, desc->line, "%s: duplicate name", desc->name);
        *node = (struct fabric_node){0};
        return;
    }
    builder->node_desc[fabric->node_count++] = desc_index;
    fabric->host_count += desc->kind == NODE_HOST;
}

// Hosts first, then tier by tier, each in the order of the list.
static bool add_nodes(struct builder *builder) {
    struct fabric *fabric = builder->fabric;
    fabric->node_count = builder->node_count; // sizes the index
    fabric->nodes = calloc((size_t)builder->node_count + 1, sizeof fabric->nodes[0]);
    builder->node_desc = calloc((size_t)builder->node_count + 1, sizeof builder->node_desc[0]);
    if (fabric->nodes == NULL || builder->node_desc == NULL || !fabric_name_index_init(fabric)) {
        return no_memory(builder);
    }
    fabric->node_count = 0;
    for (uint8_t tier = 0; tier <= 3; tier++) {
        for (uint32_t i = 0; i < builder->node_count; i++) {
            if (node_kind_tier(builder->nodes[i].kind) == tier) {
                add_node(builder, i);
            }
        }
    }
    return true;
}

static bool find_end(struct builder *builder, const struct fabric_link_desc *desc, const char *name,
                     const char *other, node_id *out) {
    if (fabric_find_node(builder->fabric, name, out)) {
        return true;
    }
    complaints_add(&builder->complaints, desc->line, "%.40s: link to unknown node %.40s", other,
                   name);
    return false;
}

static bool tiers_touch(struct builder *builder, const struct fabric_link_desc *desc, node_id a,
                        node_id b) {
    const struct fabric_node *low = &builder->fabric->nodes[a.i];
    const struct fabric_node *high = &builder->fabric->nodes[b.i];
    if (high->tier == low->tier + 1) {
        return true;
    }
    complaints_add(
        &builder->complaints, desc->line,
        "%s: link to %s: a link joins host and leaf, leaf and spine or agg, agg and core",
        low->name, high->name);
    return false;
}

static bool link_numbers_sound(struct builder *builder, const struct fabric_link_desc *desc) {
    if (desc->cables == 0 || desc->cables > CABLES_PARALLEL_MAX) {
        complaints_add(&builder->complaints, desc->line, "%.40s-%.40s: %u cables: 1 to %d", desc->a,
                       desc->b, desc->cables, CABLES_PARALLEL_MAX);
        return false;
    }
    if (desc->rate_bps == 0) {
        complaints_add(&builder->complaints, desc->line, "%.40s-%.40s: gbps: must be above 0",
                       desc->a, desc->b);
        return false;
    }
    return true;
}

static void resolve_link(struct builder *builder, uint32_t desc_index) {
    const struct fabric_link_desc *desc = &builder->links[desc_index];
    const struct fabric_node *nodes = builder->fabric->nodes;
    node_id a, b;
    bool a_known = find_end(builder, desc, desc->a, desc->b, &a);
    bool b_known = find_end(builder, desc, desc->b, desc->a, &b);
    bool sound = link_numbers_sound(builder, desc);
    if (!a_known || !b_known) {
        return;
    }
    if (nodes[a.i].tier > nodes[b.i].tier) {
        node_id swap = a;
        a = b;
        b = swap;
    }
    if (tiers_touch(builder, desc, a, b) && sound) {
        builder->resolved[builder->resolved_count++] = (struct resolved_link){
            .a = a, .b = b, .desc = desc_index, .first_cable = builder->fabric->cable_count};
        builder->fabric->cable_count += desc->cables;
        builder->fabric->port_count += nodes[a.i].kind == NODE_HOST ? desc->cables : 0;
    }
}

static bool resolve_links(struct builder *builder) {
    builder->resolved = calloc((size_t)builder->link_count + 1, sizeof builder->resolved[0]);
    if (builder->resolved == NULL) {
        return no_memory(builder);
    }
    for (uint32_t i = 0; i < builder->link_count; i++) {
        resolve_link(builder, i);
        if (builder->fabric->cable_count > FABRIC_CABLES_MAX) {
            complaints_add(&builder->complaints, builder->links[i].line, "more than %d cables",
                           FABRIC_CABLES_MAX);
            return false;
        }
    }
    return true;
}

static void add_cables(struct builder *builder) {
    struct fabric *fabric = builder->fabric;
    for (uint32_t i = 0; i < builder->resolved_count; i++) {
        const struct resolved_link *link = &builder->resolved[i];
        const struct fabric_link_desc *desc = &builder->links[link->desc];
        for (uint32_t k = 0; k < desc->cables; k++) {
            uint32_t cable = link->first_cable + k;
            builder->cable_link[cable] = i;
            fabric->cables[cable] = (struct fabric_cable){
                .a = link->a,
                .b = link->b,
                .index = (uint8_t)k,
                .parallel_count = (uint8_t)desc->cables,
                .rate_bps = desc->rate_bps,
                .capacity_ppm = {CAPACITY_FULL_PPM, CAPACITY_FULL_PPM},
            };
            fabric->nodes[link->a.i].adjacency_count++;
            fabric->nodes[link->b.i].adjacency_count++;
        }
    }
}

static int compare_adjacency(const void *left, const void *right) {
    const struct fabric_adjacency *a = left, *b = right;
    if (a->peer.i != b->peer.i) {
        return a->peer.i < b->peer.i ? -1 : 1;
    }
    return a->link.i < b->link.i ? -1 : a->link.i > b->link.i;
}

static void add_adjacencies(struct fabric *fabric) {
    uint32_t first = 0;
    for (uint32_t i = 0; i < fabric->node_count; i++) {
        fabric->nodes[i].first_adjacency = first;
        first += fabric->nodes[i].adjacency_count;
        fabric->nodes[i].adjacency_count = 0;
    }
    for (uint32_t link = 0; link < fabric_link_count(fabric); link++) {
        node_id from = fabric_link_from(fabric, (link_id){link});
        struct fabric_node *node = &fabric->nodes[from.i];
        fabric->adjacencies[node->first_adjacency + node->adjacency_count++] =
            (struct fabric_adjacency){fabric_link_to(fabric, (link_id){link}), {link}};
    }
    fabric->adjacency_count = first;
    for (uint32_t i = 0; i < fabric->node_count; i++) {
        qsort(fabric->adjacencies + fabric->nodes[i].first_adjacency,
              fabric->nodes[i].adjacency_count, sizeof fabric->adjacencies[0], compare_adjacency);
    }
}

// One entry of the list per pair: two would leave it open which cables are parallel to which.
static void check_pairs(struct builder *builder, const struct fabric_node *node) {
    const struct fabric *fabric = builder->fabric;
    const struct fabric_adjacency *list = fabric->adjacencies + node->first_adjacency;
    for (uint32_t i = 1; i < node->adjacency_count; i++) {
        uint32_t cable = link_cable(list[i].link).i;
        bool lower = fabric->cables[cable].a.i == (uint32_t)(node - fabric->nodes);
        if (lower && list[i].peer.i == list[i - 1].peer.i &&
            builder->cable_link[cable] != builder->cable_link[link_cable(list[i - 1].link).i]) {
            complaints_add(&builder->complaints, builder_cable_line(builder, cable),
                           "%s-%s: listed twice; parallel cables are one link with cables: N",
                           node->name, fabric->nodes[list[i].peer.i].name);
        }
    }
}

static void set_adjacency_usids(struct builder *builder) {
    struct fabric *fabric = builder->fabric;
    const uint32_t usids = USID_ADJACENCY_MAX - USID_ADJACENCY_MIN + 1;
    for (uint32_t i = 0; i < fabric->node_count; i++) {
        const struct fabric_node *node = &fabric->nodes[i];
        check_pairs(builder, node);
        if (node->kind == NODE_HOST) {
            continue;
        }
        if (node->adjacency_count > usids) {
            complaints_add(&builder->complaints, node->line, "%s: %u cables, a switch has %u uAs",
                           node->name, node->adjacency_count, usids);
            continue;
        }
        for (uint32_t k = 0; k < node->adjacency_count; k++) {
            link_id link = fabric->adjacencies[node->first_adjacency + k].link;
            fabric->cables[link_cable(link).i].usid_adjacency[link_is_reverse(link)] =
                (uint16_t)(USID_ADJACENCY_MIN + k);
        }
    }
}

static void add_ports(struct builder *builder) {
    struct fabric *fabric = builder->fabric;
    uint32_t first = 0;
    for (uint32_t i = 0; i < fabric->host_count; i++) {
        struct fabric_node *host = &fabric->nodes[i];
        host->first_port = first;
        first += host->adjacency_count; // every cable of a host is a port
    }
    for (uint32_t i = 0; i < fabric->cable_count; i++) {
        const struct fabric_cable *cable = &fabric->cables[i];
        struct fabric_node *host = &fabric->nodes[cable->a.i];
        if (host->kind != NODE_HOST) {
            continue;
        }
        fabric->ports[host->first_port + host->port_count] = (struct fabric_port){
            .host = cable->a, .index = (uint8_t)host->port_count, .leaf = cable->b, .cable = {i}};
        host->port_count++;
    }
    for (uint32_t i = 0; i < fabric->host_count; i++) {
        const struct fabric_node *host = &fabric->nodes[i];
        if (host->port_count > HOST_PORTS_MAX) {
            complaints_add(&builder->complaints, host->line, "%s: %u ports, at most %d", host->name,
                           host->port_count, HOST_PORTS_MAX);
        }
    }
}

bool fabric_assemble(struct builder *builder) {
    struct fabric *fabric = builder->fabric;
    if (!add_nodes(builder) || !resolve_links(builder)) {
        return false;
    }
    size_t cables = (size_t)fabric->cable_count + 1;
    fabric->cables = calloc(cables, sizeof fabric->cables[0]);
    fabric->ports = calloc((size_t)fabric->port_count + 1, sizeof fabric->ports[0]);
    fabric->adjacencies = calloc(2 * cables, sizeof fabric->adjacencies[0]);
    builder->cable_link = calloc(cables, sizeof builder->cable_link[0]);
    if (fabric->cables == NULL || fabric->ports == NULL || fabric->adjacencies == NULL ||
        builder->cable_link == NULL) {
        return no_memory(builder);
    }
    add_cables(builder);
    add_adjacencies(fabric);
    set_adjacency_usids(builder);
    add_ports(builder);
    return true;
}
