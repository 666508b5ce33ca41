// SPDX-License-Identifier: Apache-2.0
// The fabric: nodes, host ports, cables, and the SIDs that name them. Read-only after it was built;
// every agent builds the same one from the same fabric file (same digest).
//
//   host port --cable-- leaf --cables-- spine                       leaf-spine
//   host port --cable-- leaf --cables-- agg --cables-- core         three-tier (a pod = its leaves
//   and aggs)
//
// Switches that cables join, over however many others, form a plane; planes are numbered in the
// order of the ports in them. Most fabrics are one plane. In a dual-plane fabric every host has a
// port in each, and what is for a port in plane 1 leaves by a port in plane 1.
//
// A cable is two directed links (ids.h); end `a` is always the lower tier, so direction 0 goes up.
// Parallel cables between two nodes differ in `index`. Names: cable "leaf0-spine3" or, with
// parallels, "leaf0-spine3.1"; direction "leaf0>spine3" or "leaf0>spine3.1"; port "h0" on
// single-port hosts, "h0.1" otherwise.
//
// Units: bits per second, parts per million. Ownership: fabric_open builds one from a description
// and returns it owned; the description is borrowed. No thread may write; any may read.
#ifndef MODEL_FABRIC_H
#define MODEL_FABRIC_H

#include <stdbool.h>
#include <stdint.h>

#include "model/error.h"
#include "model/ids.h"
#include "model/usid.h"

#define NAME_SIZE 32      // node names, terminator included
#define LINK_NAME_SIZE 72 // directed links and cables
#define FABRIC_NODES_MAX 200000
#define FABRIC_CABLES_MAX 2000000
#define CABLES_PARALLEL_MAX 64
#define HOST_PORTS_MAX 16
#define CAPACITY_FULL_PPM 1000000U

enum node_kind { NODE_HOST, NODE_LEAF, NODE_AGG, NODE_SPINE, NODE_CORE };

struct fabric_node {
    char name[NAME_SIZE];
    enum node_kind kind;
    uint8_t tier;             // 0 host, 1 leaf, 2 spine or agg, 3 core
    uint16_t usid;            // uN; for a host that of its first port
    uint32_t pod;             // three-tier: leaves and aggs; else 0
    uint32_t plane;           // switches; a host: that of its first port
    uint32_t first_port;      // hosts: index of the first port in fabric->ports
    uint32_t port_count;      // hosts only
    uint32_t first_adjacency; // switches and hosts: its entries in fabric->adjacencies
    uint32_t adjacency_count;
    uint32_t line; // in the fabric file, 0 when generated
};

// A host's NIC port. RoCEv2 runs between port addresses; the receiver owns its uSID (End.DT6/DT4
// done by the NIC).
struct fabric_port {
    node_id host;
    uint8_t index; // within the host
    node_id leaf;
    cable_id cable;
    uint16_t usid;
    uint8_t ipv4[4]; // network order; the port's own address
    uint8_t ipv6[16];
    uint8_t gateway_ipv4[4];  // the leaf's address on the port's subnet (/30)
    uint8_t gateway_ipv6[16]; // (/112)
};

struct fabric_cable {
    node_id a; // lower tier
    node_id b;
    uint8_t index;          // among the parallel cables of (a, b)
    uint8_t parallel_count; // cables between a and b
    uint64_t rate_bps;      // nominal, each direction
    uint32_t
        capacity_ppm[2]; // per direction after the file's overrides; CAPACITY_FULL_PPM is nominal
    uint16_t usid_adjacency[2]; // uA owned by end a (towards b) and by end b (towards a); 0 on a
                                // host's end
};

// An outgoing directed link of a node, sorted by (peer, cable index).
struct fabric_adjacency {
    node_id peer;
    link_id link;
};

struct fabric {
    uint32_t version;
    uint64_t generation;
    uint8_t digest[32]; // of the canonical form; equal files up to comments and order of keys have
                        // equal digests
    char name[NAME_SIZE];
    char kind[NAME_SIZE]; // "leaf-spine", "three-tier", "rail-optimized", "dual-plane", "explicit"
    struct usid_block block;
    uint32_t node_count;
    uint32_t host_count; // hosts come first in nodes, in order of their numbers
    uint32_t port_count;
    uint32_t cable_count;
    uint32_t adjacency_count;
    uint32_t plane_count; // those with ports; switches without any have higher numbers
    struct fabric_node *nodes;
    struct fabric_port *ports;
    struct fabric_cable *cables;
    struct fabric_adjacency *adjacencies;
    uint32_t *name_index; // private: open-addressed hash of node names
    uint32_t name_index_size;
    uint32_t *port_by_usid; // private: uSID -> port, ID_NONE for none
};

static inline uint32_t fabric_link_count(const struct fabric *fabric) {
    return 2 * fabric->cable_count;
}
node_id fabric_link_from(const struct fabric *fabric, link_id link);
node_id fabric_link_to(const struct fabric *fabric, link_id link);
// Nominal rate times the file's capacity for the direction.
uint64_t fabric_link_rate_bps(const struct fabric *fabric, link_id link);
// The plane of the leaf that the port is on; of the switches that the link joins or leads to.
uint32_t fabric_port_plane(const struct fabric *fabric, port_id port);
uint32_t fabric_link_plane(const struct fabric *fabric, link_id link);
// True for links between switches; false for a host's cable.
bool fabric_link_is_internal(const struct fabric *fabric, link_id link);

// All return false and leave *out untouched when there is no such thing.
bool fabric_find_node(const struct fabric *fabric, const char *name, node_id *out);
bool fabric_find_port(const struct fabric *fabric, const char *name, port_id *out); // "h0" = "h0.0"
bool fabric_find_port_by_usid(const struct fabric *fabric, uint16_t usid, port_id *out);
// "leaf0>spine3" or, where cables are parallel, "leaf0>spine3.k" (without .k it would be any).
bool fabric_find_link(const struct fabric *fabric, const char *name, link_id *out);
// "leaf0-spine3" (first of the parallel cables, *count of them, contiguous) or "leaf0-spine3.1"
// (*count 1). Ends may be given in either order.
bool fabric_find_cables(const struct fabric *fabric, const char *name, cable_id *first,
                        uint32_t *count);
// The links from one node to a neighbour (parallel cables are contiguous in adjacencies).
const struct fabric_adjacency *fabric_find_adjacency(const struct fabric *fabric, node_id from,
                                                     node_id to, uint32_t *count);

void fabric_format_link(const struct fabric *fabric, link_id link, char text[LINK_NAME_SIZE]);
void fabric_format_cable(const struct fabric *fabric, cable_id cable, char text[LINK_NAME_SIZE]);
void fabric_format_port(const struct fabric *fabric, port_id port, char text[NAME_SIZE + 4]);

// The uSIDs that pin a walk. links[0] leaves a host port, the last link enters a host port,
// consecutive links meet in a node. Rules (ARCHITECTURE.md, "Fabric and SIDs"): a hop over a single
// cable is named by the uN of the node that it enters; a hop over one of several parallel cables by
// uN and uA of the node that it leaves; the last by the host port's uSID. -EINVAL for a broken
// walk, -ENOSPC when it exceeds SID_LIST_MAX carriers (the driver's encapsulation limit).
int fabric_walk_sids(const struct fabric *fabric, const link_id *links, unsigned link_count,
                     struct sid_list *out);

// A copy of its own; NULL without memory.
struct fabric *fabric_copy(const struct fabric *fabric);
void fabric_close(struct fabric *fabric); // NULL is a no-op

// ---- building
// -------------------------------------------------------------------------------------------------------
// A description is what a fabric file says, checked for nothing yet. All strings are borrowed.

//   leaf-spine      leaves, spines, hosts_per_leaf, [ports_per_host]
//   three-tier      pods, leaves_per_pod, aggs_per_pod, cores, hosts_per_leaf, [ports_per_host];
//                   core c connects to agg c / (cores / aggs_per_pod) of each pod
//   rail-optimized  rails, groups, hosts_per_group, spines: a host has a port for each rail; port r
//                   in group g goes to leaf g * rails + r, every leaf to every spine
//   dual-plane      leaves, spines, hosts_per_leaf, in each of two planes that share no switch: a
//                   host has two ports, port p to its leaf in plane p; leaves and spines of plane 0
//                   are numbered first
struct fabric_clos_desc {
    const char *kind;
    uint32_t leaves, spines, hosts_per_leaf;
    uint32_t cables; // parallel ones between two switches, default 1
    uint32_t pods, leaves_per_pod, aggs_per_pod, cores;
    uint32_t rails, groups, hosts_per_group;
    uint32_t ports_per_host; // default 1; port p of a host goes to leaf (first + p)
    uint64_t host_bps, fabric_bps;
};
struct fabric_node_desc {
    const char *name;
    enum node_kind kind;
    uint32_t pod;
    uint32_t usid; // 0: numbered in order
    uint32_t line;
};
struct fabric_link_desc {
    const char *a, *b;
    uint32_t cables;
    uint64_t rate_bps;
    const char *ipv4, *ipv6; // host ports only; NULL: generated
    uint32_t line;
};
struct fabric_override_desc {
    const char *link; // cable name, one cable ".k", or a direction "A>B[.k]"
    uint32_t capacity_ppm;
    uint32_t line;
};
struct fabric_desc {
    const char *source; // file name for messages
    uint32_t version;
    uint64_t generation;
    const char *name, *block;
    const char *ipv4_base, *ipv6_base;   // NULL: 10.64.0.0 and fd64::
    const struct fabric_clos_desc *clos; // exclusive with nodes/links
    const struct fabric_node_desc *nodes;
    uint32_t node_count;
    const struct fabric_link_desc *links;
    uint32_t link_count;
    const struct fabric_override_desc *overrides;
    uint32_t override_count;
    uint32_t line_clos, line_block, line_version, line_generation, line_name;
    uint32_t line_ipv4_base, line_ipv6_base;
};

// Called once for each thing wrong, in order of lines; the whole description is checked before a
// verdict.
typedef void fabric_complain_fn(void *context, const struct error *error);

// Generates or assembles, validates, and returns owned; NULL when anything was complained about.
// Checks: version, duplicate names, unknown ends, tiers that do not touch, hosts without a way to
// every other host, more than 57,343 uNs in a block, duplicate uSIDs, overrides of unknown links,
// capacities outside 0..1, paths beyond SID_LIST_MAX.
struct fabric *fabric_open(const struct fabric_desc *desc, fabric_complain_fn *complain,
                           void *context);

#endif
