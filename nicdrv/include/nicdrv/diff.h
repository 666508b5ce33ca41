// SPDX-License-Identifier: Apache-2.0
// What turns the rule set that a NIC holds into the wanted one, in an order in which no flow is
// without a rule that it has before and after:
//
//   1. exact matches added or replaced       (the narrower rule stands before the wider one moves)
//   2. defaults added or replaced
//   3. defaults removed
//   4. exact matches removed                 (their flows fall back to defaults that are final)
//
// Also the look-up that a NIC does, for drivers and simulations that evaluate packets themselves.
//
// Pure; both sets are sealed and borrowed; a diff owns its array and refers to rules by index.
#ifndef NICDRV_DIFF_H
#define NICDRV_DIFF_H

#include <stdbool.h>
#include <stdint.h>

#include "model/rule.h"

#define RULE_NONE UINT32_MAX

enum rule_change_kind { RULE_CHANGE_ADD, RULE_CHANGE_REPLACE, RULE_CHANGE_REMOVE };

struct rule_change {
    uint8_t kind;    // enum rule_change_kind
    uint8_t phase;   // 1 to 4, as drawn above
    uint32_t before; // index in the old set; RULE_NONE when added
    uint32_t after;  // index in the new set; RULE_NONE when removed
};

struct rule_diff {
    struct rule_change *changes;
    uint32_t count;
};

int rule_diff_make(const struct rule_set *before, const struct rule_set *after,
                   struct rule_diff *out); // -ENOMEM
void rule_diff_fini(struct rule_diff *diff);

// For each path of the rule `after`, the path of the rule `before` that it continues (the same
// encapsulation), or RULE_NONE. No old path is named twice. `before` may be RULE_NONE.
void rule_path_origins(const struct rule_set *before_set, uint32_t before,
                       const struct rule_set *after_set, uint32_t after,
                       uint32_t origin[RULE_PATHS_MAX]);

// Numbers the paths of all rules: path p of rule r is first[r] + p; first[rule_count] is their
// number. Returns owned in *first; -ENOMEM.
int rule_path_numbers(const struct rule_set *set, uint32_t **first);

// Index of the first rule whose match is not less; rule_count when there is none.
uint32_t rule_set_lower_bound(const struct rule_set *set, const struct rule_match *match);
// Index of the rule with this match, or RULE_NONE.
uint32_t rule_set_find(const struct rule_set *set, const struct rule_match *match);

// The inner packet, as far as rules look at it.
struct rule_packet {
    uint8_t destination[16]; // IPv4 as ::ffff:a.b.c.d
    uint32_t qp;
    uint16_t sport;
};

// The rule that the packet meets: exact QP before exact source port before the default; RULE_NONE
// when it leaves plain.
uint32_t rule_set_lookup(const struct rule_set *set, const struct rule_packet *packet);
// The path that the rule gives the packet; `random` decides for RULE_SPRAY.
uint32_t rule_select_path(const struct rule *rule, const struct rule_packet *packet,
                          uint32_t random);

#endif
