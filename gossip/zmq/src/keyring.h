// SPDX-License-Identifier: Apache-2.0
// Which key to expect of the peer at an address (the rule: gossip_zmq/keys.h).
#ifndef GOSSIP_ZMQ_KEYRING_H
#define GOSSIP_ZMQ_KEYRING_H

#include <stdbool.h>
#include <stdint.h>

#include "gossip/gossip.h"
#include "gossip_zmq/keys.h"

// Candidate number `turn`, counted around; the host's own keys come before those of "*". NULL when
// there is none.
const char *keyring_key_of(const struct curve_keys *fleet, const struct gossip *gossip,
                           const char *address, uint32_t turn);
bool keyring_has(const struct curve_keys *fleet, const char *public_key);
// *out owned: curve_keys_fini. -ENOMEM.
int keyring_copy(const struct curve_keys *fleet, struct curve_keys *out);

#endif
