// SPDX-License-Identifier: Apache-2.0
// Ed25519 keys (RFC 8032) with which hosts sign what they write.
//
// A host signs the state of its origin, once for all that it tells at a time:
//
//   leaf   = BLAKE2b-256("record", table, key, seq, value or nothing)
//   state  = BLAKE2b-256 over the leaves of all live records and tombstones, in order of seq
//   signed = "srv6-steer state", host, incarnation, nonce, floor, seq, state
//
// So one check tells whether a replica holds exactly what the origin wrote up to seq: nothing
// changed, added or left out. Tombstones up to the floor are collected and not part of the state.
// Without keys the hash of what would be signed travels instead of a signature: it protects against
// accidents, not against members.
//
// With a signature goes a hint, the first bytes of the public key: who does not have that key (yet)
// knows that he cannot tell, and blames nobody.
//
// A host with keys of its own in the list is believed by these only; any other by the keys of the
// host "*". Several keys of one host: all of them (rotation).
#ifndef GOSSIP_SIGNING_H
#define GOSSIP_SIGNING_H

#include <stdint.h>

#include "model/fabric.h"

#define GOSSIP_PUBLIC_KEY_SIZE 32
#define GOSSIP_SECRET_KEY_SIZE 64 // libsodium's form: seed, then public key

struct gossip_public_key {
    char host[NAME_SIZE]; // "*": any host
    uint8_t bytes[GOSSIP_PUBLIC_KEY_SIZE];
};

// Read by the core only; may be shared by many cores.
struct gossip_signing {
    uint8_t secret_key[GOSSIP_SECRET_KEY_SIZE]; // of this host
    const struct gossip_public_key *keys;       // of the fleet, sorted by host (strcmp)
    uint32_t key_count;
};

#endif
