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
    uint8_t payload[PROBE_PAYLOAD_SIZE + 1]; // one more, so that a longer datagram shows
};

struct epoll_state {
    int fd;
    struct mmsghdr headers[BATCH];
    struct receive_slot slots[BATCH];
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
        if (epoll_ctl(state->fd, EPOLL_CTL_ADD, io->sockets[i].udp, &event) != 0) {
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

static void drain_socket(struct probe_io *io, int udp, uint64_t now_ns, int64_t offset_ns) {
    struct epoll_state *state = io->state;
    int received = BATCH;
    while (received == BATCH && probe_io_has_room(io)) {
        prepare_slots(state);
        received = recvmmsg(udp, state->headers, BATCH, MSG_DONTWAIT, NULL);
        for (int i = 0; i < received; i++) {
            probe_io_received(io, &state->headers[i].msg_hdr, state->slots[i].payload,
                              state->headers[i].msg_len, now_ns, offset_ns);
        }
    }
}

static void epoll_work(struct probe_io *io, uint64_t now_ns) {
    int64_t offset_ns = clock_wall_offset_ns();
    for (uint32_t i = 0; i < io->socket_count; i++) {
        drain_socket(io, io->sockets[i].udp, now_ns, offset_ns);
    }
}

// sendmmsg stops at the first message that it cannot send: that one failed, the rest is tried
// again.
static void send_batch(struct probe_io *io, int fd, unsigned count) {
    struct epoll_state *state = io->state;
    unsigned done = 0;
    while (done < count) {
        int sent = sendmmsg(fd, state->headers + done, count - done, MSG_DONTWAIT);
        if (sent > 0) {
            io->stats.sent += (uint64_t)sent;
            done += (unsigned)sent;
        } else {
            probe_io_failed(io, state->tokens[done]);
            done++;
        }
    }
}

static void epoll_send(struct probe_io *io, uint64_t now_ns, const struct engine_probe *probes,
                       uint32_t count) {
    struct epoll_state *state = io->state;
    unsigned filled = 0;
    int batch_fd = -1;
    for (uint32_t i = 0; i < count; i++) {
        if (probes[i].port >= io->socket_count) {
            probe_io_failed(io, probes[i].token);
            continue;
        }
        int fd = probe_message_fill(&state->messages[filled], &io->sockets[probes[i].port],
                                    &probes[i], io->nonce, now_ns);
        if (fd < 0) {
            probe_io_failed(io, probes[i].token);
            continue;
        }
        if (filled > 0 && fd != batch_fd) { // another socket: send what is there, then begin anew
            send_batch(io, batch_fd, filled);
            filled = 0;
            fd = probe_message_fill(&state->messages[0], &io->sockets[probes[i].port], &probes[i],
                                    io->nonce, now_ns);
        }
        batch_fd = fd;
        state->headers[filled] = (struct mmsghdr){.msg_hdr = state->messages[filled].header};
        state->tokens[filled++] = probes[i].token;
        if (filled == BATCH) {
            send_batch(io, batch_fd, filled);
            filled = 0;
        }
    }
    send_batch(io, batch_fd, filled);
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
