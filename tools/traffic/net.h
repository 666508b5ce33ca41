// SPDX-License-Identifier: Apache-2.0
// Sockets of the traffic program: raw sockets send (the UDP source port is per QP, and the ICRC
// covers an IP header that must be ours), UDP port 4791 receives requests, raw sockets with a
// filter receive responses, because port 4791 of a sending host belongs to its receiver.
//
// An outbox is a batch of frames on its way into the kernel. What the kernel does not take now
// stays in the outbox: frames are neither lost nor reordered by a full socket buffer, which is
// small, so that the queue of a slow device pushes back on the sender as the queue of a NIC does.
// Errors are -errno with a sentence.
#ifndef TRAFFIC_NET_H
#define TRAFFIC_NET_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "model/error.h"
#include "roce.h"

#define NET_BATCH 64
#define NET_CONTROL_SIZE 128

struct outbox {
    int fd;
    bool ipv6;
    unsigned count, sent;
    uint64_t errors; // frames that the kernel refused (no route, device down)
    struct mmsghdr messages[NET_BATCH];
    struct iovec vectors[NET_BATCH];
    struct sockaddr_in6 destinations[NET_BATCH]; // or a sockaddr_in in the same storage
    char control[NET_BATCH][NET_CONTROL_SIZE];
    uint8_t frames[NET_BATCH][ROCE_FRAME_MAX];
};

int outbox_open(struct outbox *outbox, bool ipv6, uint8_t traffic_class, struct error *error);
void outbox_close(struct outbox *outbox);
// A frame to build in; NULL when the outbox is full.
uint8_t *outbox_slot(struct outbox *outbox);
// Seals the frame that outbox_slot gave.
void outbox_commit(struct outbox *outbox, size_t transport_size,
                   const struct roce_addresses *addresses);
// 0 when all was taken, -EAGAIN when the kernel takes no more now.
int outbox_flush(struct outbox *outbox);

struct inbound {
    struct roce_addresses addresses;
    uint64_t at_ns;        // CLOCK_REALTIME, by the kernel
    const uint8_t *packet; // from the BTH to the ICRC
    size_t size;
    size_t ip_size;
};

struct inbox {
    int fd;
    bool ipv6;
    bool raw;
    struct mmsghdr messages[NET_BATCH];
    struct iovec vectors[NET_BATCH];
    struct sockaddr_in6 sources[NET_BATCH];
    char control[NET_BATCH][NET_CONTROL_SIZE];
    uint8_t frames[NET_BATCH][ROCE_FRAME_MAX];
};

// Requests to port 4791 of `address` (16 bytes, NULL: any).
int inbox_open_requests(struct inbox *inbox, bool ipv6, const uint8_t *address,
                        struct error *error);
// Responses (ACK, NAK, CNP) to port 4791 of any address.
int inbox_open_responses(struct inbox *inbox, bool ipv6, struct error *error);
void inbox_close(struct inbox *inbox);
// Reads one batch; returns how many messages came. Empty or broken ones have size 0.
unsigned inbox_read(struct inbox *inbox, struct inbound inbound[NET_BATCH]);
// Packets that the socket had no room for: the fault of this machine, not of the network.
uint64_t inbox_overflows(const struct inbox *inbox);

// The address that the kernel would send from; -errno when there is no route.
int net_source_for(bool ipv6, const uint8_t destination[16], uint8_t source[16]);
uint64_t net_now_ns(void); // CLOCK_MONOTONIC

#endif
