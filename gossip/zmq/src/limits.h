// SPDX-License-Identifier: Apache-2.0
// How much one sender may say: 2,000 messages and 32 MiB a second, after two seconds' worth at
// once. An honest member stays an order of magnitude below, also while it brings a newcomer the
// whole state; what a lost message said, repair brings.
//
// A sender is a host (whatever key of it was used) or, where all have the same key or none, an
// address. The LIMITS_KEPT senders that spoke last are remembered: one that was forgotten begins
// anew, so many addresses get more than one, and many keys are as many members.
#ifndef GOSSIP_ZMQ_LIMITS_H
#define GOSSIP_ZMQ_LIMITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/time.h"

#define LIMIT_MESSAGES 2000ULL        // a second
#define LIMIT_BYTES (32ULL << 20)     // a second
#define LIMIT_BURST_NS (2 * NS_PER_S) // of both
#define LIMITS_WAYS 4
#define LIMITS_SETS 256
#define LIMITS_KEPT (LIMITS_WAYS * LIMITS_SETS)

// What was said so far is paid for at the instants; the burst is how far they may lie ahead of now.
struct limit {
    uint64_t sender; // hash
    uint64_t messages_paid_ns, bytes_paid_ns, used_at_ns;
};

struct limits {
    uint8_t hash_key[16]; // random: nobody can choose to share another's limit
    struct limit sets[LIMITS_SETS][LIMITS_WAYS];
};

// False when the sender has said too much already: then this costs it nothing more.
bool limits_take(struct limits *limits, uint64_t now_ns, const char *sender, size_t size);

#endif
