// SPDX-License-Identifier: Apache-2.0
#include "agent_shell/probe_socket.h"

#include <assert.h>
#include <errno.h>
#include <linux/net_tstamp.h>
#include <linux/udp.h>
#include <stddef.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "model/time.h"

#define RECEIVE_BUFFER_BYTES                                                                       \
    (4 << 20) // a tenth of a second of 50,000 probes while the loop is busy
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
    {IPPROTO_IPV6, IPV6_DONTFRAG, 1, true, "IPV6_DONTFRAG"},
    {IPPROTO_IPV6, IPV6_V6ONLY, 1, true, "IPV6_V6ONLY"},
    {IPPROTO_IPV6, IPV6_RECVTCLASS, 1, true, "IPV6_RECVTCLASS"},
    {IPPROTO_IPV6, IPV6_UNICAST_HOPS, PROBE_HOP_LIMIT, true, "IPV6_UNICAST_HOPS"},
    {SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER_BYTES, false, "SO_RCVBUFFORCE"},
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
    *out = (struct probe_socket){.port = *port, .fds = {udp, raw}};
    probe_stamps_init(&out->stamps[PROBE_BY_UDP], udp);
    probe_stamps_init(&out->stamps[PROBE_BY_RAW], raw);
    return 0;
}

void probe_socket_close(struct probe_socket *socket) {
    close(socket->fds[PROBE_BY_UDP]);
    if (socket->fds[PROBE_BY_RAW] >= 0) {
        close(socket->fds[PROBE_BY_RAW]);
    }
}

int probe_way_of(const struct probe_socket *socket, const struct engine_probe *probe) {
    if (probe->sids.count == 0 || probe->sids.count > SID_LIST_MAX ||
        probe->packet_bytes > PROBE_PADDING_MAX) {
        return -EINVAL;
    }
    if (probe->sids.count == 1) {
        return PROBE_BY_UDP;
    }
    return socket->fds[PROBE_BY_RAW] < 0 ? -EPERM : PROBE_BY_RAW;
}

static void add_control(struct msghdr *header, int level, int type, uint32_t value) {
    struct cmsghdr *cmsg =
        (struct cmsghdr *)((uint8_t *)header->msg_control + header->msg_controllen);
    cmsg->cmsg_level = level;
    cmsg->cmsg_type = type;
    cmsg->cmsg_len = CMSG_LEN(sizeof(value));
    memcpy(CMSG_DATA(cmsg), &value, sizeof(value));
    header->msg_controllen += CMSG_SPACE(sizeof(value));
}

static const uint8_t zeroes[PROBE_PADDING_MAX];

static uint16_t padding_of(const struct engine_probe *probe) {
    size_t least = probe_packet_size(&probe->sids);
    return probe->packet_bytes > least ? (uint16_t)(probe->packet_bytes - least) : 0;
}

void probe_message_fill(struct probe_message *message, struct probe_socket *socket,
                        enum probe_way way, const struct engine_probe *probe,
                        const struct probe_sending *sending) {
    uint16_t padding = padding_of(probe);
    uint8_t bytes[PROBE_PAYLOAD_SIZE];
    struct probe_payload payload = {sending->nonce, probe->token, sending->now_ns, PROBE_NO_MARK};
    memset(message, 0, offsetof(struct probe_message, bytes));
    message->to.sin6_family = AF_INET6;
    memcpy(&message->to.sin6_addr, probe->sids.sids[0].bytes, 16);
    message->iov[0].iov_base = message->bytes;
    message->iov[1] = (struct iovec){(void *)(uintptr_t)zeroes, padding};
    message->header = (struct msghdr){.msg_name = &message->to,
                                      .msg_namelen = sizeof(message->to),
                                      .msg_iov = message->iov,
                                      .msg_iovlen = padding > 0 ? 2 : 1,
                                      .msg_control = message->control};
    if (sending->stamped) {
        payload.mark = probe_stamps_expect(&socket->stamps[way], probe->token, sending->due_at_ns,
                                           sending->now_ns);
    }
    if (payload.mark != PROBE_NO_MARK) {
        add_control(&message->header, SOL_SOCKET, SO_TIMESTAMPING, SOF_TIMESTAMPING_TX_SOFTWARE);
    }
    probe_payload_encode(&payload, bytes);
    if (way == PROBE_BY_RAW) { // a raw socket takes a port for a protocol number: it stays 0
        message->iov[0].iov_len =
            probe_packet_encode(&socket->port.address, &probe->sids, probe->traffic_class, padding,
                                bytes, message->bytes);
        return;
    }
    message->to.sin6_port = htons(PROBE_UDP_PORT);
    memcpy(message->bytes, bytes, sizeof(bytes));
    message->iov[0].iov_len = sizeof(bytes);
    add_control(&message->header, IPPROTO_IPV6, IPV6_TCLASS, probe->traffic_class);
}

struct received {
    uint8_t traffic_class;
    uint64_t wall_ns; // 0: no stamp
};

static void parse_control(const struct msghdr *header, struct received *out) {
    struct msghdr copy = *header; // CMSG_NXTHDR wants it writable
    for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(&copy); cmsg != NULL;
         cmsg = CMSG_NXTHDR(&copy, cmsg)) {
        uint64_t stamp_ns = probe_stamp_of(cmsg);
        if (stamp_ns != 0) {
            out->wall_ns = stamp_ns;
        } else if (cmsg->cmsg_level == IPPROTO_IPV6 && cmsg->cmsg_type == IPV6_TCLASS &&
                   cmsg->cmsg_len >= CMSG_LEN(sizeof(int))) {
            int value;
            memcpy(&value, CMSG_DATA(cmsg), sizeof(value));
            out->traffic_class = (uint8_t)value;
        }
    }
}

static const struct probe_stamp *find_stamp(const struct probe_socket *socket,
                                            const struct probe_payload *probe) {
    const struct probe_stamp *stamp = NULL;
    for (int way = 0; way < PROBE_WAYS && stamp == NULL; way++) {
        stamp = probe_stamps_find(&socket->stamps[way], probe->mark, probe->token);
    }
    return stamp;
}

enum probe_arrival probe_message_parse(const struct msghdr *header, const void *payload,
                                       size_t size, const struct probe_socket *socket,
                                       uint64_t nonce, uint64_t now_ns, int64_t offset_ns,
                                       struct engine_probe_result *out) {
    struct probe_payload probe;
    struct received received = {0, 0};
    if (probe_payload_decode(payload, size, &probe) != 0 || probe.nonce != nonce) {
        return PROBE_FOREIGN;
    }
    const struct probe_stamp *left = find_stamp(socket, &probe);
    if (left != NULL && probe_stamp_is_late(left, offset_ns)) {
        return PROBE_LEFT_LATE;
    }
    parse_control(header, &received);
    uint64_t at_ns = received.wall_ns != 0 ? received.wall_ns + (uint64_t)offset_ns : now_ns;
    // The wall clock may have been set between the stamp and now: such a stamp is worth nothing. A
    // packet may have come in after `now_ns` was read.
    if (at_ns > now_ns + STAMP_SLACK_NS || at_ns < probe.sent_at_ns) {
        at_ns = now_ns;
    }
    // Kernel to kernel where both stamps are there and agree on which came first.
    bool both = left != NULL && received.wall_ns > left->wall_ns;
    uint64_t sent_at_ns = both ? at_ns - (received.wall_ns - left->wall_ns) : probe.sent_at_ns;
    *out = (struct engine_probe_result){probe.token, sent_at_ns, at_ns,
                                        (received.traffic_class & ECN_MASK) == ECN_CE};
    return PROBE_BACK;
}
