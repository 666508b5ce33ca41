// SPDX-License-Identifier: Apache-2.0
// Two cores of one host "x" in a fleet of others "m0", "m1"...: one learnt what it knows by
// messages, the other started from a base that learnt the same. Both get the same events; the fleet
// hears the first. What they send, tell and know must be the same: twins_fault says what was not.
#ifndef TESTS_GOSSIP_TWINS_H
#define TESTS_GOSSIP_TWINS_H

#include "gossip/gossip.h"
#include "model/rng.h"
#include "model/time.h"

#define TWINS_FLEET_MAX 64

struct twins_message {
    uint64_t at_ns, order;
    char to[GOSSIP_ADDRESS_SIZE];
    size_t size;
    uint8_t *bytes;
};

struct twins {
    struct gossip *fleet[TWINS_FLEET_MAX]; // NULL: not running
    uint32_t boots[TWINS_FLEET_MAX];
    uint32_t count;
    struct gossip *base, *learnt, *based;
    struct gossip_config config; // of x
    uint64_t now_ns, order, seed;
    struct rng rng;
    struct twins_message *queue;
    uint32_t queue_count, queue_capacity;
    char fault[256]; // "": none
};

void twins_init(struct twins *twins, uint32_t fleet, uint64_t seed);
void twins_fini(struct twins *twins);
void twins_start(struct twins *twins, uint32_t member);
void twins_kill(struct twins *twins, uint32_t member);
// Opens the base and both cores of x: all learn what m0 knows. x takes the name of a member that is
// not running, as its next life; UINT32_MAX: is a new host.
void twins_open(struct twins *twins, uint32_t member);
void twins_run(struct twins *twins, uint64_t duration_ns);
void twins_compare(struct twins *twins); // all that is known
// A fleet's core says something that only it decided: delivers what it sends.
void twins_flush(struct twins *twins, uint32_t member);
// Writes (NULL: deletes) a fact of both cores of x.
void twins_write(struct twins *twins, const char *key, const char *value);

#endif
