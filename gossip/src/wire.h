// SPDX-License-Identifier: Apache-2.0
// The messages of the gossip core on the wire (msgpack).
//
//   message  = [ major, minor, name, address, incarnation, nonce, [section...], ... ]   envelope
//   section  = [ kind, body... ]                           an unknown kind is skipped
//     PUSH    [ 1, [part...] ]                             facts for the first time, flooded
//     DATA    [ 2, [part...] ]                             facts that were asked for (repair)
//     HAVE    [ 3, [have...] ]                             "of these origins I have up to here"
//     WANT    [ 4, [have...] ]                             "send me what lies beyond this"
//     DIGEST  [ 5, bin(2048) ]                             256 big-endian XOR sums over origins
//     BUCKETS [ 6, bin(32), last, [have...] ]              answer: all origins of these buckets
//     ACCUSE  [ 7, incarnation, nonce ]                    "I hold this life of yours for dead"
//     SUM     [ 8, sum ]                                   XOR of the digest's 256 sums
//     LOAD    [ 9, [load...] ]                             how busy hosts of a scope are
//
//   part     = [ origin, incarnation, nonce, floor, from, to, hop, proof, [record...], state ]
//   have     = [ origin, incarnation, nonce, complete ]
//   load     = [ origin, incarnation, nonce, stamp, bin ] the newest wins; not signed
//   record   = [ seq, table, key, value | nil ]            nil is a tombstone
//   proof    = bin: 4 bytes of the public key, Ed25519 signature (64); without keys BLAKE2b-256
//   (32)
//
// A part brings a replica that is complete up to any seq in [from, to) to `to`: its records are all
// those of the origin beyond `from` that are current at `to`, seq ascending; what else the replica
// holds beyond `from` is gone. The proof is over the whole state at `to` (signing.h), so whoever
// has applied a part knows that it holds what the origin wrote. With `from` 0 it replaces whatever
// was there; a later life begins with such a part. `floor` is the seq up to which the owner has
// collected its tombstones: they are part of no state any more, and who is not complete up to there
// starts from 0. Hops are not signed: they are diagnostics.
//
// `state` is mostly absent. It is the hash of a state whose records the sender has dropped: it
// proves to a host that came back without memory that there was a life of its name.
//
// Every array may carry further elements that this version ignores, and does not pass on. Tables
// that it does not know are facts like others: kept, proved and passed on, but nobody is told. A
// message's major is the version that its sender speaks with the fleet (members.c); one outside of
// [GOSSIP_PROTOCOL_MIN, our own highest] is counted and dropped. wire_check walks the whole message
// before anything is applied; the wire_next functions may then be used without further checks.
#ifndef GOSSIP_WIRE_H
#define GOSSIP_WIRE_H

#include "gossip/gossip.h"
#include "model/mp.h"

#define DIGEST_BUCKETS 256
#define DIGEST_BYTES (DIGEST_BUCKETS * 8)
#define BITMAP_BYTES (DIGEST_BUCKETS / 8)
#define SEQ_MAX (UINT64_C(1) << 40)          // no honest host writes that often
#define INCARNATION_MAX UINT32_C(0x7fffffff) // so that it can always be outbid
#define HOPS_MAX 16
#define TABLES_MAX 256 // known and unknown
#define HASH_SIZE 32
#define KEY_HINT_SIZE 4 // which of a host's keys signed: needs no trying, and no wrong suspicion
#define SIGNED_PROOF_SIZE (KEY_HINT_SIZE + 64)
#define PROOF_SIZE_MAX SIGNED_PROOF_SIZE

// One run of one host under one name; ordered by incarnation, then nonce.
struct life {
    uint32_t incarnation, nonce;
};

enum section_kind {
    SECTION_PUSH = 1,
    SECTION_DATA,
    SECTION_HAVE,
    SECTION_WANT,
    SECTION_DIGEST,
    SECTION_BUCKETS,
    SECTION_ACCUSE,
    SECTION_SUM,
    SECTION_LOAD,
};

struct wire_envelope {
    char name[NAME_SIZE], address[GOSSIP_ADDRESS_SIZE];
    struct life life;
    uint32_t version;
    uint32_t section_count;
    struct mp_reader sections;
};

struct wire_section {
    uint64_t kind;
    uint32_t count;         // parts, haves or loads
    struct mp_reader items; // at the first of them
    const uint8_t *bytes;   // DIGEST, BUCKETS
    bool last;              // BUCKETS
    struct life life;       // ACCUSE
    uint64_t sum;           // SUM
};

struct wire_part {
    char origin[NAME_SIZE];
    struct life life;
    uint64_t floor, from, to;
    uint32_t hop, record_count;
    struct mp_text proof, state; // state: empty where the records are there
    struct mp_reader records;
};

struct wire_have {
    char origin[NAME_SIZE];
    struct life life;
    uint64_t complete;
};

struct wire_load {
    char origin[NAME_SIZE];
    struct life life;
    uint64_t stamp;
    struct mp_text value;
};

struct wire_record {
    uint64_t seq;
    enum gossip_table table;
    struct mp_text key;
    const uint8_t *value; // NULL: tombstone
    uint32_t value_size;
};

// The major version that a message is in; 0 when it does not begin like one.
uint32_t wire_version(const void *bytes, size_t size);
// Decodes as this build does, whatever newer version the message claims: ask wire_version before.
// -EPROTO malformed, -EPROTONOSUPPORT a version that is spoken no more.
int wire_check(const void *bytes, size_t size, struct wire_envelope *out);
void wire_next_section(struct mp_reader *reader, struct wire_section *out);
void wire_next_part(struct mp_reader *reader, struct wire_part *out);
void wire_next_have(struct mp_reader *reader, struct wire_have *out);
void wire_next_load(struct mp_reader *reader, struct wire_load *out);
void wire_next_record(struct mp_reader *reader, struct wire_record *out);

// Values of GOSSIP_TABLE_CORE; false when malformed.
//   "self"          -> [ address, rack, left, protocol min, protocol max ]   absent: 1, 1
//   "suspect/NAME"  -> [ incarnation, nonce, dead ]
//   "duplicate"     -> [ nonce, nonce ]
//   "outbid"        -> [ incarnation, nonce ]   of its own name, heard while it ran
#define CORE_SELF "self"
#define CORE_SUSPECT "suspect/"
#define CORE_DUPLICATE "duplicate"
#define CORE_OUTBID "outbid"

struct core_self {
    char address[GOSSIP_ADDRESS_SIZE], rack[NAME_SIZE];
    bool left;
    uint32_t protocol_min, protocol_max;
};
struct core_suspect {
    struct life life;
    bool dead;
};
struct core_duplicate {
    uint32_t nonces[2];
};
bool core_self_decode(const void *value, size_t size, struct core_self *out);
bool core_suspect_decode(const void *value, size_t size, struct core_suspect *out);
bool core_duplicate_decode(const void *value, size_t size, struct core_duplicate *out);
bool core_outbid_decode(const void *value, size_t size, struct life *out);
// The name in a key "suspect/NAME"; false for another or a malformed key.
bool core_suspect_key(const char *key, size_t size, char name[NAME_SIZE]);

// ---- writing: open ... close pairs fill in the counts.
size_t wire_open_message(struct mp_writer *writer, uint32_t version, const char *name,
                         const char *address, struct life life);
void wire_close_message(struct mp_writer *writer, size_t message, uint32_t section_count);
size_t wire_open_list(struct mp_writer *writer, enum section_kind kind);
void wire_close_list(struct mp_writer *writer, size_t list, uint32_t count);
void wire_write_digest(struct mp_writer *writer, const uint64_t sums[DIGEST_BUCKETS]);
size_t wire_open_buckets(struct mp_writer *writer, const uint8_t bitmap[BITMAP_BYTES], bool last);
void wire_write_sum(struct mp_writer *writer, uint64_t sum);
void wire_write_accuse(struct mp_writer *writer, struct life life);
void wire_write_load(struct mp_writer *writer, const struct wire_load *load);
void wire_write_have(struct mp_writer *writer, const struct wire_have *have);
// Writes a part's head; its records follow. The part's record_count is not used.
size_t wire_open_part(struct mp_writer *writer, const struct wire_part *part);
void wire_write_witness(struct mp_writer *writer, const struct wire_part *part); // without records
void wire_write_record(struct mp_writer *writer, const struct wire_record *record);

#endif
