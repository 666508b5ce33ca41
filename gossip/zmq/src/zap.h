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

#include "keyring.h"

struct zap {
    void *socket;                  // NULL without CURVE
    const struct keyring *keyring; // borrowed
    uint64_t denied;
};

void zap_fini(struct zap *zap); // closes the socket
// Answers every question that waits.
void zap_work(struct zap *zap);

#endif
