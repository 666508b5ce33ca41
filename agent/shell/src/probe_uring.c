// SPDX-License-Identifier: Apache-2.0
// The io_uring back end: one ring, one multishot recvmsg per UDP socket into a ring of provided
// buffers, sends from a fixed pool of messages.
//
// Waking the loop: with DEFER_TASKRUN nothing runs until somebody enters the kernel, and polling
// the ring's own descriptor never wakes. A registered eventfd does. Sends complete inside the
// submit call; their completions need no wake-up, so the eventfd is disabled around it:
//
//   disable; submit and get events; enable; get events; drain
//
// The second "get events" closes the gap: what arrived while signals were off is taken now, what
// arrives later signals.
#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent_shell/clock.h"
#include "probe_backend.h"

#define SUBMISSION_ENTRIES 256
#define COMPLETION_ENTRIES 4096
#define BUFFER_COUNT 1024 // twice the largest burst of one loop turn
#define BUFFER_SIZE 256
#define BUFFER_GROUP 0
#define SEND_SLOTS 1024
#define SELF_TEST_TIMEOUT_MS 100

enum request_kind { REQUEST_SEND, REQUEST_RECEIVE, REQUEST_TEST_SEND, REQUEST_TEST_RECEIVE };

struct send_slot {
    struct probe_message message;
    uint64_t token;
    uint32_t next_free;
};

struct uring_state {
    struct io_uring ring;
    int wake; // eventfd
    struct io_uring_buf_ring *buffers;
    uint8_t *memory;       // of the buffers
    struct msghdr receive; // the shape of every multishot receive
    uint32_t free_slot;    // SEND_SLOTS: none
    struct send_slot slots[SEND_SLOTS];
    bool tested; // the self-test's datagram came through
};

static uint64_t request_tag(enum request_kind kind, uint32_t index) {
    return (uint64_t)kind << 32 | index;
}

static struct io_uring_sqe *next_sqe(struct uring_state *state) {
    struct io_uring_sqe *sqe = io_uring_get_sqe(&state->ring);
    if (sqe == NULL) {
        io_uring_submit(&state->ring);
        sqe = io_uring_get_sqe(&state->ring);
    }
    return sqe;
}

static int arm_receive(struct uring_state *state, int fd, enum request_kind kind, uint32_t index) {
    struct io_uring_sqe *sqe = next_sqe(state);
    if (sqe == NULL) {
        return -EBUSY;
    }
    io_uring_prep_recvmsg_multishot(sqe, fd, &state->receive, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = BUFFER_GROUP;
    io_uring_sqe_set_data64(sqe, request_tag(kind, index));
    return 0;
}

static void give_back_buffer(struct uring_state *state, unsigned id) {
    io_uring_buf_ring_add(state->buffers, state->memory + (size_t)id * BUFFER_SIZE, BUFFER_SIZE,
                          (unsigned short)id, io_uring_buf_ring_mask(BUFFER_COUNT), 0);
    io_uring_buf_ring_advance(state->buffers, 1);
}

static void finish_send(struct probe_io *io, uint32_t index, int result) {
    struct uring_state *state = io->state;
    struct send_slot *slot = &state->slots[index];
    if (result < 0) {
        probe_io_failed(io, slot->token);
    } else {
        io->stats.sent++;
    }
    slot->next_free = state->free_slot;
    state->free_slot = index;
}

static void take_datagram(struct probe_io *io, const struct io_uring_cqe *cqe, uint64_t now_ns,
                          int64_t offset_ns) {
    struct uring_state *state = io->state;
    unsigned id = cqe->flags >> IORING_CQE_BUFFER_SHIFT;
    uint8_t *buffer = state->memory + (size_t)id * BUFFER_SIZE;
    struct io_uring_recvmsg_out *out = io_uring_recvmsg_validate(buffer, cqe->res, &state->receive);
    if (out == NULL) {
        io->stats.foreign++;
    } else {
        // The control data follows the (empty) name, the payload the room for control data.
        struct msghdr header = {.msg_control = (uint8_t *)(out + 1) + state->receive.msg_namelen,
                                .msg_controllen = out->controllen};
        probe_io_received(io, &header, io_uring_recvmsg_payload(out, &state->receive),
                          io_uring_recvmsg_payload_length(out, cqe->res, &state->receive), now_ns,
                          offset_ns);
    }
    give_back_buffer(state, id);
}

static void finish_receive(struct probe_io *io, const struct io_uring_cqe *cqe, uint32_t index,
                           uint64_t now_ns, int64_t offset_ns) {
    struct uring_state *state = io->state;
    if (cqe->res >= 0 && (cqe->flags & IORING_CQE_F_BUFFER) != 0) {
        take_datagram(io, cqe, now_ns, offset_ns);
    }
    if ((cqe->flags & IORING_CQE_F_MORE) == 0) { // out of buffers, or an error of the socket
        io->stats.no_buffer++;
        arm_receive(state, io->sockets[index].udp, REQUEST_RECEIVE, index);
    }
}

static void finish(struct probe_io *io, const struct io_uring_cqe *cqe, uint64_t now_ns,
                   int64_t offset_ns) {
    struct uring_state *state = io->state;
    uint32_t index = (uint32_t)cqe->user_data;
    switch ((enum request_kind)(cqe->user_data >> 32)) {
    case REQUEST_SEND:
        finish_send(io, index, cqe->res);
        break;
    case REQUEST_RECEIVE:
        finish_receive(io, cqe, index, now_ns, offset_ns);
        break;
    case REQUEST_TEST_RECEIVE:
        if (cqe->res >= 0 && (cqe->flags & IORING_CQE_F_BUFFER) != 0) {
            give_back_buffer(state, cqe->flags >> IORING_CQE_BUFFER_SHIFT);
            state->tested = true;
        }
        break;
    case REQUEST_TEST_SEND:
        break;
    }
}

static void drain(struct probe_io *io, uint64_t now_ns) {
    struct uring_state *state = io->state;
    int64_t offset_ns = clock_wall_offset_ns();
    struct io_uring_cqe *cqe;
    while (io_uring_peek_cqe(&state->ring, &cqe) == 0) {
        if (!probe_io_has_room(io)) { // come back when somebody has taken the outcomes
            (void)eventfd_write(state->wake, 1);
            return;
        }
        struct io_uring_cqe copy = *cqe;
        io_uring_cqe_seen(&state->ring, cqe);
        finish(io, &copy, now_ns, offset_ns);
    }
    if (io_uring_sq_ready(&state->ring) > 0) { // receptions that were armed again
        io_uring_submit(&state->ring);
    }
}

static void submit_and_drain(struct probe_io *io, uint64_t now_ns) {
    struct uring_state *state = io->state;
    io_uring_cq_eventfd_toggle(&state->ring, false);
    io_uring_submit_and_get_events(&state->ring);
    drain(io, now_ns);
    io_uring_cq_eventfd_toggle(&state->ring, true);
    io_uring_get_events(&state->ring);
    drain(io, now_ns);
}

static void uring_work(struct probe_io *io, uint64_t now_ns) {
    struct uring_state *state = io->state;
    eventfd_t ignored;
    (void)eventfd_read(state->wake, &ignored);
    submit_and_drain(io, now_ns);
}

static bool queue_probe(struct probe_io *io, uint64_t now_ns, const struct engine_probe *probe) {
    struct uring_state *state = io->state;
    if (state->free_slot == SEND_SLOTS || probe->port >= io->socket_count) {
        return false;
    }
    uint32_t index = state->free_slot;
    struct send_slot *slot = &state->slots[index];
    int fd =
        probe_message_fill(&slot->message, &io->sockets[probe->port], probe, io->nonce, now_ns);
    struct io_uring_sqe *sqe = fd < 0 ? NULL : next_sqe(state);
    if (sqe == NULL) {
        return false;
    }
    slot->token = probe->token;
    state->free_slot = slot->next_free;
    io_uring_prep_sendmsg(sqe, fd, &slot->message.header, MSG_DONTWAIT);
    io_uring_sqe_set_data64(sqe, request_tag(REQUEST_SEND, index));
    return true;
}

static void uring_send(struct probe_io *io, uint64_t now_ns, const struct engine_probe *probes,
                       uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0 && i % SUBMISSION_ENTRIES == 0) { // frees the slots of what was sent
            submit_and_drain(io, now_ns);
        }
        if (!queue_probe(io, now_ns, &probes[i])) {
            probe_io_failed(io, probes[i].token);
        }
    }
    submit_and_drain(io, now_ns);
}

static int uring_fd(const struct probe_io *io) {
    const struct uring_state *state = io->state;
    return state->wake;
}

// The kernel takes a ring down in the background, and until then its receptions hold the sockets
// and with them the port: end them first.
static void uring_close(struct probe_io *io) {
    struct uring_state *state = io->state;
    struct io_uring_sync_cancel_reg all = {.fd = -1,
                                           .flags = IORING_ASYNC_CANCEL_ANY,
                                           .timeout = {-1, -1}};
    (void)io_uring_register_sync_cancel(&state->ring, &all);
    io_uring_get_events(&state->ring);
    io_uring_queue_exit(&state->ring);
    if (state->wake >= 0) {
        close(state->wake);
    }
    free(state->buffers);
    free(state->memory);
    free(state);
    io->state = NULL;
}

static int open_buffers(struct uring_state *state) {
    void *ring = NULL;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t ring_size = BUFFER_COUNT * sizeof(struct io_uring_buf);
    if (posix_memalign(&ring, page, ring_size) != 0) {
        return -ENOMEM;
    }
    memset(ring, 0, ring_size);
    state->buffers = ring;
    state->memory = malloc((size_t)BUFFER_COUNT * BUFFER_SIZE);
    if (state->memory == NULL) {
        return -ENOMEM;
    }
    struct io_uring_buf_reg registration = {.ring_addr = (uint64_t)(uintptr_t)ring,
                                            .ring_entries = BUFFER_COUNT,
                                            .bgid = BUFFER_GROUP};
    int rc = io_uring_register_buf_ring(&state->ring, &registration, 0);
    if (rc < 0) {
        return rc;
    }
    for (unsigned i = 0; i < BUFFER_COUNT; i++) {
        give_back_buffer(state, i);
    }
    return 0;
}

// A datagram goes the way that probes will go (send, multishot receive, provided buffer, eventfd)
// over a socket pair, which needs no network.
static int self_test(struct probe_io *io, const int pair[2]) {
    struct uring_state *state = io->state;
    struct iovec byte = {"x", 1};
    struct msghdr message = {.msg_iov = &byte, .msg_iovlen = 1};
    struct pollfd wake = {.fd = state->wake, .events = POLLIN};
    if (arm_receive(state, pair[0], REQUEST_TEST_RECEIVE, 0) != 0) {
        return -EBUSY;
    }
    submit_and_drain(io, 0);
    struct io_uring_sqe *sqe = next_sqe(state);
    if (sqe == NULL) {
        return -EBUSY;
    }
    io_uring_prep_sendmsg(sqe, pair[1], &message, MSG_DONTWAIT);
    io_uring_sqe_set_data64(sqe, request_tag(REQUEST_TEST_SEND, 0));
    io_uring_submit(&state->ring); // not drained: the eventfd itself is under test
    if (poll(&wake, 1, SELF_TEST_TIMEOUT_MS) != 1) {
        return -ETIMEDOUT;
    }
    uring_work(io, 0);
    struct io_uring_sqe *cancel = next_sqe(state);
    if (cancel != NULL) { // the ring would keep the socket and the reception for its life
        io_uring_prep_cancel64(cancel, request_tag(REQUEST_TEST_RECEIVE, 0), 0);
        io_uring_sqe_set_data64(cancel, request_tag(REQUEST_TEST_SEND, 0));
        submit_and_drain(io, 0);
    }
    return state->tested ? 0 : -ENOTSUP;
}

static int run_self_test(struct probe_io *io) {
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) != 0) {
        return -errno;
    }
    int rc = self_test(io, pair);
    close(pair[0]);
    close(pair[1]);
    return rc;
}

static int open_ring(struct uring_state *state, unsigned flags) {
    struct io_uring_params params = {.flags = flags | IORING_SETUP_CQSIZE,
                                     .cq_entries = COMPLETION_ENTRIES};
    int rc = io_uring_queue_init_params(SUBMISSION_ENTRIES, &state->ring, &params);
    if (rc < 0) {
        return rc;
    }
    state->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (state->wake < 0) {
        return -errno;
    }
    rc = io_uring_register_eventfd(&state->ring, state->wake);
    return rc < 0 ? rc : open_buffers(state);
}

static struct uring_state *new_state(void) {
    struct uring_state *state = calloc(1, sizeof(*state));
    if (state == NULL) {
        return NULL;
    }
    state->wake = -1;
    state->ring.ring_fd = -1;
    state->receive.msg_controllen = PROBE_CONTROL_SIZE;
    for (uint32_t i = 0; i < SEND_SLOTS; i++) {
        state->slots[i].next_free = i + 1;
    }
    return state;
}

static int open_variant(struct probe_io *io, unsigned flags, const char *variant,
                        struct error *error) {
    struct uring_state *state = new_state();
    if (state == NULL) {
        return error_set(error, -ENOMEM, "io_uring: no memory");
    }
    int rc = open_ring(state, flags);
    io->state = state;
    rc = rc != 0 ? rc : run_self_test(io);
    for (uint32_t i = 0; rc == 0 && i < io->socket_count; i++) {
        rc = arm_receive(state, io->sockets[i].udp, REQUEST_RECEIVE, i);
    }
    if (rc == 0) {
        submit_and_drain(io, 0);
        return 0;
    }
    if (state->ring.ring_fd >= 0) {
        uring_close(io);
    } else {
        free(state);
        io->state = NULL;
    }
    return error_set(error, rc, "io_uring %s: %s", variant, strerror(-rc));
}

static int open_defer(struct probe_io *io, struct error *error) {
    return open_variant(io, IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
                        "DEFER_TASKRUN", error);
}

static int open_coop(struct probe_io *io, struct error *error) {
    return open_variant(io, IORING_SETUP_COOP_TASKRUN, "COOP_TASKRUN", error);
}

static int open_plain(struct probe_io *io, struct error *error) {
    return open_variant(io, 0, "plain", error);
}

const struct probe_backend_ops probe_backend_defer = {"io_uring",  "DEFER_TASKRUN", open_defer,
                                                      uring_close, uring_fd,        uring_work,
                                                      uring_send};
const struct probe_backend_ops probe_backend_coop = {"io_uring",  "COOP_TASKRUN", open_coop,
                                                     uring_close, uring_fd,       uring_work,
                                                     uring_send};
const struct probe_backend_ops probe_backend_plain = {"io_uring",  "plain",  open_plain,
                                                      uring_close, uring_fd, uring_work,
                                                      uring_send};
