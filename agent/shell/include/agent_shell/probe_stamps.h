// SPDX-License-Identifier: Apache-2.0
// When probes really left: the kernel's time stamps of one socket's transmissions.
//
// A probe that asks for it (SO_TIMESTAMPING as ancillary data) makes the kernel put a time stamp
// without data (SOF_TIMESTAMPING_OPT_TSONLY) into the socket's error queue when the driver takes
// the packet. It carries a number that counts the socket's stamped packets (OPT_ID). So one send in
// a while costs a time stamp, and the others nothing.
//
//   expect() -> key, mark into the packet      read() empties the error queue
//   sendmsg                                    find(mark, token) -> when it left
//
// What the kernel refuses to send may or may not have used up a number: after a failure the caller
// says restart(), which begins to count anew and forgets what is under way.
//
// A probe that left more than PROBE_LATE_NS after it should have says nothing of the fabric, since
// its deadline was reckoned from the earlier instant: read() tells the caller its token.
//
// Units: nanoseconds; stamps are of the wall clock, `offset_ns` makes them monotonic. Ownership:
// the descriptor stays the caller's. One thread.
#ifndef AGENT_SHELL_PROBE_STAMPS_H
#define AGENT_SHELL_PROBE_STAMPS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "model/time.h"

#define PROBE_STAMPS 1024 // under way; a power of two
#define PROBE_LATE_NS NS_PER_MS
#define PROBE_NO_MARK 0

struct probe_stamp {
    uint64_t token;
    uint64_t due_at_ns;   // when it was meant to leave
    uint64_t asked_at_ns; // when it was handed to the kernel
    uint64_t wall_ns;     // when it left; 0: not known yet
    bool pending;
};

struct probe_stamps {
    int fd;
    bool works;
    uint32_t next_key;
    uint32_t pending;
    struct probe_stamp ring[PROBE_STAMPS]; // by key
};

typedef void probe_late_fn(void *context, uint64_t token);

// Switches the socket's stamps on, those of what it receives too. Where the kernel refuses,
// everything here does nothing.
void probe_stamps_init(struct probe_stamps *stamps, int fd);
// The next packet is to be stamped. Its mark; PROBE_NO_MARK: it cannot be.
uint16_t probe_stamps_expect(struct probe_stamps *stamps, uint64_t token, uint64_t due_at_ns,
                             uint64_t now_ns);
void probe_stamps_restart(struct probe_stamps *stamps);
void probe_stamps_read(struct probe_stamps *stamps, int64_t offset_ns, probe_late_fn *late,
                       void *context);
// What is known of a probe that left; NULL: nothing.
const struct probe_stamp *probe_stamps_find(const struct probe_stamps *stamps, uint16_t mark,
                                            uint64_t token);
bool probe_stamp_is_late(const struct probe_stamp *stamp, int64_t offset_ns);
// A time stamp among ancillary data; 0: there is none.
uint64_t probe_stamp_of(const struct cmsghdr *cmsg);

#endif
