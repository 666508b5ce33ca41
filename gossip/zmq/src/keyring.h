// SPDX-License-Identifier: Apache-2.0
// The fleet's keys: who may speak, in whose name, and which key to expect of the peer at an address
// (the rule: gossip_zmq/keys.h). Each question takes O(log n).
#ifndef GOSSIP_ZMQ_KEYRING_H
#define GOSSIP_ZMQ_KEYRING_H

#include <stdbool.h>
#include <stdint.h>

#include "address.h"
#include "gossip/gossip.h"
#include "gossip_zmq/keys.h"

#define KEYRING_HEARD_MAX 64 // inbound connections expected at a time

struct keyring {
    struct curve_keys fleet;             // owned; sorted by host
    const struct curve_key **by_key;     // owned; sorted by public key
    const struct curve_key **by_address; // owned; sorted
    // Who proved to hold which key, and from where: the newest KEYRING_HEARD_MAX.
    struct {
        char ip[ADDRESS_IP_SIZE], public_key[CURVE_KEY_TEXT_SIZE];
    } heard[KEYRING_HEARD_MAX];
    uint32_t heard_next;
};

// Replaces the fleet's keys by a copy of these. -ENOMEM leaves the old ones.
int keyring_set(struct keyring *keyring, const struct curve_keys *fleet);
void keyring_fini(struct keyring *keyring);
// The line with this key; NULL when there is none.
const struct curve_key *keyring_find(const struct keyring *keyring, const char *public_key);
// Candidate number `turn` for the peer at the address, counted around; the host's own keys come
// before those of "*". NULL when there is none. *count says how many there are.
const char *keyring_key_of(const struct keyring *keyring, const struct gossip *gossip,
                           const char *address, uint32_t turn, uint32_t *count);
// A message came from this IP on a connection authenticated with this key.
void keyring_heard(struct keyring *keyring, const char *ip, const char *public_key);

#endif
