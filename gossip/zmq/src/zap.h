// SPDX-License-Identifier: Apache-2.0
// ZAP (RFC 27): who may connect. Answers libzmq's questions from the fleet's list of keys, in the
// carrier's own loop.
//
// An accepted connection carries its key as User-Id on every message, so that a key that was
// removed is denied on connections that already stand.
#ifndef GOSSIP_ZMQ_ZAP_H
#define GOSSIP_ZMQ_ZAP_H

#include <stdbool.h>
#include <stdint.h>

#include "gossip_zmq/keys.h"

struct zap {
    void *socket;                         // NULL without CURVE
    char (*allowed)[CURVE_KEY_TEXT_SIZE]; // sorted; owned
    uint32_t allowed_count;
    uint64_t denied;
};

// Replaces the allowed keys. -ENOMEM leaves the old ones.
int zap_allow(struct zap *zap, const struct curve_keys *fleet);
void zap_fini(struct zap *zap); // closes the socket
bool zap_allows(const struct zap *zap, const char *public_key);
// Answers every question that waits.
void zap_work(struct zap *zap);

#endif
