// SPDX-License-Identifier: Apache-2.0
// How a fabric becomes a lab of network namespaces: names, addresses, and the files that `ip`,
// `tc`, `nft` and `sysctl` read. Private to srv6-lab-plan; srv6-lab (the script) runs what is
// written here and knows nothing about SIDs or topology itself.
//
//   OUT/lab.json                what there is: nodes, hosts, ports, directed links
//   OUT/links.batch             ip -batch, in the caller's namespace: veth pairs between namespaces
//   OUT/mgmt.batch              ip -batch, in the management namespace: the bridge and its ports
//   OUT/node/<node>/up.batch    ip -batch: devices up (all nodes first: routes need both ends)
//   OUT/node/<node>/ip.batch    ip -batch: addresses, neighbours, routes, uN
//   OUT/node/<node>/rule.batch  ip -6 -batch: by which of several ports a host's IPv6 leaves (ip
//                               takes the family of a rule from its options alone)
//   OUT/node/<node>/ua.batch    ip -batch: uA, only where the kernel has End.X with NEXT-CSID
//   OUT/node/<node>/tc.batch    tc -batch: each device capped at its link's rate, probes first
//   OUT/node/<node>/nft.rules   nft -f: counters of encapsulated packets
//   OUT/node/<node>/sysctl.conf
//
// Every directed link is sent by exactly one device: the device on its `from` node. Units: bits per
// second, bytes. The fabric is borrowed and must outlive the lab. Single thread.
#ifndef LAB_PLAN_H
#define LAB_PLAN_H

#include <net/if.h>
#include <stdio.h>

#include "model/fabric.h"

#define LAB_PREFIX_SIZE 32
#define LAB_ADDRESS_SIZE 46
#define LAB_MAC_SIZE 18
#define LAB_MTU 9000
#define LAB_FRAME_HEADER_SIZE 14 // Ethernet; rates and counters are in frame bytes
#define LAB_PROBE_CLASS 0xc0     // DSCP CS6: probes overtake data at every queue
#define LAB_MGMT_DEVICE "mgmt0"

struct lab {
    const struct fabric *fabric;
    char prefix[LAB_PREFIX_SIZE];
    const char *fabric_path; // absolute
    const char *out;
    uint32_t *port_of_cable; // owned; ID_NONE for cables between switches
};

// -EINVAL with the reason: a name that no namespace can have, addresses that meet the lab's own.
int lab_init(struct lab *lab, const struct fabric *fabric, const char *prefix, struct error *error);
void lab_fini(struct lab *lab);

// ---- names and addresses (plan_names.c)

void lab_device(const struct lab *lab, link_id link, char text[IFNAMSIZ]);
void lab_mac(link_id link, char text[LAB_MAC_SIZE]); // of the sending device
// The IPv6 address of the sending device of `link`; on a host's cable that of its NIC port or of
// the leaf towards it, between switches one out of the lab's own range.
void lab_ipv6(const struct lab *lab, link_id link, char text[LAB_ADDRESS_SIZE]);
unsigned lab_ipv6_prefix_length(const struct lab *lab, link_id link);
// On a host's cable only.
void lab_ipv4(const struct lab *lab, link_id link, char text[LAB_ADDRESS_SIZE]);
void lab_mgmt_ipv4(uint32_t host, char text[LAB_ADDRESS_SIZE]);
void lab_mgmt_port(uint32_t host, char text[IFNAMSIZ]); // the bridge's end
bool lab_is_host_link(const struct lab *lab, link_id link);
// NULL between switches.
const struct fabric_port *lab_port_of_link(const struct lab *lab, link_id link);
// What the cable is capped at. A direction that the fabric file gives no capacity is not slow but
// dead; it keeps the nominal rate and drops everything (plan_filters.c).
uint64_t lab_rate_bps(const struct lab *lab, link_id link);
bool lab_link_is_dead(const struct lab *lab, link_id link);

// ---- writers; each prints one file for one node

void plan_links(const struct lab *lab, FILE *file);
void plan_mgmt(const struct lab *lab, FILE *file);
void plan_devices_up(const struct lab *lab, node_id node, FILE *file);
void plan_addresses(const struct lab *lab, node_id node, FILE *file);
void plan_node_sids(const struct lab *lab, node_id node, FILE *file);
void plan_adjacency_sids(const struct lab *lab, node_id node, FILE *file);
void plan_host_routes(const struct lab *lab, node_id host, FILE *file);
void plan_host_rules(const struct lab *lab, node_id host, FILE *file);
// ECMP over all shortest ways to every host subnet, as switches do that know nothing of the
// program. -ENOMEM.
int plan_switch_routes(const struct lab *lab, node_id node, FILE *file);
void plan_shaping(const struct lab *lab, node_id node, FILE *file);
void plan_counters(const struct lab *lab, node_id node, FILE *file);
void plan_sysctls(const struct lab *lab, node_id node, FILE *file);
// lab.json; -ENOMEM, -EIO.
int plan_describe(const struct lab *lab, FILE *file);

#endif
