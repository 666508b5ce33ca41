// SPDX-License-Identifier: Apache-2.0
// Names, hashed; and the digest: one XOR sum per bucket of names over (name, life, complete).
#include "core.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ORIGIN_HASH_MIN 64
#define RECORD_HASH_MIN 256

int store_init(struct gossip *gossip) {
    gossip->origin_mask = ORIGIN_HASH_MIN - 1;
    gossip->record_mask = RECORD_HASH_MIN - 1;
    gossip->origin_hash = calloc(ORIGIN_HASH_MIN, sizeof *gossip->origin_hash);
    gossip->record_hash = calloc(RECORD_HASH_MIN, sizeof *gossip->record_hash);
    return gossip->origin_hash == NULL || gossip->record_hash == NULL ? -ENOMEM : 0;
}

static void free_origin(struct origin *origin) {
    for (uint32_t i = 0; i < origin->record_count; i++) {
        free(origin->records[i]->value);
        free(origin->records[i]);
    }
    free(origin->records);
    free(origin->voters);
    free(origin);
}

bool origins_append(struct origin ***list, uint32_t *count, uint32_t *capacity,
                    struct origin *origin) {
    if (*count == *capacity) {
        uint32_t larger = *capacity == 0 ? 16 : 2 * *capacity;
        struct origin **grown = realloc(*list, larger * sizeof(struct origin *));
        if (grown == NULL) {
            return false;
        }
        *list = grown;
        *capacity = larger;
    }
    (*list)[(*count)++] = origin;
    return true;
}

void store_fini(struct gossip *gossip) {
    // Changes that nobody took may refer to records that are gone; those have no other owner.
    for (struct change *change = gossip->change_first; change != NULL;) {
        struct change *next = change->next;
        if (change->record != NULL && change->record->gone) {
            change->record->hash_next = gossip->graveyard;
            gossip->graveyard = change->record;
        }
        change->queued = false;
        change = next;
    }
    gossip->change_first = gossip->change_last = NULL;
    store_bury(gossip);
    for (uint32_t i = 0; gossip->origin_hash != NULL && i <= gossip->origin_mask; i++) {
        while (gossip->origin_hash[i] != NULL) {
            struct origin *origin = gossip->origin_hash[i];
            gossip->origin_hash[i] = origin->hash_next;
            free_origin(origin);
        }
    }
    free(gossip->origin_hash);
    free(gossip->record_hash);
}

// Names on the wire are chosen by others: the hash is seeded, so that they cannot choose
// collisions.
static uint64_t name_hash(const struct gossip *gossip, const char *name) {
    return hash_bytes(name, strlen(name), gossip->hash_seed);
}

struct origin *origin_find_own(const struct gossip *gossip, const char *name) {
    uint64_t hash = name_hash(gossip, name);
    struct origin *origin = gossip->origin_hash[hash & gossip->origin_mask];
    while (origin != NULL && (origin->hash != hash || strcmp(origin->name, name) != 0)) {
        origin = origin->hash_next;
    }
    return origin;
}

struct origin *origin_find(struct gossip *gossip, const char *name) {
    struct origin *origin = origin_find_own(gossip, name);
    const struct origin *shared = origin == NULL ? base_find(gossip, name) : NULL;
    return shared != NULL ? base_take(gossip, shared) : origin;
}

const struct origin *origin_known(const struct gossip *gossip, const char *name) {
    const struct origin *own = origin_find_own(gossip, name);
    return own != NULL ? own : base_find(gossip, name);
}

static void grow_hash(struct gossip *gossip) {
    uint32_t size = 2 * (gossip->origin_mask + 1);
    struct origin **grown = calloc(size, sizeof *grown);
    if (grown == NULL) {
        return; // longer chains, nothing worse
    }
    for (uint32_t i = 0; i <= gossip->origin_mask; i++) {
        while (gossip->origin_hash[i] != NULL) {
            struct origin *origin = gossip->origin_hash[i];
            gossip->origin_hash[i] = origin->hash_next;
            origin->hash_next = grown[origin->hash & (size - 1)];
            grown[origin->hash & (size - 1)] = origin;
        }
    }
    free(gossip->origin_hash);
    gossip->origin_hash = grown;
    gossip->origin_mask = size - 1;
}

void origin_insert(struct gossip *gossip, struct origin *origin) {
    if (gossip->origin_count > gossip->origin_mask) {
        grow_hash(gossip);
    }
    uint32_t slot = (uint32_t)origin->hash & gossip->origin_mask;
    origin->hash_next = gossip->origin_hash[slot];
    gossip->origin_hash[slot] = origin;
    origin->number = gossip->next_number++;
    gossip->origin_count++;
}

static bool is_full(const struct gossip *gossip) {
    // What is shared are members; what is not, is counted here.
    return gossip->origin_count - gossip->member_count + members_count(gossip) >=
           GOSSIP_MEMBERS_MAX;
}

struct origin *origin_intern(struct gossip *gossip, const char *name) {
    struct origin *origin = origin_find(gossip, name);
    if (origin != NULL || base_find(gossip, name) != NULL || is_full(gossip)) {
        return origin;
    }
    origin = calloc(1, sizeof *origin);
    if (origin == NULL) {
        return NULL;
    }
    memcpy(origin->name, name, strlen(name) + 1);
    origin->hash = name_hash(gossip, name);
    origin->rate_at_ns = gossip->now_ns;
    origin->rate_tokens = RATE_BURST;
    origin->state_change = (struct change){.kind = GOSSIP_MEMBER_STATE, .origin = origin};
    origin->duplicate_change = (struct change){.kind = GOSSIP_ALARM_DUPLICATE, .origin = origin};
    origin->forged_change = (struct change){.kind = GOSSIP_ALARM_FORGED, .origin = origin};
    origin->version_change = (struct change){.kind = GOSSIP_ALARM_VERSION, .origin = origin};
    overlay_keys(gossip, origin);
    origin_insert(gossip, origin);
    return origin;
}

uint32_t origin_bucket(const char *name) {
    // Not the seeded hash: all members must agree on the buckets.
    return (uint32_t)hash_bytes(name, strlen(name), 0) % DIGEST_BUCKETS;
}

static void list_in_bucket(struct gossip *gossip, struct origin *origin, uint32_t bucket,
                           bool listed) {
    if (listed && !origin->listed) {
        origin->bucket_prev = NULL;
        origin->bucket_next = gossip->buckets[bucket];
        if (origin->bucket_next != NULL) {
            origin->bucket_next->bucket_prev = origin;
        }
        gossip->buckets[bucket] = origin;
    } else if (!listed && origin->listed) {
        if (origin->bucket_next != NULL) {
            origin->bucket_next->bucket_prev = origin->bucket_prev;
        }
        if (origin->bucket_prev != NULL) {
            origin->bucket_prev->bucket_next = origin->bucket_next;
        } else {
            gossip->buckets[bucket] = origin->bucket_next;
        }
    }
    origin->listed = listed;
}

void origin_update_digest(struct gossip *gossip, struct origin *origin) {
    uint32_t bucket = origin_bucket(origin->name);
    uint64_t name = hash_bytes(origin->name, strlen(origin->name), 1);
    uint64_t life = (uint64_t)origin->life.incarnation << 32 | origin->life.nonce;
    bool listed = origin->life.incarnation > 0 && !origin->quarantined;
    uint64_t term = listed ? hash_pair(hash_pair(name, life), origin->complete) : 0;
    gossip->digest[bucket] ^= origin->digest_term ^ term;
    origin->digest_term = term;
    list_in_bucket(gossip, origin, bucket, listed);
}

void origin_forget(struct gossip *gossip, struct origin *origin) {
    bool needed = origin == gossip->self || origin->member || origin->record_count > 0 ||
                  origin->voter_count > 0 || origin->voted || origin->summary_due ||
                  origin->want_due || origin->state_change.queued ||
                  origin->duplicate_change.queued || origin->forged_change.queued ||
                  origin->version_change.queued || overlay_peer_of(gossip, origin) != NULL;
    if (needed) {
        return;
    }
    origin->quarantined = true;
    origin_update_digest(gossip, origin);
    struct origin **link = &gossip->origin_hash[origin->hash & gossip->origin_mask];
    while (*link != origin) {
        link = &(*link)->hash_next;
    }
    *link = origin->hash_next;
    gossip->origin_count--;
    free_origin(origin);
}
