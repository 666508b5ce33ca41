// SPDX-License-Identifier: Apache-2.0
#include "nicdrv/diff.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool encap_equal(const struct encap *a, const struct encap *b) {
    return memcmp(a->source, b->source, sizeof a->source) == 0 &&
           sid_list_equal(&a->sids, &b->sids);
}

// Indices of encapsulations differ between sets; what they stand for decides.
static bool rule_same(const struct rule_set *a_set, const struct rule *a,
                      const struct rule_set *b_set, const struct rule *b) {
    if (a->select != b->select || a->path_count != b->path_count ||
        memcmp(a->bucket, b->bucket, sizeof a->bucket) != 0) {
        return false;
    }
    for (uint32_t p = 0; p < a->path_count; p++) {
        if (!encap_equal(&a_set->encaps[a->encap[p]], &b_set->encaps[b->encap[p]])) {
            return false;
        }
    }
    return true;
}

static uint8_t phase_of(const struct rule_match *match, enum rule_change_kind kind) {
    bool is_default = match->key_kind == RULE_KEY_DEFAULT;
    if (kind == RULE_CHANGE_REMOVE) {
        return is_default ? 3 : 4;
    }
    return is_default ? 2 : 1;
}

static void add_change(struct rule_diff *diff, enum rule_change_kind kind,
                       const struct rule_match *match, uint32_t before, uint32_t after) {
    diff->changes[diff->count++] = (struct rule_change){
        .kind = (uint8_t)kind,
        .phase = phase_of(match, kind),
        .before = before,
        .after = after,
    };
}

static int compare_changes(const void *left, const void *right) {
    const struct rule_change *a = left, *b = right;
    if (a->phase != b->phase) {
        return a->phase < b->phase ? -1 : 1;
    }
    uint32_t at_a = a->phase <= 2 ? a->after : a->before;
    uint32_t at_b = b->phase <= 2 ? b->after : b->before;
    return at_a < at_b ? -1 : at_a > at_b;
}

int rule_diff_make(const struct rule_set *before, const struct rule_set *after,
                   struct rule_diff *out) {
    size_t most = (size_t)before->rule_count + after->rule_count;
    struct rule_diff diff = {.changes = calloc(most + 1, sizeof *diff.changes)};
    if (diff.changes == NULL) {
        return -ENOMEM;
    }
    uint32_t b = 0, a = 0;
    while (b < before->rule_count || a < after->rule_count) {
        const struct rule *old = b < before->rule_count ? &before->rules[b] : NULL;
        const struct rule *new = a < after->rule_count ? &after->rules[a] : NULL;
        int order = old == NULL   ? 1
                    : new == NULL ? -1
                                  : rule_match_compare(&old->match, &new->match);
        if (order < 0) {
            add_change(&diff, RULE_CHANGE_REMOVE, &old->match, b++, RULE_NONE);
        } else if (order > 0) {
            add_change(&diff, RULE_CHANGE_ADD, &new->match, RULE_NONE, a++);
        } else {
            if (!rule_same(before, old, after, new)) {
                add_change(&diff, RULE_CHANGE_REPLACE, &new->match, b, a);
            }
            b++;
            a++;
        }
    }
    qsort(diff.changes, diff.count, sizeof *diff.changes, compare_changes);
    *out = diff;
    return 0;
}

void rule_diff_fini(struct rule_diff *diff) {
    free(diff->changes);
    *diff = (struct rule_diff){0};
}

void rule_path_origins(const struct rule_set *before_set, uint32_t before,
                       const struct rule_set *after_set, uint32_t after,
                       uint32_t origin[RULE_PATHS_MAX]) {
    const struct rule *new = &after_set->rules[after];
    bool taken[RULE_PATHS_MAX] = {false};
    for (uint32_t p = 0; p < new->path_count; p++) {
        origin[p] = RULE_NONE;
        if (before == RULE_NONE) {
            continue;
        }
        const struct rule *old = &before_set->rules[before];
        for (uint32_t q = 0; q < old->path_count; q++) {
            if (!taken[q] && encap_equal(&before_set->encaps[old->encap[q]],
                                         &after_set->encaps[new->encap[p]])) {
                taken[q] = true;
                origin[p] = q;
                break;
            }
        }
    }
}

int rule_path_numbers(const struct rule_set *set, uint32_t **first) {
    uint32_t *numbers = calloc((size_t)set->rule_count + 1, sizeof *numbers);
    if (numbers == NULL) {
        return -ENOMEM;
    }
    for (uint32_t r = 0; r < set->rule_count; r++) {
        numbers[r + 1] = numbers[r] + set->rules[r].path_count;
    }
    *first = numbers;
    return 0;
}

uint32_t rule_set_lower_bound(const struct rule_set *set, const struct rule_match *match) {
    uint32_t low = 0, high = set->rule_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (rule_match_compare(&set->rules[middle].match, match) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

uint32_t rule_set_find(const struct rule_set *set, const struct rule_match *match) {
    uint32_t at = rule_set_lower_bound(set, match);
    bool found = at < set->rule_count && rule_match_compare(&set->rules[at].match, match) == 0;
    return found ? at : RULE_NONE;
}

uint32_t rule_set_lookup(const struct rule_set *set, const struct rule_packet *packet) {
    static const enum rule_key order[] = {RULE_KEY_QP, RULE_KEY_SPORT, RULE_KEY_DEFAULT};
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        struct rule_match match = {.key_kind = (uint8_t)order[i]};
        memcpy(match.destination, packet->destination, sizeof match.destination);
        if (order[i] == RULE_KEY_QP) {
            match.key = packet->qp;
        } else if (order[i] == RULE_KEY_SPORT) {
            match.key = packet->sport;
        }
        uint32_t found = rule_set_find(set, &match);
        if (found != RULE_NONE) {
            return found;
        }
    }
    return RULE_NONE;
}

uint32_t rule_select_path(const struct rule *rule, const struct rule_packet *packet,
                          uint32_t random) {
    switch ((enum rule_select)rule->select) {
    case RULE_SINGLE:
        return 0;
    case RULE_BUCKET_QP:
        return rule->bucket[packet->qp % RULE_BUCKETS];
    case RULE_BUCKET_SPORT:
        return rule->bucket[packet->sport % RULE_BUCKETS];
    case RULE_SPRAY:
        return (uint32_t)(((uint64_t)random * rule->path_count) >> 32);
    }
    assert(rule->select <= RULE_SPRAY); // as in every sealed rule
    return 0;
}
