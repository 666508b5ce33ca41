// SPDX-License-Identifier: Apache-2.0
#include "agent_shell/probe_io.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/time.h"
#include "probe_backend.h"

static const struct probe_backend_ops *const ladder[] = {&probe_backend_defer, &probe_backend_coop,
                                                         &probe_backend_plain,
                                                         &probe_backend_epoll};
#define LADDER_COUNT (sizeof(ladder) / sizeof(ladder[0]))

bool probe_io_has_room(const struct probe_io *io) {
    return io->count < PROBE_QUEUE_COUNT;
}

static void enqueue(struct probe_io *io, const struct probe_outcome *outcome) {
    if (!probe_io_has_room(io)) {
        io->stats.overrun++;
        return;
    }
    io->queue[(io->head + io->count) % PROBE_QUEUE_COUNT] = *outcome;
    io->count++;
}

void probe_io_failed(struct probe_io *io, uint64_t token) {
    struct probe_outcome outcome = {true, {token, 0, 0, false}};
    io->stats.send_failed++;
    enqueue(io, &outcome);
}

void probe_io_received(struct probe_io *io, const struct probe_socket *socket,
                       const struct msghdr *header, const void *payload, size_t size,
                       uint64_t now_ns, int64_t offset_ns) {
    struct probe_outcome outcome = {.failed = false};
    switch (probe_message_parse(header, payload, size, socket, io->nonce, now_ns, offset_ns,
                                &outcome.result)) {
    case PROBE_FOREIGN:
        io->stats.foreign++;
        return;
    case PROBE_LEFT_LATE: // its outcome was queued when that became known
        return;
    case PROBE_BACK:
        io->stats.received++;
        enqueue(io, &outcome);
    }
}

int probe_io_way(struct probe_io *io, const struct engine_probe *probe) {
    int way = -ENODEV;
    if (probe->port < io->socket_count) {
        way = probe_way_of(&io->sockets[probe->port], probe);
    }
    if (way < 0) {
        probe_io_failed(io, probe->token);
    }
    return way;
}

// Each stamp pays for its share of a second.
static bool is_stamped(struct probe_io *io, uint64_t now_ns) {
    const uint64_t price_ns = NS_PER_S / PROBE_STAMPS_PER_S;
    uint64_t paid_ns = io->stamps_paid_until_ns > now_ns ? io->stamps_paid_until_ns : now_ns;
    if (paid_ns - now_ns < PROBE_STAMPS_AT_ONCE * price_ns) {
        io->stamps_paid_until_ns = paid_ns + price_ns;
        return true;
    }
    io->unstamped = (io->unstamped + 1) % PROBE_STAMPED_EVERY;
    return io->unstamped == 0;
}

void probe_io_fill(struct probe_io *io, struct probe_message *message, enum probe_way way,
                   const struct engine_probe *probe, uint64_t due_at_ns, uint64_t now_ns) {
    // A train queues before it leaves; that is no fault of ours.
    uint64_t latest_ns = probe->packet_bytes > 0 ? UINT64_MAX - PROBE_LATE_NS : due_at_ns;
    const struct probe_sending sending = {io->nonce, latest_ns, now_ns, is_stamped(io, now_ns)};
    probe_message_fill(message, &io->sockets[probe->port], way, probe, &sending);
}

static void left_late(void *context, uint64_t token) {
    struct probe_io *io = context;
    io->stats.late++;
    probe_io_failed(io, token);
}

void probe_io_read_stamps(struct probe_io *io, int64_t offset_ns) {
    for (uint32_t i = 0; i < io->socket_count; i++) {
        for (int way = 0; way < PROBE_WAYS; way++) {
            struct probe_stamps *stamps = &io->sockets[i].stamps[way];
            if (stamps->pending > 0) {
                probe_stamps_read(stamps, offset_ns, left_late, io);
            }
        }
    }
}

bool probe_io_take(struct probe_io *io, struct probe_outcome *out) {
    if (io->count == 0) {
        return false;
    }
    *out = io->queue[io->head];
    io->head = (io->head + 1) % PROBE_QUEUE_COUNT;
    io->count--;
    return true;
}

static bool is_wanted(const struct probe_backend_ops *ops, enum probe_backend wanted) {
    bool epoll = ops == &probe_backend_epoll;
    return wanted == PROBE_BACKEND_AUTO || epoll == (wanted == PROBE_BACKEND_EPOLL);
}

// The first that works. The reason kept is that of the first refusal: it names the cause, the later
// ones repeat it.
static int choose_backend(struct probe_io *io, enum probe_backend wanted, struct error *error) {
    struct error refusal = {0};
    for (size_t i = 0; i < LADDER_COUNT; i++) {
        if (!is_wanted(ladder[i], wanted)) {
            continue;
        }
        if (ladder[i]->open(io, &refusal) == 0) {
            io->ops = ladder[i];
            return 0;
        }
        if (io->reason[0] == '\0') {
            snprintf(io->reason, sizeof(io->reason), "%s", refusal.text);
        }
    }
    return error_set(error, refusal.code, "probe.backend: %s does not work here (%.80s): use auto",
                     wanted == PROBE_BACKEND_EPOLL ? "epoll" : "io_uring", io->reason);
}

static int open_sockets(struct probe_io *io, const struct probe_io_config *config,
                        struct error *error) {
    for (uint32_t i = 0; i < config->port_count; i++) {
        int rc = probe_socket_open(&config->ports[i], &io->sockets[i], error);
        if (rc != 0) {
            return rc;
        }
        io->socket_count++;
    }
    return 0;
}

int probe_io_open(const struct probe_io_config *config, struct probe_io **out,
                  struct error *error) {
    struct probe_io *io = calloc(1, sizeof(*io));
    if (io == NULL) {
        return error_set(error, -ENOMEM, "no memory for probes");
    }
    io->nonce = config->nonce;
    io->sockets = calloc(config->port_count + 1, sizeof(*io->sockets));
    int rc = io->sockets == NULL ? error_set(error, -ENOMEM, "no memory for probe sockets") : 0;
    rc = rc != 0 ? rc : open_sockets(io, config, error);
    rc = rc != 0 ? rc : choose_backend(io, config->backend, error);
    if (rc != 0) {
        probe_io_close(io);
        return rc;
    }
    *out = io;
    return 0;
}

void probe_io_close(struct probe_io *io) {
    if (io == NULL) {
        return;
    }
    if (io->ops != NULL) {
        io->ops->close(io);
    }
    for (uint32_t i = 0; i < io->socket_count; i++) {
        probe_socket_close(&io->sockets[i]);
    }
    free(io->sockets);
    free(io);
}

int probe_io_fd(const struct probe_io *io) {
    return io->ops->fd(io);
}

void probe_io_work(struct probe_io *io) {
    io->ops->work(io, true);
}

void probe_io_look(struct probe_io *io) {
    io->ops->work(io, false);
}

void probe_io_send(struct probe_io *io, uint64_t due_at_ns, const struct engine_probe *probes,
                   uint32_t count) {
    io->ops->send(io, due_at_ns, probes, count);
}

const char *probe_io_backend(const struct probe_io *io) {
    return io->ops->name;
}

const char *probe_io_variant(const struct probe_io *io) {
    return io->ops->variant;
}

const char *probe_io_reason(const struct probe_io *io) {
    return io->reason;
}

void probe_io_stats(const struct probe_io *io, struct probe_io_stats *out) {
    *out = io->stats;
}
