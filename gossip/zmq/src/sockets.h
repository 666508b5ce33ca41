// SPDX-License-Identifier: Apache-2.0
// The sockets of the carrier with their options, each explained in sockets.c. The only place that
// knows libzmq's option names. Errors: -errno, converted here from libzmq's -1.
#ifndef GOSSIP_ZMQ_SOCKETS_H
#define GOSSIP_ZMQ_SOCKETS_H

#include <stdbool.h>
#include <stdint.h>

#include "gossip_zmq/keys.h"
#include "model/error.h"

#define NEIGHBOURS_MAX 32  // the core asks for 8; all of a small fleet in a full mesh
#define TEMPORARIES_MAX 64 // a seed answers a whole fleet that starts
#define PEERS_MAX (NEIGHBOURS_MAX + TEMPORARIES_MAX)
#define INBOUND_EXPECTED 64 // neighbours of others' views, joiners, random digest partners

struct curve_identity {
    bool on;
    char public_key[CURVE_KEY_TEXT_SIZE];
    char secret_key[CURVE_KEY_TEXT_SIZE];
};

// -EMFILE with the number needed when RLIMIT_NOFILE leaves too little room.
int sockets_check_descriptors(struct error *error);
int sockets_context(void **context, struct error *error);
int sockets_inbox(void *context, const struct curve_identity *self, void **inbox,
                  struct error *error);
int sockets_bind(void *inbox, const char *listen, struct error *error);
// Closes the door, and all connections that came in by it. sockets_bind opens it again as soon as
// libzmq's I/O thread has let go of the port (-EADDRINUSE until then).
int sockets_unbind(void *inbox);
// The key that counts from the next sockets_bind on.
int sockets_rekey(void *inbox, const struct curve_identity *self);
// The handler must exist before the first connection: without one, libzmq accepts any key.
int sockets_zap(void *context, void **zap, struct error *error);
// `server_key` NULL without CURVE. `source` is the local address to connect from, "" for any.
int sockets_dealer(void *context, const struct curve_identity *self, const char *server_key,
                   void **dealer);
int sockets_connect(void *dealer, const char *source, const char *address);
// Lets what is queued leave for this long after close.
void sockets_linger(void *socket, uint64_t timeout_ns);
// The edge-triggered descriptor of a socket.
int sockets_fd(void *socket);
// Settles commands that wait in the socket's mailbox, which a send alone may skip.
void sockets_settle(void *socket);

#endif
