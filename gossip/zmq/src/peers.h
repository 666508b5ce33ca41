// SPDX-License-Identifier: Apache-2.0
// The outgoing side: one DEALER for each address that the core talks to.
//
//                open                     handshake done
//   (no peer) ---------> CONNECTING -------------------------> CONNECTED
//                            ^  |  handshake failed                |  connection ended
//                            |  '-------------> WAITING <----------'
//                            '---- retry_at ------'
//
// libzmq alone retries a refused or silent connect (100 ms doubling to 5 s). After a *failed
// handshake* it gives up for ever in some cases and retries in others, so from there on the peer
// gets a new socket, by our own back-off: which also tries the next of several known keys and
// throws away whatever was queued to the dead process.
//
// A temporary peer (seed, random digest partner, probe of a dead member) is closed when it has been
// idle for TEMPORARY_IDLE_NS, or is the least recently used of too many. Neighbours that are no
// longer wanted become temporary, so that the old link lives on while the new one comes up.
//
// Messages to a peer that was never connected yet are held, few and not for long, because the
// first word to a seed would otherwise always be lost. Later, "not connected" means "behind".
#ifndef GOSSIP_ZMQ_PEERS_H
#define GOSSIP_ZMQ_PEERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "address.h"
#include "gossip/gossip.h"
#include "gossip_zmq/gossip_zmq.h"
#include "keyring.h"
#include "model/time.h"
#include "sockets.h"

#define TEMPORARY_IDLE_NS (5 * NS_PER_S)
#define HELD_COUNT_MAX 8
#define HELD_BYTES_MAX (2 * GOSSIP_MESSAGE_MAX)
#define HELD_AGE_MAX_NS (2 * NS_PER_S)
#define BACKOFF_FIRST_NS (100 * NS_PER_MS)
#define BACKOFF_MAX_NS (5 * NS_PER_S)
#define KICK_AGE_NS (1 * NS_PER_S) // a younger attempt may be a handshake in progress
#define STABLE_NS (5 * NS_PER_S)   // connected this long: the next failure starts anew

enum peer_state { PEER_NONE, PEER_CONNECTING, PEER_CONNECTED, PEER_WAITING };

struct held {
    struct held *next;
    uint64_t at_ns;
    size_t size;
    unsigned char bytes[];
};

struct peer {
    enum peer_state state;
    bool neighbour, was_connected;
    char address[GOSSIP_ADDRESS_SIZE];
    char ip[ADDRESS_IP_SIZE];
    char server_key[CURVE_KEY_TEXT_SIZE];
    uint32_t key_turn; // which of the keys known for this address is next
    uint32_t untried;  // of these keys, since the last connection
    void *dealer, *monitor;
    uint64_t state_at_ns, used_at_ns, retry_at_ns, backoff_ns;
    struct held *held_first, *held_last;
    uint32_t held_count;
    size_t held_bytes;
};

struct peers {
    void *context;         // borrowed
    struct gossip *gossip; // borrowed
    int epoll;             // borrowed; holds each monitor, tagged with the peer's index
    uint32_t monitor_number;
    struct curve_identity self;
    struct keyring keyring;
    char source[ADDRESS_IP_SIZE + 2]; // "10.255.0.1", "[fd00::1]", "" for any
    uint32_t neighbour_generation;
    bool followed; // neighbour_generation is valid
    struct peer list[PEERS_MAX];
    struct gossip_zmq_stats stats; // the fields of our DEALERs
};

void peers_close_all(struct peers *peers);
// Follows the core's neighbour set.
void peers_follow(struct peers *peers, uint64_t now_ns);
// Hands one message to the peer's socket, or reports the peer as behind.
void peers_send(struct peers *peers, uint64_t now_ns, const struct gossip_message *message);
// Reads the peer's monitor.
void peers_watch(struct peers *peers, uint64_t now_ns, uint32_t index);
// Retries and expires; returns the next instant at which that is due.
uint64_t peers_timers(struct peers *peers, uint64_t now_ns);
// A peer at this IP has just spoken to us: whoever waits to reconnect there need not wait longer.
void peers_heard_from(struct peers *peers, uint64_t now_ns, const char *ip);
// Follows a change of the keyring: drops connections whose key is gone, retries the waiting at
// once. When the own keys changed, connects to all peers anew.
void peers_follow_keys(struct peers *peers, uint64_t now_ns, bool own);
void peers_linger(struct peers *peers, uint64_t timeout_ns);

#endif
