// SPDX-License-Identifier: Apache-2.0
// Clos descriptions -> lists of nodes and links, in the order that fixes every number: hosts,
// leaves, aggs or spines, cores; host cables first, then leaf by leaf upwards.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fabric_internal.h"

enum clos_kind { CLOS_LEAF_SPINE, CLOS_THREE_TIER, CLOS_RAIL_OPTIMIZED, CLOS_DUAL_PLANE };

static const char *const kind_names[] = {
    [CLOS_LEAF_SPINE] = "leaf-spine",
    [CLOS_THREE_TIER] = "three-tier",
    [CLOS_RAIL_OPTIMIZED] = "rail-optimized",
    [CLOS_DUAL_PLANE] = "dual-plane",
};
#define KIND_COUNT (sizeof kind_names / sizeof kind_names[0])
#define PLANES 2 // of a dual-plane fabric

// What all kinds come down to: `pods` equal pods of leaves and of the second tier, fully meshed
// within the pod. A leaf-spine or rail-optimized fabric is one pod without cores; the planes of a
// dual-plane fabric are two pods that no core joins.
struct shape {
    enum clos_kind kind;
    uint64_t pods, leaves_per_pod, uppers_per_pod, cores;
    uint64_t hosts_per_leaf, ports_per_host, cables;
    uint64_t leaves, uppers, hosts, host_ports, host_bps, fabric_bps;
};

static bool parse_kind(const char *text, enum clos_kind *out) {
    for (size_t i = 0; i < KIND_COUNT; i++) {
        if (strcmp(text, kind_names[i]) == 0) {
            *out = (enum clos_kind)i;
            return true;
        }
    }
    return false;
}

struct number_rule {
    const char *key;
    uint32_t value;
    bool wanted;
    bool optional;
};

static void check_numbers(struct builder *builder, enum clos_kind kind) {
    const struct fabric_clos_desc *clos = builder->desc->clos;
    bool three = kind == CLOS_THREE_TIER, rail = kind == CLOS_RAIL_OPTIMIZED;
    bool dual = kind == CLOS_DUAL_PLANE;
    const struct number_rule rules[] = {
        {"leaves", clos->leaves, !three && !rail, false},
        {"spines", clos->spines, !three, false},
        {"pods", clos->pods, three, false},
        {"leaves_per_pod", clos->leaves_per_pod, three, false},
        {"aggs_per_pod", clos->aggs_per_pod, three, false},
        {"cores", clos->cores, three, false},
        {"rails", clos->rails, rail, false},
        {"groups", clos->groups, rail, false},
        {"hosts_per_group", clos->hosts_per_group, rail, false},
        {"hosts_per_leaf", clos->hosts_per_leaf, !rail, false},
        {"ports_per_host", clos->ports_per_host, !rail && !dual, true},
    };
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        if (rules[i].wanted && !rules[i].optional && rules[i].value == 0) {
            complaints_add(&builder->complaints, builder->desc->line_clos,
                           "clos: %s: at least 1 needed for %s", rules[i].key, clos->kind);
        } else if (!rules[i].wanted && rules[i].value != 0) {
            complaints_add(&builder->complaints, builder->desc->line_clos,
                           "clos: %s: does not belong to %s", rules[i].key, clos->kind);
        }
    }
}

static uint64_t or_one(uint32_t value) {
    return value > 0 ? value : 1;
}

static void shape_read(const struct fabric_clos_desc *clos, enum clos_kind kind,
                       struct shape *out) {
    *out = (struct shape){
        .kind = kind,
        .pods = 1,
        .leaves_per_pod = clos->leaves,
        .uppers_per_pod = clos->spines,
        .hosts_per_leaf = clos->hosts_per_leaf,
        .ports_per_host = or_one(clos->ports_per_host),
        .cables = or_one(clos->cables),
        .host_bps = clos->host_bps,
        .fabric_bps = clos->fabric_bps,
    };
    switch (kind) {
    case CLOS_LEAF_SPINE:
        break;
    case CLOS_THREE_TIER:
        out->pods = clos->pods;
        out->leaves_per_pod = clos->leaves_per_pod;
        out->uppers_per_pod = clos->aggs_per_pod;
        out->cores = clos->cores;
        break;
    case CLOS_RAIL_OPTIMIZED:
        out->leaves_per_pod = (uint64_t)clos->groups * clos->rails;
        out->hosts_per_leaf = clos->hosts_per_group;
        out->ports_per_host = or_one(clos->rails);
        break;
    case CLOS_DUAL_PLANE:
        out->pods = PLANES;
        out->ports_per_host = PLANES;
        break;
    }
    out->leaves = out->pods * out->leaves_per_pod;
    out->uppers = out->pods * out->uppers_per_pod;
    out->hosts = out->leaves / out->ports_per_host * out->hosts_per_leaf;
    if (__builtin_mul_overflow(out->leaves, out->hosts_per_leaf, &out->host_ports)) {
        out->host_ports = UINT64_MAX / 2; // check_size refuses it
    }
}

static void check_ports(struct builder *builder, const struct shape *shape) {
    uint32_t line = builder->desc->line_clos;
    const char *leaves = shape->kind == CLOS_THREE_TIER ? "leaves_per_pod" : "leaves";
    const char *ports = shape->kind == CLOS_RAIL_OPTIMIZED ? "rails" : "ports_per_host";
    if (shape->kind != CLOS_DUAL_PLANE && shape->leaves_per_pod % shape->ports_per_host != 0) {
        complaints_add(&builder->complaints, line,
                       "clos: %s %llu: no multiple of ports_per_host %llu", leaves,
                       (unsigned long long)shape->leaves_per_pod,
                       (unsigned long long)shape->ports_per_host);
    }
    if (shape->ports_per_host > HOST_PORTS_MAX) {
        complaints_add(&builder->complaints, line, "clos: %s %llu: at most %d", ports,
                       (unsigned long long)shape->ports_per_host, HOST_PORTS_MAX);
    }
}

static void check_ratios(struct builder *builder, const struct shape *shape) {
    uint32_t line = builder->desc->line_clos;
    check_ports(builder, shape);
    if (shape->cables > CABLES_PARALLEL_MAX) {
        complaints_add(&builder->complaints, line, "clos: cables %llu: at most %d in parallel",
                       (unsigned long long)shape->cables, CABLES_PARALLEL_MAX);
    }
    if (shape->uppers_per_pod > 0 && shape->cores % shape->uppers_per_pod != 0) {
        complaints_add(&builder->complaints, line,
                       "clos: cores %llu: no multiple of aggs_per_pod %llu",
                       (unsigned long long)shape->cores, (unsigned long long)shape->uppers_per_pod);
    }
    if (shape->host_bps == 0 || shape->fabric_bps == 0) {
        complaints_add(&builder->complaints, line, "clos: %s: must be above 0",
                       shape->host_bps == 0 ? "host_gbps" : "fabric_gbps");
    }
}

static uint64_t internal_links(const struct shape *shape) {
    // Each factor is 32 bits wide; a product of three is kept in range by check_size's first test.
    return shape->leaves * shape->uppers_per_pod + shape->pods * shape->cores;
}

static bool check_size(struct builder *builder, const struct shape *shape) {
    const uint64_t part_max = USID_NODE_MAX;
    const uint64_t parts[] = {shape->pods,  shape->leaves_per_pod, shape->uppers_per_pod,
                              shape->cores, shape->hosts_per_leaf, shape->leaves,
                              shape->uppers};
    bool fits = true;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        fits = fits && parts[i] <= part_max;
    }
    uint64_t usids = fits ? shape->leaves + shape->uppers + shape->cores + shape->host_ports : 0;
    if (!fits || usids > USID_NODE_MAX) {
        complaints_add(&builder->complaints, builder->desc->line_clos,
                       "clos: %llu node uSIDs needed, a block has %d",
                       (unsigned long long)(fits ? usids
                                                 : shape->leaves + shape->uppers + shape->cores +
                                                       shape->host_ports),
                       USID_NODE_MAX);
        return false;
    }
    uint64_t cables = shape->host_ports + internal_links(shape) * shape->cables;
    if (cables > FABRIC_CABLES_MAX) {
        complaints_add(&builder->complaints, builder->desc->line_clos,
                       "clos: %llu cables, at most %d", (unsigned long long)cables,
                       FABRIC_CABLES_MAX);
        return false;
    }
    return true;
}

static bool allocate(struct builder *builder, const struct shape *shape) {
    uint64_t nodes = shape->hosts + shape->leaves + shape->uppers + shape->cores;
    uint64_t links = shape->host_ports + internal_links(shape);
    builder->own_nodes = calloc(nodes, sizeof builder->own_nodes[0]);
    builder->own_names = calloc(nodes, sizeof builder->own_names[0]);
    builder->own_links = calloc(links, sizeof builder->own_links[0]);
    if (builder->own_nodes == NULL || builder->own_names == NULL || builder->own_links == NULL) {
        complaints_no_memory(&builder->complaints);
        return false;
    }
    builder->nodes = builder->own_nodes;
    builder->links = builder->own_links;
    builder->node_count = 0;
    builder->link_count = 0;
    return true;
}

// pod_size 0: the nodes belong to no pod.
static void add_nodes(struct builder *builder, enum node_kind kind, const char *prefix,
                      uint64_t count, uint64_t pod_size) {
    for (uint64_t i = 0; i < count; i++) {
        uint32_t node = builder->node_count++;
        snprintf(builder->own_names[node], NAME_SIZE, "%s%u", prefix, (unsigned)i);
        builder->own_nodes[node] = (struct fabric_node_desc){
            .name = builder->own_names[node],
            .kind = kind,
            .pod = pod_size > 0 ? (uint32_t)(i / pod_size) : 0,
        };
    }
}

static void add_link(struct builder *builder, uint64_t a, uint64_t b, uint64_t cables,
                     uint64_t rate_bps) {
    builder->own_links[builder->link_count++] = (struct fabric_link_desc){
        .a = builder->own_names[a],
        .b = builder->own_names[b],
        .cables = (uint32_t)cables,
        .rate_bps = rate_bps,
        .line = builder->desc->line_clos,
    };
}

// The leaf of a host's port. Rail style: the hosts of a group of leaves have one port on each of
// them. With two planes: one on the same leaf of each plane.
static uint64_t leaf_of_port(const struct shape *shape, uint64_t host, uint64_t port) {
    uint64_t group = host / shape->hosts_per_leaf;
    return shape->kind == CLOS_DUAL_PLANE ? port * shape->leaves_per_pod + group
                                          : group * shape->ports_per_host + port;
}

static void add_host_links(struct builder *builder, const struct shape *shape) {
    for (uint64_t host = 0; host < shape->hosts; host++) {
        for (uint64_t port = 0; port < shape->ports_per_host; port++) {
            add_link(builder, host, shape->hosts + leaf_of_port(shape, host, port), 1,
                     shape->host_bps);
        }
    }
}

static void add_fabric_links(struct builder *builder, const struct shape *shape) {
    uint64_t first_leaf = shape->hosts, first_upper = first_leaf + shape->leaves;
    uint64_t first_core = first_upper + shape->uppers;
    for (uint64_t leaf = 0; leaf < shape->leaves; leaf++) {
        uint64_t pod = leaf / shape->leaves_per_pod;
        for (uint64_t i = 0; i < shape->uppers_per_pod; i++) {
            add_link(builder, first_leaf + leaf, first_upper + pod * shape->uppers_per_pod + i,
                     shape->cables, shape->fabric_bps);
        }
    }
    uint64_t cores_per_agg = shape->cores / shape->uppers_per_pod;
    for (uint64_t agg = 0; cores_per_agg > 0 && agg < shape->uppers; agg++) {
        uint64_t plane = agg % shape->uppers_per_pod;
        for (uint64_t i = 0; i < cores_per_agg; i++) {
            add_link(builder, first_upper + agg, first_core + plane * cores_per_agg + i,
                     shape->cables, shape->fabric_bps);
        }
    }
}

static void complain_kind(struct builder *builder, const char *kind) {
    char known[96] = "";
    for (size_t i = 0; i < KIND_COUNT; i++) {
        size_t used = strlen(known);
        snprintf(known + used, sizeof known - used, "%s%s", i > 0 ? ", " : "", kind_names[i]);
    }
    complaints_add(&builder->complaints, builder->desc->line_clos,
                   "clos: kind %.40s: unknown; known are %s", kind, known);
}

bool fabric_generate(struct builder *builder) {
    const struct fabric_clos_desc *clos = builder->desc->clos;
    enum clos_kind kind;
    if (!parse_kind(clos->kind, &kind)) {
        complain_kind(builder, clos->kind);
        return false;
    }
    struct shape shape;
    uint64_t before = builder->complaints.total;
    check_numbers(builder, kind);
    shape_read(clos, kind, &shape);
    check_ratios(builder, &shape);
    if (!check_size(builder, &shape) || builder->complaints.total > before ||
        !allocate(builder, &shape)) {
        return false;
    }
    bool three_tier = kind == CLOS_THREE_TIER;
    add_nodes(builder, NODE_HOST, "h", shape.hosts, 0);
    add_nodes(builder, NODE_LEAF, "leaf", shape.leaves, three_tier ? shape.leaves_per_pod : 0);
    add_nodes(builder, three_tier ? NODE_AGG : NODE_SPINE, three_tier ? "agg" : "spine",
              shape.uppers, three_tier ? shape.uppers_per_pod : 0);
    add_nodes(builder, NODE_CORE, "core", shape.cores, 0);
    add_host_links(builder, &shape);
    add_fabric_links(builder, &shape);
    return true;
}
