// SPDX-License-Identifier: Apache-2.0
// The own origin. It is written at once, but told to others only while we hold a life:
//
//   LISTENING --heard a neighbour, or listen_ns--> ACTIVE --leave--> LEFT
//                                                  |    ^ outbid whoever proves a life of our name
//                                                  v    |
//                                                  MUTED  another live host has our name and the
//                                                         higher nonce; back when it was dead, or
//                                                         had left, for RIVAL_GONE_NS
//
// A claim takes an incarnation above all that was proved of our name and publishes every own record
// anew under it. What others merely say of our name makes us ask them for the proof.
//
// Writes are told, and the state that they lead to is signed, once for all that came together
// (push_own).
#include "core.h"

#include <errno.h>
#include <string.h>

int own_write_self(struct gossip *gossip, bool left) {
    uint8_t value[GOSSIP_ADDRESS_SIZE + NAME_SIZE + 32];
    struct mp_writer writer;
    mp_write_fixed(&writer, value, sizeof value);
    mp_write_array(&writer, 5);
    mp_write_str(&writer, gossip->config.address, strlen(gossip->config.address));
    mp_write_str(&writer, gossip->config.rack, strlen(gossip->config.rack));
    mp_write_bool(&writer, left);
    mp_write_uint(&writer, GOSSIP_PROTOCOL_MIN);
    mp_write_uint(&writer, gossip->config.protocol_max);
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
    if (gossip->heard_self.incarnation < gossip->config.last_incarnation) {
        gossip->heard_self = (struct life){gossip->config.last_incarnation, 0};
    }
    own_set_signing(gossip, gossip->config.signing);
    if (gossip->self->life.incarnation > 0) {
        resume(gossip);
    }
    return own_write_self(gossip, false);
}

// The next write. Others learn that there was one, though no record may bear the seq.
static void count_write(struct gossip *gossip) {
    gossip->self->complete = ++gossip->next_seq;
    origin_update_digest(gossip, gossip->self);
    repair_mark(gossip, gossip->self);
}

// Collecting is a write of its own, since the state is another one without these tombstones. Others
// may still hold what a tombstone deleted: below the floor they start anew.
static void collect_before(struct gossip *gossip, uint64_t before_ns) {
    struct origin *self = gossip->self;
    for (struct record *record = self->first; record != NULL && self->tombstone_count > 0;) {
        struct record *next = record->next;
        if (record->value == NULL && record->at_ns <= before_ns) {
            self->floor = record->seq;
            store_remove(gossip, record);
        }
        record = next;
    }
    count_write(gossip);
}

static const struct record *oldest_tombstone(const struct origin *origin) {
    const struct record *record = origin->tombstone_count > 0 ? origin->first : NULL;
    while (record != NULL && record->value != NULL) {
        record = record->next;
    }
    return record;
}

void own_collect(struct gossip *gossip, uint64_t age_ns) {
    const struct record *oldest = oldest_tombstone(gossip->self);
    if (oldest != NULL && gossip->now_ns - oldest->at_ns >= age_ns) {
        // Some that are almost as old go with it, so that there are few such writes.
        collect_before(gossip, gossip->now_ns - age_ns + age_ns / 10);
    }
}

static int set(struct gossip *gossip, struct wire_record *record) {
    int error = store_set(gossip, gossip->self, record, 0);
    if (error == -ENOSPC && gossip->self->tombstone_count > 0) {
        push_own(gossip); // what is collected must have been told
        collect_before(gossip, gossip->now_ns);
        record->seq = gossip->next_seq + 1;
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
        count_write(gossip);
    }
    return error;
}

void own_seal(struct gossip *gossip) {
    struct origin *self = gossip->self;
    struct next_state now = {self, UINT64_MAX, self->floor, NO_MARK, NULL, 0};
    struct wire_part part = {.life = self->life, .floor = self->floor, .to = self->complete};
    uint8_t hash[HASH_SIZE];
    memcpy(part.origin, self->name, sizeof part.origin);
    state_hash(&now, hash);
    self->proof_size = state_prove(gossip->config.signing, &part, hash, self->proof);
}

// The secret key ends with the public one.
static bool take_own_key(struct gossip *gossip, const struct gossip_signing *signing) {
    uint8_t key[GOSSIP_PUBLIC_KEY_SIZE] = {0};
    if (signing != NULL) {
        memcpy(key, signing->secret_key + sizeof signing->secret_key - sizeof key, sizeof key);
    }
    bool changed = memcmp(key, gossip->own_key, sizeof key) != 0;
    memcpy(gossip->own_key, key, sizeof key);
    return changed;
}

void own_set_signing(struct gossip *gossip, const struct gossip_signing *signing) {
    bool told = gossip->phase == OWN_ACTIVE || gossip->phase == OWN_LEFT;
    gossip->config.signing = signing;
    if (take_own_key(gossip, signing) && told) {
        count_write(gossip); // the same records, but a proof that others must come to hold
    }
}

static void renumber(struct gossip *gossip) {
    struct origin *self = gossip->self;
    uint64_t seq = 0;
    for (struct record *record = self->first; record != NULL;) {
        struct record *next = record->next;
        if (record->value == NULL) {
            store_remove(gossip, record);
        } else {
            store_renumber(record, ++seq);
        }
        record = next;
    }
    gossip->next_seq = self->complete = seq;
    gossip->pushed_seq = self->floor = 0;
}

static void mute(struct gossip *gossip) {
    struct origin *self = gossip->self;
    self->life.incarnation = 0; // told to nobody any more
    gossip->phase = OWN_MUTED;
    gossip->rival_gone_at_ns = 0;
    gossip->overlay_dirty = true;
    origin_update_digest(gossip, self);
}

void own_claim(struct gossip *gossip) {
    struct origin *self = gossip->self;
    uint32_t above = gossip->heard_self.incarnation > self->life.incarnation
                         ? gossip->heard_self.incarnation
                         : self->life.incarnation;
    if (above >= INCARNATION_MAX) { // somebody with our key brought us there: nothing beyond it
        change_add(gossip, &self->duplicate_change);
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
    crowd_tell(gossip);
}

// ---- others of our name

static void tell_pair(struct gossip *gossip, const char *key, uint32_t first, uint32_t second) {
    uint8_t value[16];
    struct mp_writer writer;
    mp_write_fixed(&writer, value, sizeof value);
    mp_write_array(&writer, 2);
    mp_write_uint(&writer, first);
    mp_write_uint(&writer, second);
    (void)own_set(gossip, GOSSIP_TABLE_CORE, key, value, writer.size);
}

static void outbid(struct gossip *gossip, struct life life, bool outbids_us) {
    // Lives of our earlier processes come up one after the other, as partitions heal. But none of
    // them can have outbid this one: who has is a second live host of our name. Both say so, then
    // the lower nonce falls silent.
    uint32_t own = gossip->config.nonce;
    if (outbids_us) {
        if (gossip->proved_duplicate && life.nonce > own) {
            mute(gossip);
            return;
        }
        gossip->proved_duplicate = true;
        tell_pair(gossip, CORE_DUPLICATE, own < life.nonce ? own : life.nonce,
                  own < life.nonce ? life.nonce : own);
    }
    tell_pair(gossip, CORE_OUTBID, life.incarnation, life.nonce);
    own_claim(gossip);
}

void own_hearsay(struct gossip *gossip, struct life life, uint64_t complete, const char *address) {
    int order = life_compare(life, gossip->heard_self);
    bool muted = gossip->phase == OWN_MUTED;
    if (order > 0 || (order == 0 && muted && complete > gossip->rival_complete)) {
        gossip->hearsay_self = life;
        repair_want(gossip, gossip->self, address);
    }
}

void own_proved(struct gossip *gossip, const struct wire_part *part, struct rival rival) {
    if (part->life.incarnation >= INCARNATION_MAX) {
        // No honest life gets there, and it cannot be outbid. Whoever believes it will find it
        // dead; we go on for those who do not.
        change_add(gossip, &gossip->self->duplicate_change);
        return;
    }
    gossip->heard_self = part->life;
    gossip->rival_complete = part->to;
    gossip->rival_left = rival.left;
    if (gossip->phase == OWN_ACTIVE && life_compare(part->life, gossip->self->life) > 0) {
        outbid(gossip, part->life,
               rival.outbid.incarnation > 0 && rival.outbid.nonce == gossip->config.nonce);
    }
}

// ---- time

// A muted host takes its name back when the other one is gone, and forgets that there were two.
static void watch_rival(struct gossip *gossip) {
    if (!gossip->rival_left && !members_hold_dead(gossip, gossip->heard_self)) {
        gossip->rival_gone_at_ns = 0;
    } else if (gossip->rival_gone_at_ns == 0) {
        gossip->rival_gone_at_ns = gossip->now_ns;
    } else if (gossip->now_ns - gossip->rival_gone_at_ns >= RIVAL_GONE_NS) {
        gossip->proved_duplicate = false;
        (void)own_set(gossip, GOSSIP_TABLE_CORE, CORE_DUPLICATE, NULL, 0);
        own_claim(gossip);
    }
}

void own_tick(struct gossip *gossip) {
    if (gossip->phase == OWN_MUTED) {
        watch_rival(gossip);
    }
    if (gossip->phase != OWN_LISTENING) {
        return;
    }
    // Whoever named a life of ours has been asked to prove it.
    bool waits = life_compare(gossip->hearsay_self, gossip->heard_self) > 0;
    if ((gossip->answered && !waits) || gossip->now_ns >= gossip->listen_until_ns) {
        own_claim(gossip);
    }
}
