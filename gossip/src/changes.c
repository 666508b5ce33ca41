// SPDX-License-Identifier: Apache-2.0
// What the consumer has not taken yet. A record or member is queued at most once: the consumer sees
// its newest state, and the queue is as bounded as the store.
#include "core.h"

void change_add(struct gossip *gossip, struct change *change) {
    if (change->queued) {
        return;
    }
    change->queued = true;
    change->next = NULL;
    change->prev = gossip->change_last;
    *(gossip->change_last != NULL ? &gossip->change_last->next : &gossip->change_first) = change;
    gossip->change_last = change;
}

static struct change *pop(struct gossip *gossip) {
    struct change *change = gossip->change_first;
    if (change != NULL) {
        gossip->change_first = change->next;
        *(change->next != NULL ? &change->next->prev : &gossip->change_last) = NULL;
        change->prev = change->next = NULL;
        change->queued = false;
    }
    return change;
}

static void describe_record(struct gossip *gossip, struct record *record,
                            struct gossip_change *out) {
    out->table = record->table;
    out->key = record->key;
    out->value = record->value;
    out->size = record->value_size;
    out->hop_count = record->hop;
    if (record->gone) { // lives until the next event, like all that is given out
        record->hash_next = gossip->graveyard;
        gossip->graveyard = record;
    }
}

// Some changes have no news for the consumer: the core's own table, tables of newer versions.
static bool is_news(const struct change *change) {
    if (change->kind == GOSSIP_RECORD) {
        return change->record->table != GOSSIP_TABLE_CORE &&
               change->record->table < GOSSIP_TABLE_COUNT;
    }
    return true;
}

bool gossip_take_change(struct gossip *gossip, struct gossip_change *out) {
    store_bury(gossip);
    for (struct change *change = pop(gossip); change != NULL; change = pop(gossip)) {
        struct gossip_change told = {.kind = change->kind, .origin = change->origin->name};
        if (change->kind == GOSSIP_RECORD) {
            describe_record(gossip, change->record, &told);
        } else if (change->kind == GOSSIP_MEMBER_STATE) {
            told.state = change->origin->state;
        }
        if (is_news(change)) {
            *out = told;
            return true;
        }
    }
    return false;
}

bool gossip_has_change(const struct gossip *gossip) {
    return gossip->change_first != NULL;
}
