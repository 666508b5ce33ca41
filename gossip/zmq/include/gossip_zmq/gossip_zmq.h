// SPDX-License-Identifier: Apache-2.0
// The ZeroMQ carrier of the gossip core: one ROUTER inbox, one DEALER per neighbour, CURVE with
// ZAP.
//
// ZeroMQ's defaults lose messages silently; the profile used here (ROUTER_MANDATORY,
// ROUTER_HANDOVER with CURVE only, IMMEDIATE, high-water marks with EAGAIN reported as "behind",
// LINGER 0, bounded reconnects, ZMTP heartbeats as a safety net, MAXMSGSIZE, socket monitors) is
// explained option by option in gossip_zmq.c.
//
// It moves messages between a `struct gossip` and sockets and holds no fact of its own.
// Integration: poll fd() for readability (it is edge-triggered: call work() after every wake-up
// *and* after every own change to the core; work() drains to EAGAIN within its budget and says
// whether more is left). Errors: -errno; -EADDRINUSE for a taken port, -EMFILE with the number
// needed when RLIMIT_NOFILE is too low. One thread.
#ifndef GOSSIP_ZMQ_H
#define GOSSIP_ZMQ_H

#include <stdbool.h>
#include <stdint.h>

#include "gossip/gossip.h"
#include "model/error.h"

#define CURVE_KEY_TEXT_SIZE 41 // Z85 with terminator

struct gossip_zmq_config {
    char listen[GOSSIP_ADDRESS_SIZE];     // "tcp://10.255.0.1:7946"
    bool curve;                           // all fields below are ignored when false
    char public_key[CURVE_KEY_TEXT_SIZE]; // this host's
    char secret_key[CURVE_KEY_TEXT_SIZE];
    const char (*allowed_keys)[CURVE_KEY_TEXT_SIZE]; // public keys of the fleet; borrowed during
                                                     // open and set_keys
    uint32_t allowed_key_count;
    // Server key to expect of a peer: by address; NULL fleet_key: every host uses its own, looked
    // up in peers.
    const char (*peer_addresses)[GOSSIP_ADDRESS_SIZE];
    const char (*peer_keys)[CURVE_KEY_TEXT_SIZE];
    uint32_t peer_count;
};

struct gossip_zmq;

int gossip_zmq_open(const struct gossip_zmq_config *config, struct gossip *gossip,
                    struct gossip_zmq **out, struct error *error);
void gossip_zmq_close(struct gossip_zmq *carrier); // NULL is a no-op
// Replaces the list of allowed keys (rotation: old and new together for a while). -EINVAL names the
// bad key.
int gossip_zmq_set_keys(struct gossip_zmq *carrier, const struct gossip_zmq_config *config,
                        struct error *error);
int gossip_zmq_fd(const struct gossip_zmq *carrier);
// Receives what is there, feeds the core, sends what the core has queued, follows the neighbour
// set. Returns true when its budget ran out and it wants to be called again in this turn of the
// loop.
bool gossip_zmq_work(struct gossip_zmq *carrier, uint64_t now_ns);
// Sends what is queued and waits up to `timeout_ns` for it to leave (after gossip_leave).
void gossip_zmq_flush(struct gossip_zmq *carrier, uint64_t now_ns, uint64_t timeout_ns);

struct gossip_zmq_stats {
    uint64_t connected, disconnected, handshake_failed, denied_keys; // denied: by ZAP
    uint64_t sent, received, would_block, oversized, malformed;
    uint32_t connections;
};
void gossip_zmq_stats(const struct gossip_zmq *carrier, struct gossip_zmq_stats *out);

// New CURVE key pair in Z85. -ENOTSUP when libzmq lacks CURVE.
int gossip_zmq_keypair(char public_key[CURVE_KEY_TEXT_SIZE], char secret_key[CURVE_KEY_TEXT_SIZE]);

#endif
