// SPDX-License-Identifier: Apache-2.0
// What the files of the core share. Each file owns the functions under its name; gossip.c tells the
// story in which they are called.
//
//   store     origins and their records                              (who wrote what)
//   state     the hash of what an origin holds, signatures of it
//   merge     the rule of merging: nothing is applied that is not proved
//   changes   what the consumer has not taken yet
//   outbox    messages that the carrier has not taken yet
//   scope     who shares a rack or a job, and who of them tells whom
//   load      how busy they are: the newest wins, nothing waits for it
//   base      what another core knew, shared until there is something to change in it
//   members   directory and liveness, derived from records of the core's own table
//   overlay   salted rings: who is whose neighbour
//   crowd     many newcomers at once: whose neighbour one is, is found out when all are here
//   watch     pings, own suspicions, Lifeguard
//   island    those who remain when most fell silent together
//   own       the own origin: puts, claims of an incarnation, duplicates
//   push      eager flood
//   repair    digests, wants, data; contact with those who are not neighbours
#ifndef GOSSIP_CORE_H
#define GOSSIP_CORE_H

#include "crowd.h"
#include "gossip/gossip.h"
#include "model/mp.h"
#include "model/rng.h"
#include "model/time.h"
#include "wire.h"

#define RINGS_MAX 8
#define NEIGHBOURS_MAX (2 * RINGS_MAX)
#define PEERS_MAX 64  // neighbours and those that linger
#define VOTERS_MAX 64 // kept per member; a quorum needs 3
#define QUORUM 3
#define PUSH_BATCH_BYTES 16384
#define PUSH_PARTS_MAX 16 // that wait at a time: checking a proof takes time in which others wait
#define DATA_BATCH_BYTES 65536
#define OUTBOX_MESSAGES_MAX 65536
#define OUTBOX_BYTES_MAX (64U << 20)
#define RATE_RECORDS_PER_S 2000 // pushed by one origin; more is left to repair
#define RATE_BURST 16384
#define SERVE_BYTES_PER_S (32U << 20) // repair data to others
#define SERVE_BURST (8U << 20)
#define PARTNERS_MAX 24 // of all scopes; four of one
#define LOAD_BYTES_PER_S 65536
#define LOAD_BURST 16384 // so that a message with loads is soon written
#define FORGED_PER_S 16  // parts that are verified in vain for one sender; more are not looked at
#define FORGED_BURST 64
#define PROTOCOLS 8 // versions that are told apart, from GOSSIP_PROTOCOL_MIN on

#define ACCUSATIONS_MAX (GOSSIP_ORIGIN_RECORDS_MAX / 2) // the rest is for facts

#define LINGER_NS (2 * NS_PER_S)       // old neighbours, make before break
#define LATE_NS (20 * NS_PER_MS)       // a tick later than that: we were not scheduled
#define TOMBSTONE_NS (600 * NS_PER_S)  // before the owner collects them (default)
#define SERVE_DEAD_NS (600 * NS_PER_S) // before a dead origin is quarantined (default)
#define FORGET_NS (86400 * NS_PER_S)   // before a quarantined name is forgotten (default)
#define WANT_AGAIN_NS (100 * NS_PER_MS)
#define WANT_TRIES 32 // then it was idle talk; digests would tell again
#define VAIN_MAX 6    // answers that no key of ours proves: each doubles the wait
#define ACCUSE_AGAIN_NS (50 * NS_PER_MS)
#define TELL_NS (50 * NS_PER_MS) // what was repaired is told to the neighbours after that
#define LOAD_SLOTS 2             // loads are told in every second one
#define PING_SLOTS 4             // of a ping interval: a neighbour has one of them
#define RETRY_NS (50 * NS_PER_MS)
#define PARTNER_ROUNDS 8             // digest intervals with the same member that is no neighbour
#define CONTACT_NS (250 * NS_PER_MS) // tries of seeds and of the dead, for 8 members
#define FIRST_CONTACT_NS (500 * NS_PER_MS) // tries of seeds until one answers
#define FIRST_WORD_NS NS_PER_S             // a new neighbour's connection may take that long
#define LONE_VOTE_NS NS_PER_S              // a vote below quorum is refuted after that
#define LONE_VOTE_MAX_NS (60 * NS_PER_S)
#define FORGED_ALARM_NS (60 * NS_PER_S)
#define RECHECK_NS (10 * NS_PER_S)    // what the old key proved counts that long
#define RIVAL_GONE_NS (10 * NS_PER_S) // before a muted host takes its name back
#define OLD_VOTE_NS (3 * NS_PER_S)    // what nobody refuted for so long is believed

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
    struct record *prev, *next; // by seq
    struct origin *origin;
    struct change change;
    uint64_t hash, seq, at_ns, mark;
    uint8_t leaf[HASH_SIZE];    // of table, key, seq and value: state.c
    uint8_t *value;             // owned; NULL: tombstone
    uint32_t value_size, place; // place: index in origin->records
    uint32_t hop;
    enum gossip_table table;
    bool gone; // out of the store, but its change was not taken yet
    uint8_t key_size;
    char key[]; // terminated
};

// A record that is about to be set. Whatever can fail, has failed or not when it is made.
struct draft {
    struct wire_record from;
    uint8_t leaf[HASH_SIZE];
    struct record *record; // NULL: the key is not there yet
    struct record *fresh;  // owned until it is in the store
    uint8_t *value;        // owned
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
    uint64_t complete, floor;
    uint8_t proof[PROOF_SIZE_MAX]; // of the state at `complete`; the own one: at pushed_seq
    uint8_t proof_size;
    struct life want_life; // somebody has that much of it
    uint64_t want_complete;
    uint32_t want_tries;
    uint8_t vain_count; // answers of late that no key of ours proves
    bool want_due;      // in gossip->wants
    bool listed, quarantined, member, in_rings, order_dirty;
    uint8_t summary_due;         // slots of a ping interval until all neighbours were told of it
    struct record *first, *last; // by seq
    struct record **records;
    uint32_t record_count, record_capacity, tombstone_count;
    size_t bytes; // of keys and values
    uint64_t digest_term, mark;
    // rate of pushes
    uint64_t rate_at_ns;
    uint32_t rate_tokens;
    // liveness
    enum gossip_state state, told_state;
    uint64_t state_at_ns, heard_at_ns, wanted_at_ns, retried_at_ns, accused_at_ns;
    uint64_t asked_at_ns;   // whether it is there, as we fear to be on an island
    uint64_t news_at_ns;    // of it, from anywhere
    uint64_t pinged_at_ns;  // when it last told us its sum
    uint64_t alibi_at_ns;   // when it refuted an accusation of ours
    struct record **voters; // live "suspect/<name>" records, at most VOTERS_MAX
    uint32_t voter_count, voter_capacity;
    bool voted; // in gossip->voted
    uint32_t alarmed[2];
    // what it passed on that was not proved
    uint8_t witness[HASH_SIZE];                // quarantined: the state that the proof is of
    uint64_t forged_at_ns, forged_alarm_at_ns; // 0: no alarm yet
    uint32_t forged_count;                     // forgets FORGED_PER_S
    uint32_t protocol_min, protocol_max;
    bool mute_told; // GOSSIP_ALARM_VERSION
    uint8_t speaks; // counted in gossip->speakers, as this version; 0: not
    struct change state_change, duplicate_change, forged_change, version_change;
};

struct peer {
    struct origin *origin;
    char address[GOSSIP_ADDRESS_SIZE];
    uint64_t since_ns, lost_at_ns; // lost_at: 0 unless the carrier says that the link is down
    uint64_t linger_until_ns;      // 0: a current neighbour
    uint64_t behind_at_ns;         // 0 unless the carrier could not queue to it
    bool connected;                // the carrier said so once
    bool pinged;                   // it pinged us: we are its neighbour too
    bool chosen;                   // by the circles; else it stays while a crowd comes
    uint8_t slot;                  // of a ping interval, in which it is pinged
    uint64_t their_sum, our_sum;   // when it last told us one that differed
};

struct pending {
    const struct origin *origin;
    struct life life;
    uint64_t to, has; // has: a bit for each peer that has it
    size_t start, end;
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

// A message that may be lost, behind all others; at most one for each address.
struct droppable {
    struct droppable *next;
    struct outgoing out;
    uint32_t load_count;
};

// Whom we tell loads.
struct partner {
    char name[NAME_SIZE], address[GOSSIP_ADDRESS_SIZE];
    uint32_t scopes; // that made it one: a bit for each
};

enum own_phase { OWN_LISTENING, OWN_ACTIVE, OWN_MUTED, OWN_LEFT };

struct gossip {
    struct gossip_config config; // defaults filled in; seeds copied below
    char (*seeds)[GOSSIP_ADDRESS_SIZE];
    uint32_t seed_count, next_seed;
    bool seeds_awaited, joined_alone;
    uint32_t contacts; // how often we tried one
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
    struct droppable *drop_first, *drop_last;

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
    uint8_t slot;             // of a ping interval: whose turn it is
    uint64_t trusted_from_ns; // silence before this is our own fault
    uint64_t cautious_until_ns;
    uint64_t mass_loss_at_ns;
    uint64_t lone_vote_ns, lone_vote_at_ns;
    uint64_t heard_at_ns; // the last word of any member

    // island: since when we are on one (0: we are not), and when that was last found
    uint64_t island_since_ns, island_seen_ns;
    uint64_t ask_at_ns, alibi_at_ns;
    uint32_t ask_next, accuse_next; // places among the members

    uint64_t serve_at_ns;
    uint64_t serve_tokens;

    // own
    struct origin *self;
    enum own_phase phase;
    uint64_t listen_until_ns;
    uint64_t next_seq, pushed_seq;
    struct life heard_self;    // highest proved life of our name
    struct life hearsay_self;  // that somebody named, and we asked for
    bool rival_left;           // heard_self said goodbye
    uint64_t rival_complete;   // how much of heard_self was proved
    uint64_t rival_gone_at_ns; // since when it is dead or left; 0: it is not
    bool proved_duplicate, answered;
    uint64_t claimed_at_ns;

    // push: parts that the neighbours are to hear, one after the other in the batch
    struct mp_writer batch;
    struct pending pending[PUSH_PARTS_MAX];
    uint32_t pending_count;
    uint32_t pending_generation; // of the peers that the bits of `has` stand for
    bool pending_urgent;         // else they wait for the next ping slot, or for company
    struct crowd crowd;

    // merge
    struct draft *drafts; // of the part that is being looked at
    const struct draft **draft_order;
    uint32_t draft_capacity;
    const struct wire_envelope *envelope; // of the event; borrowed during it
    uint64_t forged_at_ns;                // of senders who are no members
    uint32_t forged_count;
    uint64_t recheck_at_ns;                  // NEVER_NS: the keys did not change lately
    uint8_t own_key[GOSSIP_PUBLIC_KEY_SIZE]; // that signed the own state; zeros: none

    // versions
    uint32_t speakers[PROTOCOLS]; // live members by the highest version that they know
    uint32_t answer_version;      // of answers to the sender of the event

    // scopes, loads
    struct scope *scopes;
    uint32_t scope_count, partner_count;
    struct partner *partners;
    bool scopes_dirty;
    struct load **load_hash;
    uint32_t load_mask, load_count;
    struct load *tell_first, *tell_last, *take_first, *take_last;
    uint64_t load_stamp, load_at_ns;
    int64_t load_tokens; // below 0: what was sent beyond them

    // repair
    struct origin **summary; // changed since the last ping
    uint32_t summary_count, summary_capacity;
    uint64_t spoke_at_ns;             // to all neighbours at once
    uint64_t tell_at_ns, retry_at_ns; // NEVER_NS: nothing to do
    uint64_t sum_answered_at_ns;
    char partner[NAME_SIZE];
    uint32_t partner_rounds;
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
// Own, or the base's, not to be changed then.
const struct origin *origin_known(const struct gossip *gossip, const char *name);
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
// Sets a key to a value (NULL: tombstone) at a seq beyond all others. -ENOSPC, -ENOMEM.
int store_set(struct gossip *gossip, struct origin *origin, const struct wire_record *record,
              uint32_t hop);
// The same in two steps. The first fills in the draft of a record (draft->from, leaf, record), for
// one of `count` that are to be set: 0 or -ENOMEM, then nothing is left to discard.
int store_reserve(struct origin *origin, uint32_t count);
int store_draft(struct gossip *gossip, struct origin *origin, struct draft *draft);
void store_apply(struct gossip *gossip, struct origin *origin, struct draft *draft, uint32_t hop);
void store_discard(struct draft *draft);
void store_renumber(struct record *record, uint64_t seq); // leaves the order to the caller
void store_move_last(struct record *record);              // in the order of seq
void store_remove(struct gossip *gossip, struct record *record);
void store_bury(struct gossip *gossip); // frees what is gone and taken
// Gives a copied origin the records of the base's. -ENOMEM: some; store_uncopy takes them back.
int store_copy_records(struct gossip *gossip, struct origin *origin, const struct origin *from);
void store_uncopy(struct gossip *gossip, struct origin *origin);
// The first record beyond, or NULL.
struct record *store_after(const struct origin *origin, uint64_t seq);
// Writes the records beyond a seq; their count.
uint32_t store_write(struct mp_writer *writer, const struct origin *origin, uint64_t from);

// ---- state.c
// A state as it would be: what remains of an origin's records (NULL: of none) up to `from`, then
// the drafts. Tombstones up to `floor` do not remain, nor do records that bear the mark.
struct next_state {
    const struct origin *origin;
    uint64_t from, floor, mark;
    const struct draft *drafts;
    uint32_t draft_count;
};
#define NO_MARK UINT64_MAX
void state_leaf(const struct wire_record *record, uint8_t leaf[HASH_SIZE]);
bool state_keeps(const struct next_state *next, const struct record *record);
void state_hash(const struct next_state *next, uint8_t hash[HASH_SIZE]);
// Proves that the state at part->to (origin, life, floor) has this hash; the proof's size.
uint8_t state_prove(const struct gossip_signing *signing, const struct wire_part *part,
                    const uint8_t hash[HASH_SIZE], uint8_t proof[PROOF_SIZE_MAX]);
// Whether anything that this host signs can be proved: without a key there is no use in asking.
bool state_knows_host(const struct gossip_signing *signing, const char *host);
// Whether we have the key that this part says it is proved with. Any part is, without keys.
bool state_key_is_known(const struct gossip_signing *signing, const struct wire_part *part);
bool state_is_proved(const struct gossip_signing *signing, const struct wire_part *part,
                     const uint8_t hash[HASH_SIZE]);

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
enum merge_result {
    MERGE_NEW,       // brings us further
    MERGE_DUPLICATE, // we have that
    MERGE_STALE,     // of an earlier life, or quarantined
    MERGE_GAP,       // something is missing in between: ask for it
    MERGE_REFUSED,   // not proved, or beyond the quota; counted
};
enum merge_result merge_look(const struct origin *origin, const struct wire_part *part);
// Applies a part as a whole (MERGE_NEW) or changes nothing.
enum merge_result merge_part(struct gossip *gossip, struct origin *origin,
                             const struct wire_part *part);
// A part of our own name that we did not write: tells own.c of the life that it proves.
enum merge_result merge_own(struct gossip *gossip, const struct wire_part *part);
void merge_quarantine(struct gossip *gossip, struct origin *origin);
// The keys changed: what they do not prove any more is not known any more; with a delay where the
// host has another key, by which it may prove the same soon.
void merge_recheck(struct gossip *gossip, bool delayed);
void merge_fini(struct gossip *gossip);

// ---- changes.c
void change_add(struct gossip *gossip, struct change *change);
void change_drop(struct gossip *gossip, struct change *change);

// ---- outbox.c
// Takes the writer's bytes. NULL when writing had failed: the message is lost, as on any network.
struct buffer *buffer_take(struct mp_writer *writer);
void buffer_release(struct buffer *buffer);
void outbox_add(struct gossip *gossip, const char *address, struct buffer *buffer);
// Takes the writer's bytes. What waits for the same address is replaced.
void outbox_add_droppable(struct gossip *gossip, const char *address, struct mp_writer *writer,
                          uint32_t load_count);
void outbox_fini(struct gossip *gossip);
// In the version in which the sender of the event is answered; other messages say theirs.
void outbox_open(struct gossip *gossip, struct mp_writer *writer, size_t *message);
void outbox_open_in(struct gossip *gossip, uint32_t version, struct mp_writer *writer,
                    size_t *message);
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
void members_disown(struct gossip *gossip, struct origin *origin); // it is dead, and no member
// False when memory is short.
bool members_enter(struct gossip *gossip, struct origin *origin);
bool members_add_vote(struct gossip *gossip, struct origin *target, struct record *vote);
// The vote of `voter` (NULL: of anybody) on the target's current life, or NULL.
const struct record *members_vote(const struct origin *target, const struct origin *voter,
                                  struct core_suspect *vote);
bool member_is_live(const struct origin *origin);
// Whether there is a protocol version that it and we know.
bool member_speaks(const struct gossip *gossip, const struct origin *origin);
uint32_t members_version(const struct gossip *gossip); // that is spoken now
// Whether those who watch our name hold this life of it, another host's, for dead.
bool members_hold_dead(const struct gossip *gossip, struct life life);
uint32_t members_needed_votes(const struct gossip *gossip, const struct origin *origin);

// ---- overlay.c
int overlay_reserve(struct gossip *gossip);
void overlay_keys(const struct gossip *gossip, struct origin *origin);
uint64_t overlay_rack_key(const char *name); // where it stands within its rack
void overlay_add(struct gossip *gossip, struct origin *origin);
void overlay_remove(struct gossip *gossip, struct origin *origin);
uint32_t overlay_size(const struct gossip *gossip); // live members
// The neighbours that `origin` has, or would have if it were alive; some may be the base's.
uint32_t overlay_neighbours(const struct gossip *gossip, const struct origin *origin,
                            const struct origin *out[NEIGHBOURS_MAX]);
bool overlay_is_neighbour(const struct gossip *gossip, const struct origin *of,
                          const struct origin *who);
void overlay_refresh(struct gossip *gossip);
// Moves neighbours that were pinged just now to slots with fewer, all of which come sooner again.
void overlay_even_slots(struct gossip *gossip, uint8_t slot);
struct peer *overlay_peer(struct gossip *gossip, const char *address);
// Whether something that was said to it before the connection came up did not wait for that.
bool overlay_lost_words(const struct gossip *gossip, const struct peer *peer);
const struct peer *overlay_peer_of(const struct gossip *gossip, const struct origin *origin);

// ---- scope.c
int scopes_set(struct gossip *gossip, const struct gossip_scope *scopes, uint32_t count);
void scopes_fini(struct gossip *gossip);
uint32_t scopes_of(const struct gossip *gossip, const char *name); // a bit for each
void scopes_refresh(struct gossip *gossip);                        // partners

// ---- load.c
void load_receive(struct gossip *gossip, const struct wire_envelope *envelope,
                  const struct wire_section *section);
void load_tell(struct gossip *gossip);
void loads_fini(struct gossip *gossip);

// ---- watch.c
void watch_time(struct gossip *gossip, uint64_t now_ns);
void watch_heard(struct gossip *gossip, const struct wire_envelope *envelope);
bool watch_hears(const struct gossip *gossip, const struct origin *origin);
void watch_check(struct gossip *gossip); // suspects silent neighbours
void watch_dead(struct gossip *gossip);  // keeps votes on the dead, so that late comers know
// What it wrote is dropped; who comes late and holds it alive learns from votes that it is not.
void watch_quarantine(struct gossip *gossip, struct origin *origin);
void watch_new_life(struct gossip *gossip, struct origin *origin);
void watch_accuse(struct gossip *gossip, const struct origin *origin);
void watch_retract(struct gossip *gossip, struct origin *origin);
void watch_accused(struct gossip *gossip, struct life life);
void watch_refute(struct gossip *gossip);
uint64_t watch_deadline_ns(const struct gossip *gossip);

// ---- island.c
void island_watch(struct gossip *gossip); // whether we are on one
void island_ask(struct gossip *gossip);
// Whether we accuse it for so long that those who could vote on it are asked if they are there.
bool island_doubts(const struct gossip *gossip, const struct origin *accused);
bool island_is_silent(const struct gossip *gossip, const struct origin *origin); // asked in vain
bool island_lost(const struct gossip *gossip, const struct origin *origin); // that is beyond doubt
void island_refuted(struct gossip *gossip, struct origin *origin);          // an accusation of ours

// ---- own.c
struct rival { // what a proved life of our name says
    bool left;
    struct life outbid; // whom it outbid last; incarnation 0: nobody
};
int own_init(struct gossip *gossip); // or goes on with the life that the base knows
// Value NULL: delete. -EMSGSIZE, -ENOSPC, -EINVAL, -ENOMEM.
int own_set(struct gossip *gossip, enum gossip_table table, const char *key, const void *value,
            size_t size);
int own_write_self(struct gossip *gossip, bool left);
void own_claim(struct gossip *gossip); // a life above all that was proved
void own_seal(struct gossip *gossip);  // proves the own state as it is
void own_set_signing(struct gossip *gossip, const struct gossip_signing *signing);
// Somebody names a life of ours: only who proves it counts, so he is asked.
void own_hearsay(struct gossip *gossip, struct life life, uint64_t complete, const char *address);
void own_proved(struct gossip *gossip, const struct wire_part *part, struct rival rival);
void own_tick(struct gossip *gossip);
void own_collect(struct gossip *gossip, uint64_t age_ns); // tombstones

// ---- push.c
void push_receive(struct gossip *gossip, const struct wire_envelope *envelope,
                  const struct wire_section *section);
void push_flush(struct gossip *gossip);
void push_urgent(struct gossip *gossip); // the carrier asks for messages
void push_own(struct gossip *gossip);

// ---- repair.c
void repair_mark(struct gossip *gossip, struct origin *origin); // changed: tell with the next ping
void repair_ping(struct gossip *gossip);                        // those whose turn it is
void repair_speak(struct gossip *gossip);                       // to all neighbours at once
void repair_tell(struct gossip *gossip); // when something was repaired lately
void repair_sum(struct gossip *gossip, const struct wire_envelope *envelope,
                const struct wire_section *section);
void repair_came(struct gossip *gossip, struct origin *origin); // by repair: tell soon
void repair_arm(struct gossip *gossip); // retry_at: while there is something to ask for again
void repair_send_digest(struct gossip *gossip, const char *address);
void repair_send_digest_in(struct gossip *gossip, uint32_t version, const char *address);
void repair_random(struct gossip *gossip);
void repair_behind(struct gossip *gossip);
int seeds_init(struct gossip *gossip, const struct gossip_config *config, struct error *error);
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
void serve_witness(struct gossip *gossip, const struct origin *origin, const char *address);
void serve_digest(struct gossip *gossip, const struct wire_envelope *envelope,
                  const struct wire_section *section);

#endif
