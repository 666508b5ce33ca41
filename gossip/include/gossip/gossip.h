// SPDX-License-Identifier: Apache-2.0
// Gossip: who is a member, and the replicated tables of shared facts. A pure core: events and time
// in, messages out.
//
// It is not a carrier: it opens no socket, reads no clock, draws no global random number.
// `gossip_zmq` carries its messages; the simulator and the tests carry them in memory.
//
// Facts. Every record lives in the origin of the host that wrote it, and only that host writes it:
//
//   origin  = { host name, incarnation, boot nonce, max seq, gc seq, records }
//   record  = { table, key } -> { seq, value | tombstone }
//
// Order is (incarnation, nonce) between lives of an origin, then seq within one. A higher
// (incarnation, nonce) replaces the whole origin, never key by key. So merging is commutative,
// associative and idempotent, and no clock is compared across hosts. A restarted host listens
// first, then outbids what it hears of itself (lost disk, cloned image). Two live nonces that
// alternate are two hosts of one name: GOSSIP_ALARM_DUPLICATE on all.
//
// Spread. k = 8 symmetric neighbours from salted rings (fabric of the overlay: facts section 5.2);
// a record received for the first time goes at once to all of them but the sender. Repair by
// digests: on change, on (re)connect, and once a second with a random member; full snapshots at
// join.
//
// Liveness of X is derived from "suspect (X, incarnation)" records that X's neighbours write in
// their own origins; X refutes by a higher incarnation:
//
//          suspicion by quorum of current neighbours          no refutation within dead_after_ns
//   ALIVE ------------------------------------------> SUSPECT ---------------------------------->
//   DEAD
//     ^  <--- higher incarnation (refuted) ------------' |
//     '------------------- higher incarnation (restarted, healed) --------------------------------
//     '
//   LEFT: the member said so itself; like DEAD without alarm.
//
// Units: nanoseconds, bytes. Ownership: gossip_open returns owned; values and messages given out
// are borrowed until the next call that takes a non-const `struct gossip *`. One thread.
#ifndef GOSSIP_GOSSIP_H
#define GOSSIP_GOSSIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/error.h"
#include "model/fabric.h"
#include "model/rng.h"

#define GOSSIP_PROTOCOL_VERSION 1
#define GOSSIP_ADDRESS_SIZE 64  // "tcp://10.255.0.1:7946"
#define GOSSIP_KEY_MAX 96       // bytes
#define GOSSIP_VALUE_MAX 262144 // bytes
#define GOSSIP_MESSAGE_MAX 1048576
#define GOSSIP_MEMBERS_MAX 65536
#define GOSSIP_ORIGIN_RECORDS_MAX 8192
#define GOSSIP_NEIGHBOURS 8

// Tables of ARCHITECTURE.md, "Facts that agents share". The core does not look into values except
// GOSSIP_TABLE_CORE.
enum gossip_table {
    GOSSIP_TABLE_CORE,   // private to the core: addresses, suspicions
    GOSSIP_TABLE_MEMBER, // key "" -> struct member_facts (facts.h)
    GOSSIP_TABLE_LINK,   // key directed link name -> struct link_report
    GOSSIP_TABLE_JOB,    // key job name -> struct job
    GOSSIP_TABLE_RANK,   // key "job/port" -> struct rank_binding
    GOSSIP_TABLE_DRAIN,  // key link or node name -> struct drain_order: operators' orders
    GOSSIP_TABLE_HOST,   // host facts
    GOSSIP_TABLE_COUNT,
};

enum gossip_state { GOSSIP_ALIVE, GOSSIP_SUSPECT, GOSSIP_DEAD, GOSSIP_LEFT };

struct gossip_config {
    char name[NAME_SIZE];              // of this host, unique in the fleet
    char address[GOSSIP_ADDRESS_SIZE]; // where others reach it
    char rack[NAME_SIZE];              // its leaf, for rack-diverse neighbours; "" if unknown
    uint32_t nonce;                    // random at each boot
    uint64_t seed;                     // of the core's own choices
    uint32_t neighbours;               // 0: GOSSIP_NEIGHBOURS
    uint64_t ping_interval_ns;         // 0: default 50 ms
    uint64_t ping_timeout_ns;    // without a word from a neighbour -> suspect; 0: default 150 ms
    uint64_t dead_after_ns;      // suspect -> dead; 0: default 250 ms
    uint64_t digest_interval_ns; // 0: default 1 s
    uint64_t listen_ns;          // before the first own write; 0: default 200 ms
    const char *const *seeds;    // addresses; borrowed during open
    uint32_t seed_count;
};

struct gossip;

// -ENOMEM, -EINVAL with the reason. *out owned.
int gossip_open(const struct gossip_config *config, uint64_t now_ns, struct gossip **out,
                struct error *error);
void gossip_close(struct gossip *gossip); // NULL is a no-op

// ---- events in
// ------------------------------------------------------------------------------------------------------
// A peer is an address. Inbound messages name their sender's address in the authenticated envelope.
void gossip_receive(struct gossip *gossip, uint64_t now_ns, const void *bytes, size_t size);
// The carrier noticed that a connection came up or broke (a hint; suspicion may start at once).
void gossip_peer_connected(struct gossip *gossip, uint64_t now_ns, const char *address);
void gossip_peer_lost(struct gossip *gossip, uint64_t now_ns, const char *address);
// The carrier could not queue to a peer: stop pushing to it, repair by digest later.
void gossip_peer_behind(struct gossip *gossip, uint64_t now_ns, const char *address);
// Timers. A caller that was itself not scheduled (now much later than the deadline) makes the core
// withhold suspicions.
void gossip_tick(struct gossip *gossip, uint64_t now_ns);
uint64_t gossip_deadline_ns(const struct gossip *gossip); // of the next tick

// ---- own facts
// ------------------------------------------------------------------------------------------------------
// Writes to the own origin; equal value again is a no-op. -EMSGSIZE, -ENOSPC (quota), -EINVAL.
int gossip_put(struct gossip *gossip, uint64_t now_ns, enum gossip_table table, const char *key,
               const void *value, size_t size);
int gossip_delete(struct gossip *gossip, uint64_t now_ns, enum gossip_table table, const char *key);
// Says goodbye: neighbours learn LEFT. The carrier should still flush messages afterwards.
void gossip_leave(struct gossip *gossip, uint64_t now_ns);

// ---- effects out
// ----------------------------------------------------------------------------------------------------
struct gossip_message {
    const char *address; // destination
    const void *bytes;
    size_t size;
};
bool gossip_take_message(struct gossip *gossip, struct gossip_message *out);

// The neighbour set, for the carrier: whom to hold a connection to. The generation changes when the
// set does.
uint32_t gossip_neighbour_generation(const struct gossip *gossip);
uint32_t gossip_neighbours(const struct gossip *gossip, const char **addresses, uint32_t max);

enum gossip_change_kind { GOSSIP_RECORD, GOSSIP_MEMBER_STATE, GOSSIP_ALARM_DUPLICATE };
struct gossip_change {
    enum gossip_change_kind kind;
    const char *origin;
    enum gossip_table table; // GOSSIP_RECORD
    const char *key;
    const void *value; // NULL: deleted, or the origin died
    size_t size;
    enum gossip_state state; // GOSSIP_MEMBER_STATE
    uint64_t hop_count;      // diagnostics
};
// Own writes are not reported. When an origin dies or leaves, its records stay (and are served) for
// the grace time but the member's state change tells the consumer to disregard them.
bool gossip_take_change(struct gossip *gossip, struct gossip_change *out);

// ---- what is known
// --------------------------------------------------------------------------------------------------
struct gossip_member {
    const char *name, *address, *rack;
    enum gossip_state state;
    uint32_t incarnation, nonce;
    uint64_t max_seq;
    bool self, neighbour;
    uint64_t heard_at_ns; // last word from it directly; 0 never
};
uint32_t gossip_member_count(const struct gossip *gossip); // all states
bool gossip_member_at(const struct gossip *gossip, uint32_t index, struct gossip_member *out);
bool gossip_find_member(const struct gossip *gossip, const char *name, struct gossip_member *out);
// NULL when there is none (or a tombstone).
const void *gossip_find(const struct gossip *gossip, const char *origin, enum gossip_table table,
                        const char *key, size_t *size);
typedef void gossip_record_fn(void *context, const char *origin, const char *key, const void *value,
                              size_t size);
// Every live record of a table whose origin is ALIVE or SUSPECT, sorted by (origin, key).
void gossip_each(const struct gossip *gossip, enum gossip_table table, gossip_record_fn *each,
                 void *context);

struct gossip_stats {
    uint64_t messages_sent, messages_received, bytes_sent, bytes_received;
    uint64_t records_applied, records_duplicate, records_stale;
    uint64_t dropped_malformed, dropped_version, dropped_quota,
        dropped_foreign; // messages dropped whole, by reason
    uint64_t snapshots_sent, digests_sent, repairs_received;
    uint64_t suspicions_withheld, refutations;
};
void gossip_stats(const struct gossip *gossip, struct gossip_stats *out);
// True once the start-up listening is over and a neighbour answered (or there are no seeds).
bool gossip_joined(const struct gossip *gossip);

#endif
