// SPDX-License-Identifier: Apache-2.0
#include "ports.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define VALUE_SIZE 32
#define REPLY_SIZE 1024

struct address_request {
    struct nlmsghdr header;
    struct ifaddrmsg address;
    struct rtattr attribute;
    uint8_t bytes[16];
};

uint32_t ports_own_sids(const char *host, const struct fabric *fabric,
                        struct sid out[HOST_PORTS_MAX]) {
    node_id node;
    if (!fabric_find_node(fabric, host, &node)) {
        return 0;
    }
    const struct fabric_node *own = &fabric->nodes[node.i];
    for (uint32_t i = 0; i < own->port_count; i++) {
        out[i] = sid_of(fabric->block, fabric->ports[own->first_port + i].usid);
    }
    return own->port_count;
}

bool ports_has_address(const struct sid *address) {
    struct sockaddr_in6 own = {.sin6_family = AF_INET6};
    memcpy(&own.sin6_addr, address->bytes, sizeof(own.sin6_addr));
    int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool has = fd >= 0 && bind(fd, (struct sockaddr *)&own, sizeof(own)) == 0;
    if (fd >= 0) {
        close(fd);
    }
    return has;
}

// The kernel's verdict on one request.
static int netlink_ask(const void *request, size_t size) {
    alignas(struct nlmsghdr) uint8_t reply[REPLY_SIZE];
    const struct nlmsghdr *header = (struct nlmsghdr *)reply;
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), rc = 0;
    if (fd < 0) {
        return -errno;
    }
    ssize_t got = send(fd, request, size, 0) < 0 ? -1 : recv(fd, reply, sizeof(reply), 0);
    if (got < 0) {
        rc = -errno;
    } else if ((size_t)got < NLMSG_LENGTH(sizeof(struct nlmsgerr)) ||
               header->nlmsg_type != NLMSG_ERROR) {
        rc = -EPROTO;
    } else {
        rc = ((const struct nlmsgerr *)NLMSG_DATA(header))->error;
    }
    close(fd);
    return rc;
}

int ports_remove_address(const char *address, struct error *error) {
    struct address_request request = {
        .header = {.nlmsg_len = sizeof(request),
                   .nlmsg_type = RTM_DELADDR,
                   .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK},
        .address = {.ifa_family = AF_INET6,
                    .ifa_prefixlen = 128,
                    .ifa_index = if_nametoindex("lo")},
        .attribute = {.rta_len = RTA_LENGTH(16), .rta_type = IFA_LOCAL},
    };
    if (inet_pton(AF_INET6, address, request.bytes) != 1) {
        return error_set(error, -EINVAL, "%s is no IPv6 address", address);
    }
    int rc = netlink_ask(&request, sizeof(request));
    return rc == 0 || rc == -EADDRNOTAVAIL
               ? 0
               : error_set(error, rc, "cannot take %s from lo: %s", address, strerror(-rc));
}

int ports_read_setting(const char *path, char **value, size_t *size, struct error *error) {
    char *text = calloc(1, VALUE_SIZE);
    int fd = text != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    ssize_t got = fd >= 0 ? read(fd, text, VALUE_SIZE - 1) : -1;
    int code = text == NULL ? ENOMEM : errno;
    if (fd >= 0) {
        close(fd);
    }
    if (got < 0) {
        free(text);
        return error_set(error, -code, "%.100s: %s%s", path, strerror(code),
                         code == ENOENT ? ": no such port, or a kernel without IPv6 segment routing"
                                        : "");
    }
    *value = text;
    *size = (size_t)got;
    return 0;
}

int ports_write_setting(const char *path, const char *value, struct error *error) {
    size_t size = strlen(value);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    int rc = fd >= 0 && write(fd, value, size) == (ssize_t)size ? 0 : -errno;
    if (fd >= 0) {
        close(fd);
    }
    return rc == 0 ? 0 : error_set(error, rc, "cannot write %.100s: %s", path, strerror(-rc));
}
