// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fabric_internal.h"
#include "fabric_name.h"

#define FABRIC_FILE_VERSION 1
#define IPV4_BASE_DEFAULT "10.64.0.0"
#define IPV6_BASE_DEFAULT "fd64::"

static void read_bases(struct builder *builder) {
    const struct fabric_desc *desc = builder->desc;
    const char *ipv4 = desc->ipv4_base != NULL ? desc->ipv4_base : IPV4_BASE_DEFAULT;
    const char *ipv6 = desc->ipv6_base != NULL ? desc->ipv6_base : IPV6_BASE_DEFAULT;
    struct in_addr address;
    if (inet_pton(AF_INET, ipv4, &address) != 1 || (ntohl(address.s_addr) & 3) != 0) {
        complaints_add(&builder->complaints, desc->line_ipv4_base,
                       "ipv4_base %.40s: not the first address of a /30", ipv4);
    } else {
        builder->ipv4_base = ntohl(address.s_addr);
    }
    if (inet_pton(AF_INET6, ipv6, builder->ipv6_base) != 1 || builder->ipv6_base[14] != 0 ||
        builder->ipv6_base[15] != 0) {
        complaints_add(&builder->complaints, desc->line_ipv6_base,
                       "ipv6_base %.46s: not the first address of a /112", ipv6);
    }
}

static void read_header(struct builder *builder) {
    const struct fabric_desc *desc = builder->desc;
    struct fabric *fabric = builder->fabric;
    if (desc->version != FABRIC_FILE_VERSION) {
        complaints_add(&builder->complaints, desc->line_version,
                       "version %u: this program reads version %d", desc->version,
                       FABRIC_FILE_VERSION);
    }
    if (desc->generation == 0) {
        complaints_add(&builder->complaints, desc->line_generation,
                       "generation 0: generations count from 1");
    }
    if (!fabric_name_valid(desc->name)) {
        complaints_add(&builder->complaints, desc->line_name,
                       "name %.40s: letters, digits, - and _, at most %d", desc->name,
                       NAME_SIZE - 1);
    }
    if (usid_block_parse(desc->block, &fabric->block) != 0) {
        complaints_add(&builder->complaints, desc->line_block,
                       "block %.50s: not a /32 prefix such as fcbb:bb00::/32", desc->block);
    }
    fabric->version = desc->version;
    fabric->generation = desc->generation;
    snprintf(fabric->name, NAME_SIZE, "%.*s", NAME_SIZE - 1, desc->name);
    snprintf(fabric->kind, NAME_SIZE, "%.*s", NAME_SIZE - 1,
             desc->clos != NULL ? desc->clos->kind : "explicit");
    read_bases(builder);
}

static bool read_lists(struct builder *builder) {
    const struct fabric_desc *desc = builder->desc;
    bool listed = desc->node_count > 0 || desc->link_count > 0;
    if (desc->clos != NULL && listed) {
        complaints_add(&builder->complaints, desc->line_clos,
                       "clos: does not go together with nodes and links");
        return false;
    }
    if (desc->clos != NULL) {
        return fabric_generate(builder);
    }
    if (!listed) {
        complaints_add(&builder->complaints, 0, "neither clos nor nodes and links");
        return false;
    }
    if (desc->node_count > FABRIC_NODES_MAX || desc->link_count > FABRIC_CABLES_MAX) {
        complaints_add(&builder->complaints, 0, "%u nodes and %u links, at most %d and %d",
                       desc->node_count, desc->link_count, FABRIC_NODES_MAX, FABRIC_CABLES_MAX);
        return false;
    }
    builder->nodes = desc->nodes;
    builder->node_count = desc->node_count;
    builder->links = desc->links;
    builder->link_count = desc->link_count;
    return true;
}

static void builder_fini(struct builder *builder) {
    free(builder->own_nodes);
    free(builder->own_links);
    free(builder->own_names);
    free(builder->resolved);
    free(builder->node_desc);
    free(builder->cable_link);
}

struct fabric *fabric_open(const struct fabric_desc *desc, fabric_complain_fn *complain,
                           void *context) {
    struct builder builder = {.desc = desc, .fabric = calloc(1, sizeof(struct fabric))};
    complaints_init(&builder.complaints, desc->source);
    if (builder.fabric == NULL) {
        complaints_no_memory(&builder.complaints);
    } else {
        read_header(&builder);
        if (read_lists(&builder) && fabric_assemble(&builder) && fabric_set_planes(&builder) &&
            fabric_address_ports(&builder) && fabric_check(&builder)) {
            fabric_digest_set(builder.fabric);
        }
    }
    struct fabric *fabric = builder.fabric;
    if (complaints_flush(&builder.complaints, complain, context)) {
        fabric_close(fabric);
        fabric = NULL;
    }
    builder_fini(&builder);
    return fabric;
}
