// SPDX-License-Identifier: Apache-2.0
// A software eSwitch: tables, matchers, rules and actions as mlx5dv_dr makes them, and what they do
// to a packet. Packets in, packets out; no descriptors, no clock, no threads.
//
//   packet of a port -> tables of level 0 -> (rule: to a table of a higher level) -> ... -> verdict
//
// Order in which rules are tried, read from rdma-core 44 (dr_matcher.c, dr_rule.c) for levels >= 1:
//   * matchers by priority, the smallest first; of equal priority the newest first;
//   * of several equal rules of one matcher only the oldest works. A newer one, made before the
//     older is destroyed (make-before-break), takes over when that is destroyed.
// Level 0 is the kernel's: all tables of it are one; matchers of equal priority the oldest first;
// an equal rule is refused with -EEXIST (a kernel would send copies to both destinations).
// No rule matches, a rule without destination, or "default miss": the slow path (VERDICT_SLOW).
//
// Not modelled: copies (destination arrays, samplers), meters, VLANs, what a card's parser profile
// or firmware would refuse beyond the library.
//
// Identities (`id`) are the caller's, one space for all kinds of objects; 0 is none. Errors:
// -EEXIST, -ENOENT (an object that it names), -EBUSY (still used), -EINVAL, -EOPNOTSUPP (this card
// cannot execute it), -ENOSPC, -ENOMEM.
#ifndef SOFTCX_MODEL_H
#define SOFTCX_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "softcx_key.h"

#define SOFTCX_UPLINK 0xffff
#define SOFTCX_COUNTERS_MAX 262144
#define SOFTCX_RULE_ACTIONS_MAX 16
#define SOFTCX_MODIFY_MAX 32
#define SOFTCX_REFORMAT_MAX 256 // bytes of a reformat
#define SOFTCX_LEVELS_MAX 64    // tables that one packet passes
#define SOFTCX_PACKET_MAX (65535 + 64)

struct softcx;

// One flow counter; lies in memory that the reader may share with the card.
struct softcx_count {
    uint64_t packets, bytes;
};

enum softcx_action_kind {
    ACTION_COUNTER, // value: counter id
    ACTION_MODIFY,  // data: set, add and copy actions of 8 bytes each
    ACTION_ENCAP,   // L2_TO_L3_TUNNEL; data: Ethernet, IPv6, perhaps an SRH
    ACTION_DECAP,   // L3_TUNNEL_TO_L2; data: Ethernet header
    ACTION_VPORT,   // value: vport
    ACTION_TABLE,   // value: id of a table
    ACTION_DEFAULT_MISS,
    ACTION_DROP,
    ACTION_KINDS,
};

// Bytes counted are those of the frame (Ethernet header included, FCS not) as it enters the rule.
struct softcx_packet {
    uint8_t *frame;
    size_t size;
    size_t headroom; // writable bytes before the frame
    uint16_t source; // vport
    bool segmented;  // stands for several segments on the wire (GSO): may be neither en- nor
                     // decapsulated
    uint32_t register_c[SOFTCX_REGISTERS], register_a;
};

enum softcx_verdict { VERDICT_SLOW, VERDICT_VPORT, VERDICT_DROP };

enum softcx_drop {
    DROP_RULE,      // a drop action
    DROP_NO_TUNNEL, // decapsulation of what is no tunnel, or an SRH with segments left
    DROP_NOT_IP,    // encapsulation of what is not IP, or its fields are to be modified
    DROP_SEGMENTED, // en- or decapsulation of a GSO packet: switch the sender's offloads off
    DROP_TOO_LARGE, // more than a frame can be
    DROP_LOOP,      // more tables than SOFTCX_LEVELS_MAX
    DROP_REASONS,
};

struct softcx_result {
    enum softcx_verdict verdict;
    enum softcx_drop drop; // VERDICT_DROP
    uint16_t vport;        // VERDICT_VPORT
    bool steered;          // at least one rule matched
    bool changed;          // the frame is not what came in
};

// counts: SOFTCX_COUNTERS_MAX of them, borrowed, zeroed by the caller.
int softcx_create(struct softcx_count *counts, struct softcx **out);
void softcx_destroy(struct softcx *card);
void softcx_clear(struct softcx *card); // removes every object, counters too

int softcx_add_table(struct softcx *card, uint64_t id, uint32_t level);
int softcx_add_matcher(struct softcx *card, uint64_t id, uint64_t table, uint16_t priority,
                       const struct softcx_key *mask);
// value or data, as the kind asks; `data` is copied.
int softcx_add_action(struct softcx *card, uint64_t id, enum softcx_action_kind kind,
                      uint64_t value, const uint8_t *data, size_t size);
int softcx_add_rule(struct softcx *card, uint64_t id, uint64_t matcher,
                    const struct softcx_key *value, const uint64_t *actions, size_t count);
// `count` counters from the id `first`; *slot: where in `counts` they lie.
int softcx_add_counters(struct softcx *card, uint32_t first, uint32_t count, uint32_t *slot);
int softcx_remove(struct softcx *card, uint64_t id);
int softcx_remove_counters(struct softcx *card, uint32_t first);

// Executes the tables on the packet, in place.
struct softcx_result softcx_run(struct softcx *card, struct softcx_packet *packet);

struct softcx_rule_view {
    uint64_t id, table, matcher;
    uint32_t level;
    uint16_t priority;
    struct softcx_count count;
    uint8_t actions[SOFTCX_RULE_ACTIONS_MAX]; // enum softcx_action_kind
    uint8_t action_count;
    bool shadowed; // an older equal rule works in its place
};

typedef void softcx_rule_fn(void *context, const struct softcx_rule_view *rule);
typedef void softcx_counter_fn(void *context, uint32_t id, const struct softcx_count *count);

void softcx_each_rule(const struct softcx *card, softcx_rule_fn *each, void *context);
void softcx_each_counter(const struct softcx *card, softcx_counter_fn *each, void *context);
uint32_t softcx_object_count(const struct softcx *card);

#endif
