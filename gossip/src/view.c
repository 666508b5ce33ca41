// SPDX-License-Identifier: Apache-2.0
// What is known, for the consumer.
#include "core.h"

#include <stdlib.h>
#include <string.h>

uint32_t gossip_neighbour_generation(const struct gossip *gossip) {
    return gossip->peer_generation;
}

uint32_t gossip_neighbours(const struct gossip *gossip, const char **addresses, uint32_t max) {
    uint32_t count = gossip->peer_count < max ? gossip->peer_count : max;
    for (uint32_t i = 0; i < count; i++) {
        addresses[i] = gossip->peers[i].address;
    }
    for (uint32_t i = 0; i < gossip->partner_count && count < max; i++) {
        const char *address = gossip->partners[i].address;
        bool known = false;
        for (uint32_t k = 0; k < gossip->peer_count && !known; k++) {
            known = strcmp(gossip->peers[k].address, address) == 0;
        }
        if (!known) {
            addresses[count++] = address;
        }
    }
    return count;
}

uint32_t gossip_member_count(const struct gossip *gossip) {
    return members_count(gossip);
}

// The origin of that name and who holds it: we, or our base.
static const struct origin *known(const struct gossip *gossip, const char *name,
                                  const struct gossip **holder) {
    const struct origin *own = origin_find_own(gossip, name);
    *holder = own != NULL ? gossip : gossip->config.base;
    return own != NULL ? own : base_find(gossip, name);
}

static void describe(const struct gossip *gossip, const struct gossip *holder,
                     const struct origin *origin, struct gossip_member *out) {
    const struct peer *peer = overlay_peer_of(gossip, origin);
    *out = (struct gossip_member){
        .name = origin->name,
        .address = origin->address,
        .rack = origin->rack,
        .state = origin->state,
        .incarnation = origin->life.incarnation,
        .nonce = origin->life.nonce,
        .max_seq = origin->complete,
        .self = origin == gossip->self,
        .neighbour = peer != NULL && peer->linger_until_ns == 0,
        .heard_at_ns = holder == gossip ? origin->heard_at_ns : 0,
        .protocol_min = origin->protocol_min,
        .protocol_max = origin->protocol_max,
    };
}

bool gossip_member_at(const struct gossip *gossip, uint32_t index, struct gossip_member *out) {
    if (index >= members_count(gossip)) {
        return false;
    }
    const struct gossip *holder;
    const struct origin *origin = members_at(gossip, index, &holder);
    describe(gossip, holder, origin, out);
    return true;
}

bool gossip_find_member(const struct gossip *gossip, const char *name, struct gossip_member *out) {
    const struct gossip *holder;
    const struct origin *origin = known(gossip, name, &holder);
    if (origin == NULL || !origin->member) {
        return false;
    }
    describe(gossip, holder, origin, out);
    return true;
}

const void *gossip_find(const struct gossip *gossip, const char *name, enum gossip_table table,
                        const char *key, size_t *size) {
    const struct gossip *holder;
    const struct origin *origin = known(gossip, name, &holder);
    const struct record *record =
        origin == NULL ? NULL : store_find(holder, origin, table, key, strlen(key));
    if (record == NULL || record->value == NULL) {
        return NULL;
    }
    *size = record->value_size;
    return record->value;
}

static int compare_records(const void *a, const void *b) {
    const struct record *left = *(struct record *const *)a;
    const struct record *right = *(struct record *const *)b;
    if (left->table != right->table) {
        return left->table < right->table ? -1 : 1;
    }
    return strcmp(left->key, right->key);
}

static void sort_records(struct origin *origin) {
    if (origin->order_dirty) {
        qsort(origin->records, origin->record_count, sizeof(struct record *), compare_records);
        for (uint32_t i = 0; i < origin->record_count; i++) {
            origin->records[i]->place = i;
        }
        origin->order_dirty = false;
    }
}

static uint32_t first_of_table(const struct origin *origin, enum gossip_table table) {
    uint32_t low = 0;
    uint32_t high = origin->record_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (origin->records[middle]->table < table) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static void each_in_order(const struct origin *origin, enum gossip_table table,
                          gossip_record_fn *each, void *context) {
    for (uint32_t k = first_of_table(origin, table);
         k < origin->record_count && origin->records[k]->table == table; k++) {
        const struct record *record = origin->records[k];
        if (record->value != NULL) {
            each(context, origin->name, record->key, record->value, record->value_size);
        }
    }
}

// The table's live record whose key is the next after `key` (NULL: the first).
static const struct record *next_by_key(const struct origin *origin, enum gossip_table table,
                                        const char *key) {
    const struct record *next = NULL;
    for (uint32_t i = 0; i < origin->record_count; i++) {
        const struct record *record = origin->records[i];
        if (record->table == table && record->value != NULL &&
            (key == NULL || strcmp(record->key, key) > 0) &&
            (next == NULL || strcmp(record->key, next->key) < 0)) {
            next = record;
        }
    }
    return next;
}

// The base is not ours to sort.
static void each_of_shared(const struct origin *origin, enum gossip_table table,
                           gossip_record_fn *each, void *context) {
    if (!origin->order_dirty) {
        each_in_order(origin, table, each, context);
        return;
    }
    for (const struct record *record = next_by_key(origin, table, NULL); record != NULL;
         record = next_by_key(origin, table, record->key)) {
        each(context, origin->name, record->key, record->value, record->value_size);
    }
}

void gossip_each(const struct gossip *gossip, enum gossip_table table, gossip_record_fn *each,
                 void *context) {
    uint32_t count = members_count(gossip);
    for (uint32_t i = 0, own = 0; i < count; i++) {
        const struct gossip *holder;
        const struct origin *origin = members_at(gossip, i, &holder);
        if (holder != gossip) {
            each_of_shared(origin, table, each, context);
            continue;
        }
        struct origin *held = gossip->members[own++];
        if (member_is_live(held)) {
            sort_records(held);
            each_in_order(held, table, each, context);
        }
    }
}

void gossip_stats(const struct gossip *gossip, struct gossip_stats *out) {
    *out = gossip->stats;
}

uint32_t gossip_protocol_version(const struct gossip *gossip) {
    return members_version(gossip);
}
