// SPDX-License-Identifier: Apache-2.0
// Records: one hash over all of them, and per origin a list by seq (deltas) and an array that is
// sorted by (table, key) when somebody asks (gossip_each).
#include "core.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static uint64_t record_hash(const struct gossip *gossip, const struct origin *origin,
                            enum gossip_table table, const char *key, size_t key_size) {
    return hash_bytes(key, key_size, hash_pair(origin->hash, gossip->hash_seed + table));
}

struct record *store_find(const struct gossip *gossip, const struct origin *origin,
                          enum gossip_table table, const char *key, size_t key_size) {
    uint64_t hash = record_hash(gossip, origin, table, key, key_size);
    struct record *record = gossip->record_hash[hash & gossip->record_mask];
    while (record != NULL &&
           (record->hash != hash || record->origin != origin || record->table != table ||
            record->key_size != key_size || memcmp(record->key, key, key_size) != 0)) {
        record = record->hash_next;
    }
    return record;
}

static void grow_hash(struct gossip *gossip) {
    uint32_t size = 2 * (gossip->record_mask + 1);
    struct record **grown = calloc(size, sizeof *grown);
    if (grown == NULL) {
        return; // longer chains, nothing worse
    }
    for (uint32_t i = 0; i <= gossip->record_mask; i++) {
        while (gossip->record_hash[i] != NULL) {
            struct record *record = gossip->record_hash[i];
            gossip->record_hash[i] = record->hash_next;
            record->hash_next = grown[record->hash & (size - 1)];
            grown[record->hash & (size - 1)] = record;
        }
    }
    free(gossip->record_hash);
    gossip->record_hash = grown;
    gossip->record_mask = size - 1;
}

static void link_last(struct record *record) {
    struct origin *origin = record->origin;
    record->prev = origin->last;
    record->next = NULL;
    *(origin->last != NULL ? &origin->last->next : &origin->first) = record;
    origin->last = record;
}

static void unlink_by_seq(struct record *record) {
    struct origin *origin = record->origin;
    *(record->next != NULL ? &record->next->prev : &origin->last) = record->prev;
    *(record->prev != NULL ? &record->prev->next : &origin->first) = record->next;
    record->prev = record->next = NULL;
}

void store_move_last(struct record *record) {
    unlink_by_seq(record);
    link_last(record);
}

void store_renumber(struct record *record, uint64_t seq) {
    struct wire_record now = {
        seq, record->table, {record->key, record->key_size}, record->value, record->value_size};
    record->seq = seq;
    state_leaf(&now, record->leaf);
}

struct record *store_after(const struct origin *origin, uint64_t seq) {
    struct record *first = NULL;
    for (struct record *record = origin->last; record != NULL && record->seq > seq;
         record = record->prev) {
        first = record;
    }
    return first;
}

uint32_t store_write(struct mp_writer *writer, const struct origin *origin, uint64_t from) {
    uint32_t count = 0;
    for (const struct record *record = store_after(origin, from); record != NULL;
         record = record->next) {
        struct wire_record out = {record->seq,
                                  record->table,
                                  {record->key, record->key_size},
                                  record->value,
                                  record->value_size};
        wire_write_record(writer, &out);
        count++;
    }
    return count;
}

// ---- setting

int store_reserve(struct origin *origin, uint32_t count) {
    uint32_t capacity = origin->record_capacity == 0 ? 8 : origin->record_capacity;
    while (capacity < origin->record_count + count) {
        capacity *= 2;
    }
    if (capacity != origin->record_capacity) {
        struct record **grown = realloc(origin->records, capacity * sizeof(struct record *));
        if (grown == NULL) {
            return -ENOMEM;
        }
        origin->records = grown;
        origin->record_capacity = capacity;
    }
    return 0;
}

static struct record *create(const struct gossip *gossip, struct origin *origin,
                             const struct wire_record *from) {
    struct record *record = calloc(1, sizeof *record + from->key.size + 1U);
    if (record == NULL) {
        return NULL;
    }
    record->origin = origin;
    record->table = from->table;
    record->key_size = (uint8_t)from->key.size;
    memcpy(record->key, from->key.bytes, from->key.size);
    record->hash = record_hash(gossip, origin, from->table, from->key.bytes, from->key.size);
    record->change = (struct change){.kind = GOSSIP_RECORD, .origin = origin, .record = record};
    return record;
}

static void enter(struct gossip *gossip, struct record *record) {
    struct origin *origin = record->origin;
    record->place = origin->record_count;
    origin->records[origin->record_count++] = record;
    origin->order_dirty = true;
    origin->bytes += record->key_size;
    origin->tombstone_count++; // until it has a value
    if (gossip->record_count > gossip->record_mask) {
        grow_hash(gossip);
    }
    uint32_t slot = (uint32_t)record->hash & gossip->record_mask;
    record->hash_next = gossip->record_hash[slot];
    gossip->record_hash[slot] = record;
    gossip->record_count++;
}

static bool fits_quota(const struct origin *origin, const struct draft *draft) {
    const struct record *old = draft->record;
    size_t bytes = origin->bytes + draft->from.value_size;
    bytes = old != NULL ? bytes - old->value_size : bytes + draft->from.key.size;
    bool full = old == NULL && origin->record_count >= GOSSIP_ORIGIN_RECORDS_MAX;
    return !full && bytes <= GOSSIP_ORIGIN_BYTES_MAX;
}

static bool same_value(const struct record *record, const struct wire_record *from) {
    if (record->value == NULL || from->value == NULL) {
        return record->value == NULL && from->value == NULL;
    }
    return record->value_size == from->value_size &&
           memcmp(record->value, from->value, from->value_size) == 0;
}

static void set_value(struct record *record, uint8_t *value, uint32_t size) {
    struct origin *origin = record->origin;
    origin->tombstone_count -= record->value == NULL;
    origin->tombstone_count += value == NULL;
    origin->bytes = origin->bytes - record->value_size + size;
    free(record->value);
    record->value = value;
    record->value_size = size;
}

int store_draft(struct gossip *gossip, struct origin *origin, struct draft *draft) {
    const struct wire_record *from = &draft->from;
    draft->fresh = draft->record == NULL ? create(gossip, origin, from) : NULL;
    draft->value = from->value == NULL ? NULL : malloc(from->value_size > 0 ? from->value_size : 1);
    bool failed = (draft->record == NULL && draft->fresh == NULL) ||
                  (from->value != NULL && draft->value == NULL);
    if (failed) {
        store_discard(draft);
        return -ENOMEM;
    }
    if (from->value_size > 0) {
        memcpy(draft->value, from->value, from->value_size);
    }
    return 0;
}

void store_discard(struct draft *draft) {
    free(draft->fresh);
    free(draft->value);
    draft->fresh = NULL;
    draft->value = NULL;
}

void store_apply(struct gossip *gossip, struct origin *origin, struct draft *draft, uint32_t hop) {
    struct record *record = draft->record != NULL ? draft->record : draft->fresh;
    bool changed = draft->fresh != NULL ? draft->value != NULL : !same_value(record, &draft->from);
    if (draft->fresh != NULL) {
        enter(gossip, record);
    } else {
        if (record->table == GOSSIP_TABLE_CORE) {
            members_record_unset(gossip, record);
        }
        unlink_by_seq(record);
    }
    set_value(record, draft->value, draft->from.value_size);
    memcpy(record->leaf, draft->leaf, sizeof record->leaf);
    record->seq = draft->from.seq;
    record->hop = hop;
    record->at_ns = gossip->now_ns;
    link_last(record);
    draft->fresh = NULL; // the store's now
    draft->value = NULL;
    if (changed && origin != gossip->self) {
        change_add(gossip, &record->change);
    }
    if (record->table == GOSSIP_TABLE_CORE) {
        members_record_set(gossip, record);
    }
}

int store_set(struct gossip *gossip, struct origin *origin, const struct wire_record *from,
              uint32_t hop) {
    struct draft draft = {.from = *from};
    draft.record = store_find(gossip, origin, from->table, from->key.bytes, from->key.size);
    if (!fits_quota(origin, &draft)) {
        return -ENOSPC;
    }
    state_leaf(from, draft.leaf);
    if (store_reserve(origin, 1) != 0 || store_draft(gossip, origin, &draft) != 0) {
        return -ENOMEM;
    }
    store_apply(gossip, origin, &draft, hop);
    return 0;
}

// ---- removing

static void unhash(struct gossip *gossip, struct record *record) {
    struct record **link = &gossip->record_hash[record->hash & gossip->record_mask];
    while (*link != record) {
        link = &(*link)->hash_next;
    }
    *link = record->hash_next;
    gossip->record_count--;
}

// The consumer hears of it when there was a value.
void store_remove(struct gossip *gossip, struct record *record) {
    struct origin *origin = record->origin;
    bool had_value = record->value != NULL;
    if (record->table == GOSSIP_TABLE_CORE) {
        members_record_unset(gossip, record);
    }
    unlink_by_seq(record);
    unhash(gossip, record);
    set_value(record, NULL, 0);
    origin->tombstone_count--;
    origin->bytes -= record->key_size;
    origin->records[record->place] = origin->records[--origin->record_count];
    origin->records[record->place]->place = record->place;
    origin->order_dirty = true;
    record->gone = true;
    if (had_value && origin != gossip->self) {
        change_add(gossip, &record->change);
    }
    if (!record->change.queued) {
        record->hash_next = gossip->graveyard;
        gossip->graveyard = record;
    }
}

static int copy_record(struct gossip *gossip, struct origin *origin, const struct record *from) {
    struct draft draft = {
        .from = {
            from->seq, from->table, {from->key, from->key_size}, from->value, from->value_size}};
    int error = store_draft(gossip, origin, &draft);
    if (error != 0) {
        return error;
    }
    struct record *record = draft.fresh;
    enter(gossip, record);
    set_value(record, draft.value, from->value_size);
    memcpy(record->leaf, from->leaf, sizeof record->leaf);
    record->seq = from->seq;
    record->hop = from->hop;
    record->at_ns = from->at_ns;
    link_last(record);
    return 0;
}

int store_copy_records(struct gossip *gossip, struct origin *origin, const struct origin *from) {
    origin->tombstone_count = 0;
    origin->bytes = 0;
    int error = store_reserve(origin, from->record_count);
    const struct record *record = from->first;
    for (; record != NULL && error == 0; record = record->next) {
        error = copy_record(gossip, origin, record);
    }
    return error;
}

void store_uncopy(struct gossip *gossip, struct origin *origin) {
    for (uint32_t i = 0; i < origin->record_count; i++) {
        unhash(gossip, origin->records[i]);
        free(origin->records[i]->value);
        free(origin->records[i]);
    }
    free(origin->records);
    origin->records = NULL;
    origin->record_count = 0;
}

void store_bury(struct gossip *gossip) {
    while (gossip->graveyard != NULL) {
        struct record *record = gossip->graveyard;
        gossip->graveyard = record->hash_next;
        free(record->value);
        free(record);
    }
}
