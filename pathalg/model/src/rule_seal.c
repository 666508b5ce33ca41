// SPDX-License-Identifier: Apache-2.0
// The canonical form of a rule set: rules sorted by match, encaps sorted, each once and only those
// that a rule uses, local SIDs sorted, every unused byte zero.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rule_internal.h"

static int check_key(const struct rule *rule, uint32_t index, struct error *error) {
    static const uint32_t key_max[] = {
        [RULE_KEY_DEFAULT] = 0, [RULE_KEY_QP] = 0xffffff, [RULE_KEY_SPORT] = 0xffff};
    if (rule->match.key_kind > RULE_KEY_SPORT) {
        return error_set(error, -EINVAL, "rule %u: key kind %u: unknown", index,
                         rule->match.key_kind);
    }
    if (rule->match.key > key_max[rule->match.key_kind]) {
        return error_set(error, -EINVAL, "rule %u: key 0x%x: at most 0x%x", index, rule->match.key,
                         key_max[rule->match.key_kind]);
    }
    return 0;
}

static int check_select(const struct rule *rule, uint32_t index, struct error *error) {
    if (rule->select > RULE_SPRAY) {
        return error_set(error, -EINVAL, "rule %u: select %u: unknown", index, rule->select);
    }
    if (rule->path_count == 0 || rule->path_count > RULE_PATHS_MAX ||
        (rule->select == RULE_SINGLE && rule->path_count != 1)) {
        return error_set(error, -EINVAL, "rule %u: %u paths: %s", index, rule->path_count,
                         rule->select == RULE_SINGLE ? "a single rule has 1" : "1 to 64");
    }
    bool buckets = rule->select == RULE_BUCKET_QP || rule->select == RULE_BUCKET_SPORT;
    for (uint32_t i = 0; buckets && i < RULE_BUCKETS; i++) {
        if (rule->bucket[i] >= rule->path_count) {
            return error_set(error, -EINVAL, "rule %u: bucket %u: path %u of %u", index, i,
                             rule->bucket[i], rule->path_count);
        }
    }
    return 0;
}

static int check_encaps(const struct rule_set *set, const struct rule *rule, uint32_t index,
                        struct error *error) {
    for (uint32_t i = 0; i < rule->path_count; i++) {
        if (rule->encap[i] >= set->encap_count) {
            return error_set(error, -EINVAL, "rule %u: path %u: encap %u of %u", index, i,
                             rule->encap[i], set->encap_count);
        }
        uint8_t sids = set->encaps[rule->encap[i]].sids.count;
        if (sids == 0 || sids > SID_LIST_MAX) {
            return error_set(error, -EINVAL, "rule %u: path %u: %u SIDs: 1 to %d", index, i, sids,
                             SID_LIST_MAX);
        }
    }
    return 0;
}

static int check_rules(const struct rule_set *set, struct error *error) {
    for (uint32_t i = 0; i < set->rule_count; i++) {
        const struct rule *rule = &set->rules[i];
        int rc = check_key(rule, i, error);
        rc = rc != 0 ? rc : check_select(rule, i, error);
        rc = rc != 0 ? rc : check_encaps(set, rule, i, error);
        if (rc != 0) {
            return rc;
        }
    }
    if (set->local_sid_count > LOCAL_SIDS_MAX) {
        return error_set(error, -EINVAL, "%u local SIDs: at most %d", set->local_sid_count,
                         LOCAL_SIDS_MAX);
    }
    return 0;
}

static int compare_rules(const void *a, const void *b) {
    const struct rule *left = a, *right = b;
    return rule_match_compare(&left->match, &right->match);
}

struct numbered_encap {
    struct encap encap;
    uint32_t old;
};

static int compare_encaps(const void *a, const void *b) {
    const struct numbered_encap *left = a, *right = b;
    return memcmp(&left->encap, &right->encap, sizeof left->encap);
}

static int compare_sids(const void *a, const void *b) {
    return memcmp(a, b, sizeof(struct sid));
}

static struct rule rule_normal(const struct rule *rule, const uint32_t *renumbered) {
    struct rule normal;
    memset(&normal, 0, sizeof normal);
    memcpy(normal.match.destination, rule->match.destination, sizeof normal.match.destination);
    normal.match.key_kind = rule->match.key_kind;
    normal.match.key = rule->match.key;
    normal.select = rule->select;
    normal.path_count = rule->path_count;
    if (rule->select == RULE_BUCKET_QP || rule->select == RULE_BUCKET_SPORT) {
        memcpy(normal.bucket, rule->bucket, sizeof normal.bucket);
    }
    for (uint32_t i = 0; i < rule->path_count; i++) {
        normal.encap[i] = renumbered[rule->encap[i]];
    }
    return normal;
}

// Sorts the used encaps into set->encaps and fills renumbered[old] = new.
static void seal_encaps(struct rule_set *set, struct numbered_encap *list, uint32_t *renumbered) {
    memset(renumbered, 0, set->encap_count * sizeof *renumbered);
    for (uint32_t i = 0; i < set->rule_count; i++) {
        for (uint32_t k = 0; k < set->rules[i].path_count; k++) {
            renumbered[set->rules[i].encap[k]] = 1; // used
        }
    }
    uint32_t used = 0, count = 0;
    for (uint32_t i = 0; i < set->encap_count; i++) {
        if (renumbered[i] != 0) {
            list[used].encap = encap_normal(&set->encaps[i]);
            list[used++].old = i;
        }
    }
    qsort(list, used, sizeof list[0], compare_encaps);
    for (uint32_t i = 0; i < used; i++) {
        if (i == 0 || compare_encaps(&list[i - 1], &list[i]) != 0) {
            set->encaps[count++] = list[i].encap;
        }
        renumbered[list[i].old] = count - 1;
    }
    set->encap_count = count;
}

static int compare_spares(const void *a, const void *b) {
    return memcmp(a, b, sizeof(struct encap));
}

// Sorted, each once, and none that the sealed encaps have.
static void seal_spares(struct rule_set *set) {
    uint32_t kept = 0, e = 0;
    if (set->spare_count > 0) {
        qsort(set->spares, set->spare_count, sizeof set->spares[0], compare_spares);
    }
    for (uint32_t i = 0; i < set->spare_count; i++) {
        while (e < set->encap_count && compare_spares(&set->encaps[e], &set->spares[i]) < 0) {
            e++;
        }
        bool used = e < set->encap_count && compare_spares(&set->encaps[e], &set->spares[i]) == 0;
        bool twice = kept > 0 && compare_spares(&set->spares[kept - 1], &set->spares[i]) == 0;
        if (!used && !twice) {
            set->spares[kept++] = set->spares[i];
        }
    }
    set->spare_count = kept;
}

// Sorting changes no content, so a set refused here is still what the caller put in.
static int sort_rules(struct rule_set *set, struct error *error) {
    if (set->rule_count > 0) {
        qsort(set->rules, set->rule_count, sizeof set->rules[0], compare_rules);
    }
    for (uint32_t i = 1; i < set->rule_count; i++) {
        if (compare_rules(&set->rules[i - 1], &set->rules[i]) == 0) {
            return error_set(error, -EINVAL, "two rules of one match: key kind %u, key 0x%x",
                             set->rules[i].match.key_kind, set->rules[i].match.key);
        }
    }
    return 0;
}

int rule_set_seal(struct rule_set *set, struct error *error) {
    int rc = check_rules(set, error);
    if (rc != 0) {
        return rc;
    }
    rc = sort_rules(set, error);
    if (rc != 0) {
        return rc;
    }
    struct numbered_encap *list = malloc((set->encap_count + (size_t)1) * sizeof *list);
    uint32_t *renumbered = malloc((set->encap_count + (size_t)1) * sizeof *renumbered);
    if (list == NULL || renumbered == NULL) {
        free(list);
        free(renumbered);
        return error_set(error, -ENOMEM, "rules: out of memory");
    }
    seal_encaps(set, list, renumbered);
    seal_spares(set);
    for (uint32_t i = 0; i < set->rule_count; i++) {
        set->rules[i] = rule_normal(&set->rules[i], renumbered);
    }
    if (set->local_sid_count > 0) {
        qsort(set->local_sids, set->local_sid_count, sizeof set->local_sids[0], compare_sids);
    }
    rule_set_index_drop(set);
    free(list);
    free(renumbered);
    return 0;
}
