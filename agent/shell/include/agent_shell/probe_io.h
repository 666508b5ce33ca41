// SPDX-License-Identifier: Apache-2.0
// Sends the engine's loop probes and takes in what comes back.
//
// Two back ends do the same work: io_uring (one ring, multishot receive into provided buffers) and
// epoll with sendmmsg and recvmmsg. `auto` walks down a ladder at start and keeps the first that
// passes a self-test:
//
//   io_uring DEFER_TASKRUN -> io_uring COOP_TASKRUN -> io_uring plain -> epoll
//
// Containers forbid io_uring in several ways (EPERM, ENOSYS, EACCES, ENOMEM); all mean the next
// step.
//
// Times are the kernel's where it gives them: when a probe came in, and when it left (of all while
// there are no more than PROBE_STAMPS_PER_S, of every PROBE_STAMPED_EVERY-th beyond them: a stamp
// costs a third of what sending a probe does). A probe that left
// more than PROBE_LATE_NS after it should have is an outcome `failed`: its deadline was reckoned
// from the earlier instant, so that neither its return nor its absence says anything.
//
// Integration: poll fd() for readability, call work(), then take() until it is false. Outcomes are
// queued inside, so that the caller never gets called back in the middle of a step. Sending never
// blocks: what the kernel does not take at once is an outcome `failed`.
//
// Units: nanoseconds of the caller's monotonic clock. Ownership: open returns owned, the
// configuration is borrowed during the call. One thread, the one that opened it.
#ifndef AGENT_SHELL_PROBE_IO_H
#define AGENT_SHELL_PROBE_IO_H

#include <stdbool.h>
#include <stdint.h>

#include "agent_core/engine.h"
#include "agent_shell/probe_socket.h"
#include "model/error.h"

#define PROBE_REASON_SIZE 160
#define PROBE_STAMPS_PER_S 2000
#define PROBE_STAMPS_AT_ONCE 256
#define PROBE_STAMPED_EVERY 16

enum probe_backend { PROBE_BACKEND_AUTO, PROBE_BACKEND_IO_URING, PROBE_BACKEND_EPOLL };

struct probe_io_config {
    enum probe_backend backend;
    uint64_t nonce;                 // random at each start
    const struct probe_port *ports; // in the engine's order
    uint32_t port_count;
};

struct probe_outcome {
    bool failed; // could not be sent in time; else it came back
    struct engine_probe_result result;
};

struct probe_io_stats {
    uint64_t sent, send_failed, received;
    uint64_t foreign;   // datagrams on our port that are not probes of this life, dropped
    uint64_t late;      // left too late, in send_failed too
    uint64_t overrun;   // outcomes lost because nobody took them
    uint64_t no_buffer; // receptions that had to be armed again
};

struct probe_io;

// -errno with a sentence. A back end that is asked for by name and does not work is an error.
int probe_io_open(const struct probe_io_config *config, struct probe_io **out, struct error *error);
void probe_io_close(struct probe_io *io); // NULL is a no-op
int probe_io_fd(const struct probe_io *io);
void probe_io_work(struct probe_io *io);
// Takes in what is there although fd() is not known to be readable; cheap where nothing is.
void probe_io_look(struct probe_io *io);
bool probe_io_take(struct probe_io *io, struct probe_outcome *out);
// `due_at_ns`: when they were meant to leave, the engine's time.
void probe_io_send(struct probe_io *io, uint64_t due_at_ns, const struct engine_probe *probes,
                   uint32_t count);
const char *probe_io_backend(const struct probe_io *io); // "io_uring" or "epoll"
const char *probe_io_variant(const struct probe_io *io); // "DEFER_TASKRUN", ...; "" for epoll
const char *
probe_io_reason(const struct probe_io *io); // why not a better one; "" when it is the best
void probe_io_stats(const struct probe_io *io, struct probe_io_stats *out);

#endif
