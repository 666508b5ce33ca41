// SPDX-License-Identifier: Apache-2.0
#include "model/rule.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/rng.h"
#include "rule_internal.h"

void rule_set_init(struct rule_set *set) {
    *set = (struct rule_set){0};
}

void rule_set_fini(struct rule_set *set) {
    free(set->rules);
    free(set->encaps);
    free(set->spares);
    free(set->encap_index);
    rule_set_init(set);
}

void rule_set_clear(struct rule_set *set) {
    set->rule_count = 0;
    set->encap_count = 0;
    set->spare_count = 0;
    set->local_sid_count = 0;
    rule_set_index_drop(set);
}

void rule_set_index_drop(struct rule_set *set) {
    free(set->encap_index);
    set->encap_index = NULL;
    set->encap_index_size = 0;
}

struct encap encap_normal(const struct encap *encap) {
    struct encap normal;
    memset(&normal, 0, sizeof normal);
    memcpy(normal.source, encap->source, sizeof normal.source);
    normal.sids.count = encap->sids.count <= SID_LIST_MAX ? encap->sids.count : SID_LIST_MAX;
    memcpy(normal.sids.sids, encap->sids.sids, normal.sids.count * sizeof(struct sid));
    return normal;
}

// A realloc that doubles up to `limit` elements: 0, -ENOSPC, -ENOMEM.
static int grow(void **array, uint32_t count, uint32_t *capacity, uint32_t limit, size_t size) {
    if (count < *capacity) {
        return 0;
    }
    if (count >= limit) {
        return -ENOSPC;
    }
    uint32_t larger = *capacity > 0 ? 2 * *capacity : 16;
    void *moved = realloc(*array, larger * size);
    if (moved == NULL) {
        return -ENOMEM;
    }
    *array = moved;
    *capacity = larger;
    return 0;
}

static uint32_t *find_slot(const struct rule_set *set, const struct encap *encap) {
    uint32_t mask = set->encap_index_size - 1;
    uint32_t at = (uint32_t)hash_bytes(encap, sizeof *encap, 0) & mask;
    for (;; at = (at + 1) & mask) {
        uint32_t *slot = &set->encap_index[at];
        if (*slot == UINT32_MAX || memcmp(&set->encaps[*slot], encap, sizeof *encap) == 0) {
            return slot;
        }
    }
}

// Keeps the index at most half full; builds it anew when a set was copied or sealed.
static int index_reserve(struct rule_set *set) {
    if (2 * (set->encap_count + 1) <= set->encap_index_size) {
        return 0;
    }
    uint32_t size = 32;
    while (size < 4 * (set->encap_count + 1)) {
        size *= 2;
    }
    uint32_t *index = malloc(size * sizeof *index);
    if (index == NULL) {
        return -ENOMEM;
    }
    memset(index, 0xff, size * sizeof *index);
    rule_set_index_drop(set);
    set->encap_index = index;
    set->encap_index_size = size;
    for (uint32_t i = 0; i < set->encap_count; i++) {
        set->encaps[i] = encap_normal(&set->encaps[i]);
        *find_slot(set, &set->encaps[i]) = i;
    }
    return 0;
}

int rule_set_intern(struct rule_set *set, const struct encap *encap, uint32_t *index) {
    struct encap normal = encap_normal(encap);
    int rc = index_reserve(set);
    if (rc != 0) {
        return rc;
    }
    uint32_t *slot = find_slot(set, &normal);
    if (*slot == UINT32_MAX) {
        rc = grow((void **)&set->encaps, set->encap_count, &set->encap_capacity, ENCAPS_MAX,
                  sizeof set->encaps[0]);
        if (rc != 0) {
            return rc;
        }
        set->encaps[set->encap_count] = normal;
        *slot = set->encap_count++;
    }
    *index = *slot;
    return 0;
}

int rule_set_add_spare(struct rule_set *set, const struct encap *encap) {
    int rc = grow((void **)&set->spares, set->spare_count, &set->spare_capacity, ENCAPS_MAX,
                  sizeof set->spares[0]);
    if (rc == 0) {
        set->spares[set->spare_count++] = encap_normal(encap);
    }
    return rc;
}

int rule_set_add(struct rule_set *set, const struct rule *rule) {
    int rc = grow((void **)&set->rules, set->rule_count, &set->rule_capacity, RULES_MAX,
                  sizeof set->rules[0]);
    if (rc == 0) {
        set->rules[set->rule_count++] = *rule;
    }
    return rc;
}

int rule_match_compare(const struct rule_match *a, const struct rule_match *b) {
    int order = memcmp(a->destination, b->destination, sizeof a->destination);
    if (order != 0) {
        return order;
    }
    if (a->key_kind != b->key_kind) {
        return a->key_kind < b->key_kind ? -1 : 1;
    }
    return a->key < b->key ? -1 : a->key > b->key;
}

static bool same(const void *a, const void *b, uint32_t count, size_t size) {
    return count == 0 || memcmp(a, b, count * size) == 0;
}

// Sealing wrote every byte, padding included, so contents compare as bytes.
bool rule_set_equal(const struct rule_set *a, const struct rule_set *b) {
    return a->rule_count == b->rule_count && a->encap_count == b->encap_count &&
           a->spare_count == b->spare_count && a->local_sid_count == b->local_sid_count &&
           same(a->rules, b->rules, a->rule_count, sizeof a->rules[0]) &&
           same(a->encaps, b->encaps, a->encap_count, sizeof a->encaps[0]) &&
           same(a->spares, b->spares, a->spare_count, sizeof a->spares[0]) &&
           same(a->local_sids, b->local_sids, a->local_sid_count, sizeof a->local_sids[0]);
}

// An array of its own with room for one more; NULL when there is no memory.
static void *array_copy(const void *from, uint32_t count, size_t size) {
    void *copy = malloc((count + (size_t)1) * size);
    if (copy != NULL && count > 0) {
        memcpy(copy, from, count * size);
    }
    return copy;
}

int rule_set_copy(const struct rule_set *from, struct rule_set *to) {
    struct rule_set copy = *from;
    copy.rules = array_copy(from->rules, from->rule_count, sizeof from->rules[0]);
    copy.encaps = array_copy(from->encaps, from->encap_count, sizeof from->encaps[0]);
    copy.spares = array_copy(from->spares, from->spare_count, sizeof from->spares[0]);
    copy.rule_capacity = from->rule_count + 1;
    copy.encap_capacity = from->encap_count + 1;
    copy.spare_capacity = from->spare_count + 1;
    copy.encap_index = NULL;
    copy.encap_index_size = 0;
    if (copy.rules == NULL || copy.encaps == NULL || copy.spares == NULL) {
        rule_set_fini(&copy);
        return -ENOMEM;
    }
    if (to != from) {
        rule_set_fini(to);
    }
    *to = copy;
    return 0;
}
