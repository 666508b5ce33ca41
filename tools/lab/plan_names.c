// SPDX-License-Identifier: Apache-2.0
#include "plan.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

// Addresses between switches: <range>:<cable>:<end>/127. Nothing but `via` and `nh6` uses them.
static const uint8_t router_range[8] = {0xfd, 0x5f, 0x6c, 0x61, 0x62, 0, 0, 0};
static const uint8_t mgmt_range[2] = {10, 255};

static bool is_plain_name(const char *name) {
    for (const char *c = name; *c != '\0'; c++) {
        if (!isalnum((unsigned char)*c) && strchr("._-", *c) == NULL) {
            return false;
        }
    }
    return name[0] != '\0' && name[0] != '.' && name[0] != '-';
}

static int check_names(const struct lab *lab, struct error *error) {
    if (!is_plain_name(lab->prefix)) {
        return error_set(error, -EINVAL, "%s: not a prefix for names of network namespaces",
                         lab->prefix);
    }
    for (uint32_t i = 0; i < lab->fabric->node_count; i++) {
        if (!is_plain_name(lab->fabric->nodes[i].name)) {
            return error_set(error, -EINVAL, "%s: a network namespace cannot have this name",
                             lab->fabric->nodes[i].name);
        }
    }
    return 0;
}

static int check_addresses(const struct lab *lab, struct error *error) {
    for (uint32_t i = 0; i < lab->fabric->port_count; i++) {
        const struct fabric_port *port = &lab->fabric->ports[i];
        if (memcmp(port->ipv4, mgmt_range, sizeof mgmt_range) == 0 ||
            memcmp(port->ipv6, router_range, sizeof router_range) == 0) {
            return error_set(error, -EINVAL,
                             "%s: its address is in 10.255.0.0/16 or fd5f:6c61:6200::/64, which "
                             "the lab uses itself",
                             lab->fabric->nodes[port->host.i].name);
        }
    }
    return 0;
}

int lab_init(struct lab *lab, const struct fabric *fabric, const char *prefix,
             struct error *error) {
    if (strlen(prefix) >= LAB_PREFIX_SIZE) {
        return error_set(error, -EINVAL, "%s: longer than %d characters", prefix,
                         LAB_PREFIX_SIZE - 1);
    }
    struct lab built = {.fabric = fabric};
    memcpy(built.prefix, prefix, strlen(prefix));
    int rc = check_names(&built, error);
    if (rc == 0) {
        rc = check_addresses(&built, error);
    }
    if (rc != 0) {
        return rc;
    }
    built.port_of_cable = malloc(sizeof(uint32_t) * (fabric->cable_count + 1));
    if (built.port_of_cable == NULL) {
        return error_set(error, -ENOMEM, "out of memory");
    }
    memset(built.port_of_cable, 0xff, sizeof(uint32_t) * fabric->cable_count);
    for (uint32_t i = 0; i < fabric->port_count; i++) {
        built.port_of_cable[fabric->ports[i].cable.i] = i;
    }
    *lab = built;
    return 0;
}

void lab_fini(struct lab *lab) {
    free(lab->port_of_cable);
    lab->port_of_cable = NULL;
}

const struct fabric_port *lab_port_of_link(const struct lab *lab, link_id link) {
    uint32_t port = lab->port_of_cable[link_cable(link).i];
    return port == ID_NONE ? NULL : &lab->fabric->ports[port];
}

bool lab_is_host_link(const struct lab *lab, link_id link) {
    return lab_port_of_link(lab, link) != NULL;
}

// A device is named after the peer, so that `ip link` in a switch reads like a cabling list. Names
// that the kernel or this lab gives a meaning, or that are too long, become to<number of the node>.
static bool is_usable_device(const char *name) {
    static const char *const taken[] = {"lo", "all", "default", LAB_MGMT_DEVICE};
    for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++) {
        if (strcmp(name, taken[i]) == 0) {
            return false;
        }
    }
    return strlen(name) < IFNAMSIZ && !(strncmp(name, "to", 2) == 0 && isdigit(name[2]));
}

void lab_device(const struct lab *lab, link_id link, char text[IFNAMSIZ]) {
    const struct fabric *fabric = lab->fabric;
    const struct fabric_cable *cable = &fabric->cables[link_cable(link).i];
    const struct fabric_port *port = lab_port_of_link(lab, link);
    if (port != NULL && !link_is_reverse(link)) {
        snprintf(text, IFNAMSIZ, "eth%u", port->index);
        return;
    }
    node_id peer = fabric_link_to(fabric, link);
    char suffix[8] = "";
    if (cable->parallel_count > 1) {
        snprintf(suffix, sizeof suffix, ".%u", cable->index);
    }
    char name[NAME_SIZE + sizeof suffix];
    snprintf(name, sizeof name, "%s%s", fabric->nodes[peer.i].name, suffix);
    if (is_usable_device(name)) {
        memcpy(text, name, strlen(name) + 1);
    } else {
        snprintf(text, IFNAMSIZ, "to%" PRIu32 "%s", peer.i % 1000000, suffix);
    }
}

void lab_mac(link_id link, char text[LAB_MAC_SIZE]) {
    snprintf(text, LAB_MAC_SIZE, "02:53:36:%02x:%02x:%02x", link.i >> 16 & 0xff, link.i >> 8 & 0xff,
             link.i & 0xff);
}

void lab_ipv6(const struct lab *lab, link_id link, char text[LAB_ADDRESS_SIZE]) {
    uint8_t address[16] = {0};
    const struct fabric_port *port = lab_port_of_link(lab, link);
    if (port != NULL) {
        memcpy(address, link_is_reverse(link) ? port->gateway_ipv6 : port->ipv6, 16);
    } else {
        memcpy(address, router_range, sizeof router_range);
        uint32_t end = htonl(link.i); // two ends of a cable differ in the last bit: a /127
        memcpy(address + 12, &end, sizeof end);
    }
    inet_ntop(AF_INET6, address, text, LAB_ADDRESS_SIZE);
}

unsigned lab_ipv6_prefix_length(const struct lab *lab, link_id link) {
    return lab_is_host_link(lab, link) ? 112 : 127;
}

void lab_ipv4(const struct lab *lab, link_id link, char text[LAB_ADDRESS_SIZE]) {
    const struct fabric_port *port = lab_port_of_link(lab, link);
    inet_ntop(AF_INET, link_is_reverse(link) ? port->gateway_ipv4 : port->ipv4, text,
              LAB_ADDRESS_SIZE);
}

void lab_mgmt_ipv4(uint32_t host, char text[LAB_ADDRESS_SIZE]) {
    uint32_t number = host + 1; // .0.0 is the network
    snprintf(text, LAB_ADDRESS_SIZE, "%u.%u.%u.%u", mgmt_range[0], mgmt_range[1],
             number >> 8 & 0xff, number & 0xff);
}

void lab_mgmt_port(uint32_t host, char text[IFNAMSIZ]) {
    snprintf(text, IFNAMSIZ, "host%" PRIu32, host);
}

bool lab_link_is_dead(const struct lab *lab, link_id link) {
    return fabric_link_rate_bps(lab->fabric, link) == 0;
}

uint64_t lab_rate_bps(const struct lab *lab, link_id link) {
    uint64_t rate = fabric_link_rate_bps(lab->fabric, link);
    return rate != 0 ? rate : lab->fabric->cables[link_cable(link).i].rate_bps;
}
