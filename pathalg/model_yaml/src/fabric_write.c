// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "model_yaml/fabric_file.h"

static const char *kind_name(enum node_kind kind) {
    static const char *const names[] = {
        [NODE_HOST] = "host",   [NODE_LEAF] = "leaf", [NODE_AGG] = "agg",
        [NODE_SPINE] = "spine", [NODE_CORE] = "core",
    };
    return names[kind];
}

// bits per second as Gbit/s, to the last bit.
static void format_gbps(uint64_t rate_bps, char text[32]) {
    size_t size = (size_t)snprintf(text, 32, "%" PRIu64 ".%09" PRIu64, rate_bps / 1000000000,
                                   rate_bps % 1000000000);
    while (text[size - 1] == '0') {
        text[--size] = '\0';
    }
    if (text[size - 1] == '.') {
        text[size - 1] = '\0';
    }
}

static void write_header(const struct fabric *fabric, FILE *stream) {
    struct sid block = sid_of(fabric->block, 0);
    char text[SID_TEXT_SIZE];
    sid_format(&block, text);
    fprintf(stream, "version: %u\ngeneration: %" PRIu64 "\nname: %s\nblock: \"%s/32\"\n",
            fabric->version, fabric->generation, fabric->name, text);
}

static void write_nodes(const struct fabric *fabric, FILE *stream) {
    fprintf(stream, "nodes:\n");
    for (uint32_t i = 0; i < fabric->node_count; i++) {
        const struct fabric_node *node = &fabric->nodes[i];
        fprintf(stream, "  - {name: %s, kind: %s, pod: %u, usid: 0x%04x}\n", node->name,
                kind_name(node->kind), node->pod, node->usid);
    }
}

static const struct fabric_port *port_of_cable(const struct fabric *fabric, uint32_t cable) {
    const struct fabric_node *host = &fabric->nodes[fabric->cables[cable].a.i];
    for (uint32_t k = 0; k < host->port_count; k++) {
        if (fabric->ports[host->first_port + k].cable.i == cable) {
            return &fabric->ports[host->first_port + k];
        }
    }
    return NULL; // a cable between switches
}

static void write_link(const struct fabric *fabric, uint32_t index, FILE *stream) {
    const struct fabric_cable *cable = &fabric->cables[index];
    const struct fabric_port *port = port_of_cable(fabric, index);
    char gbps[32];
    format_gbps(cable->rate_bps, gbps);
    fprintf(stream, "  - {a: %s, b: %s, gbps: %s, cables: %u", fabric->nodes[cable->a.i].name,
            fabric->nodes[cable->b.i].name, gbps, cable->parallel_count);
    if (port != NULL) {
        char ipv4[INET_ADDRSTRLEN], ipv6[INET6_ADDRSTRLEN];
        inet_ntop(AF_INET, port->ipv4, ipv4, sizeof ipv4);
        inet_ntop(AF_INET6, port->ipv6, ipv6, sizeof ipv6);
        fprintf(stream, ", ipv4: %s, ipv6: \"%s\"", ipv4, ipv6);
    }
    fprintf(stream, "}\n");
}

static void write_links(const struct fabric *fabric, FILE *stream) {
    fprintf(stream, "links:\n");
    for (uint32_t i = 0; i < fabric->cable_count; i++) {
        if (fabric->cables[i].index == 0) {
            write_link(fabric, i, stream);
        }
    }
}

static void write_overrides(const struct fabric *fabric, FILE *stream) {
    bool any = false;
    for (uint32_t i = 0; i < fabric_link_count(fabric); i++) {
        uint32_t ppm = fabric->cables[i / 2].capacity_ppm[i % 2];
        if (ppm == CAPACITY_FULL_PPM) {
            continue;
        }
        char name[LINK_NAME_SIZE];
        fabric_format_link(fabric, (link_id){i}, name);
        fprintf(stream, "%s  - {link: \"%s\", capacity: 0.%06u}\n", any ? "" : "overrides:\n", name,
                ppm);
        any = true;
    }
}

int fabric_file_write(const struct fabric *fabric, FILE *stream) {
    write_header(fabric, stream);
    write_nodes(fabric, stream);
    write_links(fabric, stream);
    write_overrides(fabric, stream);
    return fflush(stream) != 0 || ferror(stream) ? -EIO : 0;
}
