// SPDX-License-Identifier: Apache-2.0
#include "agent_shell/port_setup.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdalign.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define REPLY_SIZE 1024

struct address_request {
    struct nlmsghdr header;
    struct ifaddrmsg address;
    struct rtattr attribute;
    uint8_t bytes[16];
};

// Sends one netlink request and returns the kernel's verdict on it.
static int netlink_ask(const void *request, size_t size) {
    alignas(struct nlmsghdr) uint8_t reply[REPLY_SIZE];
    struct nlmsghdr *header = (struct nlmsghdr *)reply;
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (fd < 0) {
        return -errno;
    }
    int rc = 0;
    ssize_t got = -1;
    if (send(fd, request, size, 0) < 0 || (got = recv(fd, reply, sizeof(reply), 0)) < 0) {
        rc = -errno;
    } else if ((size_t)got < NLMSG_LENGTH(sizeof(struct nlmsgerr)) ||
               header->nlmsg_type != NLMSG_ERROR) {
        rc = -EPROTO;
    } else {
        rc = ((struct nlmsgerr *)NLMSG_DATA(header))->error;
    }
    close(fd);
    return rc;
}

static int add_address(unsigned device, const struct sid *address) {
    struct address_request request = {
        .header = {.nlmsg_len = sizeof(request),
                   .nlmsg_type = RTM_NEWADDR,
                   .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL},
        .address = {.ifa_family = AF_INET6,
                    .ifa_prefixlen = 128,
                    .ifa_flags = IFA_F_NODAD | IFA_F_PERMANENT,
                    .ifa_index = device},
        .attribute = {.rta_len = RTA_LENGTH(16), .rta_type = IFA_LOCAL},
    };
    memcpy(request.bytes, address->bytes, sizeof(request.bytes));
    int rc = netlink_ask(&request, sizeof(request));
    return rc == -EEXIST ? 0 : rc;
}

static int raise_device(const char *device) {
    struct ifreq request = {0};
    int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", device);
    int rc = ioctl(fd, SIOCGIFFLAGS, &request) == 0 ? 0 : -errno;
    if (rc == 0 && (request.ifr_flags & IFF_UP) == 0) {
        request.ifr_flags = (short)(request.ifr_flags | IFF_UP);
        rc = ioctl(fd, SIOCSIFFLAGS, &request) == 0 ? 0 : -errno;
    }
    close(fd);
    return rc;
}

// A host that has the address on any device needs nothing more.
static bool has_address(const struct sid *address) {
    struct sockaddr_in6 own = {.sin6_family = AF_INET6};
    memcpy(&own.sin6_addr, address->bytes, sizeof(own.sin6_addr));
    int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool has = fd >= 0 && bind(fd, (struct sockaddr *)&own, sizeof(own)) == 0;
    if (fd >= 0) {
        close(fd);
    }
    return has;
}

int port_setup_address(const struct probe_port *port, struct error *error) {
    char text[SID_TEXT_SIZE];
    sid_format(&port->address, text);
    if (if_nametoindex(port->device) == 0) {
        return error_set(error, -ENODEV, "no network device %s (nic.ports)", port->device);
    }
    if (has_address(&port->address)) {
        return 0;
    }
    int rc = raise_device("lo");
    rc = rc != 0 ? rc : add_address(if_nametoindex("lo"), &port->address);
    if (rc == 0) {
        return 0;
    }
    return error_set(error, rc,
                     "cannot add the uSID address %s to lo (%s): ip -6 addr add %s/128 dev lo",
                     text, strerror(-rc), text);
}

static int enable(const char *device, struct error *error) {
    char path[96], value = '0';
    snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/seg6_enabled", device);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return error_set(error, -ENOTSUP,
                         "the kernel has no IPv6 segment routing (%s is missing): Linux 4.10 or "
                         "newer with CONFIG_IPV6 is needed",
                         path);
    }
    ssize_t got = read(fd, &value, 1);
    close(fd);
    if (got == 1 && value == '1') {
        return 0;
    }
    fd = open(path, O_WRONLY | O_CLOEXEC);
    int rc = fd >= 0 && write(fd, "1", 1) == 1 ? 0 : -errno;
    if (fd >= 0) {
        close(fd);
    }
    return rc == 0
               ? 0
               : error_set(error, rc,
                           "cannot enable segment routing: sysctl net.ipv6.conf.%s.seg6_enabled=1",
                           device);
}

int port_setup_seg6(const struct probe_port *port, struct error *error) {
    int rc = enable("all", error);
    return rc != 0 ? rc : enable(port->device, error);
}
