// SPDX-License-Identifier: Apache-2.0
// The back end for kernels and containers without io_uring: an epoll descriptor over the UDP
// sockets, recvmmsg and sendmmsg in batches.
#include <errno.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "agent_shell/clock.h"
#include "probe_backend.h"

#define BATCH 64

struct receive_slot {
    struct iovec iov;
    alignas(struct cmsghdr) uint8_t control[PROBE_CONTROL_SIZE];
    uint8_t payload[PROBE_PAYLOAD_SIZE]; // padding is cut off
};

struct epoll_state {
    int fd;
    struct mmsghdr headers[BATCH];
    struct receive_slot slots[BATCH];
    // To send, all on one socket:
    struct probe_socket *socket;
    enum probe_way way;
    unsigned filled;
    struct probe_message messages[BATCH];
    uint64_t tokens[BATCH];
};

static void epoll_close(struct probe_io *io) {
    struct epoll_state *state = io->state;
    close(state->fd);
    free(state);
    io->state = NULL;
}

static int epoll_open(struct probe_io *io, struct error *error) {
    struct epoll_state *state = calloc(1, sizeof(*state));
    if (state == NULL) {
        return error_set(error, -ENOMEM, "epoll: no memory");
    }
    state->fd = epoll_create1(EPOLL_CLOEXEC);
    if (state->fd < 0) {
        int code = -errno;
        free(state);
        return error_set(error, code, "epoll: %s", strerror(-code));
    }
    io->state = state;
    for (uint32_t i = 0; i < io->socket_count; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = i};
        if (epoll_ctl(state->fd, EPOLL_CTL_ADD, io->sockets[i].fds[PROBE_BY_UDP], &event) != 0) {
            int code = -errno;
            epoll_close(io);
            return error_set(error, code, "epoll: %s", strerror(-code));
        }
    }
    return 0;
}

static int epoll_fd(const struct probe_io *io) {
    const struct epoll_state *state = io->state;
    return state->fd;
}

static void prepare_slots(struct epoll_state *state) {
    for (unsigned i = 0; i < BATCH; i++) {
        struct receive_slot *slot = &state->slots[i];
        slot->iov = (struct iovec){slot->payload, sizeof(slot->payload)};
        state->headers[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &slot->iov,
                                                         .msg_iovlen = 1,
                                                         .msg_control = slot->control,
                                                         .msg_controllen = PROBE_CONTROL_SIZE}};
    }
}

static void drain_socket(struct probe_io *io, const struct probe_socket *socket, uint64_t now_ns,
                         int64_t offset_ns) {
    struct epoll_state *state = io->state;
    int received = BATCH;
    while (received == BATCH && probe_io_has_room(io)) {
        prepare_slots(state);
        received = recvmmsg(socket->fds[PROBE_BY_UDP], state->headers, BATCH, MSG_DONTWAIT, NULL);
        for (int i = 0; i < received; i++) {
            probe_io_received(io, socket, &state->headers[i].msg_hdr, state->slots[i].payload,
                              state->headers[i].msg_len, now_ns, offset_ns);
        }
    }
}

static void epoll_work(struct probe_io *io, bool woken) {
    (void)woken; // a system call per socket either way
    uint64_t now_ns = clock_now_ns();
    int64_t offset_ns = clock_wall_offset_ns();
    probe_io_read_stamps(io, offset_ns);
    for (uint32_t i = 0; i < io->socket_count; i++) {
        drain_socket(io, &io->sockets[i], now_ns, offset_ns);
    }
}

// Sends what is filled. sendmmsg stops at the first message that it cannot send: that one failed,
// the rest is tried again.
static void send_batch(struct probe_io *io) {
    struct epoll_state *state = io->state;
    unsigned done = 0;
    bool failed = false;
    while (done < state->filled) {
        int sent = sendmmsg(state->socket->fds[state->way], state->headers + done,
                            state->filled - done, MSG_DONTWAIT);
        if (sent > 0) {
            io->stats.sent += (uint64_t)sent;
            done += (unsigned)sent;
        } else {
            probe_io_failed(io, state->tokens[done++]);
            failed = true;
        }
    }
    if (failed) { // not before: what follows was numbered too
        probe_stamps_restart(&state->socket->stamps[state->way]);
    }
    state->filled = 0;
}

static void epoll_send(struct probe_io *io, uint64_t due_at_ns, const struct engine_probe *probes,
                       uint32_t count) {
    struct epoll_state *state = io->state;
    uint64_t now_ns = clock_now_ns();
    for (uint32_t i = 0; i < count; i++) {
        int way = probe_io_way(io, &probes[i]);
        if (way < 0) {
            continue;
        }
        struct probe_socket *socket = &io->sockets[probes[i].port];
        if (socket != state->socket || (int)state->way != way) {
            send_batch(io); // another socket: what is there goes first
        }
        state->socket = socket;
        state->way = (enum probe_way)way;
        struct probe_message *message = &state->messages[state->filled];
        probe_io_fill(io, message, state->way, &probes[i], due_at_ns, now_ns);
        state->headers[state->filled] = (struct mmsghdr){.msg_hdr = message->header};
        state->tokens[state->filled++] = probes[i].token;
        if (state->filled == BATCH) {
            send_batch(io);
            now_ns = clock_now_ns();
        }
    }
    send_batch(io);
    probe_io_read_stamps(io, clock_wall_offset_ns());
}

const struct probe_backend_ops probe_backend_epoll = {
    .name = "epoll",
    .variant = "",
    .open = epoll_open,
    .close = epoll_close,
    .fd = epoll_fd,
    .work = epoll_work,
    .send = epoll_send,
};
