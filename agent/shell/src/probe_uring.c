// SPDX-License-Identifier: Apache-2.0
// The io_uring back end: one ring, one multishot recvmsg per UDP socket into a ring of provided
// buffers, sends in batches that complete inside the submit call.
//
// Sends: a UDP send that must not wait (MSG_DONTWAIT) is done when the submission returns, and one
// that succeeds leaves no completion (IOSQE_CQE_SKIP_SUCCESS). So a batch's messages can be used
// again at once, and only failures are looked at.
//
// Waking the loop: with DEFER_TASKRUN nothing runs until somebody enters the kernel, and polling
// the ring's own descriptor never wakes. A registered eventfd does. What a submission itself
// completes needs no wake-up, so the eventfd is disabled around it:
//
//   disable; submit and get events; drain; enable; when work waits: get events, drain
//
// The last step closes the gap: what arrived while signals were off is taken now, what arrives
// later signals. Whether work waits the kernel says in shared memory (IORING_SETUP_TASKRUN_FLAG),
// so that looking costs no system call.
//
// What the ring may do is fixed before it is enabled (io_uring_register_restrictions): send and
// receive messages on the sockets of a table that cannot be changed any more, and cancel. Whoever
// got hold of the process could not make the kernel do anything else through it.
#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent_shell/clock.h"
#include "probe_backend.h"

#define SUBMISSION_ENTRIES 512
#define SEND_BATCH 256
#define SUBMIT_TRIES 8
#define COMPLETION_ENTRIES 4096
#define BUFFER_COUNT 1024 // twice the largest burst of one loop turn
#define BUFFER_SIZE 256   // padding is cut off
#define BUFFER_GROUP 0
#define SELF_TEST_TIMEOUT_MS 100

enum request_kind { REQUEST_SEND, REQUEST_RECEIVE, REQUEST_TEST_SEND, REQUEST_TEST_RECEIVE };

// Who a failed send is told of.
struct sent_probe {
    uint64_t token;
    struct probe_stamps *stamps;
};

struct uring_state {
    struct io_uring ring;
    int wake; // eventfd
    struct io_uring_buf_ring *buffers;
    uint8_t *memory;       // of the buffers
    struct msghdr receive; // the shape of every multishot receive
    struct probe_message messages[SEND_BATCH];
    struct sent_probe sent[SEND_BATCH];
    uint32_t filled, failed; // of the batch
    bool stuck;              // the kernel has not taken all of it
    bool tested;             // the self-test's datagram came through
};

static uint64_t request_tag(enum request_kind kind, uint32_t index) {
    return (uint64_t)kind << 32 | index;
}

// Places in the ring's table of files. The self-test's pair comes after the sockets.
static int file_of(uint32_t socket, enum probe_way way) {
    return (int)(socket * PROBE_WAYS + way);
}

static int test_file(const struct probe_io *io, int end) {
    return (int)(io->socket_count * PROBE_WAYS) + end;
}

static int arm_receive(struct uring_state *state, int file, enum request_kind kind,
                       uint32_t index) {
    struct io_uring_sqe *sqe = io_uring_get_sqe(&state->ring);
    if (sqe == NULL) {
        return -EBUSY;
    }
    io_uring_prep_recvmsg_multishot(sqe, file, &state->receive, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT | IOSQE_FIXED_FILE;
    sqe->buf_group = BUFFER_GROUP;
    io_uring_sqe_set_data64(sqe, request_tag(kind, index));
    return 0;
}

static void give_back_buffer(struct uring_state *state, unsigned id) {
    io_uring_buf_ring_add(state->buffers, state->memory + (size_t)id * BUFFER_SIZE, BUFFER_SIZE,
                          (unsigned short)id, io_uring_buf_ring_mask(BUFFER_COUNT), 0);
    io_uring_buf_ring_advance(state->buffers, 1);
}

// Only what fails says so.
static void finish_send(struct probe_io *io, uint32_t index, int result) {
    struct uring_state *state = io->state;
    if (result < 0) {
        state->failed++;
        probe_io_failed(io, state->sent[index].token);
        probe_stamps_restart(state->sent[index].stamps);
    }
}

static void take_datagram(struct probe_io *io, const struct io_uring_cqe *cqe, uint32_t index,
                          uint64_t now_ns, int64_t offset_ns) {
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
        probe_io_received(io, &io->sockets[index], &header,
                          io_uring_recvmsg_payload(out, &state->receive),
                          io_uring_recvmsg_payload_length(out, cqe->res, &state->receive), now_ns,
                          offset_ns);
    }
    give_back_buffer(state, id);
}

static void finish_receive(struct probe_io *io, const struct io_uring_cqe *cqe, uint32_t index,
                           uint64_t now_ns, int64_t offset_ns) {
    struct uring_state *state = io->state;
    if (cqe->res >= 0 && (cqe->flags & IORING_CQE_F_BUFFER) != 0) {
        take_datagram(io, cqe, index, now_ns, offset_ns);
    }
    if ((cqe->flags & IORING_CQE_F_MORE) == 0) { // out of buffers, or an error of the socket
        io->stats.no_buffer++;
        arm_receive(state, file_of(index, PROBE_BY_UDP), REQUEST_RECEIVE, index);
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

// Completions to take, or work that makes some once the kernel is entered.
static bool has_work(const struct uring_state *state) {
    unsigned flags = IO_URING_READ_ONCE(*state->ring.sq.kflags);
    return io_uring_cq_ready(&state->ring) > 0 ||
           (flags & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) != 0;
}

static void drain(struct probe_io *io) {
    struct uring_state *state = io->state;
    int64_t offset_ns = clock_wall_offset_ns();
    uint64_t now_ns = clock_now_ns();
    struct io_uring_cqe *cqe;
    probe_io_read_stamps(io, offset_ns);
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

// False: the kernel has not taken all, and the messages of a batch are still to be sent.
static bool submit_and_drain(struct probe_io *io) {
    struct uring_state *state = io->state;
    io_uring_cq_eventfd_toggle(&state->ring, false);
    io_uring_submit_and_get_events(&state->ring);
    for (int i = 0; i < SUBMIT_TRIES && io_uring_sq_ready(&state->ring) > 0; i++) {
        drain(io); // a full queue of completions keeps the kernel from taking more
        io_uring_submit_and_get_events(&state->ring);
    }
    bool taken = io_uring_sq_ready(&state->ring) == 0;
    drain(io);
    io_uring_cq_eventfd_toggle(&state->ring, true);
    atomic_thread_fence(memory_order_seq_cst); // enabled first, then looked
    if (has_work(state)) {
        io_uring_get_events(&state->ring);
        drain(io);
    }
    return taken;
}

static void uring_work(struct probe_io *io, bool woken) {
    struct uring_state *state = io->state;
    eventfd_t ignored;
    if (woken) {
        (void)eventfd_read(state->wake, &ignored);
    }
    if (has_work(state) || io_uring_sq_ready(&state->ring) > 0) {
        (void)submit_and_drain(io);
    }
}

struct probe_part {
    const struct engine_probe *probes;
    uint32_t from, to;
    uint64_t due_at_ns;
};

static void queue_probe(struct probe_io *io, const struct engine_probe *probe, uint64_t due_at_ns,
                        uint64_t now_ns) {
    struct uring_state *state = io->state;
    int way = probe_io_way(io, probe);
    if (way < 0) {
        return;
    }
    struct io_uring_sqe *sqe = io_uring_get_sqe(&state->ring);
    if (sqe == NULL) {
        probe_io_failed(io, probe->token);
        return;
    }
    struct probe_message *message = &state->messages[state->filled];
    probe_io_fill(io, message, (enum probe_way)way, probe, due_at_ns, now_ns);
    io_uring_prep_sendmsg(sqe, file_of(probe->port, (enum probe_way)way), &message->header,
                          MSG_DONTWAIT);
    sqe->flags |= IOSQE_FIXED_FILE | IOSQE_CQE_SKIP_SUCCESS;
    io_uring_sqe_set_data64(sqe, request_tag(REQUEST_SEND, state->filled));
    state->sent[state->filled++] =
        (struct sent_probe){probe->token, &io->sockets[probe->port].stamps[way]};
}

static void send_batch(struct probe_io *io, struct probe_part part) {
    struct uring_state *state = io->state;
    uint64_t now_ns = clock_now_ns();
    state->filled = state->failed = 0;
    for (uint32_t i = part.from; i < part.to; i++) {
        queue_probe(io, &part.probes[i], part.due_at_ns, now_ns);
    }
    state->stuck = !submit_and_drain(io);
    io->stats.sent += state->filled - state->failed;
}

static void uring_send(struct probe_io *io, uint64_t due_at_ns, const struct engine_probe *probes,
                       uint32_t count) {
    struct uring_state *state = io->state;
    for (uint32_t from = 0; from < count; from += SEND_BATCH) {
        uint32_t to = count - from > SEND_BATCH ? from + SEND_BATCH : count;
        if (state->stuck && !(submit_and_drain(io))) { // its messages are the kernel's still
            for (uint32_t i = from; i < to; i++) {
                probe_io_failed(io, probes[i].token);
            }
            continue;
        }
        send_batch(io, (struct probe_part){probes, from, to, due_at_ns});
    }
}

static int uring_fd(const struct probe_io *io) {
    const struct uring_state *state = io->state;
    return state->wake;
}

// The kernel takes a ring down in the background, and until then its receptions and its table of
// files hold the sockets and with them the port: end them first.
static void uring_close(struct probe_io *io) {
    struct uring_state *state = io->state;
    struct io_uring_sync_cancel_reg all = {.fd = -1,
                                           .flags = IORING_ASYNC_CANCEL_ANY,
                                           .timeout = {-1, -1}};
    (void)io_uring_register_sync_cancel(&state->ring, &all);
    io_uring_get_events(&state->ring);
    (void)io_uring_unregister_files(&state->ring);
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
static int self_test(struct probe_io *io) {
    struct uring_state *state = io->state;
    struct iovec byte = {"x", 1};
    struct msghdr message = {.msg_iov = &byte, .msg_iovlen = 1};
    struct pollfd wake = {.fd = state->wake, .events = POLLIN};
    if (arm_receive(state, test_file(io, 0), REQUEST_TEST_RECEIVE, 0) != 0) {
        return -EBUSY;
    }
    (void)submit_and_drain(io);
    struct io_uring_sqe *sqe = io_uring_get_sqe(&state->ring);
    if (sqe == NULL) {
        return -EBUSY;
    }
    io_uring_prep_sendmsg(sqe, test_file(io, 1), &message, MSG_DONTWAIT);
    sqe->flags |= IOSQE_FIXED_FILE | IOSQE_CQE_SKIP_SUCCESS;
    io_uring_sqe_set_data64(sqe, request_tag(REQUEST_TEST_SEND, 0));
    io_uring_submit(&state->ring); // not drained: the eventfd itself is under test
    if (poll(&wake, 1, SELF_TEST_TIMEOUT_MS) != 1) {
        return -ETIMEDOUT;
    }
    uring_work(io, true);
    struct io_uring_sqe *cancel = io_uring_get_sqe(&state->ring);
    if (cancel != NULL) { // else the reception would stay for the ring's life
        io_uring_prep_cancel64(cancel, request_tag(REQUEST_TEST_RECEIVE, 0), 0);
        cancel->flags |= IOSQE_FIXED_FILE; // which this ring wants of everything
        io_uring_sqe_set_data64(cancel, request_tag(REQUEST_TEST_SEND, 0));
        (void)submit_and_drain(io);
    }
    return state->tested ? 0 : -ENOTSUP;
}

// The sockets, and the self-test's pair, which the ring keeps.
static int register_files(struct probe_io *io) {
    struct uring_state *state = io->state;
    uint32_t count = io->socket_count * PROBE_WAYS;
    int pair[2], *files = calloc(count + 2, sizeof(*files));
    if (files == NULL || socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) != 0) {
        int rc = files == NULL ? -ENOMEM : -errno;
        free(files);
        return rc;
    }
    for (uint32_t i = 0; i < count; i++) {
        files[i] = io->sockets[i / PROBE_WAYS].fds[i % PROBE_WAYS];
    }
    files[count] = pair[0];
    files[count + 1] = pair[1];
    int rc = io_uring_register_files(&state->ring, files, count + 2);
    close(pair[0]);
    close(pair[1]);
    free(files);
    return rc;
}

// liburing 2.3 declares io_uring_register_restrictions and io_uring_enable_rings, and its shared
// library does not export them.
static int register_with(const struct uring_state *state, unsigned operation, const void *what,
                         size_t count) {
    long rc = syscall(SYS_io_uring_register, state->ring.ring_fd, operation, what, count);
    return rc < 0 ? -errno : 0;
}

static int restrict_ring(struct uring_state *state) {
    const unsigned flags = IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT | IOSQE_CQE_SKIP_SUCCESS;
    struct io_uring_restriction may[] = {
        {.opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_SENDMSG},
        {.opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_RECVMSG},
        {.opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_ASYNC_CANCEL},
        {.opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED, .sqe_flags = (uint8_t)flags},
        {.opcode = IORING_RESTRICTION_SQE_FLAGS_REQUIRED, .sqe_flags = IOSQE_FIXED_FILE},
        {.opcode = IORING_RESTRICTION_REGISTER_OP, .register_op = IORING_REGISTER_SYNC_CANCEL},
        {.opcode = IORING_RESTRICTION_REGISTER_OP, .register_op = IORING_UNREGISTER_FILES},
    };
    int rc = register_with(state, IORING_REGISTER_RESTRICTIONS, may, sizeof(may) / sizeof(may[0]));
    return rc != 0 ? rc : register_with(state, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
}

static int open_ring(struct probe_io *io, unsigned flags) {
    struct uring_state *state = io->state;
    struct io_uring_params params = {.flags = flags | IORING_SETUP_CQSIZE |
                                              IORING_SETUP_R_DISABLED | IORING_SETUP_SUBMIT_ALL,
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
    rc = rc < 0 ? rc : open_buffers(state);
    rc = rc < 0 ? rc : register_files(io);
    rc = rc < 0 ? rc : restrict_ring(state);
    return rc < 0 ? rc : 0;
}

static struct uring_state *new_state(void) {
    struct uring_state *state = calloc(1, sizeof(*state));
    if (state == NULL) {
        return NULL;
    }
    state->wake = -1;
    state->ring.ring_fd = -1;
    state->receive.msg_controllen = PROBE_CONTROL_SIZE;
    return state;
}

static int open_variant(struct probe_io *io, unsigned flags, const char *variant,
                        struct error *error) {
    struct uring_state *state = new_state();
    if (state == NULL) {
        return error_set(error, -ENOMEM, "io_uring: no memory");
    }
    io->state = state;
    int rc = open_ring(io, flags);
    rc = rc != 0 ? rc : self_test(io);
    for (uint32_t i = 0; rc == 0 && i < io->socket_count; i++) {
        rc = arm_receive(state, file_of(i, PROBE_BY_UDP), REQUEST_RECEIVE, i);
    }
    if (rc == 0) {
        rc = submit_and_drain(io) ? 0 : -EBUSY;
    }
    if (rc == 0) {
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
    const unsigned flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
    return open_variant(io, flags | IORING_SETUP_TASKRUN_FLAG, "DEFER_TASKRUN", error);
}

static int open_coop(struct probe_io *io, struct error *error) {
    const unsigned flags = IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG;
    return open_variant(io, flags, "COOP_TASKRUN", error);
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
