// SPDX-License-Identifier: Apache-2.0
// What the files of the core share. Each file owns the functions under its name; gossip.c tells the
// story in which they are called.
//
//   store     origins, their records, the rule of merging            (who wrote what)
//   changes   what the consumer has not taken yet
//   outbox    messages that the carrier has not taken yet
//   base      what another core knew, shared until there is something to change in it
//   members   directory and liveness, derived from records of the core's own table
//   overlay   salted rings: who is whose neighbour
//   watch     pings, own suspicions, Lifeguard
//   own       the own origin: puts, claims of an incarnation, duplicates
//   push      eager flood
//   repair    digests, wants, data; contact with those who are not neighbours
#ifndef GOSSIP_CORE_H
#define GOSSIP_CORE_H

#include "gossip/gossip.h"
#include "model/rng.h"
#include "model/time.h"
#include "mp.h"
#include "wire.h"

#define RINGS_MAX 8
#define NEIGHBOURS_MAX (2 * RINGS_MAX)
#define PEERS_MAX 64 // neighbours and those that linger
#define SEEDS_MAX 64
#define OUTBID_MAX 4  // nonces of our own name that are remembered
#define VOTERS_MAX 64 // kept per member; a quorum needs 3
#define QUORUM 3
#define WINDOW 64 // out-of-order seqs that are remembered
#define PUSH_BATCH_BYTES 16384
#define DATA_BATCH_BYTES 65536
#define OUTBOX_MESSAGES_MAX 65536
#define OUTBOX_BYTES_MAX (64U << 20)
#define ORIGIN_BYTES_MAX (16U << 20)
#define RATE_RECORDS_PER_S 2000 // pushed by one origin; more is left to repair
#define RATE_BURST 16384
#define SERVE_BYTES_PER_S (32U << 20) // repair data to others
#define SERVE_BURST (8U << 20)

#define LINGER_NS (2 * NS_PER_S)       // old neighbours, make before break
#define LATE_NS (20 * NS_PER_MS)       // a tick later than that: we were not scheduled
#define TOMBSTONE_NS (600 * NS_PER_S)  // before the owner collects them (default)
#define SERVE_DEAD_NS (600 * NS_PER_S) // before a dead origin is quarantined (default)
#define FORGET_NS (86400 * NS_PER_S)   // before a quarantined name is forgotten (default)
#define WANT_AGAIN_NS (100 * NS_PER_MS)
#define WANT_TRIES 32 // then it was idle talk; digests would tell again
#define ACCUSE_AGAIN_NS (50 * NS_PER_MS)
#define CONTACT_NS (250 * NS_PER_MS) // tries of seeds and of the dead, for 8 members
#define FIRST_WORD_NS NS_PER_S       // a new neighbour's connection may take that long
#define LONE_VOTE_NS NS_PER_S        // a vote below quorum is refuted after that
#define LONE_VOTE_MAX_NS (60 * NS_PER_S)
#define OLD_VOTE_NS (3 * NS_PER_S) // what nobody refuted for so long is believed

struct gossip;
struct origin;
struct record;

struct change {
    struct change *prev, *next; // both NULL when not queued
    enum gossip_change_kind kind;
    bool queued;
    struct origin *origin;
    struct record *record;
};

struct record {
    struct record *hash_next;
    struct record *prev, *next; // by seq; leftovers are in no order
    struct origin *origin;
    struct change change;
    uint64_t hash, seq, at_ns;
    uint8_t *value;             // owned; NULL: tombstone
    uint32_t value_size, place; // place: index in origin->records
    uint32_t hop;
    enum gossip_table table;
    bool leftover; // of an earlier life or before a reset; visible until the new state reached the
                   // floor
    bool gone;     // out of the store, but its change was not taken yet
    uint8_t key_size;
    char key[]; // terminated
};

struct ring_entry {
    uint64_t key;
    struct origin *origin;
};

// A core with a base copies origins: base.c says which fields belong to the core that holds them.
struct origin {
    struct origin *hash_next;
    uint32_t number;                          // in the order in which the core came to know them
    struct origin *bucket_prev, *bucket_next; // of the digest, while it is listed
    char name[NAME_SIZE], address[GOSSIP_ADDRESS_SIZE], rack[NAME_SIZE];
    uint64_t hash, ring_key[RINGS_MAX];
    struct life life; // incarnation 0: only its name is known
    uint64_t complete, window, floor, have_max;
    struct life want_life; // somebody has that much of it
    uint64_t want_complete;
    uint32_t want_tries;
    bool want_due; // in gossip->wants
    bool listed, quarantined, member, in_rings, order_dirty, summary_due;
    struct record *first, *last; // by seq
    struct record **records;
    uint32_t record_count, record_capacity, tombstone_count, leftover_count;
    uint64_t collected_floor;
    size_t bytes;
    uint64_t digest_term, mark;
    // rate of pushes
    uint64_t rate_at_ns;
    uint32_t rate_tokens;
    // liveness
    enum gossip_state state, told_state;
    uint64_t state_at_ns, heard_at_ns, wanted_at_ns, accused_at_ns;
    struct record **voters; // live "suspect/<name>" records, at most VOTERS_MAX
    uint32_t voter_count, voter_capacity;
    bool voted; // in gossip->voted
    uint32_t alarmed[2];
    struct change state_change, duplicate_change;
};

struct peer {
    struct origin *origin;
    char address[GOSSIP_ADDRESS_SIZE];
    uint64_t since_ns, lost_at_ns; // lost_at: 0 unless the carrier says that the link is down
    uint64_t linger_until_ns;      // 0: a current neighbour
    uint64_t behind_at_ns;         // 0 unless the carrier could not queue to it
};

struct buffer {
    uint32_t references;
    size_t size;
    uint8_t *bytes;
};

struct outgoing {
    char address[GOSSIP_ADDRESS_SIZE];
    struct buffer *buffer;
};

enum own_phase { OWN_LISTENING, OWN_ACTIVE, OWN_MUTED, OWN_LEFT };

struct gossip {
    struct gossip_config config; // defaults filled in; seeds copied below
    char (*seeds)[GOSSIP_ADDRESS_SIZE];
    uint32_t seed_count, next_seed;
    struct rng rng;
    uint64_t hash_seed, now_ns;
    struct gossip_stats stats;

    // store
    struct origin **origin_hash;
    struct record **record_hash;
    uint32_t origin_mask, origin_count, next_number;
    uint32_t record_mask, record_count;
    struct record *graveyard; // gone, freed at the next event
    uint64_t digest[DIGEST_BUCKETS];
    struct origin *buckets[DIGEST_BUCKETS];
    uint64_t mark;

    // base: none of it is used without one
    uint8_t *base_taken;  // a bit for each number of the base: not shared any more
    uint32_t *base_holes; // places among the base's members that are not shared, ascending
    uint32_t base_hole_count, base_hole_capacity;

    // changes, outbox
    struct change *change_first, *change_last;
    struct outgoing *out;
    uint32_t out_head, out_count, out_capacity;
    size_t out_bytes;
    struct outgoing taken;

    // members, overlay
    struct origin **members; // sorted by name
    uint32_t member_count, member_capacity;
    struct origin **voted;
    uint32_t voted_count, voted_capacity;
    struct ring_entry *rings[RINGS_MAX];
    uint32_t ring_count, ring_size, ring_capacity;
    struct peer peers[PEERS_MAX];
    uint32_t peer_count, peer_generation;
    bool overlay_dirty, dead_dirty, votes_dirty;

    // watch
    uint64_t ping_at_ns, digest_at_ns, contact_at_ns;
    uint64_t trusted_from_ns; // silence before this is our own fault
    uint64_t cautious_until_ns;
    uint64_t mass_loss_at_ns;
    uint64_t lone_vote_ns, lone_vote_at_ns;
    uint64_t serve_at_ns;
    uint64_t serve_tokens;

    // own
    struct origin *self;
    enum own_phase phase;
    uint64_t listen_until_ns;
    uint64_t next_seq, pushed_seq;
    struct life heard_self;             // highest life of our name that was heard
    uint32_t outbid_nonces[OUTBID_MAX]; // whose lives we have outbid while running, newest last
    uint32_t outbid_count;
    bool proved_duplicate, answered;
    uint64_t claimed_at_ns;

    // push: parts to forward at the end of the event
    struct mp_writer batch;
    size_t batch_message, batch_list;
    uint32_t batch_parts;
    const char *push_except; // sender of the event; borrowed during it

    // repair
    struct origin **summary; // changed since the last ping
    uint32_t summary_count, summary_capacity;
    struct origin **wants; // what we know to lack
    uint32_t want_count, want_capacity;
};

static inline int life_compare(struct life a, struct life b) {
    if (a.incarnation != b.incarnation) {
        return a.incarnation < b.incarnation ? -1 : 1;
    }
    return a.nonce < b.nonce ? -1 : a.nonce > b.nonce;
}

// ---- store.c, origins.c
int store_init(struct gossip *gossip);
void store_fini(struct gossip *gossip);
// Takes it from the base if need be; NULL as well when memory is short.
struct origin *origin_find(struct gossip *gossip, const char *name);
struct origin *origin_find_own(const struct gossip *gossip, const char *name); // not the base's
// Puts a copy among those that are known.
void origin_insert(struct gossip *gossip, struct origin *origin);
uint32_t origin_bucket(const char *name);
// Adds a name of which nothing is known yet; NULL when the directory is full or memory is short.
struct origin *origin_intern(struct gossip *gossip, const char *name);
// To be called around a change of life, complete or quarantined.
void origin_update_digest(struct gossip *gossip, struct origin *origin);
void origin_forget(struct gossip *gossip, struct origin *origin);
// False when memory is short.
bool origins_append(struct origin ***list, uint32_t *count, uint32_t *capacity,
                    struct origin *origin);
struct record *store_find(const struct gossip *gossip, const struct origin *origin,
                          enum gossip_table table, const char *key, size_t key_size);
// Sets a key to a value (NULL: tombstone) at seq, which must be new. -ENOSPC, -ENOMEM.
int store_set(struct gossip *gossip, struct origin *origin, const struct wire_record *record,
              uint32_t hop);
void store_remove(struct gossip *gossip, struct record *record);
void store_bury(struct gossip *gossip); // frees what is gone and taken
// Gives a copied origin the records of the base's. -ENOMEM: some; store_uncopy takes them back.
int store_copy_records(struct gossip *gossip, struct origin *origin, const struct origin *from);
void store_uncopy(struct gossip *gossip, struct origin *origin);
// Takes a record out of the seq order: it belongs to a state that is being replaced.
void store_leave_over(struct record *record);

// ---- base.c
int base_check(const struct gossip_config *config, struct error *error); // -EINVAL
int base_open(struct gossip *gossip);                                    // -ENOMEM
void base_fini(struct gossip *gossip);
bool base_shares(const struct gossip *gossip, const struct origin *from);
// The base's origin of that name while it is shared, or NULL.
const struct origin *base_find(const struct gossip *gossip, const char *name);
// Copies a shared origin of the base; NULL when memory is short.
struct origin *base_take(struct gossip *gossip, const struct origin *from);
// All members, own and shared, sorted by name.
uint32_t members_count(const struct gossip *gossip);
const struct origin *members_at(const struct gossip *gossip, uint32_t index,
                                const struct gossip **holder);

// ---- merge.c
enum merge_result { MERGE_APPLIED, MERGE_DUPLICATE, MERGE_DROPPED };
// Whether a part of this life may be merged: 0, -ESTALE (older or quarantined), -EAGAIN (a gap: ask
// for it).
int merge_begin(struct gossip *gossip, struct origin *origin, const struct wire_part *part);
enum merge_result merge_record(struct gossip *gossip, struct origin *origin,
                               const struct wire_part *part, const struct wire_record *record);
void merge_end(struct gossip *gossip, struct origin *origin, const struct wire_part *part,
               bool whole); // whole: no record of the part was dropped
void merge_collect(struct gossip *gossip, struct origin *origin); // tombstones below the floor
void merge_quarantine(struct gossip *gossip, struct origin *origin);

// ---- changes.c
void change_add(struct gossip *gossip, struct change *change);
void change_drop(struct gossip *gossip, struct change *change);

// ---- outbox.c
// Takes the writer's bytes. NULL when writing had failed: the message is lost, as on any network.
struct buffer *buffer_take(struct mp_writer *writer);
void buffer_release(struct buffer *buffer);
void outbox_add(struct gossip *gossip, const char *address, struct buffer *buffer);
void outbox_fini(struct gossip *gossip);
void outbox_open(struct gossip *gossip, struct mp_writer *writer, size_t *message);
void outbox_close(struct gossip *gossip, struct mp_writer *writer, size_t message,
                  uint32_t sections, const char *address);

// ---- members.c
// A record of the core's table was set or is about to be removed.
void members_record_set(struct gossip *gossip, struct record *record);
void members_record_unset(struct gossip *gossip, struct record *record);
void members_new_life(struct gossip *gossip, struct origin *origin);
void members_evaluate_all(struct gossip *gossip);
uint64_t members_deadline_ns(const struct gossip *gossip);
void members_age(struct gossip *gossip); // quarantine, forgetting
void members_drop(struct gossip *gossip, struct origin *origin);
// False when memory is short.
bool members_enter(struct gossip *gossip, struct origin *origin);
bool members_add_vote(struct gossip *gossip, struct origin *target, struct record *vote);
// The vote of `voter` (NULL: of anybody) on the target's current life, or NULL.
const struct record *members_vote(const struct origin *target, const struct origin *voter,
                                  struct core_suspect *vote);
bool member_is_live(const struct origin *origin);
uint32_t members_needed_votes(const struct gossip *gossip, const struct origin *origin);

// ---- overlay.c
int overlay_reserve(struct gossip *gossip);
void overlay_keys(const struct gossip *gossip, struct origin *origin);
void overlay_add(struct gossip *gossip, struct origin *origin);
void overlay_remove(struct gossip *gossip, struct origin *origin);
uint32_t overlay_size(const struct gossip *gossip); // live members
// The neighbours that `origin` has, or would have if it were alive; some may be the base's.
uint32_t overlay_neighbours(const struct gossip *gossip, const struct origin *origin,
                            const struct origin *out[NEIGHBOURS_MAX]);
bool overlay_is_neighbour(const struct gossip *gossip, const struct origin *of,
                          const struct origin *who);
void overlay_refresh(struct gossip *gossip);
struct peer *overlay_peer(struct gossip *gossip, const char *address);
const struct peer *overlay_peer_of(const struct gossip *gossip, const struct origin *origin);

// ---- watch.c
void watch_time(struct gossip *gossip, uint64_t now_ns);
void watch_heard(struct gossip *gossip, const struct wire_envelope *envelope);
bool watch_hears(const struct gossip *gossip, const struct origin *origin);
void watch_check(struct gossip *gossip); // suspects silent neighbours
void watch_dead(struct gossip *gossip);  // keeps votes on the dead, so that late comers know
void watch_new_life(struct gossip *gossip, struct origin *origin);
void watch_retract(struct gossip *gossip, struct origin *origin);
void watch_accused(struct gossip *gossip, struct life life);
void watch_refute(struct gossip *gossip);
uint64_t watch_deadline_ns(const struct gossip *gossip);

// ---- own.c
int own_init(struct gossip *gossip); // or goes on with the life that the base knows
// Value NULL: delete. -EMSGSIZE, -ENOSPC, -EINVAL, -ENOMEM.
int own_set(struct gossip *gossip, enum gossip_table table, const char *key, const void *value,
            size_t size);
int own_write_self(struct gossip *gossip, bool left);
void own_claim(struct gossip *gossip);                   // a life above all that was heard
void own_heard(struct gossip *gossip, struct life life); // somebody named a life of ours
void own_tick(struct gossip *gossip);
void own_collect(struct gossip *gossip, uint64_t age_ns); // tombstones

// ---- push.c
void push_receive(struct gossip *gossip, const struct wire_envelope *envelope,
                  const struct wire_section *section);
void push_flush(struct gossip *gossip, const char *except);
void push_own(struct gossip *gossip);

// ---- repair.c
void repair_mark(struct gossip *gossip, struct origin *origin); // changed: tell with the next ping
void repair_ping(struct gossip *gossip);
void repair_send_digest(struct gossip *gossip, const char *address);
void repair_random(struct gossip *gossip);
void repair_behind(struct gossip *gossip);
void repair_contact(struct gossip *gossip); // seeds, and the dead: partitions heal by themselves
uint64_t repair_contact_interval_ns(const struct gossip *gossip);
void repair_want(struct gossip *gossip, struct origin *origin, const char *address);
// Remembers that somebody has more than we do; asked again with the pings until it came.
void repair_note(struct gossip *gossip, struct origin *origin, struct life life, uint64_t complete);
void repair_retry(struct gossip *gossip);
void repair_haves(struct gossip *gossip, const struct wire_envelope *envelope,
                  const struct wire_section *section);
void repair_data(struct gossip *gossip, const struct wire_envelope *envelope,
                 const struct wire_section *section);
void repair_buckets(struct gossip *gossip, const struct wire_envelope *envelope,
                    const struct wire_section *section);

// ---- serve.c
void serve_want(struct gossip *gossip, const struct wire_envelope *envelope,
                const struct wire_section *section);
void serve_own(struct gossip *gossip, const char *address); // unasked
void serve_digest(struct gossip *gossip, const struct wire_envelope *envelope,
                  const struct wire_section *section);

#endif
