// SPDX-License-Identifier: Apache-2.0
// The rule of merging. A replica of an origin is (life, complete, floor, records, proof): exactly
// what the owner had written when it had written `complete`, as its proof says. A part of it
//
//   * is nothing new when its life is earlier or it ends where we are;
//   * is a gap when it begins beyond where we are, or when tombstones were collected (floor) that
//   we
//     never saw: then only the whole state (from 0) helps. So is a later life that does not begin
//     at 0;
//   * else is put in the place of all that we hold beyond its `from`, on trial: only if the state
//     that results is the one that the owner signed, it is done, at once and whole. Records of an
//     earlier life stay until then, so that a refutation does not make facts blink.
//
// Since nothing is passed on that was not merged, who sends us parts that are not proved is broken
// or lies. What it sends costs us a hash and a signature each time, so it gets few tries a second.
#include "core.h"

#include <stdlib.h>
#include <string.h>

enum merge_result merge_look(const struct origin *origin, const struct wire_part *part) {
    int order = origin->life.incarnation == 0 ? 1 : life_compare(part->life, origin->life);
    if (order < 0 || (order == 0 && origin->quarantined)) {
        return MERGE_STALE;
    }
    if (order == 0 && part->to <= origin->complete) {
        return MERGE_DUPLICATE;
    }
    bool follows = order == 0 && part->from <= origin->complete && part->floor <= origin->complete;
    return part->from == 0 || follows ? MERGE_NEW : MERGE_GAP;
}

// ---- those who pass on what is not proved

// How many failures count still.
static uint32_t failures(uint32_t count, uint64_t at_ns, uint64_t now_ns) {
    uint64_t forgotten = (now_ns - at_ns) / (NS_PER_S / FORGED_PER_S);
    return forgotten >= count ? 0 : count - (uint32_t)forgotten;
}

static struct origin *sending_member(struct gossip *gossip) {
    struct origin *sender =
        gossip->envelope == NULL ? NULL : origin_find(gossip, gossip->envelope->name);
    return sender != NULL && sender->member ? sender : NULL;
}

static bool is_worth_a_look(struct gossip *gossip) {
    const struct origin *sender = sending_member(gossip);
    return sender != NULL
               ? failures(sender->forged_count, sender->forged_at_ns, gossip->now_ns) < FORGED_BURST
               : failures(gossip->forged_count, gossip->forged_at_ns, gossip->now_ns) <
                     FORGED_BURST;
}

static void count_failure(uint32_t *count, uint64_t *at_ns, uint64_t now_ns) {
    uint32_t left = failures(*count, *at_ns, now_ns);
    // Part of the time towards the next one that is forgotten must not get lost.
    *at_ns = left == 0 ? now_ns : *at_ns + (*count - left) * (NS_PER_S / FORGED_PER_S);
    *count = left + 1;
}

static void blame_sender(struct gossip *gossip) {
    struct origin *sender = sending_member(gossip);
    if (sender == NULL) { // anybody may call himself anything: all strangers share one account
        count_failure(&gossip->forged_count, &gossip->forged_at_ns, gossip->now_ns);
        return;
    }
    count_failure(&sender->forged_count, &sender->forged_at_ns, gossip->now_ns);
    if (sender->forged_alarm_at_ns == 0 ||
        gossip->now_ns - sender->forged_alarm_at_ns >= FORGED_ALARM_NS) {
        sender->forged_alarm_at_ns = gossip->now_ns;
        change_add(gossip, &sender->forged_change);
    }
}

// ---- on trial

static bool reserve_drafts(struct gossip *gossip, uint32_t count) {
    if (count <= gossip->draft_capacity) {
        return true;
    }
    uint32_t capacity = 2 * count;
    struct draft *drafts = realloc(gossip->drafts, capacity * sizeof *drafts);
    gossip->drafts = drafts != NULL ? drafts : gossip->drafts;
    const struct draft **order =
        realloc((void *)gossip->draft_order, capacity * sizeof(struct draft *));
    gossip->draft_order = order != NULL ? order : gossip->draft_order;
    gossip->draft_capacity = drafts != NULL && order != NULL ? capacity : gossip->draft_capacity;
    return drafts != NULL && order != NULL;
}

static int compare_keys(const void *a, const void *b) {
    const struct wire_record *left = &(*(const struct draft *const *)a)->from;
    const struct wire_record *right = &(*(const struct draft *const *)b)->from;
    if (left->table != right->table) {
        return left->table < right->table ? -1 : 1;
    }
    if (left->key.size != right->key.size) {
        return left->key.size < right->key.size ? -1 : 1;
    }
    return memcmp(left->key.bytes, right->key.bytes, left->key.size);
}

static bool keys_are_distinct(struct gossip *gossip, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        gossip->draft_order[i] = &gossip->drafts[i];
    }
    qsort((void *)gossip->draft_order, count, sizeof(struct draft *), compare_keys);
    for (uint32_t i = 1; i < count; i++) {
        if (compare_keys(&gossip->draft_order[i - 1], &gossip->draft_order[i]) == 0) {
            return false;
        }
    }
    return true;
}

// Reads the part's records and marks those of ours that they overwrite.
static void read_drafts(struct gossip *gossip, const struct wire_part *part,
                        const struct next_state *next) {
    struct mp_reader reader = part->records;
    for (uint32_t i = 0; i < next->draft_count; i++) {
        struct draft *draft = &gossip->drafts[i];
        *draft = (struct draft){.value = NULL};
        wire_next_record(&reader, &draft->from);
        state_leaf(&draft->from, draft->leaf);
        if (next->origin != NULL) {
            draft->record = store_find(gossip, next->origin, draft->from.table,
                                       draft->from.key.bytes, draft->from.key.size);
        }
        if (draft->record != NULL) {
            draft->record->mark = next->mark;
        }
    }
}

static bool fits_quota(const struct next_state *next) {
    uint32_t count = next->draft_count;
    size_t bytes = 0;
    for (uint32_t i = 0; i < next->draft_count; i++) {
        bytes += next->drafts[i].from.key.size + (size_t)next->drafts[i].from.value_size;
    }
    const struct record *record = next->origin == NULL ? NULL : next->origin->first;
    for (; record != NULL && record->seq <= next->from; record = record->next) {
        count += state_keeps(next, record);
        bytes += state_keeps(next, record) ? record->key_size + (size_t)record->value_size : 0;
    }
    return count <= GOSSIP_ORIGIN_RECORDS_MAX && bytes <= GOSSIP_ORIGIN_BYTES_MAX;
}

// Makes the state that the part would lead to and checks it. False: counted.
static bool try_part(struct gossip *gossip, const struct origin *origin,
                     const struct wire_part *part, struct next_state *next) {
    if (!state_key_is_known(gossip->config.signing, part)) {
        gossip->stats.dropped_unknown_key++;
        return false;
    }
    if (!is_worth_a_look(gossip)) {
        gossip->stats.dropped_forged++;
        return false;
    }
    if (part->record_count > GOSSIP_ORIGIN_RECORDS_MAX ||
        !reserve_drafts(gossip, part->record_count)) {
        gossip->stats.dropped_quota++;
        return false;
    }
    *next = (struct next_state){origin,         part->from,     part->floor,
                                ++gossip->mark, gossip->drafts, part->record_count};
    read_drafts(gossip, part, next);
    if (!fits_quota(next)) {
        gossip->stats.dropped_quota++;
        return false;
    }
    uint8_t hash[HASH_SIZE];
    state_hash(next, hash);
    gossip->stats.states_verified++;
    if (!keys_are_distinct(gossip, part->record_count) ||
        !state_is_proved(gossip->config.signing, part, hash)) {
        gossip->stats.dropped_forged++;
        blame_sender(gossip);
        return false;
    }
    return true;
}

// ---- for good

static bool draft_all(struct gossip *gossip, struct origin *origin, uint32_t count) {
    int error = store_reserve(origin, count);
    for (uint32_t i = 0; i < count && error == 0; i++) {
        error = store_draft(gossip, origin, &gossip->drafts[i]);
        for (uint32_t k = 0; k < i && error != 0; k++) {
            store_discard(&gossip->drafts[k]);
        }
    }
    gossip->stats.dropped_quota += error != 0;
    return error == 0;
}

static void drop_others(struct gossip *gossip, struct origin *origin,
                        const struct next_state *next) {
    for (struct record *record = origin->first; record != NULL;) {
        struct record *following = record->next;
        if (record->mark != next->mark && !state_keeps(next, record)) {
            store_remove(gossip, record);
        }
        record = following;
    }
}

static void apply(struct gossip *gossip, struct origin *origin, const struct wire_part *part,
                  const struct next_state *next) {
    bool reborn = life_compare(part->life, origin->life) != 0;
    uint64_t had = reborn ? 0 : origin->complete;
    origin->life = part->life;
    origin->quarantined = false;
    if (reborn) {
        members_new_life(gossip, origin);
    }
    drop_others(gossip, origin, next);
    for (uint32_t i = 0; i < next->draft_count; i++) {
        struct draft *draft = &gossip->drafts[i];
        bool had_it = !reborn && draft->record != NULL &&
                      memcmp(draft->record->leaf, draft->leaf, HASH_SIZE) == 0;
        if (had_it) {
            store_discard(draft);
            store_move_last(draft->record);
        } else {
            store_apply(gossip, origin, draft, part->hop);
        }
        gossip->stats.records_applied += draft->from.seq > had;
        gossip->stats.records_duplicate += draft->from.seq <= had;
    }
}

enum merge_result merge_part(struct gossip *gossip, struct origin *origin,
                             const struct wire_part *part) {
    enum merge_result look = part->state.size > 0 ? MERGE_STALE : merge_look(origin, part);
    gossip->stats.records_duplicate += look == MERGE_DUPLICATE ? part->record_count : 0;
    gossip->stats.records_stale += look == MERGE_STALE ? part->record_count : 0;
    struct next_state next;
    if (look != MERGE_NEW) {
        return look;
    }
    if (!try_part(gossip, origin, part, &next) || !draft_all(gossip, origin, part->record_count)) {
        return MERGE_REFUSED;
    }
    apply(gossip, origin, part, &next);
    origin->news_at_ns = gossip->now_ns;
    origin->vain_count = 0;
    origin->complete = part->to;
    origin->floor = part->floor;
    origin->proof_size = (uint8_t)part->proof.size;
    memcpy(origin->proof, part->proof.bytes, part->proof.size);
    origin_update_digest(gossip, origin);
    return MERGE_NEW;
}

// ---- our own name

static const struct wire_record *core_record(const struct next_state *next, const char *key) {
    for (uint32_t i = 0; i < next->draft_count; i++) {
        const struct wire_record *record = &next->drafts[i].from;
        if (record->table == GOSSIP_TABLE_CORE && record->key.size == strlen(key) &&
            memcmp(record->key.bytes, key, record->key.size) == 0 && record->value != NULL) {
            return record;
        }
    }
    return NULL;
}

static struct rival read_rival(const struct next_state *next) {
    const struct wire_record *said = core_record(next, CORE_SELF);
    const struct wire_record *outbid = core_record(next, CORE_OUTBID);
    struct rival rival = {.left = false};
    struct core_self self;
    if (said != NULL && core_self_decode(said->value, said->value_size, &self)) {
        rival.left = self.left;
    }
    if (outbid != NULL) {
        (void)core_outbid_decode(outbid->value, outbid->value_size, &rival.outbid); // or nobody
    }
    return rival;
}

// Nobody has the records any more, but their hash.
static bool is_witness(struct gossip *gossip, const struct wire_part *part) {
    const struct gossip_signing *signing = gossip->config.signing;
    if (!state_key_is_known(signing, part)) {
        gossip->stats.dropped_unknown_key++;
        return false;
    }
    gossip->stats.states_verified++;
    if (!is_worth_a_look(gossip) ||
        !state_is_proved(signing, part, (const uint8_t *)part->state.bytes)) {
        gossip->stats.dropped_forged++;
        blame_sender(gossip);
        return false;
    }
    return true;
}

enum merge_result merge_own(struct gossip *gossip, const struct wire_part *part) {
    int order = life_compare(part->life, gossip->heard_self);
    bool more = order > 0 ||
                (order == 0 && gossip->phase == OWN_MUTED && part->to > gossip->rival_complete);
    if (!more) {
        return MERGE_STALE;
    }
    if (part->from != 0) {
        return MERGE_GAP;
    }
    struct next_state next = {.origin = NULL};
    bool proved =
        part->state.size > 0 ? is_witness(gossip, part) : try_part(gossip, NULL, part, &next);
    if (!proved) {
        return MERGE_REFUSED;
    }
    own_proved(gossip, part, read_rival(&next));
    return MERGE_NEW;
}

static void drop_records(struct gossip *gossip, struct origin *origin) {
    while (origin->record_count > 0) {
        store_remove(gossip, origin->records[origin->record_count - 1]);
    }
}

void merge_quarantine(struct gossip *gossip, struct origin *origin) {
    struct next_state whole = {origin, UINT64_MAX, origin->floor, NO_MARK, NULL, 0};
    state_hash(&whole, origin->witness);
    drop_records(gossip, origin);
    origin->quarantined = true;
    origin_update_digest(gossip, origin);
}

// ---- keys that are gone

// Whether it is likely to prove the same with another key.
static bool has_other_key(const struct gossip *gossip, const struct origin *origin) {
    const struct gossip_signing *signing = gossip->config.signing;
    return signing != NULL && origin->proof_size == SIGNED_PROOF_SIZE &&
           state_knows_host(signing, origin->name);
}

static bool is_believed(const struct gossip *gossip, const struct origin *origin) {
    struct wire_part part = {.proof = {(const char *)origin->proof, origin->proof_size}};
    memcpy(part.origin, origin->name, sizeof part.origin);
    return origin->life.incarnation == 0 || state_key_is_known(gossip->config.signing, &part);
}

// Not even its life counts any more: else whoever stole a key could keep its owner out for ever.
static void disown(struct gossip *gossip, struct origin *origin) {
    members_disown(gossip, origin);
    drop_records(gossip, origin);
    origin->life = origin->want_life = (struct life){0, 0};
    origin->complete = origin->floor = origin->want_complete = 0;
    origin->proof_size = 0;
    origin->quarantined = false;
    origin->address[0] = '\0'; // nobody looks for it there
    origin_update_digest(gossip, origin);
}

static void take_disbelieved(struct gossip *gossip, const struct gossip *base) {
    for (uint32_t i = 0; i <= base->origin_mask; i++) {
        const struct origin *from = base->origin_hash[i];
        for (; from != NULL; from = from->hash_next) {
            if (base_shares(gossip, from) && !is_believed(gossip, from)) {
                (void)base_take(gossip, from); // or memory is short: it stays what it is
            }
        }
    }
}

void merge_recheck(struct gossip *gossip, bool delayed) {
    if (gossip->config.base != NULL) {
        take_disbelieved(gossip, gossip->config.base);
    }
    for (uint32_t i = 0; i <= gossip->origin_mask; i++) {
        struct origin *origin = gossip->origin_hash[i];
        for (; origin != NULL; origin = origin->hash_next) {
            bool waits = !delayed && has_other_key(gossip, origin);
            origin->vain_count = 0;
            if (origin != gossip->self && !waits && !is_believed(gossip, origin)) {
                disown(gossip, origin);
            }
        }
    }
}

void merge_fini(struct gossip *gossip) {
    free(gossip->drafts);
    free((void *)gossip->draft_order);
}
