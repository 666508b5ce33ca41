// SPDX-License-Identifier: Apache-2.0
// The ZeroMQ carrier of the gossip core: one ROUTER inbox, one DEALER per neighbour, CURVE with
// ZAP.
//
// ZeroMQ's defaults lose messages silently; the profile used here (ROUTER_MANDATORY,
// ROUTER_HANDOVER with CURVE only, IMMEDIATE, high-water marks with EAGAIN reported as "behind",
// LINGER 0, bounded reconnects, ZMTP heartbeats as a safety net, MAXMSGSIZE, socket monitors) is
// explained option by option in sockets.c.
//
// It moves messages between a `struct gossip` and sockets and holds no fact of its own. A message
// always goes from a DEALER of the sender to the ROUTER of the receiver; the ROUTER never answers.
// A message to an address that is not a neighbour opens a temporary DEALER, closed after some idle
// seconds. Addresses are numeric ("tcp://10.255.0.1:7946", "tcp://[fd00::1]:7946"): a name would be
// resolved, blocking, in libzmq's I/O thread; and what another member wrote must not make us open
// ipc: or inproc: endpoints.
//
// Integration: poll fd() for readability and call work() after every wake-up *and* after every own
// change to the core; work() drains to EAGAIN within its budget and says whether more is left.
// fd() is one epoll descriptor that holds the edge-triggered descriptors of all sockets and a timer
// for the carrier's own deadlines, so nothing else needs to be polled. `now_ns` is CLOCK_MONOTONIC.
// Errors: -errno; -EADDRINUSE for a taken port, -EMFILE with the number needed when RLIMIT_NOFILE
// is too low. One thread (libzmq adds one I/O thread of its own).
#ifndef GOSSIP_ZMQ_H
#define GOSSIP_ZMQ_H

#include <stdbool.h>
#include <stdint.h>

#include "gossip/gossip.h"
#include "gossip_zmq/keys.h"
#include "model/error.h"

struct gossip_zmq_config {
    char listen[GOSSIP_ADDRESS_SIZE];     // "tcp://10.255.0.1:7946"; also the source of connections
    bool curve;                           // the fields below are ignored when false
    char public_key[CURVE_KEY_TEXT_SIZE]; // this host's
    char secret_key[CURVE_KEY_TEXT_SIZE];
    const struct curve_keys *fleet; // who may connect, and whom we expect; copied
};

struct gossip_zmq;

// Borrows `gossip` until close. *out owned. -EINVAL (address, key), -EADDRINUSE, -EADDRNOTAVAIL,
// -EMFILE, -ENOTSUP (libzmq without CURVE), -ENOMEM, each with a sentence.
int gossip_zmq_open(const struct gossip_zmq_config *config, struct gossip *gossip,
                    struct gossip_zmq **out, struct error *error);
void gossip_zmq_close(struct gossip_zmq *carrier); // NULL is a no-op
// Replaces the fleet's keys and, where `secret_key` differs from the one in force, this host's own
// (rotation: a host's old and new key together for a while). Takes effect at once: messages that
// come with a removed key are denied, connections to one are closed; a new key of its own makes the
// host connect anew, and all others to it, within a fraction of a second. -EINVAL names the bad key
// and nothing changes.
int gossip_zmq_set_keys(struct gossip_zmq *carrier, uint64_t now_ns, const char *secret_key,
                        const struct curve_keys *fleet, struct error *error);
int gossip_zmq_fd(const struct gossip_zmq *carrier);
// Receives what is there, feeds the core, sends what the core has queued, follows the neighbour
// set. Returns true when its budget ran out and it wants to be called again in this turn of the
// loop.
bool gossip_zmq_work(struct gossip_zmq *carrier, uint64_t now_ns);
// Sends what is queued (after gossip_leave) and lets gossip_zmq_close wait up to `timeout_ns` for
// it to leave. The last call before close: the connections accept nothing more.
void gossip_zmq_flush(struct gossip_zmq *carrier, uint64_t now_ns, uint64_t timeout_ns);

struct gossip_zmq_stats {
    uint64_t connected, disconnected; // our DEALERs
    // The inbox. Who does not speak ZMTP, or announces a frame beyond the limit, is cut off; libzmq
    // tells no more of it than that the connection ended.
    uint64_t accepted, inbound_ended;
    uint64_t accept_failed;    // out of descriptors
    uint64_t handshake_failed; // either side: wrong key, no key, too slow
    uint64_t denied_keys;      // by ZAP at the handshake, or a message with a removed key
    uint64_t dropped_rate; // incoming, of senders that say more than anybody needs to (limits.h)
    uint64_t sent, received;
    uint64_t would_block;   // EAGAIN: reported to the core as "behind"
    uint64_t dropped_loads; // EAGAIN or not connected, of a message that may be dropped
    uint64_t oversized;     // outgoing message beyond GOSSIP_MESSAGE_MAX, not sent
    uint64_t malformed;   // incoming message that is not one frame of 1 to GOSSIP_MESSAGE_MAX bytes
    uint64_t unreachable; // outgoing message to a bad address, or to a host whose key is not known
    uint32_t connections; // our DEALERs that are connected now
    uint32_t inbound;     // connections to the inbox now
};
void gossip_zmq_stats(const struct gossip_zmq *carrier, struct gossip_zmq_stats *out);
// The address of the latest one whose key was denied; empty when nobody was.
const char *gossip_zmq_denied_address(const struct gossip_zmq *carrier);

#endif
