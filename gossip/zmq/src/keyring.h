// SPDX-License-Identifier: Apache-2.0
// Which key to expect of the peer at an address (the rule: gossip_zmq/keys.h).
#ifndef GOSSIP_ZMQ_KEYRING_H
#define GOSSIP_ZMQ_KEYRING_H

#include <stdbool.h>
#include <stdint.h>

#include "address.h"
#include "gossip/gossip.h"
#include "gossip_zmq/keys.h"

#define KEYRING_HEARD_MAX 64 // inbound connections expected at a time

struct keyring {
    struct curve_keys fleet; // owned
    // Who proved to hold which key, and from where: the newest KEYRING_HEARD_MAX.
    struct {
        char ip[ADDRESS_IP_SIZE], public_key[CURVE_KEY_TEXT_SIZE];
    } heard[KEYRING_HEARD_MAX];
    uint32_t heard_next;
};

// Candidate number `turn`, counted around; the host's own keys come before those of "*". NULL when
// there is none.
const char *keyring_key_of(const struct keyring *keyring, const struct gossip *gossip,
                           const char *address, uint32_t turn);
bool keyring_has(const struct keyring *keyring, const char *public_key);
// A message came from this IP on a connection authenticated with this key.
void keyring_heard(struct keyring *keyring, const char *ip, const char *public_key);
// *out owned: curve_keys_fini. -ENOMEM.
int keyring_copy(const struct curve_keys *fleet, struct curve_keys *out);

#endif
