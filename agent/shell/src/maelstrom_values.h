// SPDX-License-Identifier: Apache-2.0
// The values that a Maelstrom node knows: what its reads answer. A value that was once known stays.
//
// Each value is held by a record of some origin, its source. When that record vanishes (its host
// came back without its disk, or is dead for so long that its records are dropped), the value is an
// orphan until another record brings it, or until we adopt it: write it into a record of our own.
// So values outlive the host that they were given to.
#ifndef AGENT_SHELL_MAELSTROM_VALUES_H
#define AGENT_SHELL_MAELSTROM_VALUES_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define VALUE_TEXT_MAX 4096 // bytes of one value as JSON

struct values {
    json_t *all;       // array, in the order in which they came
    json_t *places;    // text of a value -> its place in `all`
    json_t *sources;   // "origin key" -> source
    uint32_t *held_by; // source of each value
    uint32_t capacity;
    uint32_t orphan_count;
};

#define SOURCE_NONE UINT32_MAX

int values_init(struct values *values); // -ENOMEM
void values_fini(struct values *values);
// The number of a record of some origin. SOURCE_NONE when memory is short.
uint32_t values_source(struct values *values, const char *origin, const char *key);
bool values_accept(json_t *value); // not too large
// 0 whether it was known or not; -ENOMEM; -EMSGSIZE. Borrows value.
int values_add(struct values *values, json_t *value, uint32_t source);
void values_drop(struct values *values, uint32_t source);
// An orphan, from place *next on, or NULL. Borrowed.
json_t *values_next_orphan(const struct values *values, uint32_t *next);

#endif
