// SPDX-License-Identifier: Apache-2.0
// CURVE keys of the fleet in two kinds of files.
//
// fleet.keys, the same on every host, public:
//
//   # host  public key (Z85, 40 characters)            [address]
//   h0      rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7   tcp://10.255.0.1:7946
//   h1      Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID
//   *       JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6
//
// Any key in it may connect. To a peer, the agent expects the key of that host: the key whose line
// has this address, or whose host is the name that the member at this address gave itself, or with
// which that IP address has already spoken to us. So only seeds need the address column: nothing is
// known of them before they have answered. `*` is a key
// that every host may have (one shared key pair: the simplest fleet, without a way to lock one host
// out). A host may have several lines: old and new key during a rotation, tried in turn.
//
// host.secret, one on each host, mode 0600: the secret key alone on its line. The public key is
// computed from it.
//
// Errors name file and line. Ownership: curve_keys_load fills storage that curve_keys_fini frees.
#ifndef GOSSIP_ZMQ_KEYS_H
#define GOSSIP_ZMQ_KEYS_H

#include <stdbool.h>
#include <stdint.h>

#include "gossip/gossip.h"
#include "model/error.h"

#define CURVE_KEY_TEXT_SIZE 41 // Z85 with terminator
#define CURVE_KEYS_MAX (4 * GOSSIP_MEMBERS_MAX)

struct curve_key {
    char host[NAME_SIZE]; // "*": any
    char public_key[CURVE_KEY_TEXT_SIZE];
    char address[GOSSIP_ADDRESS_SIZE]; // "" when not given
};

struct curve_keys {
    struct curve_key *keys;
    uint32_t count;
};

// -ENOENT and other -errno of open, -EPERM when others may write the file, -EINVAL for a line that
// is not understood, -E2BIG beyond CURVE_KEYS_MAX. An empty list is an error: nobody could connect.
int curve_keys_load(const char *path, struct curve_keys *out, struct error *error);
void curve_keys_fini(struct curve_keys *keys);
// Checks a list that did not come from a file: -EINVAL names the entry.
int curve_keys_check(const struct curve_keys *keys, struct error *error);

// -EPERM when anyone but owner and group may read, or group may write, the file.
int curve_secret_load(const char *path, char secret_key[CURVE_KEY_TEXT_SIZE],
                      char public_key[CURVE_KEY_TEXT_SIZE], struct error *error);
// Creates the file with mode 0600. -EEXIST rather than overwrite: a lost secret cannot be brought
// back.
int curve_secret_write(const char *path, const char *secret_key, struct error *error);

// New CURVE key pair in Z85. -ENOTSUP when libzmq lacks CURVE.
int curve_keypair(char public_key[CURVE_KEY_TEXT_SIZE], char secret_key[CURVE_KEY_TEXT_SIZE]);
// 40 characters of Z85 that decode to 32 bytes.
bool curve_key_valid(const char *key);

#endif
