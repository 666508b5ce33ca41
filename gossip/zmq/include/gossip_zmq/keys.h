// SPDX-License-Identifier: Apache-2.0
// Keys of the fleet in two kinds of files.
//
// fleet.keys, the same on every host, public:
//
//   # host  CURVE key            signing key          [address]
//   h0      rq:rM>}U...{H8]yf7   U?@Lns47...yf7rq:r   tcp://10.255.0.1:7946
//   h1      Yne@$w-v...IaLV{hI   <fVvi]a<...hIDYne@
//   *       JTKVSB%%...4b!Ni{L   %)wK0E.X...h6JTKVS
//
// with keys of 40 characters (Z85).
//
// The CURVE key says who may connect: any key in the file may. To a peer, the agent expects the key
// of that host: the key whose line has this address, or whose host is the name that the member at
// this address gave itself, or with which that IP address has already spoken to us. So only seeds
// need the address column: nothing is known of them before they have answered. And what comes with
// a host's key is taken as that host's word only: no member can speak under another's name.
//
// The signing key (Ed25519) says who wrote: gossip/signing.h.
//
// `*` is a pair that every host may have (one file host.secret for all: the simplest fleet). It
// keeps strangers out and no more: whoever has it can write in the name of every host without a
// line of its own, and no single host can be locked out.
//
// Rotation: a host may have several lines, all of them hold. So the new pair's line is added on all
// hosts, then the host itself changes over, then the old line is removed on all hosts; each step
// takes effect with gossip_zmq_set_keys and gossip_set_signing (SIGHUP of the agent), and nobody is
// restarted (`srv6-ctl keys rotate`, `keys retire`).
//
// host.secret, one on each host, mode 0600: the CURVE secret key alone on its line. The public key
// is computed from it, and so is the signing pair: seed = BLAKE2b-256("srv6-steer signing key 1",
// keyed with the CURVE secret).
//
// Errors name file and line. Ownership: curve_keys_load fills storage that curve_keys_fini frees.
#ifndef GOSSIP_ZMQ_KEYS_H
#define GOSSIP_ZMQ_KEYS_H

#include <stdbool.h>
#include <stdint.h>

#include "gossip/gossip.h"
#include "gossip/signing.h"
#include "model/error.h"

#define CURVE_KEY_TEXT_SIZE 41 // Z85 with terminator; signing keys as well
#define CURVE_KEYS_MAX (4 * GOSSIP_MEMBERS_MAX)

struct curve_key {
    char host[NAME_SIZE]; // "*": any
    char public_key[CURVE_KEY_TEXT_SIZE];
    char sign_key[CURVE_KEY_TEXT_SIZE]; // "" only in lists that did not come from a file
    char address[GOSSIP_ADDRESS_SIZE];  // "" when not given
};

struct curve_keys {
    struct curve_key *keys;
    uint32_t count;
};

// ---- fleet.keys (keys.c)
// -ENOENT and other -errno of open, -EPERM when others may write the file, -EINVAL for a line that
// is not understood, -E2BIG beyond CURVE_KEYS_MAX. An empty list is an error: nobody could connect;
// so is a key that two hosts have.
int curve_keys_load(const char *path, struct curve_keys *out, struct error *error);
void curve_keys_fini(struct curve_keys *keys);
// Checks a list that did not come from a file: -EINVAL names the entry. -ENOMEM.
int curve_keys_check(const struct curve_keys *keys, struct error *error);
// -EINVAL when the list does not have this host with its own CURVE and signing key: others would
// refuse whatever it says.
int curve_keys_check_own(const struct curve_keys *keys, const char *host, const char *secret_key,
                         struct error *error);
// 40 characters of Z85 that decode to 32 bytes.
bool curve_key_valid(const char *key);

// ---- host.secret (secret.c)
// -EPERM when anyone but owner and group may read, or group may write, the file.
int curve_secret_load(const char *path, char secret_key[CURVE_KEY_TEXT_SIZE],
                      char public_key[CURVE_KEY_TEXT_SIZE], struct error *error);
// Creates the file with mode 0600. -EEXIST rather than overwrite: a lost secret cannot be brought
// back.
int curve_secret_write(const char *path, const char *secret_key, struct error *error);
// New pair in Z85. -ENOTSUP when libzmq lacks CURVE.
int curve_keypair(char public_key[CURVE_KEY_TEXT_SIZE], char secret_key[CURVE_KEY_TEXT_SIZE]);
// The public signing key that belongs to a CURVE secret. -EINVAL for what is no such key.
int curve_sign_key(const char *secret_key, char sign_key[CURVE_KEY_TEXT_SIZE]);

// ---- for the core (secret.c)
// Own signing pair and all public ones, as gossip_open and gossip_set_signing want them. *out
// owned, independent of `keys`; curve_signing_close wipes it. -EINVAL names an entry without a
// signing key. -ENOMEM.
int curve_signing_open(const struct curve_keys *keys, const char *secret_key,
                       struct gossip_signing **out, struct error *error);
void curve_signing_close(struct gossip_signing *signing); // NULL is a no-op

#endif
