// SPDX-License-Identifier: Apache-2.0
// Clos descriptions -> lists of nodes and links, in the order that fixes every number: hosts,
// leaves, aggs or spines, cores; host cables first, then leaf by leaf upwards.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fabric_internal.h"

// What both kinds come down to: `pods` equal pods of leaves and of the second tier, fully meshed
// within the pod. A leaf-spine fabric is one pod without cores.
struct shape {
    bool three_tier;
    uint64_t pods, leaves_per_pod, uppers_per_pod, cores;
    uint64_t hosts_per_leaf, ports_per_host, cables;
    uint64_t leaves, uppers, hosts, host_ports, host_bps, fabric_bps;
};

struct number_rule {
    const char *key;
    uint32_t value;
    bool wanted; // false: it belongs to the other kind
};

static void check_numbers(struct builder *builder, bool three_tier) {
    const struct fabric_clos_desc *clos = builder->desc->clos;
    const struct number_rule rules[] = {
        {"leaves", clos->leaves, !three_tier},
        {"spines", clos->spines, !three_tier},
        {"pods", clos->pods, three_tier},
        {"leaves_per_pod", clos->leaves_per_pod, three_tier},
        {"aggs_per_pod", clos->aggs_per_pod, three_tier},
        {"cores", clos->cores, three_tier},
        {"hosts_per_leaf", clos->hosts_per_leaf, true},
    };
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        if (rules[i].wanted && rules[i].value == 0) {
            complaints_add(&builder->complaints, builder->desc->line_clos,
                           "clos: %s: at least 1 needed for %s", rules[i].key, clos->kind);
        } else if (!rules[i].wanted && rules[i].value != 0) {
            complaints_add(&builder->complaints, builder->desc->line_clos,
                           "clos: %s: does not belong to %s", rules[i].key, clos->kind);
        }
    }
}

static void shape_read(const struct fabric_clos_desc *clos, bool three_tier, struct shape *out) {
    *out = (struct shape){
        .three_tier = three_tier,
        .pods = three_tier ? clos->pods : 1,
        .leaves_per_pod = three_tier ? clos->leaves_per_pod : clos->leaves,
        .uppers_per_pod = three_tier ? clos->aggs_per_pod : clos->spines,
        .cores = three_tier ? clos->cores : 0,
        .hosts_per_leaf = clos->hosts_per_leaf,
        .ports_per_host = clos->ports_per_host > 0 ? clos->ports_per_host : 1,
        .cables = clos->cables > 0 ? clos->cables : 1,
        .host_bps = clos->host_bps,
        .fabric_bps = clos->fabric_bps,
    };
    out->leaves = out->pods * out->leaves_per_pod;
    out->uppers = out->pods * out->uppers_per_pod;
    out->hosts = out->leaves / out->ports_per_host * out->hosts_per_leaf;
    out->host_ports = out->leaves * out->hosts_per_leaf;
}

static void check_ratios(struct builder *builder, const struct shape *shape) {
    uint32_t line = builder->desc->line_clos;
    const char *leaves = shape->three_tier ? "leaves_per_pod" : "leaves";
    if (shape->leaves_per_pod % shape->ports_per_host != 0) {
        complaints_add(&builder->complaints, line,
                       "clos: %s %llu: no multiple of ports_per_host %llu", leaves,
                       (unsigned long long)shape->leaves_per_pod,
                       (unsigned long long)shape->ports_per_host);
    }
    if (shape->ports_per_host > HOST_PORTS_MAX) {
        complaints_add(&builder->complaints, line, "clos: ports_per_host %llu: at most %d",
                       (unsigned long long)shape->ports_per_host, HOST_PORTS_MAX);
    }
    if (shape->cables > CABLES_PARALLEL_MAX) {
        complaints_add(&builder->complaints, line, "clos: cables %llu: at most %d in parallel",
                       (unsigned long long)shape->cables, CABLES_PARALLEL_MAX);
    }
    if (shape->three_tier && shape->uppers_per_pod > 0 &&
        shape->cores % shape->uppers_per_pod != 0) {
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
    return shape->leaves * shape->uppers_per_pod +
           (shape->three_tier ? shape->pods * shape->cores : 0);
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

// Rail style: the hosts of a group of leaves have one port on each of them.
static void add_host_links(struct builder *builder, const struct shape *shape) {
    uint64_t first_leaf = shape->hosts;
    for (uint64_t host = 0; host < shape->hosts; host++) {
        uint64_t group = host / shape->hosts_per_leaf;
        for (uint64_t port = 0; port < shape->ports_per_host; port++) {
            add_link(builder, host, first_leaf + group * shape->ports_per_host + port, 1,
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
    for (uint64_t agg = 0; shape->three_tier && agg < shape->uppers; agg++) {
        uint64_t plane = agg % shape->uppers_per_pod;
        for (uint64_t i = 0; i < cores_per_agg; i++) {
            add_link(builder, first_upper + agg, first_core + plane * cores_per_agg + i,
                     shape->cables, shape->fabric_bps);
        }
    }
}

bool fabric_generate(struct builder *builder) {
    const struct fabric_clos_desc *clos = builder->desc->clos;
    bool three_tier = strcmp(clos->kind, "three-tier") == 0;
    if (!three_tier && strcmp(clos->kind, "leaf-spine") != 0) {
        complaints_add(&builder->complaints, builder->desc->line_clos,
                       "clos: kind %.40s: unknown; known are leaf-spine and three-tier",
                       clos->kind);
        return false;
    }
    struct shape shape;
    uint64_t before = builder->complaints.total;
    check_numbers(builder, three_tier);
    shape_read(clos, three_tier, &shape);
    check_ratios(builder, &shape);
    if (!check_size(builder, &shape) || builder->complaints.total > before ||
        !allocate(builder, &shape)) {
        return false;
    }
    add_nodes(builder, NODE_HOST, "h", shape.hosts, 0);
    add_nodes(builder, NODE_LEAF, "leaf", shape.leaves, three_tier ? shape.leaves_per_pod : 0);
    add_nodes(builder, three_tier ? NODE_AGG : NODE_SPINE, three_tier ? "agg" : "spine",
              shape.uppers, three_tier ? shape.uppers_per_pod : 0);
    add_nodes(builder, NODE_CORE, "core", shape.cores, 0);
    add_host_links(builder, &shape);
    add_fabric_links(builder, &shape);
    return true;
}
