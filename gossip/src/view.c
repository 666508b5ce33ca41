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
    return count;
}

uint32_t gossip_member_count(const struct gossip *gossip) {
    return gossip->member_count;
}

static void describe(const struct gossip *gossip, const struct origin *origin,
                     struct gossip_member *out) {
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
        .heard_at_ns = origin->heard_at_ns,
    };
}

bool gossip_member_at(const struct gossip *gossip, uint32_t index, struct gossip_member *out) {
    if (index >= gossip->member_count) {
        return false;
    }
    describe(gossip, gossip->members[index], out);
    return true;
}

bool gossip_find_member(const struct gossip *gossip, const char *name, struct gossip_member *out) {
    const struct origin *origin = origin_find(gossip, name);
    if (origin == NULL || !origin->member) {
        return false;
    }
    describe(gossip, origin, out);
    return true;
}

const void *gossip_find(const struct gossip *gossip, const char *name, enum gossip_table table,
                        const char *key, size_t *size) {
    const struct origin *origin = origin_find(gossip, name);
    const struct record *record =
        origin == NULL ? NULL : store_find(gossip, origin, table, key, strlen(key));
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

void gossip_each(const struct gossip *gossip, enum gossip_table table, gossip_record_fn *each,
                 void *context) {
    for (uint32_t i = 0; i < gossip->member_count; i++) {
        struct origin *origin = gossip->members[i];
        if (!member_is_live(origin)) {
            continue;
        }
        sort_records(origin);
        for (uint32_t k = first_of_table(origin, table);
             k < origin->record_count && origin->records[k]->table == table; k++) {
            const struct record *record = origin->records[k];
            if (record->value != NULL) {
                each(context, origin->name, record->key, record->value, record->value_size);
            }
        }
    }
}

void gossip_stats(const struct gossip *gossip, struct gossip_stats *out) {
    *out = gossip->stats;
}

bool gossip_joined(const struct gossip *gossip) {
    return gossip->phase != OWN_LISTENING && (gossip->answered || gossip->seed_count == 0);
}
