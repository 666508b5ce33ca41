// SPDX-License-Identifier: Apache-2.0
// lab.json: what the script, the traffic program's tests and the drills need to know of the lab.
#include "plan.h"

#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>

static const char *kind_name(enum node_kind kind) {
    switch (kind) {
    case NODE_HOST:
        return "host";
    case NODE_LEAF:
        return "leaf";
    case NODE_AGG:
        return "agg";
    case NODE_SPINE:
        return "spine";
    case NODE_CORE:
        return "core";
    }
    return "unknown";
}

static json_t *describe_sid(const struct lab *lab, uint16_t usid) {
    char text[SID_TEXT_SIZE];
    struct sid sid = sid_of(lab->fabric->block, usid);
    sid_format(&sid, text);
    return json_string(text);
}

static json_t *describe_namespace(const struct lab *lab, node_id node) {
    return json_sprintf("%s%s", lab->prefix, lab->fabric->nodes[node.i].name);
}

static json_t *describe_port(const struct lab *lab, uint32_t index) {
    const struct fabric_port *port = &lab->fabric->ports[index];
    char name[NAME_SIZE + 4], device[IFNAMSIZ], ipv4[LAB_ADDRESS_SIZE], ipv6[LAB_ADDRESS_SIZE];
    fabric_format_port(lab->fabric, (port_id){index}, name);
    lab_device(lab, link_of(port->cable, false), device);
    lab_ipv4(lab, link_of(port->cable, false), ipv4);
    lab_ipv6(lab, link_of(port->cable, false), ipv6);
    return json_pack("{s:s, s:s, s:s, s:s, s:o, s:s}", "port", name, "device", device, "ipv4", ipv4,
                     "ipv6", ipv6, "sid", describe_sid(lab, port->usid), "leaf",
                     lab->fabric->nodes[port->leaf.i].name);
}

static json_t *describe_node(const struct lab *lab, node_id id) {
    const struct fabric_node *node = &lab->fabric->nodes[id.i];
    json_t *devices = json_array();
    for (uint32_t i = 0; i < node->adjacency_count; i++) {
        char device[IFNAMSIZ];
        lab_device(lab, lab->fabric->adjacencies[node->first_adjacency + i].link, device);
        json_array_append_new(devices, json_string(device));
    }
    json_t *out = json_pack("{s:s, s:s, s:o, s:o, s:o}", "node", node->name, "kind",
                            kind_name(node->kind), "namespace", describe_namespace(lab, id), "sid",
                            describe_sid(lab, node->usid), "devices", devices);
    if (out != NULL && node->kind == NODE_HOST) {
        char mgmt[LAB_ADDRESS_SIZE];
        lab_mgmt_ipv4(id.i, mgmt);
        json_t *ports = json_array();
        for (uint32_t i = 0; i < node->port_count; i++) {
            json_array_append_new(ports, describe_port(lab, node->first_port + i));
        }
        json_object_set_new(out, "mgmt", json_string(mgmt));
        json_object_set_new(out, "ports", ports);
    }
    return out;
}

// Where a packet of the link is counted, and dropped when the link is cut: at the receiving switch,
// or at the leaf that sends to a host (plan_filters.c says why).
static json_t *describe_tap(const struct lab *lab, link_id link) {
    bool egress = lab->fabric->nodes[fabric_link_to(lab->fabric, link).i].kind == NODE_HOST;
    node_id node = egress ? fabric_link_from(lab->fabric, link) : fabric_link_to(lab->fabric, link);
    char device[IFNAMSIZ];
    lab_device(lab, egress ? link : link_opposite(link), device);
    return json_pack("{s:o, s:s, s:s}", "namespace", describe_namespace(lab, node), "device",
                     device, "hook", egress ? "egress" : "ingress");
}

static json_t *describe_link(const struct lab *lab, link_id link) {
    const struct fabric *fabric = lab->fabric;
    const struct fabric_cable *cable = &fabric->cables[link_cable(link).i];
    char name[LINK_NAME_SIZE], cable_name[LINK_NAME_SIZE], device[IFNAMSIZ];
    fabric_format_link(fabric, link, name);
    fabric_format_cable(fabric, link_cable(link), cable_name);
    lab_device(lab, link, device);
    node_id from = fabric_link_from(fabric, link);
    node_id to = fabric_link_to(fabric, link);
    return json_pack("{s:s, s:I, s:s, s:i, s:i, s:s, s:s, s:o, s:s, s:I, s:b, s:o}", "link", name,
                     "id", (json_int_t)link.i, "cable", cable_name, "index", cable->index,
                     "parallel", cable->parallel_count, "from", fabric->nodes[from.i].name, "to",
                     fabric->nodes[to.i].name, "namespace", describe_namespace(lab, from), "device",
                     device, "rate_bps", (json_int_t)lab_rate_bps(lab, link), "internal",
                     !lab_is_host_link(lab, link), "tap", describe_tap(lab, link));
}

int plan_describe(const struct lab *lab, FILE *file) {
    const struct fabric *fabric = lab->fabric;
    json_t *nodes = json_array(), *links = json_array();
    for (uint32_t i = 0; i < fabric->node_count; i++) {
        json_array_append_new(nodes, describe_node(lab, (node_id){i}));
    }
    for (uint32_t i = 0; i < fabric_link_count(fabric); i++) {
        json_array_append_new(links, describe_link(lab, (link_id){i}));
    }
    bool complete = json_array_size(nodes) == fabric->node_count &&
                    json_array_size(links) == fabric_link_count(fabric);
    json_t *out = json_pack("{s:s, s:s, s:s, s:I, s:s, s:s+, s:i, s:o, s:o}", "fabric",
                            fabric->name, "kind", fabric->kind, "path", lab->fabric_path,
                            "generation", (json_int_t)fabric->generation, "prefix", lab->prefix,
                            "mgmt_namespace", lab->prefix, "mgmt", "frame_header_bytes",
                            LAB_FRAME_HEADER_SIZE, "nodes", nodes, "links", links);
    if (out == NULL || !complete) {
        json_decref(out);
        return -ENOMEM;
    }
    int rc = json_dumpf(out, file, JSON_COMPACT) == 0 ? 0 : -EIO;
    json_decref(out);
    return rc;
}
