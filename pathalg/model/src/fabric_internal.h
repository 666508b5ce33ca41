// SPDX-License-Identifier: Apache-2.0
// How fabric_open works, stage by stage; each stage complains about all it finds and leaves what
// the next ones can still check:
//
//   describe   header, block, addresses' bases, or the numbers of a Clos      fabric_open.c
//   generate   Clos -> lists of nodes and links                               fabric_generate.c
//   assemble   lists -> nodes, cables, ports, adjacencies, uSIDs, overrides   fabric_build.c
//   planes     what cables join                                               fabric_plane.c
//   address    ports' IPv4 and IPv6                                           fabric_address.c
//   check      reachability, uniqueness of names and addresses                fabric_check.c
//   digest                                                                    fabric_digest.c
#ifndef MODEL_FABRIC_INTERNAL_H
#define MODEL_FABRIC_INTERNAL_H

#include "model/complaints.h"
#include "model/fabric.h"

// A link of the description with its ends found; a is the lower tier.
struct resolved_link {
    node_id a, b;
    uint32_t desc; // index in builder->links
    uint32_t first_cable;
};

struct builder {
    const struct fabric_desc *desc;
    struct complaints complaints;
    const struct fabric_node_desc *nodes; // the description's or the generated ones
    const struct fabric_link_desc *links;
    uint32_t node_count, link_count;
    struct fabric_node_desc *own_nodes; // generated
    struct fabric_link_desc *own_links;
    char (*own_names)[NAME_SIZE];
    struct resolved_link *resolved; // by order of the description
    uint32_t resolved_count;
    uint32_t *node_desc;  // by node: index in nodes
    uint32_t *cable_link; // by cable: index in resolved
    uint32_t ipv4_base;   // host order
    uint8_t ipv6_base[16];
    struct fabric *fabric;
};

// Each returns false when the next stage cannot go on (no memory, or nothing to work on); other
// errors are in builder->complaints.
bool fabric_generate(struct builder *builder);
bool fabric_assemble(struct builder *builder);
bool fabric_set_planes(struct builder *builder);
bool fabric_address_ports(struct builder *builder);
bool fabric_check(struct builder *builder);
void fabric_digest_set(struct fabric *fabric);

// The tier of a kind: 0 host, 1 leaf, 2 spine or agg, 3 core.
uint8_t node_kind_tier(enum node_kind kind);
// The line of the link that a cable comes from.
uint32_t builder_cable_line(const struct builder *builder, uint32_t cable);

#endif
