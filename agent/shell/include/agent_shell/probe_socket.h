// SPDX-License-Identifier: Apache-2.0
// The sockets of one NIC port's probes and the messages that go through them. What both back ends
// of probe_io share.
//
// A port has a UDP socket, bound to its own uSID address and device, and, where the process may
// open one (CAP_NET_RAW), a raw socket for probes that need a segment routing header.
//
// Errors: -errno with a sentence. One thread.
#ifndef AGENT_SHELL_PROBE_SOCKET_H
#define AGENT_SHELL_PROBE_SOCKET_H

#include <net/if.h>
#include <netinet/in.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "agent_core/engine.h"
#include "agent_shell/probe_packet.h"
#include "agent_shell/probe_stamps.h"
#include "model/error.h"

#define PROBE_CONTROL_SIZE 128 // traffic class and time stamps

struct probe_port {
    char device[IFNAMSIZ];
    struct sid address; // the port's own uSID
};

enum probe_way { PROBE_BY_UDP, PROBE_BY_RAW, PROBE_WAYS };

struct probe_socket {
    struct probe_port port;
    int fds[PROBE_WAYS]; // of the raw one -1: no permission; probes that need an SRH cannot be sent
    struct probe_stamps stamps[PROBE_WAYS];
};

int probe_socket_open(const struct probe_port *port, struct probe_socket *out, struct error *error);
void probe_socket_close(struct probe_socket *socket);

// One outgoing probe; must stay in place until it was sent.
struct probe_message {
    struct msghdr header;
    struct iovec iov[2]; // what is written here, and padding
    struct sockaddr_in6 to;
    alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(uint32_t))];
    uint8_t bytes[PROBE_PACKET_MAX];
};

struct probe_sending {
    uint64_t nonce;
    uint64_t due_at_ns, now_ns;
    bool stamped; // the kernel is asked when it left
};

// The socket that a probe takes: a way, or -EPERM where an SRH is needed and may not be written,
// -EINVAL for a SID list or a size that cannot be.
int probe_way_of(const struct probe_socket *socket, const struct engine_probe *probe);
void probe_message_fill(struct probe_message *message, struct probe_socket *socket,
                        enum probe_way way, const struct engine_probe *probe,
                        const struct probe_sending *sending);

enum probe_arrival { PROBE_FOREIGN, PROBE_LEFT_LATE, PROBE_BACK };
// What a received message says. `offset_ns` is monotonic time minus wall clock now: kernel time
// stamps are wall clock. *out is written for PROBE_BACK only.
enum probe_arrival probe_message_parse(const struct msghdr *header, const void *payload,
                                       size_t size, const struct probe_socket *socket,
                                       uint64_t nonce, uint64_t now_ns, int64_t offset_ns,
                                       struct engine_probe_result *out);

#endif
