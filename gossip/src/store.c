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

static void link_by_seq(struct record *record) {
    struct origin *origin = record->origin;
    // At most WINDOW records lie beyond what is complete, so this walk is short.
    struct record *before = origin->last;
    while (before != NULL && before->seq > record->seq) {
        before = before->prev;
    }
    record->prev = before;
    record->next = before != NULL ? before->next : origin->first;
    *(record->next != NULL ? &record->next->prev : &origin->last) = record;
    *(before != NULL ? &before->next : &origin->first) = record;
}

static void unlink_by_seq(struct record *record) {
    struct origin *origin = record->origin;
    *(record->next != NULL ? &record->next->prev : &origin->last) = record->prev;
    *(record->prev != NULL ? &record->prev->next : &origin->first) = record->next;
    record->prev = record->next = NULL;
}

// Takes a record out of the seq order: it belongs to a state that is being replaced.
void store_leave_over(struct record *record) {
    if (!record->leftover) {
        unlink_by_seq(record);
        record->leftover = true;
        record->origin->leftover_count++;
    }
}

static int append_record(struct origin *origin, struct record *record) {
    if (origin->record_count == origin->record_capacity) {
        uint32_t capacity = origin->record_capacity == 0 ? 8 : 2 * origin->record_capacity;
        struct record **grown = realloc(origin->records, capacity * sizeof(struct record *));
        if (grown == NULL) {
            return -ENOMEM;
        }
        origin->records = grown;
        origin->record_capacity = capacity;
    }
    record->place = origin->record_count;
    origin->records[origin->record_count++] = record;
    origin->order_dirty = true;
    return 0;
}

static struct record *create(struct gossip *gossip, struct origin *origin,
                             const struct wire_record *from) {
    struct record *record = calloc(1, sizeof *record + from->key.size + 1U);
    if (record == NULL || append_record(origin, record) != 0) {
        free(record);
        return NULL;
    }
    record->origin = origin;
    record->table = from->table;
    record->key_size = (uint8_t)from->key.size;
    memcpy(record->key, from->key.bytes, from->key.size);
    record->hash = record_hash(gossip, origin, from->table, from->key.bytes, from->key.size);
    record->change = (struct change){.kind = GOSSIP_RECORD, .origin = origin, .record = record};
    if (gossip->record_count > gossip->record_mask) {
        grow_hash(gossip);
    }
    uint32_t slot = (uint32_t)record->hash & gossip->record_mask;
    record->hash_next = gossip->record_hash[slot];
    gossip->record_hash[slot] = record;
    gossip->record_count++;
    return record;
}

static int check_quota(const struct origin *origin, const struct record *old, uint32_t value_size) {
    size_t bytes = origin->bytes + value_size - (old != NULL ? old->value_size : 0);
    bool full = old == NULL && origin->record_count >= GOSSIP_ORIGIN_RECORDS_MAX;
    return full || bytes > ORIGIN_BYTES_MAX ? -ENOSPC : 0;
}

static bool same_value(const struct record *record, const struct wire_record *from) {
    if (record->value == NULL || from->value == NULL) {
        return record->value == NULL && from->value == NULL;
    }
    return record->value_size == from->value_size &&
           memcmp(record->value, from->value, from->value_size) == 0;
}

static void set_value(struct record *record, uint8_t *value, uint32_t size, bool existed) {
    struct origin *origin = record->origin;
    origin->tombstone_count -= existed && record->value == NULL;
    origin->tombstone_count += value == NULL;
    origin->bytes = origin->bytes - record->value_size + size;
    free(record->value);
    record->value = value;
    record->value_size = size;
}

static int copy_value(const struct wire_record *from, uint8_t **value) {
    *value = NULL;
    if (from->value != NULL) {
        *value = malloc(from->value_size > 0 ? from->value_size : 1);
        if (*value == NULL) {
            return -ENOMEM;
        }
        if (from->value_size > 0) {
            memcpy(*value, from->value, from->value_size);
        }
    }
    return 0;
}

int store_set(struct gossip *gossip, struct origin *origin, const struct wire_record *from,
              uint32_t hop) {
    struct record *record =
        store_find(gossip, origin, from->table, from->key.bytes, from->key.size);
    int error = check_quota(origin, record, from->value_size);
    uint8_t *value;
    if (error != 0 || (error = copy_value(from, &value)) != 0) {
        return error;
    }
    bool existed = record != NULL;
    if (!existed && (record = create(gossip, origin, from)) == NULL) {
        free(value);
        return -ENOMEM;
    }
    bool changed = existed ? !same_value(record, from) : value != NULL;
    if (existed && record->table == GOSSIP_TABLE_CORE) {
        members_record_unset(gossip, record);
    }
    if (existed && !record->leftover) {
        unlink_by_seq(record);
    }
    origin->leftover_count -= record->leftover;
    record->leftover = false;
    set_value(record, value, from->value_size, existed);
    record->seq = from->seq;
    record->hop = hop;
    record->at_ns = gossip->now_ns;
    link_by_seq(record);
    if (changed && origin != gossip->self) {
        change_add(gossip, &record->change);
    }
    if (record->table == GOSSIP_TABLE_CORE) {
        members_record_set(gossip, record);
    }
    return 0;
}

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
    if (!record->leftover) {
        unlink_by_seq(record);
    }
    origin->leftover_count -= record->leftover;
    unhash(gossip, record);
    set_value(record, NULL, 0, true);
    origin->tombstone_count--;
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
    struct wire_record head = {
        from->seq, from->table, {from->key, from->key_size}, from->value, from->value_size};
    uint8_t *value;
    if (copy_value(&head, &value) != 0) {
        return -ENOMEM;
    }
    struct record *record = create(gossip, origin, &head);
    if (record == NULL) {
        free(value);
        return -ENOMEM;
    }
    set_value(record, value, from->value_size, false);
    record->seq = from->seq;
    record->hop = from->hop;
    record->at_ns = from->at_ns;
    record->leftover = from->leftover;
    origin->leftover_count += from->leftover;
    if (!from->leftover) {
        link_by_seq(record);
    }
    return 0;
}

int store_copy_records(struct gossip *gossip, struct origin *origin, const struct origin *from) {
    origin->tombstone_count = origin->leftover_count = 0;
    origin->bytes = 0;
    for (uint32_t i = 0; i < from->record_count; i++) {
        if (from->records[i]->leftover && copy_record(gossip, origin, from->records[i]) != 0) {
            return -ENOMEM;
        }
    }
    for (const struct record *record = from->first; record != NULL; record = record->next) {
        if (copy_record(gossip, origin, record) != 0) {
            return -ENOMEM;
        }
    }
    return 0;
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
