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
// Trust. The carrier authenticates the hop only. Whenever an origin tells others what it wrote, it
// signs the state that results (signing.h): a replica merges a part only when the state that it
// then would hold is the one that the origin signed, and passes on only what it merged. So a relay
// can neither forge, change nor leave out a record, and a flipped bit goes no further.
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

#include "gossip/signing.h"
#include "model/error.h"
#include "model/fabric.h"
#include "model/rng.h"

// A member speaks the highest version that all live members know, so that a fleet may be upgraded
// host by host. 2: signed states.
#define GOSSIP_PROTOCOL_VERSION 2
#define GOSSIP_PROTOCOL_MIN 2   // the oldest that this build still speaks
#define GOSSIP_ADDRESS_SIZE 64  // "tcp://10.255.0.1:7946"
#define GOSSIP_KEY_MAX 96       // bytes
#define GOSSIP_VALUE_MAX 262144 // bytes
#define GOSSIP_MESSAGE_MAX 4194304
#define GOSSIP_ORIGIN_BYTES_MAX 3145728 // keys and values: an origin's state fits into a message
#define GOSSIP_MEMBERS_MAX 65536
#define GOSSIP_ORIGIN_RECORDS_MAX 8192
#define GOSSIP_NEIGHBOURS 8
#define GOSSIP_SEEDS_MAX 64

// Tables of ARCHITECTURE.md, "Facts that agents share". The core does not look into values except
// GOSSIP_TABLE_CORE.
enum gossip_table {
    GOSSIP_TABLE_CORE,   // private to the core: addresses, suspicions
    GOSSIP_TABLE_MEMBER, // key "" -> struct member_facts (facts.h)
    GOSSIP_TABLE_LINK,   // key directed link name -> struct link_report
    GOSSIP_TABLE_JOB,    // key job name -> struct job
    GOSSIP_TABLE_RANK,   // key "job/port" -> struct rank_binding, key "#..." -> struct pod_rank
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
    uint64_t ping_interval_ns;         // of each neighbour; 0: default 400 ms
    uint64_t ping_timeout_ns;    // without a word from a neighbour -> suspect; 0: default 480 ms
    uint64_t dead_after_ns;      // suspect -> dead; 0: default 200 ms
    uint64_t digest_interval_ns; // 0: default 1 s
    uint64_t listen_ns;          // before the first own write; 0: default 200 ms
    uint64_t tombstone_ns;       // before the owner collects a tombstone; 0: default 10 min
    uint64_t serve_dead_ns;      // before a dead origin is quarantined; 0: default 10 min
    uint64_t forget_ns;          // before a quarantined name is forgotten; 0: default 1 day. Longer
                                 // than any host may be away without learning of the death
    uint32_t last_incarnation;   // of this host's earlier life, where it was kept; 0: not known
    uint32_t protocol_max;       // 0: GOSSIP_PROTOCOL_VERSION; lower or higher only in tests
    const struct gossip_signing *signing; // NULL: states are not signed; borrowed until close or
                                          // gossip_set_signing
    // Another core that is never stepped again, or NULL: what it knows is known from the start, and
    // shared; only what differs is held here. If it knows this very life of the host, the core goes
    // on with it. For simulations of large fleets; borrowed until close.
    const struct gossip *base;
    const char *const *seeds; // addresses; borrowed during open
    uint32_t seed_count;
    bool seeds_awaited; // more are to come (gossip_set_seeds): until then no host counts as alone
};

struct gossip;

// -ENOMEM, -EINVAL with the reason. *out owned.
int gossip_open(const struct gossip_config *config, uint64_t now_ns, struct gossip **out,
                struct error *error);
void gossip_close(struct gossip *gossip); // NULL is a no-op

// ---- events in
// ------------------------------------------------------------------------------------------------------
// A peer is an address. `sender` is the name of the host whose key the carrier authenticated, NULL
// where it cannot tell (no CURVE, a key that all hosts share); a message whose envelope names
// another host is dropped.
void gossip_receive(struct gossip *gossip, uint64_t now_ns, const char *sender, const void *bytes,
                    size_t size);
// The fleet's keys changed (rotation). The new object is borrowed as the one in the configuration;
// the own state is signed anew where the own key changed.
void gossip_set_signing(struct gossip *gossip, uint64_t now_ns,
                        const struct gossip_signing *signing);
// Where members may be found, in the place of the seeds so far: for whoever looks them up again and
// again; `awaited`: not everywhere yet. The own address among them is left out. A host that had
// joined stays so. -EINVAL (an address), -ENOMEM: nothing changes.
int gossip_set_seeds(struct gossip *gossip, uint64_t now_ns, const char *const *seeds,
                     uint32_t count, bool awaited, struct error *error);
// The carrier noticed that a connection came up or broke (a hint; suspicion may start at once).
// The first connection to an address need not be told when all that was said to it waited for it.
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
// Sends the whole own state to an address, unasked.
void gossip_introduce(struct gossip *gossip, uint64_t now_ns, const char *address);

// ---- loads: how busy a host is, for those who share a rack or a job with it
// ------------------------------------------------------------------------------------------------------
// Not a fact: the newest wins, what is lost stays lost, nothing is signed (members of the scope
// relay it), and nothing may be delayed by it. Never let a route depend on a load alone.
#define GOSSIP_LOAD_SIZE 64  // bytes at most
#define GOSSIP_SCOPES_MAX 16 // a rack and jobs; more are ignored
struct gossip_scope {
    const char *name;         // "rack/leaf0", "job/demo"
    const char *const *hosts; // this host among them; sorted
    uint32_t host_count;
};
// Replaces the scopes; copied. -ENOMEM.
int gossip_set_scopes(struct gossip *gossip, uint64_t now_ns, const struct gossip_scope *scopes,
                      uint32_t count);
// Told to the scopes with one of the next pings; forgotten when there are none. -EMSGSIZE, -ENOMEM.
int gossip_put_load(struct gossip *gossip, uint64_t now_ns, const void *value, size_t size);
struct gossip_load {
    const char *origin;
    const void *value;
    size_t size;
};
// Loads that came since the last call, each origin's newest.
bool gossip_take_load(struct gossip *gossip, struct gossip_load *out);

// ---- effects out
// ----------------------------------------------------------------------------------------------------
struct gossip_message {
    const char *address; // destination
    const void *bytes;
    size_t size;
    bool droppable; // loads: when it cannot be queued at once, it is dropped and the peer is not
                    // "behind"
};
bool gossip_take_message(struct gossip *gossip, struct gossip_message *out);
// Whether there may be one to take.
bool gossip_has_message(const struct gossip *gossip);

// The neighbour set, for the carrier: whom to hold a connection to, those whom only loads are told
// included (last). The generation changes when the set does.
uint32_t gossip_neighbour_generation(const struct gossip *gossip);
uint32_t gossip_neighbours(const struct gossip *gossip, const char **addresses, uint32_t max);

enum gossip_change_kind {
    GOSSIP_RECORD,
    GOSSIP_MEMBER_STATE,
    GOSSIP_ALARM_DUPLICATE, // two live hosts call themselves `origin`
    GOSSIP_ALARM_FORGED,    // `origin` passes on states that their origin did not sign
    GOSSIP_ALARM_VERSION,   // `origin` speaks no protocol version that we know
};
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
// Whether there is one to take; most messages bring what is known already.
bool gossip_has_change(const struct gossip *gossip);

// ---- what is known
// --------------------------------------------------------------------------------------------------
struct gossip_member {
    const char *name, *address, *rack;
    enum gossip_state state;
    uint32_t incarnation, nonce;
    uint64_t max_seq;
    bool self, neighbour;
    uint64_t heard_at_ns; // last word from it directly; 0 never
    uint32_t protocol_min, protocol_max;
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
        dropped_foreign;          // messages dropped whole, by reason
    uint64_t dropped_forged;      // parts whose state was not what their origin signed
    uint64_t dropped_unknown_key; // parts of origins without a key in the fleet's list
    uint64_t states_verified;     // signatures checked
    uint64_t loads_sent, loads_received;
    uint64_t loads_dropped; // received: not newer, or out of scope; sent: the carrier did not take
    uint64_t snapshots_sent, digests_sent, repairs_received;
    uint64_t suspicions_withheld, refutations;
};
void gossip_stats(const struct gossip *gossip, struct gossip_stats *out);
uint32_t gossip_protocol_version(const struct gossip *gossip); // that is spoken now
// True once the start-up listening is over and a neighbour answered (or there are no seeds but the
// host itself).
bool gossip_joined(const struct gossip *gossip);

#endif
