// SPDX-License-Identifier: Apache-2.0
// Those whom a fleet (gossip_zmq_fleet.h) must bear. An intruder is a bare socket that says what it
// is told to. A liar is a member with a valid key and a real core, whose messages a test may change
// on their way out, keep and repeat.
#ifndef GOSSIP_ZMQ_INTRUDER_H
#define GOSSIP_ZMQ_INTRUDER_H

#include <stddef.h>
#include <stdint.h>

#include "gossip_zmq_fleet.h"

// ---- intruders
struct intruder {
    void *context, *dealer;
};
// Speaks to host `to` with this pair; without CURVE when the keys are NULL.
void intruder_open(struct intruder *intruder, const struct fleet *fleet, int to,
                   const char *public_key, const char *secret_key);
void intruder_close(struct intruder *intruder);
// False when nothing can be queued: not connected, or it is not read.
bool intruder_say(struct intruder *intruder, const void *bytes, size_t size);

// A TCP connection to host `to`.
int tcp_open(const struct fleet *fleet, int to);
void tcp_say(int fd, const void *bytes, size_t size);
// The other side has closed it. Reads what comes.
bool tcp_ended(int fd);

// ---- liars
struct liar;
// Called for each message of the core; calls liar_say for what it wants said instead, any number of
// times.
typedef void liar_fn(struct liar *liar, int to, uint8_t *bytes, size_t size);

struct liar {
    struct fleet *fleet;
    int index;             // of the host that it is; its core runs without a carrier
    const char *core_name; // of its core; NULL: its own
    void *context, *inbox, *dealers[HOSTS_MAX];
    liar_fn *lie; // NULL: says what its core wants said
    void *lie_context;
    uint64_t said;
};
void liar_open(struct liar *liar, struct fleet *fleet, int index, const char *core_name);
void liar_close(struct liar *liar);
void liar_turn(struct liar *liar);
void liar_say(struct liar *liar, int to, const void *bytes, size_t size);

// ---- what a fleet must do meanwhile
// Host 0 writes, all of the first `count` must know it soon.
void assert_responsive(struct fleet *fleet, int count);
size_t resident_bytes(void);
unsigned open_descriptors(void);

#endif
