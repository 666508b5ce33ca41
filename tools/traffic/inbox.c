// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/sock_diag.h>
#include <netinet/udp.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "net.h"

#define RECEIVE_BUFFER_SIZE (8 << 20)
#define UDP_NO_CHECK6_RX_OPTION 102 // not in every libc's headers

// ---- opening

// A raw socket sees every UDP packet of the host: let through only responses to port 4791.
static int attach_response_filter(int fd, bool ipv6) {
    // IPv4 packets begin at the IP header, IPv6 packets at the UDP header.
    struct sock_filter filter[] = {
        ipv6 ? (struct sock_filter)BPF_STMT(BPF_LDX | BPF_IMM, 0)
             : (struct sock_filter)BPF_STMT(BPF_LDX | BPF_MSH | BPF_B, 0),
        BPF_STMT(BPF_LD | BPF_H | BPF_IND, 2),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ROCE_UDP_PORT, 0, 4),
        BPF_STMT(BPF_LD | BPF_B | BPF_IND, ROCE_UDP_SIZE),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ROCE_ACK, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ROCE_CNP, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
        BPF_STMT(BPF_RET | BPF_K, 0),
    };
    struct sock_fprog program = {.len = sizeof filter / sizeof filter[0], .filter = filter};
    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0 ? 0 : -errno;
}

static int configure(int fd, bool ipv6) {
    int on = 1, size = RECEIVE_BUFFER_SIZE;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) != 0 &&
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size) != 0) {
        return -errno;
    }
    if (setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on) != 0) {
        return -errno;
    }
    int rc = ipv6 ? setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on) |
                        setsockopt(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, &on, sizeof on)
                  : setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof on) |
                        setsockopt(fd, IPPROTO_IP, IP_RECVTOS, &on, sizeof on);
    return rc == 0 ? 0 : -errno;
}

static void init(struct inbox *inbox, int fd, bool ipv6, bool raw) {
    inbox->fd = fd;
    inbox->ipv6 = ipv6;
    inbox->raw = raw;
    for (unsigned i = 0; i < NET_BATCH; i++) {
        inbox->vectors[i] =
            (struct iovec){.iov_base = inbox->frames[i], .iov_len = sizeof inbox->frames[i]};
    }
}

static int bind_requests(int fd, bool ipv6, const uint8_t *address) {
    int on = 1;
    if (ipv6) {
        struct sockaddr_in6 local = {.sin6_family = AF_INET6, .sin6_port = htons(ROCE_UDP_PORT)};
        if (address != NULL) {
            memcpy(&local.sin6_addr, address, 16);
        }
        // RoCEv2 sends without a UDP checksum.
        if (setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) != 0 ||
            setsockopt(fd, IPPROTO_UDP, UDP_NO_CHECK6_RX_OPTION, &on, sizeof on) != 0 ||
            bind(fd, (struct sockaddr *)&local, sizeof local) != 0) {
            return -errno;
        }
        return 0;
    }
    struct sockaddr_in local = {.sin_family = AF_INET, .sin_port = htons(ROCE_UDP_PORT)};
    if (address != NULL) {
        memcpy(&local.sin_addr, address, 4);
    }
    return bind(fd, (struct sockaddr *)&local, sizeof local) == 0 ? 0 : -errno;
}

int inbox_open_requests(struct inbox *inbox, bool ipv6, const uint8_t *address,
                        struct error *error) {
    int fd = socket(ipv6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return error_set(error, -errno, "cannot open a UDP socket: %s", strerror(errno));
    }
    int rc = configure(fd, ipv6);
    if (rc == 0) {
        rc = bind_requests(fd, ipv6, address);
    }
    if (rc != 0) {
        char text[INET6_ADDRSTRLEN] = "any address";
        if (address != NULL) {
            inet_ntop(ipv6 ? AF_INET6 : AF_INET, address, text, sizeof text);
        }
        close(fd);
        return error_set(error, rc, "cannot receive on UDP port %d of %s: %s", ROCE_UDP_PORT, text,
                         strerror(-rc));
    }
    init(inbox, fd, ipv6, false);
    return 0;
}

int inbox_open_responses(struct inbox *inbox, bool ipv6, struct error *error) {
    int fd =
        socket(ipv6 ? AF_INET6 : AF_INET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_UDP);
    if (fd < 0) {
        return error_set(error, -errno, "raw sockets need root (CAP_NET_RAW): %s", strerror(errno));
    }
    int rc = attach_response_filter(fd, ipv6);
    if (rc == 0) {
        rc = configure(fd, ipv6);
    }
    if (rc != 0) {
        close(fd);
        return error_set(error, rc, "cannot set up a raw socket: %s", strerror(-rc));
    }
    init(inbox, fd, ipv6, true);
    return 0;
}

void inbox_close(struct inbox *inbox) {
    if (inbox != NULL && inbox->fd >= 0) {
        close(inbox->fd);
        inbox->fd = -1;
    }
}

// ---- reading

static void take_control(struct msghdr *header, struct inbound *inbound) {
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c != NULL; c = CMSG_NXTHDR(header, c)) {
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_TIMESTAMPNS) {
            struct timespec at;
            memcpy(&at, CMSG_DATA(c), sizeof at);
            inbound->at_ns = (uint64_t)at.tv_sec * 1000000000U + (uint64_t)at.tv_nsec;
        } else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo info;
            memcpy(&info, CMSG_DATA(c), sizeof info);
            memcpy(inbound->addresses.destination, &info.ipi_addr, 4);
        } else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS) {
            inbound->addresses.traffic_class = *CMSG_DATA(c);
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo info;
            memcpy(&info, CMSG_DATA(c), sizeof info);
            memcpy(inbound->addresses.destination, &info.ipi6_addr, 16);
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS) {
            int class;
            memcpy(&class, CMSG_DATA(c), sizeof class);
            inbound->addresses.traffic_class = (uint8_t) class;
        }
    }
}

static void take_source(const struct sockaddr_in6 *from, struct inbound *inbound) {
    if (inbound->addresses.ipv6) {
        memcpy(inbound->addresses.source, &from->sin6_addr, 16);
        inbound->addresses.source_port = ntohs(from->sin6_port);
    } else {
        struct sockaddr_in ipv4;
        memcpy(&ipv4, from, sizeof ipv4);
        memcpy(inbound->addresses.source, &ipv4.sin_addr, 4);
        inbound->addresses.source_port = ntohs(ipv4.sin_port);
    }
}

// Raw sockets deliver headers: IPv4 from the IP header on, IPv6 from UDP on.
static bool strip_headers(const struct inbox *inbox, struct inbound *inbound) {
    size_t headers = 0;
    if (inbox->raw) {
        headers = ROCE_UDP_SIZE + (inbox->ipv6 ? 0 : (size_t)(inbound->packet[0] & 0xf) * 4);
        if (inbound->size < headers + ROCE_BTH_SIZE + ROCE_ICRC_SIZE) {
            return false;
        }
        const uint8_t *udp = inbound->packet + headers - ROCE_UDP_SIZE;
        inbound->addresses.source_port = (uint16_t)(udp[0] << 8 | udp[1]);
    }
    inbound->packet += headers;
    inbound->size -= headers;
    inbound->ip_size = inbound->size + ROCE_UDP_SIZE +
                       (inbox->ipv6 ? (size_t)ROCE_IPV6_SIZE : (size_t)ROCE_IPV4_SIZE);
    return inbound->size >= ROCE_BTH_SIZE + ROCE_ICRC_SIZE;
}

unsigned inbox_read(struct inbox *inbox, struct inbound inbound[NET_BATCH]) {
    for (unsigned i = 0; i < NET_BATCH; i++) {
        inbox->messages[i].msg_hdr = (struct msghdr){.msg_name = &inbox->sources[i],
                                                     .msg_namelen = sizeof inbox->sources[i],
                                                     .msg_iov = &inbox->vectors[i],
                                                     .msg_iovlen = 1,
                                                     .msg_control = inbox->control[i],
                                                     .msg_controllen = NET_CONTROL_SIZE};
    }
    int count = recvmmsg(inbox->fd, inbox->messages, NET_BATCH, 0, NULL);
    for (int i = 0; i < count; i++) {
        struct inbound *in = &inbound[i];
        *in = (struct inbound){.addresses = {.ipv6 = inbox->ipv6},
                               .packet = inbox->frames[i],
                               .size = inbox->messages[i].msg_len};
        take_source(&inbox->sources[i], in);
        take_control(&inbox->messages[i].msg_hdr, in);
        if ((inbox->messages[i].msg_hdr.msg_flags & MSG_TRUNC) != 0 || !strip_headers(inbox, in)) {
            in->size = 0;
        }
    }
    return count > 0 ? (unsigned)count : 0;
}

uint64_t inbox_overflows(const struct inbox *inbox) {
    uint32_t memory[SK_MEMINFO_VARS];
    socklen_t size = sizeof memory;
    if (getsockopt(inbox->fd, SOL_SOCKET, SO_MEMINFO, memory, &size) != 0) {
        return 0;
    }
    return memory[SK_MEMINFO_DROPS];
}

int net_source_for(bool ipv6, const uint8_t destination[16], uint8_t source[16]) {
    struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_port = htons(ROCE_UDP_PORT)};
    struct sockaddr_in to4 = {.sin_family = AF_INET, .sin_port = htons(ROCE_UDP_PORT)};
    memcpy(&to.sin6_addr, destination, 16);
    memcpy(&to4.sin_addr, destination, 4);
    int fd = socket(ipv6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    socklen_t size = ipv6 ? sizeof to : sizeof to4;
    struct sockaddr *address = ipv6 ? (struct sockaddr *)&to : (struct sockaddr *)&to4;
    int rc = connect(fd, address, size) == 0 && getsockname(fd, address, &size) == 0 ? 0 : -errno;
    close(fd);
    if (rc == 0) {
        memset(source, 0, 16);
        if (ipv6) {
            memcpy(source, &to.sin6_addr, 16);
        } else {
            memcpy(source, &to4.sin_addr, 4);
        }
    }
    return rc;
}
