// SPDX-License-Identifier: Apache-2.0
// Inside of probe_io: what a back end sees and what it must offer. probe_io owns the sockets, the
// queue of outcomes and the counters; a back end only moves messages.
#ifndef AGENT_SHELL_PROBE_BACKEND_H
#define AGENT_SHELL_PROBE_BACKEND_H

#include "agent_shell/probe_io.h"

#define PROBE_QUEUE_COUNT 4096 // outcomes between two turns of the loop; a power of two

struct probe_backend_ops {
    const char *name, *variant;
    // Opens over `io`'s sockets and tests itself; -errno with the reason.
    int (*open)(struct probe_io *io, struct error *error);
    void (*close)(struct probe_io *io);
    int (*fd)(const struct probe_io *io);
    void (*work)(struct probe_io *io, bool woken); // fd() was readable, or may be nothing is there
    void (*send)(struct probe_io *io, uint64_t due_at_ns, const struct engine_probe *probes,
                 uint32_t count);
};

extern const struct probe_backend_ops probe_backend_defer, probe_backend_coop, probe_backend_plain,
    probe_backend_epoll;

struct probe_io {
    const struct probe_backend_ops *ops;
    void *state; // the back end's
    uint64_t nonce;
    uint32_t socket_count;
    struct probe_socket *sockets;
    char reason[PROBE_REASON_SIZE];
    struct probe_io_stats stats;
    uint64_t stamps_paid_until_ns; // in advance by at most PROBE_STAMPS_AT_ONCE stamps
    uint32_t unstamped;            // probes since the last that was stamped
    uint32_t head, count;          // of the queue
    struct probe_outcome queue[PROBE_QUEUE_COUNT];
};

void probe_io_failed(struct probe_io *io, uint64_t token);
// A datagram arrived on a socket: parsed, counted and queued when it is ours.
void probe_io_received(struct probe_io *io, const struct probe_socket *socket,
                       const struct msghdr *header, const void *payload, size_t size,
                       uint64_t now_ns, int64_t offset_ns);
// The way of a probe; < 0: it has none, and that is queued.
int probe_io_way(struct probe_io *io, const struct engine_probe *probe);
void probe_io_fill(struct probe_io *io, struct probe_message *message, enum probe_way way,
                   const struct engine_probe *probe, uint64_t due_at_ns, uint64_t now_ns);
// Before what came in is looked at: when did what we sent leave?
void probe_io_read_stamps(struct probe_io *io, int64_t offset_ns);
bool probe_io_has_room(const struct probe_io *io);

#endif
