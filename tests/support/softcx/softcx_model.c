// SPDX-License-Identifier: Apache-2.0
#include "softcx_model.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "softcx_object.h"

static uint32_t hash64(uint64_t value) {
    value *= 0x9e3779b97f4a7c15U;
    return (uint32_t)(value >> 32);
}

static struct object *find(const struct softcx *card, uint64_t id) {
    struct object *object = card->objects[hash64(id) % OBJECT_BUCKETS];
    while (object != NULL && object->id != id) {
        object = object->next;
    }
    return object;
}

static struct object *find_kind(const struct softcx *card, uint64_t id, enum object_kind kind) {
    struct object *object = find(card, id);
    return object != NULL && object->kind == kind ? object : NULL;
}

static void insert(struct softcx *card, struct object *object, uint64_t id, enum object_kind kind) {
    struct object **bucket = &card->objects[hash64(id) % OBJECT_BUCKETS];
    object->id = id;
    object->kind = kind;
    object->next = *bucket;
    *bucket = object;
    card->object_count++;
}

static int check_new(const struct softcx *card, uint64_t id) {
    return id == 0 ? -EINVAL : find(card, id) != NULL ? -EEXIST : 0;
}

int softcx_create(struct softcx_count *counts, struct softcx **out) {
    struct softcx *card = calloc(1, sizeof *card);
    if (card == NULL) {
        return -ENOMEM;
    }
    card->counts = counts;
    *out = card;
    return 0;
}

int softcx_add_table(struct softcx *card, uint64_t id, uint32_t level) {
    int rc = check_new(card, id);
    if (rc != 0) {
        return rc;
    }
    struct table *table = calloc(1, sizeof *table);
    if (table == NULL) {
        return -ENOMEM;
    }
    table->level = level;
    insert(card, &table->object, id, OBJECT_TABLE);
    return 0;
}

// ---- matchers -------------------------------------------------------------------------------

static struct matcher **matchers_of(struct softcx *card, struct table *table) {
    return table->level == 0 ? &card->root.matchers : &table->matchers;
}

static void link_matcher(struct softcx *card, struct matcher *matcher) {
    struct matcher **at = matchers_of(card, matcher->table);
    bool after_equal = matcher->table->level == 0;
    while (*at != NULL && ((*at)->priority < matcher->priority ||
                           (after_equal && (*at)->priority == matcher->priority))) {
        at = &(*at)->next;
    }
    matcher->next = *at;
    *at = matcher;
}

static void unlink_matcher(struct softcx *card, struct matcher *matcher) {
    struct matcher **at = matchers_of(card, matcher->table);
    while (*at != matcher) {
        at = &(*at)->next;
    }
    *at = matcher->next;
}

int softcx_add_matcher(struct softcx *card, uint64_t id, uint64_t table, uint16_t priority,
                       const struct softcx_key *mask) {
    int rc = check_new(card, id);
    struct object *parent = find_kind(card, table, OBJECT_TABLE);
    if (rc != 0 || parent == NULL) {
        return rc != 0 ? rc : -ENOENT;
    }
    struct matcher *matcher = calloc(1, sizeof *matcher);
    if (matcher == NULL) {
        return -ENOMEM;
    }
    matcher->table = (struct table *)parent;
    matcher->priority = priority;
    matcher->mask = *mask;
    for (uint8_t w = 0; w < KEY_WORDS; w++) {
        if (mask->word[w] != 0) {
            matcher->words[matcher->word_count++] = w;
        }
    }
    parent->users++;
    link_matcher(card, matcher);
    insert(card, &matcher->object, id, OBJECT_MATCHER);
    return 0;
}

// ---- rules ----------------------------------------------------------------------------------

static uint32_t bucket_of(const struct matcher *matcher, const struct softcx_key *key) {
    uint64_t hash = 0;
    for (uint8_t i = 0; i < matcher->word_count; i++) {
        uint8_t w = matcher->words[i];
        hash = (hash ^ (key->word[w] & matcher->mask.word[w])) * 0x9e3779b97f4a7c15U;
        hash ^= hash >> 29;
    }
    return hash64(hash) % RULE_BUCKETS;
}

static bool rule_matches(const struct matcher *matcher, const struct rule *rule,
                         const struct softcx_key *key) {
    for (uint8_t i = 0; i < matcher->word_count; i++) {
        uint8_t w = matcher->words[i];
        if ((key->word[w] & matcher->mask.word[w]) != rule->value.word[w]) {
            return false;
        }
    }
    return true;
}

struct rule *softcx_find_rule(const struct matcher *matcher, const struct softcx_key *key) {
    struct rule *rule = matcher->rules[bucket_of(matcher, key)];
    while (rule != NULL && !rule_matches(matcher, rule, key)) {
        rule = rule->next;
    }
    return rule;
}

static int collect_actions(const struct softcx *card, struct rule *rule, const uint64_t *actions,
                           size_t count) {
    if (count > SOFTCX_RULE_ACTIONS_MAX) {
        return -EINVAL;
    }
    for (size_t i = 0; i < count; i++) {
        struct object *action = find_kind(card, actions[i], OBJECT_ACTION);
        if (action == NULL) {
            return -EOPNOTSUPP;
        }
        rule->actions[rule->action_count++] = (struct action *)action;
    }
    return 0;
}

static int link_rule(struct rule *rule) {
    struct matcher *matcher = rule->matcher;
    struct rule *equal = softcx_find_rule(matcher, &rule->value);
    if (equal == NULL) {
        struct rule **bucket = &matcher->rules[bucket_of(matcher, &rule->value)];
        rule->next = *bucket;
        *bucket = rule;
        return 0;
    }
    if (matcher->table->level == 0) {
        return -EEXIST;
    }
    while (equal->equal_newer != NULL) {
        equal = equal->equal_newer;
    }
    equal->equal_newer = rule;
    return 0;
}

int softcx_add_rule(struct softcx *card, uint64_t id, uint64_t matcher,
                    const struct softcx_key *value, const uint64_t *actions, size_t count) {
    int rc = check_new(card, id);
    struct object *parent = find_kind(card, matcher, OBJECT_MATCHER);
    if (rc != 0 || parent == NULL) {
        return rc != 0 ? rc : -ENOENT;
    }
    struct rule *rule = calloc(1, sizeof *rule);
    if (rule == NULL) {
        return -ENOMEM;
    }
    rule->matcher = (struct matcher *)parent;
    for (size_t w = 0; w < KEY_WORDS; w++) {
        rule->value.word[w] = value->word[w] & rule->matcher->mask.word[w];
    }
    rc = collect_actions(card, rule, actions, count);
    if (rc == 0) {
        rc = link_rule(rule);
    }
    if (rc != 0) {
        free(rule);
        return rc;
    }
    parent->users++;
    for (size_t i = 0; i < count; i++) {
        rule->actions[i]->object.users++;
    }
    insert(card, &rule->object, id, OBJECT_RULE);
    return 0;
}

static void unlink_rule(struct rule *rule) {
    struct rule **at = &rule->matcher->rules[bucket_of(rule->matcher, &rule->value)];
    while (*at != rule && !rule_matches(rule->matcher, *at, &rule->value)) {
        at = &(*at)->next;
    }
    if (*at == rule && rule->equal_newer != NULL) {
        rule->equal_newer->next = rule->next;
        *at = rule->equal_newer;
    } else if (*at == rule) {
        *at = rule->next;
    } else {
        struct rule *older = *at;
        while (older->equal_newer != rule) {
            older = older->equal_newer;
        }
        older->equal_newer = rule->equal_newer;
    }
}

// ---- actions and counters -------------------------------------------------------------------

static struct counters *find_counters(const struct softcx *card, uint64_t id) {
    struct counters *counters = card->counters;
    while (counters != NULL && !(id >= counters->first && id - counters->first < counters->count)) {
        counters = counters->next;
    }
    return counters;
}

static int resolve(struct softcx *card, struct action *action) {
    if (action->kind == ACTION_COUNTER) {
        struct counters *counters = find_counters(card, action->value);
        if (counters == NULL) {
            return -ENOENT;
        }
        counters->users++;
        action->count = &card->counts[counters->slot + action->value - counters->first];
    } else if (action->kind == ACTION_TABLE) {
        action->table = (struct table *)find_kind(card, action->value, OBJECT_TABLE);
        if (action->table == NULL) {
            return -ENOENT;
        }
        action->table->object.users++;
    }
    return 0;
}

// An outer header is Ethernet, IPv6 and what follows that: an SRH whose next header is IP.
static int check_encap(const uint8_t *data, size_t size) {
    if (size < 14 + 40 || size > SOFTCX_REFORMAT_MAX) {
        return -EINVAL;
    }
    return data[12] == 0x86 && data[13] == 0xdd && data[14] >> 4 == 6 ? 0 : -EOPNOTSUPP;
}

static int fill_action(struct action *action, const uint8_t *data, size_t size) {
    int rc = action->kind == ACTION_ENCAP                 ? check_encap(data, size)
             : action->kind == ACTION_DECAP && size != 14 ? -EINVAL
                                                          : 0;
    if (rc == 0 && action->kind == ACTION_MODIFY) {
        rc = softcx_modify_decode(data, size, action->modify, &action->size);
    } else if (rc == 0 && (action->kind == ACTION_ENCAP || action->kind == ACTION_DECAP)) {
        memcpy(action->data, data, size);
        action->size = (uint16_t)size;
    }
    return rc;
}

int softcx_add_action(struct softcx *card, uint64_t id, enum softcx_action_kind kind,
                      uint64_t value, const uint8_t *data, size_t size) {
    int rc = check_new(card, id);
    if (rc != 0) {
        return rc;
    }
    struct action *action = calloc(1, sizeof *action);
    if (action == NULL) {
        return -ENOMEM;
    }
    action->kind = kind;
    action->value = value;
    rc = fill_action(action, data, size);
    if (rc == 0) {
        rc = resolve(card, action);
    }
    if (rc != 0) {
        free(action);
        return rc;
    }
    insert(card, &action->object, id, OBJECT_ACTION);
    return 0;
}

// The lowest gap that is wide enough; the list is in the order of slots.
static struct counters **find_gap(struct softcx *card, uint32_t count, uint32_t *slot) {
    struct counters **at = &card->counters;
    *slot = 0;
    while (*at != NULL && (*at)->slot - *slot < count) {
        *slot = (*at)->slot + (*at)->count;
        at = &(*at)->next;
    }
    return at;
}

int softcx_add_counters(struct softcx *card, uint32_t first, uint32_t count, uint32_t *slot) {
    uint32_t lowest = 0;
    struct counters **at = find_gap(card, count, &lowest);
    if (count == 0 || count > SOFTCX_COUNTERS_MAX - lowest) {
        return count == 0 ? -EINVAL : -ENOSPC;
    }
    for (const struct counters *c = card->counters; c != NULL; c = c->next) {
        if (first <= c->first ? c->first - first < count : first - c->first < c->count) {
            return -EEXIST;
        }
    }
    struct counters *counters = calloc(1, sizeof *counters);
    if (counters == NULL) {
        return -ENOMEM;
    }
    *counters = (struct counters){.next = *at, .first = first, .count = count, .slot = lowest};
    *at = counters;
    memset(&card->counts[lowest], 0, count * sizeof *card->counts);
    *slot = lowest;
    return 0;
}

int softcx_remove_counters(struct softcx *card, uint32_t first) {
    struct counters **at = &card->counters;
    while (*at != NULL && (*at)->first != first) {
        at = &(*at)->next;
    }
    struct counters *counters = *at;
    if (counters == NULL || counters->users > 0) {
        return counters == NULL ? -ENOENT : -EBUSY;
    }
    *at = counters->next;
    free(counters);
    return 0;
}

// ---- removal --------------------------------------------------------------------------------

static void release(struct softcx *card, struct object *object) {
    switch (object->kind) {
    case OBJECT_TABLE:
        break;
    case OBJECT_MATCHER: {
        struct matcher *matcher = (struct matcher *)object;
        unlink_matcher(card, matcher);
        matcher->table->object.users--;
        break;
    }
    case OBJECT_RULE: {
        struct rule *rule = (struct rule *)object;
        unlink_rule(rule);
        rule->matcher->object.users--;
        for (uint8_t i = 0; i < rule->action_count; i++) {
            rule->actions[i]->object.users--;
        }
        break;
    }
    case OBJECT_ACTION: {
        struct action *action = (struct action *)object;
        if (action->table != NULL) {
            action->table->object.users--;
        } else if (action->kind == ACTION_COUNTER) {
            find_counters(card, action->value)->users--;
        }
        break;
    }
    }
}

int softcx_remove(struct softcx *card, uint64_t id) {
    struct object **at = &card->objects[hash64(id) % OBJECT_BUCKETS];
    while (*at != NULL && (*at)->id != id) {
        at = &(*at)->next;
    }
    struct object *object = *at;
    if (object == NULL || object->users > 0) {
        return object == NULL ? -ENOENT : -EBUSY;
    }
    release(card, object);
    *at = object->next;
    card->object_count--;
    free(object);
    return 0;
}

void softcx_clear(struct softcx *card) {
    for (size_t b = 0; b < OBJECT_BUCKETS; b++) {
        while (card->objects[b] != NULL) {
            struct object *object = card->objects[b];
            card->objects[b] = object->next;
            free(object);
        }
    }
    card->object_count = 0;
    card->root.matchers = NULL;
    while (card->counters != NULL) {
        struct counters *counters = card->counters;
        card->counters = counters->next;
        free(counters);
    }
}

void softcx_destroy(struct softcx *card) {
    if (card != NULL) {
        softcx_clear(card);
        free(card);
    }
}

// ---- views ----------------------------------------------------------------------------------

static struct softcx_rule_view view_of(const struct rule *rule) {
    struct softcx_rule_view view = {
        .id = rule->object.id,
        .table = rule->matcher->table->object.id,
        .matcher = rule->matcher->object.id,
        .level = rule->matcher->table->level,
        .priority = rule->matcher->priority,
        .count = rule->count,
        .action_count = rule->action_count,
        .shadowed = softcx_find_rule(rule->matcher, &rule->value) != rule,
    };
    for (uint8_t i = 0; i < rule->action_count; i++) {
        view.actions[i] = (uint8_t)rule->actions[i]->kind;
    }
    return view;
}

void softcx_each_rule(const struct softcx *card, softcx_rule_fn *each, void *context) {
    for (size_t b = 0; b < OBJECT_BUCKETS; b++) {
        for (const struct object *o = card->objects[b]; o != NULL; o = o->next) {
            if (o->kind == OBJECT_RULE) {
                struct softcx_rule_view view = view_of((const struct rule *)o);
                each(context, &view);
            }
        }
    }
}

void softcx_each_counter(const struct softcx *card, softcx_counter_fn *each, void *context) {
    for (const struct counters *c = card->counters; c != NULL; c = c->next) {
        for (uint32_t i = 0; i < c->count; i++) {
            each(context, c->first + i, &card->counts[c->slot + i]);
        }
    }
}

uint32_t softcx_object_count(const struct softcx *card) {
    return card->object_count;
}
