// SPDX-License-Identifier: Apache-2.0
#include "agent_shell/probe_socket.h"

#include <assert.h>
#include <errno.h>
#include <linux/errqueue.h>
#include <linux/net_tstamp.h>
#include <linux/udp.h>
#include <stddef.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "model/time.h"

#define RECEIVE_BUFFER_BYTES (1 << 20) // a second of probes while the loop is busy
#define BIND_TRIES 20
#define BIND_PAUSE_NS (20 * (long)NS_PER_MS)
#define STAMP_SLACK_NS (10 * NS_PER_MS)
#define ECN_MASK 3
#define ECN_CE 3

struct option {
    int level, name, value;
    bool required;
    const char *what;
};

// Checksums are zero because the destination changes on the way; without the pair the kernel drops
// what returns.
static const struct option udp_options[] = {
    {IPPROTO_UDP, UDP_NO_CHECK6_TX, 1, true, "UDP_NO_CHECK6_TX"},
    {IPPROTO_UDP, UDP_NO_CHECK6_RX, 1, true, "UDP_NO_CHECK6_RX"},
    {IPPROTO_IPV6, IPV6_V6ONLY, 1, true, "IPV6_V6ONLY"},
    {IPPROTO_IPV6, IPV6_RECVTCLASS, 1, true, "IPV6_RECVTCLASS"},
    {IPPROTO_IPV6, IPV6_UNICAST_HOPS, PROBE_HOP_LIMIT, true, "IPV6_UNICAST_HOPS"},
    {SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER_BYTES, false, "SO_RCVBUFFORCE"},
    {SOL_SOCKET, SO_TIMESTAMPING, SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE, false,
     "SO_TIMESTAMPING"},
};

static int set_options(int fd, const struct option *options, size_t count, struct error *error) {
    for (size_t i = 0; i < count; i++) {
        const struct option *option = &options[i];
        if (setsockopt(fd, option->level, option->name, &option->value, sizeof(option->value)) !=
                0 &&
            option->required) {
            return error_set(error, -errno, "probe socket: the kernel refuses %s: %s", option->what,
                             strerror(errno));
        }
    }
    return 0;
}

static int bind_device(int fd, const char *device, struct error *error) {
    socklen_t size = (socklen_t)strlen(device);
    if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, size) == 0) {
        return 0;
    }
    if (errno == ENODEV) {
        return error_set(error, -ENODEV, "no network device %s (nic.ports)", device);
    }
    return error_set(error, -errno, "cannot send probes through %s: %s (needs CAP_NET_RAW)", device,
                     strerror(errno));
}

static int bind_address(int fd, const struct probe_port *port, struct error *error) {
    struct sockaddr_in6 own = {.sin6_family = AF_INET6, .sin6_port = htons(PROBE_UDP_PORT)};
    char text[SID_TEXT_SIZE];
    memcpy(&own.sin6_addr, port->address.bytes, sizeof(own.sin6_addr));
    int rc = bind(fd, (struct sockaddr *)&own, sizeof(own));
    // The kernel may still be taking down the ring of an agent that was killed.
    for (int i = 0; rc != 0 && errno == EADDRINUSE && i < BIND_TRIES; i++) {
        nanosleep(&(struct timespec){.tv_nsec = BIND_PAUSE_NS}, NULL);
        rc = bind(fd, (struct sockaddr *)&own, sizeof(own));
    }
    if (rc == 0) {
        return 0;
    }
    int code = -errno;
    sid_format(&port->address, text);
    if (code == -EADDRINUSE) {
        return error_set(error, code, "UDP port %d on %s is in use: does another agent run here?",
                         PROBE_UDP_PORT, text);
    }
    if (code == -EADDRNOTAVAIL) {
        return error_set(error, code,
                         "this host lacks its uSID address %s: ip -6 addr add %s/128 dev lo", text,
                         text);
    }
    return error_set(error, code, "cannot bind %s port %d: %s", text, PROBE_UDP_PORT,
                     strerror(-code));
}

int probe_socket_open(const struct probe_port *port, struct probe_socket *out,
                      struct error *error) {
    size_t count = sizeof(udp_options) / sizeof(udp_options[0]);
    int udp = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (udp < 0) {
        return error_set(error, -errno, "cannot open an IPv6 socket: %s", strerror(errno));
    }
    int rc = set_options(udp, udp_options, count, error);
    rc = rc != 0 ? rc : bind_device(udp, port->device, error);
    rc = rc != 0 ? rc : bind_address(udp, port, error);
    if (rc != 0) {
        close(udp);
        return rc;
    }
    int raw = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_RAW);
    if (raw >= 0 && bind_device(raw, port->device, NULL) != 0) {
        close(raw);
        raw = -1;
    }
    *out = (struct probe_socket){*port, udp, raw};
    return 0;
}

void probe_socket_close(struct probe_socket *socket) {
    close(socket->udp);
    if (socket->raw >= 0) {
        close(socket->raw);
    }
}

static void add_traffic_class(struct probe_message *message, uint8_t traffic_class) {
    int value = traffic_class;
    message->header.msg_control = message->control;
    message->header.msg_controllen = sizeof(message->control);
    struct cmsghdr *cmsg = CMSG_FIRSTHDR(&message->header);
    cmsg->cmsg_level = IPPROTO_IPV6;
    cmsg->cmsg_type = IPV6_TCLASS;
    cmsg->cmsg_len = CMSG_LEN(sizeof(value));
    memcpy(CMSG_DATA(cmsg), &value, sizeof(value));
}

int probe_message_fill(struct probe_message *message, const struct probe_socket *socket,
                       const struct engine_probe *probe, uint64_t nonce, uint64_t now_ns) {
    bool raw = probe->sids.count > 1;
    if (probe->sids.count == 0 || probe->sids.count > SID_LIST_MAX) {
        return -EINVAL;
    }
    if (raw && socket->raw < 0) {
        return -EPERM;
    }
    memset(message, 0, offsetof(struct probe_message, bytes));
    struct probe_payload payload = {nonce, probe->token, now_ns};
    uint8_t bytes[PROBE_PAYLOAD_SIZE];
    probe_payload_encode(&payload, bytes);
    message->to.sin6_family = AF_INET6;
    memcpy(&message->to.sin6_addr, probe->sids.sids[0].bytes, 16);
    message->iov.iov_base = message->bytes;
    message->header.msg_name = &message->to;
    message->header.msg_namelen = sizeof(message->to);
    message->header.msg_iov = &message->iov;
    message->header.msg_iovlen = 1;
    if (raw) { // a raw socket takes a port for a protocol number: it stays 0
        message->iov.iov_len = probe_packet_encode(&socket->port.address, &probe->sids,
                                                   probe->traffic_class, bytes, message->bytes);
        return socket->raw;
    }
    message->to.sin6_port = htons(PROBE_UDP_PORT);
    memcpy(message->bytes, bytes, sizeof(bytes));
    message->iov.iov_len = sizeof(bytes);
    add_traffic_class(message, probe->traffic_class);
    return socket->udp;
}

struct received {
    uint8_t traffic_class;
    uint64_t wall_ns; // 0: no stamp
};

static void parse_control(const struct msghdr *header, struct received *out) {
    struct msghdr copy = *header; // CMSG_NXTHDR wants it writable
    for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(&copy); cmsg != NULL;
         cmsg = CMSG_NXTHDR(&copy, cmsg)) {
        if (cmsg->cmsg_level == IPPROTO_IPV6 && cmsg->cmsg_type == IPV6_TCLASS &&
            cmsg->cmsg_len >= CMSG_LEN(sizeof(int))) {
            int value;
            memcpy(&value, CMSG_DATA(cmsg), sizeof(value));
            out->traffic_class = (uint8_t)value;
        } else if (cmsg->cmsg_level == SOL_SOCKET && cmsg->cmsg_type == SO_TIMESTAMPING &&
                   cmsg->cmsg_len >= CMSG_LEN(sizeof(struct timespec))) {
            struct timespec stamp;
            memcpy(&stamp, CMSG_DATA(cmsg), sizeof(stamp));
            out->wall_ns = (uint64_t)stamp.tv_sec * NS_PER_S + (uint64_t)stamp.tv_nsec;
        }
    }
}

bool probe_message_parse(const struct msghdr *header, const void *payload, size_t size,
                         uint64_t nonce, uint64_t now_ns, int64_t offset_ns,
                         struct engine_probe_result *out) {
    struct probe_payload probe;
    struct received received = {0, 0};
    if (probe_payload_decode(payload, size, &probe) != 0 || probe.nonce != nonce) {
        return false;
    }
    parse_control(header, &received);
    uint64_t at_ns = received.wall_ns != 0 ? received.wall_ns + (uint64_t)offset_ns : now_ns;
    // The wall clock may have been set between the stamp and now: such a stamp is worth nothing. A
    // packet may have come in after `now_ns` was read.
    if (at_ns > now_ns + STAMP_SLACK_NS || at_ns < probe.sent_at_ns) {
        at_ns = now_ns;
    }
    *out = (struct engine_probe_result){probe.token, probe.sent_at_ns, at_ns,
                                        (received.traffic_class & ECN_MASK) == ECN_CE};
    return true;
}
