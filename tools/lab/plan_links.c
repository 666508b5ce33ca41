// SPDX-License-Identifier: Apache-2.0
// Devices, addresses and neighbours.
#include "plan.h"

#include <arpa/inet.h>
#include <inttypes.h>

static const char *node_name(const struct lab *lab, node_id node) {
    return lab->fabric->nodes[node.i].name;
}

void plan_links(const struct lab *lab, FILE *file) {
    const struct fabric *fabric = lab->fabric;
    for (uint32_t i = 0; i < fabric->cable_count; i++) {
        link_id up = link_of((cable_id){i}, false);
        link_id down = link_opposite(up);
        char device[2][IFNAMSIZ], mac[2][LAB_MAC_SIZE];
        lab_device(lab, up, device[0]);
        lab_device(lab, down, device[1]);
        lab_mac(up, mac[0]);
        lab_mac(down, mac[1]);
        fprintf(file,
                "link add %s netns %s%s address %s mtu %d type veth peer name %s netns %s%s "
                "address %s mtu %d\n",
                device[0], lab->prefix, node_name(lab, fabric->cables[i].a), mac[0], LAB_MTU,
                device[1], lab->prefix, node_name(lab, fabric->cables[i].b), mac[1], LAB_MTU);
    }
    for (uint32_t i = 0; i < fabric->host_count; i++) {
        char port[IFNAMSIZ];
        lab_mgmt_port(i, port);
        fprintf(file,
                "link add " LAB_MGMT_DEVICE " netns %s%s type veth peer name %s netns %smgmt\n",
                lab->prefix, fabric->nodes[i].name, port, lab->prefix);
    }
}

void plan_mgmt(const struct lab *lab, FILE *file) {
    fprintf(file, "link add bridge type bridge\nlink set bridge up\n");
    for (uint32_t i = 0; i < lab->fabric->host_count; i++) {
        char port[IFNAMSIZ];
        lab_mgmt_port(i, port);
        fprintf(file, "link set %s master bridge up\n", port);
    }
}

void plan_devices_up(const struct lab *lab, node_id node, FILE *file) {
    const struct fabric_node *self = &lab->fabric->nodes[node.i];
    fprintf(file, "link set lo up\n");
    if (self->kind == NODE_HOST) {
        char address[LAB_ADDRESS_SIZE];
        lab_mgmt_ipv4(node.i, address);
        fprintf(file, "link set " LAB_MGMT_DEVICE " up\naddr add %s/16 dev " LAB_MGMT_DEVICE "\n",
                address);
    }
    for (uint32_t i = 0; i < self->adjacency_count; i++) {
        char device[IFNAMSIZ];
        lab_device(lab, lab->fabric->adjacencies[self->first_adjacency + i].link, device);
        fprintf(file, "link set %s up\n", device);
    }
}

// Neighbours are written down, so that no packet is ever lost to their discovery.
void plan_addresses(const struct lab *lab, node_id node, FILE *file) {
    const struct fabric_node *self = &lab->fabric->nodes[node.i];
    for (uint32_t i = 0; i < self->adjacency_count; i++) {
        link_id link = lab->fabric->adjacencies[self->first_adjacency + i].link;
        char device[IFNAMSIZ], address[LAB_ADDRESS_SIZE], peer_mac[LAB_MAC_SIZE];
        lab_device(lab, link, device);
        lab_mac(link_opposite(link), peer_mac);
        lab_ipv6(lab, link, address);
        fprintf(file, "addr add %s/%u dev %s nodad\n", address, lab_ipv6_prefix_length(lab, link),
                device);
        lab_ipv6(lab, link_opposite(link), address);
        fprintf(file, "neigh replace %s lladdr %s nud permanent dev %s\n", address, peer_mac,
                device);
        if (lab_is_host_link(lab, link)) {
            lab_ipv4(lab, link, address);
            fprintf(file, "addr add %s/30 dev %s\n", address, device);
            lab_ipv4(lab, link_opposite(link), address);
            fprintf(file, "neigh replace %s lladdr %s nud permanent dev %s\n", address, peer_mac,
                    device);
        }
    }
}

void plan_sysctls(const struct lab *lab, node_id node, FILE *file) {
    const struct fabric_node *self = &lab->fabric->nodes[node.i];
    bool forwards = self->kind != NODE_HOST;
    // "-" lets sysctl go on where an older kernel lacks a key. The seed makes ECMP repeatable from
    // run to run and different from switch to switch, as hardware vendors do.
    fprintf(file,
            "net.ipv4.ip_forward = %d\n"
            "net.ipv6.conf.all.forwarding = %d\n"
            "net.ipv4.conf.all.rp_filter = 0\n"
            "net.ipv4.conf.default.rp_filter = 0\n"
            "net.ipv4.conf.all.send_redirects = 0\n"
            "net.ipv4.conf.default.send_redirects = 0\n"
            "net.ipv4.conf.default.igmpv3_unsolicited_report_interval = 0\n"
            "net.ipv6.conf.all.accept_dad = 0\n"
            "net.ipv6.conf.default.accept_dad = 0\n"
            "net.ipv6.conf.default.accept_ra = 0\n"
            "net.ipv6.conf.default.router_solicitations = 0\n"
            "net.ipv6.conf.default.addr_gen_mode = 1\n"
            "net.ipv6.conf.all.seg6_enabled = 1\n"
            "net.ipv6.conf.default.seg6_enabled = 1\n"
            "net.ipv6.conf.lo.seg6_enabled = 1\n"
            "net.ipv4.fib_multipath_hash_policy = 1\n"
            "net.ipv6.fib_multipath_hash_policy = 1\n"
            "-net.ipv4.fib_multipath_hash_seed = %" PRIu32 "\n",
            forwards, forwards, node.i + 1);
}
