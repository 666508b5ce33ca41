// SPDX-License-Identifier: Apache-2.0
// What a NIC is asked to hold: rules that turn a RoCEv2 packet into an SRv6 packet. This is the
// only thing that a NIC driver sees of the whole program.
//
//   match (inner destination, UDP 4791, and: default | exact destination QP | exact UDP source
//   port)
//     -> select one of the rule's paths:  single | by bucket of the QP | by bucket of the source
//     port | spray
//        -> encap: outer source, SID list          (encaps are interned: many rules share one)
//
// Spares are encaps that rules will soon turn to (backups), for a driver that needs time to make
// one. They steer nothing.
//
// A bucket is the key's low RULE_BUCKET_BITS bits; bucket[] names the path of each. Packets that
// match no rule leave plain. The outer DSCP and ECN are those of the inner packet.
//
// Ownership: rule_set owns its arrays; drivers borrow a set during a call. A set is canonical after
// rule_set_seal: sorted by match, encaps sorted and deduplicated, so equal contents are equal
// bytes.
#ifndef MODEL_RULE_H
#define MODEL_RULE_H

#include <stdbool.h>
#include <stdint.h>

#include "model/error.h"
#include "model/usid.h"

#define RULE_BUCKET_BITS 6
#define RULE_BUCKETS 64
#define RULE_PATHS_MAX 64
#define RULES_MAX 65536
#define ENCAPS_MAX 65536
#define LOCAL_SIDS_MAX 16

enum rule_key { RULE_KEY_DEFAULT, RULE_KEY_QP, RULE_KEY_SPORT };

struct rule_match {
    uint8_t destination[16]; // inner destination, network order; IPv4 as ::ffff:a.b.c.d
    uint8_t key_kind;        // enum rule_key
    uint32_t key;            // QP number (24 bits) or UDP source port; 0 for default
};

enum rule_select { RULE_SINGLE, RULE_BUCKET_QP, RULE_BUCKET_SPORT, RULE_SPRAY };

struct encap {
    uint8_t source[16]; // outer source address, network order
    struct sid_list sids;
};

struct rule {
    struct rule_match match;
    uint8_t select;                 // enum rule_select
    uint8_t path_count;             // 1 for RULE_SINGLE
    uint8_t bucket[RULE_BUCKETS];   // bucket -> index into encap[]; RULE_BUCKET_* only, else zero
    uint32_t encap[RULE_PATHS_MAX]; // indices into rule_set->encaps; unused are zero
};

struct rule_set {
    struct rule *rules;
    uint32_t rule_count, rule_capacity;
    struct encap *encaps;
    uint32_t encap_count, encap_capacity;
    struct encap *spares;
    uint32_t spare_count, spare_capacity;
    struct sid local_sids[LOCAL_SIDS_MAX]; // own uSIDs: next header 4, 41 (or after an SRH) to them
                                           // is decapsulated
    uint32_t local_sid_count;
    uint32_t *encap_index; // private: open-addressed hash of encaps, for rule_set_intern
    uint32_t encap_index_size;
};

void rule_set_init(struct rule_set *set);
void rule_set_fini(struct rule_set *set);
void rule_set_clear(struct rule_set *set); // keeps the memory
// Returns the index of an equal encap or adds it; -ENOSPC, -ENOMEM.
int rule_set_intern(struct rule_set *set, const struct encap *encap, uint32_t *index);
int rule_set_add(struct rule_set *set, const struct rule *rule);         // -ENOSPC, -ENOMEM
int rule_set_add_spare(struct rule_set *set, const struct encap *encap); // -ENOSPC, -ENOMEM
// Sorts and renumbers into the canonical form. Spares that a rule uses are
// left out. -EINVAL with the reason: two rules of one match, an
// encap index or bucket out of range, an empty SID list, a path_count of 0.
int rule_set_seal(struct rule_set *set, struct error *error);
bool rule_set_equal(const struct rule_set *a, const struct rule_set *b); // both sealed
int rule_set_copy(const struct rule_set *from, struct rule_set *to);     // -ENOMEM
int rule_match_compare(const struct rule_match *a, const struct rule_match *b);

#endif
