// SPDX-License-Identifier: Apache-2.0
// Between the files of the software eSwitch: its objects.
#ifndef SOFTCX_OBJECT_H
#define SOFTCX_OBJECT_H

#include "softcx_model.h"

#define OBJECT_BUCKETS 16384
#define RULE_BUCKETS 4096

enum object_kind { OBJECT_TABLE, OBJECT_MATCHER, OBJECT_RULE, OBJECT_ACTION };

// First member of each of the four.
struct object {
    uint64_t id;
    struct object *next; // in its bucket
    enum object_kind kind;
    uint32_t users; // objects that need this one
};

struct matcher;

struct table {
    struct object object;
    uint32_t level;
    struct matcher *matchers; // in the order in which they are tried
};

struct rule {
    struct object object;
    struct matcher *matcher;
    struct rule *next;        // other rules in the bucket
    struct rule *equal_newer; // same value, waits for this one to go
    struct softcx_key value;
    struct softcx_count count;
    struct action *actions[SOFTCX_RULE_ACTIONS_MAX];
    uint8_t action_count;
};

struct matcher {
    struct object object;
    struct table *table;
    struct matcher *next;
    uint16_t priority;
    uint8_t words[KEY_WORDS]; // those whose mask is not zero
    uint8_t word_count;
    struct softcx_key mask;
    struct rule *rules[RULE_BUCKETS];
};

struct modify {
    uint8_t type; // 1 set, 2 add, 3 copy
    uint16_t field, to_field;
    uint8_t offset, to_offset, width;
    uint32_t value;
};

struct action {
    struct object object;
    enum softcx_action_kind kind;
    uint64_t value;
    struct table *table;        // ACTION_TABLE
    struct softcx_count *count; // ACTION_COUNTER
    uint16_t size;              // of data; or count of modify
    uint8_t data[SOFTCX_REFORMAT_MAX];
    struct modify modify[SOFTCX_MODIFY_MAX];
};

struct counters {
    struct counters *next;
    uint32_t first, count, slot;
    uint32_t users; // actions
};

struct softcx {
    struct softcx_count *counts;
    struct object *objects[OBJECT_BUCKETS];
    uint32_t object_count;
    struct table root;         // all tables of level 0
    struct counters *counters; // by slot
};

// A matcher's rule for the packet; NULL when none.
struct rule *softcx_find_rule(const struct matcher *matcher, const struct softcx_key *key);

// Decodes `size` bytes of actions; -EINVAL, -EOPNOTSUPP.
int softcx_modify_decode(const uint8_t *data, size_t size, struct modify *out, uint16_t *count);
// false: the packet has no such field.
bool softcx_modify_run(const struct modify *modify, struct softcx_packet *packet,
                       const struct softcx_layout *layout);

#endif
