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

#define ZAP_ADDRESS_SIZE 48

struct zap {
    void *socket;                  // NULL without CURVE
    const struct keyring *keyring; // borrowed
    uint64_t denied;
    char denied_address[ZAP_ADDRESS_SIZE]; // the latest one's
};

void zap_fini(struct zap *zap); // closes the socket
// Answers every question that waits.
void zap_work(struct zap *zap);
// Counts one that is denied.
void zap_deny(struct zap *zap, const char *address);

#endif
