// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "net.h"

// About a hundred packets of 1 KiB wait in the device's queue, fewer than it drops at.
#define SEND_BUFFER_SIZE (128 * 1024)

uint64_t net_now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

static int configure_sender(int fd, bool ipv6, uint8_t traffic_class) {
    struct sock_filter nothing[] = {BPF_STMT(BPF_RET | BPF_K, 0)}; // it only sends
    struct sock_fprog program = {.len = 1, .filter = nothing};
    int size = SEND_BUFFER_SIZE, class = traffic_class;
    if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size) != 0) {
        return -errno;
    }
    if (ipv6 && setsockopt(fd, IPPROTO_IPV6, IPV6_TCLASS, &class, sizeof class) != 0) {
        return -errno;
    }
    return 0;
}

int outbox_open(struct outbox *outbox, bool ipv6, uint8_t traffic_class, struct error *error) {
    int fd = ipv6 ? socket(AF_INET6, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_UDP)
                  : socket(AF_INET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_RAW);
    if (fd < 0) {
        return error_set(error, -errno, "raw sockets need root (CAP_NET_RAW): %s", strerror(errno));
    }
    int rc = configure_sender(fd, ipv6, traffic_class);
    if (rc != 0) {
        close(fd);
        return error_set(error, rc, "cannot set up a raw socket: %s", strerror(-rc));
    }
    outbox->fd = fd;
    outbox->ipv6 = ipv6;
    outbox->count = outbox->sent = 0;
    outbox->errors = 0;
    return 0;
}

void outbox_close(struct outbox *outbox) {
    if (outbox != NULL && outbox->fd >= 0) {
        close(outbox->fd);
        outbox->fd = -1;
    }
}

uint8_t *outbox_slot(struct outbox *outbox) {
    return outbox->count < NET_BATCH ? outbox->frames[outbox->count] : NULL;
}

static void put_control(struct msghdr *header, char *control, const struct roce_addresses *from) {
    header->msg_control = control;
    header->msg_controllen =
        from->ipv6 ? CMSG_SPACE(sizeof(struct in6_pktinfo)) : CMSG_SPACE(sizeof(struct in_pktinfo));
    struct cmsghdr *message = CMSG_FIRSTHDR(header);
    if (from->ipv6) {
        struct in6_pktinfo info = {0};
        memcpy(&info.ipi6_addr, from->source, 16);
        message->cmsg_level = IPPROTO_IPV6;
        message->cmsg_type = IPV6_PKTINFO;
        message->cmsg_len = CMSG_LEN(sizeof info);
        memcpy(CMSG_DATA(message), &info, sizeof info);
    } else {
        struct in_pktinfo info = {0};
        memcpy(&info.ipi_spec_dst, from->source, 4);
        message->cmsg_level = IPPROTO_IP;
        message->cmsg_type = IP_PKTINFO;
        message->cmsg_len = CMSG_LEN(sizeof info);
        memcpy(CMSG_DATA(message), &info, sizeof info);
    }
}

static socklen_t put_destination(struct sockaddr_in6 *storage, const struct roce_addresses *to) {
    memset(storage, 0, sizeof *storage);
    if (to->ipv6) {
        storage->sin6_family = AF_INET6;
        memcpy(&storage->sin6_addr, to->destination, 16);
        return sizeof *storage;
    }
    struct sockaddr_in ipv4 = {.sin_family = AF_INET};
    memcpy(&ipv4.sin_addr, to->destination, 4);
    memcpy(storage, &ipv4, sizeof ipv4);
    return sizeof ipv4;
}

void outbox_commit(struct outbox *outbox, size_t transport_size,
                   const struct roce_addresses *addresses) {
    unsigned i = outbox->count++;
    const uint8_t *start;
    size_t size = roce_seal(outbox->frames[i], transport_size, addresses, &start);
    outbox->vectors[i] = (struct iovec){.iov_base = outbox->frames[i] + (start - outbox->frames[i]),
                                        .iov_len = size};
    struct msghdr *header = &outbox->messages[i].msg_hdr;
    *header = (struct msghdr){.msg_name = &outbox->destinations[i],
                              .msg_namelen = put_destination(&outbox->destinations[i], addresses),
                              .msg_iov = &outbox->vectors[i],
                              .msg_iovlen = 1};
    memset(outbox->control[i], 0, NET_CONTROL_SIZE);
    put_control(header, outbox->control[i], addresses);
}

int outbox_flush(struct outbox *outbox) {
    while (outbox->sent < outbox->count) {
        int taken =
            sendmmsg(outbox->fd, outbox->messages + outbox->sent, outbox->count - outbox->sent, 0);
        if (taken > 0) {
            outbox->sent += (unsigned)taken;
        } else if (errno == EAGAIN || errno == ENOBUFS) {
            return -EAGAIN;
        } else if (errno != EINTR) {
            outbox->errors++; // of the first message; the next may go elsewhere
            outbox->sent++;
        }
    }
    outbox->count = outbox->sent = 0;
    return 0;
}
