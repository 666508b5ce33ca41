// SPDX-License-Identifier: Apache-2.0
// The own origin. It is written at once, but told to others only while we hold a life:
//
//   LISTENING --heard a neighbour, or listen_ns--> ACTIVE --leave--> LEFT
//                                                  |    ^ outbid whoever claims our name
//                                                  '--> MUTED  another live host has our name and
//                                                  the
//                                                              higher nonce; only a restart helps
//
// A claim takes an incarnation above all that was heard of our name and publishes every own record
// anew under it.
#include "core.h"

#include <errno.h>
#include <string.h>

int own_write_self(struct gossip *gossip, bool left) {
    uint8_t value[GOSSIP_ADDRESS_SIZE + NAME_SIZE + 16];
    struct mp_writer writer;
    mp_write_fixed(&writer, value, sizeof value);
    mp_write_array(&writer, 3);
    mp_write_str(&writer, gossip->config.address, strlen(gossip->config.address));
    mp_write_str(&writer, gossip->config.rack, strlen(gossip->config.rack));
    mp_write_bool(&writer, left);
    return own_set(gossip, GOSSIP_TABLE_CORE, CORE_SELF, value, writer.size);
}

// The base knows this very life: it goes on.
static void resume(struct gossip *gossip) {
    const struct origin *self = gossip->self;
    gossip->phase = OWN_ACTIVE;
    gossip->answered = true;
    gossip->claimed_at_ns = gossip->now_ns;
    gossip->heard_self = self->life;
    gossip->next_seq = gossip->pushed_seq = self->complete;
    overlay_refresh(gossip);
}

int own_init(struct gossip *gossip) {
    gossip->self = origin_intern(gossip, gossip->config.name);
    if (gossip->self == NULL) {
        return -ENOMEM;
    }
    gossip->phase = OWN_LISTENING;
    gossip->listen_until_ns = gossip->now_ns + gossip->config.listen_ns;
    gossip->lone_vote_ns = LONE_VOTE_NS;
    if (gossip->self->life.incarnation > 0) {
        resume(gossip);
    }
    return own_write_self(gossip, false);
}

void own_collect(struct gossip *gossip, uint64_t age_ns) {
    struct origin *self = gossip->self;
    for (struct record *record = self->first;
         record != NULL && self->tombstone_count > 0 && gossip->now_ns >= age_ns;) {
        struct record *next = record->next;
        if (record->value == NULL && record->at_ns <= gossip->now_ns - age_ns) {
            // Others may still hold what this tombstone deleted: below the floor they start anew.
            self->floor = record->seq > self->floor ? record->seq : self->floor;
            store_remove(gossip, record);
        }
        record = next;
    }
}

static int set(struct gossip *gossip, const struct wire_record *record) {
    int error = store_set(gossip, gossip->self, record, 0);
    if (error == -ENOSPC && gossip->self->tombstone_count > 0) {
        push_own(gossip); // what is collected must have been told
        own_collect(gossip, 0);
        error = store_set(gossip, gossip->self, record, 0);
    }
    return error;
}

static bool is_same(const struct record *record, const void *value, size_t size) {
    if (record == NULL || record->value == NULL || value == NULL) {
        return value == NULL && (record == NULL || record->value == NULL);
    }
    return record->value_size == size && memcmp(record->value, value, size) == 0;
}

int own_set(struct gossip *gossip, enum gossip_table table, const char *key, const void *value,
            size_t size) {
    struct mp_text text = {key, (uint32_t)strnlen(key, GOSSIP_KEY_MAX)};
    if ((unsigned)table >= GOSSIP_TABLE_COUNT || text.size == GOSSIP_KEY_MAX ||
        !mp_text_is_printable(text)) {
        return -EINVAL;
    }
    if (size > GOSSIP_VALUE_MAX) {
        return -EMSGSIZE;
    }
    const struct record *old = store_find(gossip, gossip->self, table, key, text.size);
    if (is_same(old, value, size)) {
        return 0;
    }
    struct wire_record record = {gossip->next_seq + 1, table, text, value, (uint32_t)size};
    int error = set(gossip, &record);
    if (error == 0) {
        gossip->next_seq++;
        gossip->self->complete = gossip->next_seq;
        origin_update_digest(gossip, gossip->self);
        repair_mark(gossip, gossip->self);
    }
    return error;
}

static void renumber(struct gossip *gossip) {
    struct origin *self = gossip->self;
    uint64_t seq = 0;
    for (struct record *record = self->first; record != NULL;) {
        struct record *next = record->next;
        if (record->value == NULL) {
            store_remove(gossip, record);
        } else {
            record->seq = ++seq;
        }
        record = next;
    }
    gossip->next_seq = self->complete = self->floor = seq;
    gossip->pushed_seq = 0;
}

static void mute(struct gossip *gossip) {
    struct origin *self = gossip->self;
    self->life.incarnation = 0; // told to nobody any more
    gossip->phase = OWN_MUTED;
    gossip->overlay_dirty = true;
    origin_update_digest(gossip, self);
}

void own_claim(struct gossip *gossip) {
    struct origin *self = gossip->self;
    uint32_t above = gossip->heard_self.incarnation > self->life.incarnation
                         ? gossip->heard_self.incarnation
                         : self->life.incarnation;
    if (above >= INCARNATION_MAX) { // no honest life gets there, and it cannot be outbid
        change_add(gossip, &self->duplicate_change);
        mute(gossip);
        return;
    }
    renumber(gossip);
    self->life = (struct life){above + 1, gossip->config.nonce};
    gossip->heard_self = self->life;
    gossip->phase = OWN_ACTIVE;
    gossip->claimed_at_ns = gossip->now_ns;
    gossip->overlay_dirty = true;
    origin_update_digest(gossip, self);
    repair_mark(gossip, self);
}

// ---- others of our name

static bool was_outbid(const struct gossip *gossip, uint32_t nonce) {
    for (uint32_t i = 0; i < gossip->outbid_count; i++) {
        if (gossip->outbid_nonces[i] == nonce) {
            return true;
        }
    }
    return false;
}

static void remember_outbid(struct gossip *gossip, uint32_t nonce) {
    if (gossip->outbid_count == OUTBID_MAX) {
        gossip->outbid_count--;
        memmove(gossip->outbid_nonces, gossip->outbid_nonces + 1,
                gossip->outbid_count * sizeof *gossip->outbid_nonces);
    }
    gossip->outbid_nonces[gossip->outbid_count++] = nonce;
}

static void tell_duplicate(struct gossip *gossip, uint32_t nonce) {
    uint32_t own = gossip->config.nonce;
    uint8_t value[16];
    struct mp_writer writer;
    mp_write_fixed(&writer, value, sizeof value);
    mp_write_array(&writer, 2);
    mp_write_uint(&writer, own < nonce ? own : nonce);
    mp_write_uint(&writer, own < nonce ? nonce : own);
    (void)own_set(gossip, GOSSIP_TABLE_CORE, CORE_DUPLICATE, value, writer.size);
}

void own_heard(struct gossip *gossip, struct life life) {
    if (life_compare(life, gossip->heard_self) > 0) {
        gossip->heard_self = life;
    }
    if (gossip->phase != OWN_ACTIVE || life_compare(life, gossip->self->life) <= 0) {
        return;
    }
    // Once outbid, a dead life cannot rise again: who does so is a second live host of our name.
    // Both say so, then the lower nonce falls silent.
    if (was_outbid(gossip, life.nonce)) {
        if (gossip->proved_duplicate && life.nonce > gossip->config.nonce) {
            mute(gossip);
            return;
        }
        gossip->proved_duplicate = true;
        tell_duplicate(gossip, life.nonce);
    } else {
        remember_outbid(gossip, life.nonce);
    }
    own_claim(gossip);
}

void own_tick(struct gossip *gossip) {
    if (gossip->phase == OWN_LISTENING &&
        (gossip->answered || gossip->now_ns >= gossip->listen_until_ns)) {
        own_claim(gossip);
    }
}
