// SPDX-License-Identifier: Apache-2.0
// The directory of members and their liveness. Nothing here is a fact of its own: who exists is
// what "self" records say, who is alive is derived from "suspect/NAME" records (state graph:
// gossip.h).
//
// A member is suspect when, of its current neighbours, three say so, or all that remain. Who
// remains is judged from here: a neighbour that we suspect ourselves, that two others suspect, or
// whose accusation nobody refuted for seconds, or who did not answer when asked (island.c), cannot
// vote. A vote that says "dead" counts from
// anywhere: it was the outcome of such a quorum, and a live member refutes it at once.
#include "core.h"

#include <stdlib.h>
#include <string.h>

#define EVALUATE_ROUNDS 4

bool member_is_live(const struct origin *origin) {
    return origin->member && (origin->state == GOSSIP_ALIVE || origin->state == GOSSIP_SUSPECT);
}

static void note_votes(struct gossip *gossip, struct origin *origin) {
    if (!origin->voted && origin->voter_count > 0 && member_is_live(origin)) {
        origin->voted =
            origins_append(&gossip->voted, &gossip->voted_count, &gossip->voted_capacity, origin);
    }
}

// ---- versions: a member speaks the highest one that all live members know

bool member_speaks(const struct gossip *gossip, const struct origin *origin) {
    return origin->protocol_max >= GOSSIP_PROTOCOL_MIN &&
           origin->protocol_min <= gossip->config.protocol_max;
}

static void count_speaker(struct gossip *gossip, struct origin *origin) {
    uint32_t speaks = 0;
    if (member_is_live(origin) && member_speaks(gossip, origin)) {
        uint32_t highest = GOSSIP_PROTOCOL_MIN + PROTOCOLS - 1;
        speaks = origin->protocol_max < highest ? origin->protocol_max : highest;
    }
    if (origin->speaks != 0) {
        gossip->speakers[origin->speaks - GOSSIP_PROTOCOL_MIN]--;
    }
    if (speaks != 0) {
        gossip->speakers[speaks - GOSSIP_PROTOCOL_MIN]++;
    }
    origin->speaks = (uint8_t)speaks;
}

uint32_t members_version(const struct gossip *gossip) {
    uint32_t lowest = 0;
    uint32_t speakers = 0;
    for (uint32_t i = 0; i < PROTOCOLS; i++) {
        lowest = speakers == 0 ? GOSSIP_PROTOCOL_MIN + i : lowest;
        speakers += gossip->speakers[i];
    }
    bool alone = speakers <= 1; // nobody knows what those speak whom we shall meet
    return alone                                  ? GOSSIP_PROTOCOL_MIN
           : lowest < gossip->config.protocol_max ? lowest
                                                  : gossip->config.protocol_max;
}

static void check_version(struct gossip *gossip, struct origin *origin) {
    bool speaks = member_speaks(gossip, origin);
    if (!speaks && !origin->mute_told) {
        change_add(gossip, &origin->version_change);
    }
    origin->mute_told = !speaks;
}

// The one place where a state changes.
static void set_state(struct gossip *gossip, struct origin *origin, enum gossip_state state) {
    bool told = origin->member && origin->state == state && origin->in_rings;
    origin->state_at_ns = origin->state == state ? origin->state_at_ns : gossip->now_ns;
    origin->state = state;
    if (member_is_live(origin)) {
        overlay_add(gossip, origin);
    } else {
        overlay_remove(gossip, origin);
        gossip->dead_dirty = gossip->dead_dirty || state == GOSSIP_DEAD;
    }
    count_speaker(gossip, origin);
    note_votes(gossip, origin);
    gossip->votes_dirty = true;
    if (!told && origin != gossip->self) {
        change_add(gossip, &origin->state_change);
    }
}

// Members are kept sorted by name.
static uint32_t place_of(const struct gossip *gossip, const char *name) {
    uint32_t low = 0;
    uint32_t high = gossip->member_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (strcmp(gossip->members[middle]->name, name) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

bool members_enter(struct gossip *gossip, struct origin *origin) {
    if (origin->member) {
        return true;
    }
    if (overlay_reserve(gossip) != 0 || !origins_append(&gossip->members, &gossip->member_count,
                                                        &gossip->member_capacity, origin)) {
        return false;
    }
    gossip->member_count--; // it is appended only to make room
    uint32_t at = place_of(gossip, origin->name);
    memmove(&gossip->members[at + 1], &gossip->members[at],
            (gossip->member_count - at) * sizeof(struct origin *));
    gossip->members[at] = origin;
    gossip->member_count++;
    origin->member = true;
    return true;
}

void members_drop(struct gossip *gossip, struct origin *origin) {
    if (!origin->member) {
        return;
    }
    overlay_remove(gossip, origin);
    uint32_t at = place_of(gossip, origin->name);
    gossip->member_count--;
    memmove(&gossip->members[at], &gossip->members[at + 1],
            (gossip->member_count - at) * sizeof(struct origin *));
    origin->member = false;
    count_speaker(gossip, origin);
    gossip->overlay_dirty = true;
}

void members_disown(struct gossip *gossip, struct origin *origin) {
    if (member_is_live(origin)) {
        set_state(gossip, origin, GOSSIP_DEAD);
    }
    members_drop(gossip, origin);
    watch_retract(gossip, origin);
}

static void set_self(struct gossip *gossip, struct record *record) {
    struct origin *origin = record->origin;
    struct core_self self;
    if (!core_self_decode(record->value, record->value_size, &self)) {
        return; // wire_check saw to it
    }
    bool was_member = origin->member;
    if (!was_member) {
        crowd_met(gossip, origin);
    }
    if (!members_enter(gossip, origin)) {
        return; // memory is short; the next digest brings the record again only with a new life
    }
    if (strcmp(origin->rack, self.rack) != 0) {
        overlay_remove(gossip, origin);
    }
    memcpy(origin->rack, self.rack, sizeof origin->rack);
    memcpy(origin->address, self.address, sizeof origin->address);
    origin->protocol_min = self.protocol_min;
    origin->protocol_max = self.protocol_max;
    check_version(gossip, origin);
    overlay_keys(gossip, origin);
    gossip->overlay_dirty = true;
    enum gossip_state state = origin->state;
    if (self.left) {
        state = GOSSIP_LEFT;
    } else if (!was_member || state == GOSSIP_LEFT) {
        state = GOSSIP_ALIVE;
    }
    set_state(gossip, origin, state);
}

bool members_add_vote(struct gossip *gossip, struct origin *target, struct record *vote) {
    if (target->voter_count == target->voter_capacity) {
        uint32_t capacity = target->voter_capacity == 0 ? 4 : 2 * target->voter_capacity;
        struct record **grown = realloc(target->voters, capacity * sizeof(struct record *));
        if (grown == NULL) {
            return false;
        }
        target->voters = grown;
        target->voter_capacity = capacity;
    }
    target->voters[target->voter_count++] = vote;
    note_votes(gossip, target);
    gossip->votes_dirty = true;
    return true;
}

static struct origin *accused(struct gossip *gossip, const struct record *record, bool intern) {
    char name[NAME_SIZE];
    if (!core_suspect_key(record->key, record->key_size, name)) {
        return NULL;
    }
    return intern ? origin_intern(gossip, name) : origin_find(gossip, name);
}

static void set_duplicate(struct gossip *gossip, struct record *record) {
    struct origin *origin = record->origin;
    struct core_duplicate duplicate;
    if (core_duplicate_decode(record->value, record->value_size, &duplicate) &&
        memcmp(origin->alarmed, duplicate.nonces, sizeof origin->alarmed) != 0) {
        memcpy(origin->alarmed, duplicate.nonces, sizeof origin->alarmed);
        change_add(gossip, &origin->duplicate_change);
    }
}

void members_record_set(struct gossip *gossip, struct record *record) {
    if (record->value == NULL) {
        return;
    }
    if (strcmp(record->key, CORE_SELF) == 0) {
        set_self(gossip, record);
    } else if (strcmp(record->key, CORE_DUPLICATE) == 0) {
        set_duplicate(gossip, record);
    } else {
        struct origin *target = accused(gossip, record, true);
        gossip->votes_dirty = true;
        if (target != NULL && target->voter_count < VOTERS_MAX) {
            // A vote that finds no memory does not count here; the others' do.
            (void)members_add_vote(gossip, target, record);
        }
    }
}

void members_record_unset(struct gossip *gossip, struct record *record) {
    struct origin *target = record->value != NULL ? accused(gossip, record, false) : NULL;
    for (uint32_t i = 0; target != NULL && i < target->voter_count; i++) {
        if (target->voters[i] == record) {
            target->voters[i] = target->voters[--target->voter_count];
            gossip->votes_dirty = true;
            return;
        }
    }
}

void members_new_life(struct gossip *gossip, struct origin *origin) {
    origin->state_at_ns = gossip->now_ns;
    if (origin->member && (origin->state == GOSSIP_SUSPECT || origin->state == GOSSIP_DEAD)) {
        set_state(gossip, origin, GOSSIP_ALIVE);
    }
    watch_new_life(gossip, origin);
}

// ---- votes

// Who saw a later life die knows that this one is over too.
static bool condemns(const struct core_suspect *vote, const struct origin *target) {
    int order = life_compare(vote->life, target->life);
    return order == 0 || (order > 0 && vote->dead);
}

const struct record *members_vote(const struct origin *target, const struct origin *voter,
                                  struct core_suspect *vote) {
    for (uint32_t i = 0; i < target->voter_count; i++) {
        const struct record *record = target->voters[i];
        if ((voter == NULL || record->origin == voter) &&
            core_suspect_decode(record->value, record->value_size, vote) &&
            condemns(vote, target)) {
            return record;
        }
    }
    return NULL;
}

static bool cannot_vote(const struct gossip *gossip, const struct origin *target,
                        const struct origin *voter) {
    struct core_suspect vote;
    if (voter == gossip->self) { // we cannot tell that somebody fell silent who never spoke to us
        return target->heard_at_ns == 0 && members_vote(target, voter, &vote) == NULL;
    }
    if (members_vote(voter, gossip->self, &vote) != NULL ||
        (island_is_silent(gossip, voter) && island_doubts(gossip, target))) {
        return true;
    }
    uint32_t votes = 0;
    bool old = false;
    for (uint32_t i = 0; i < voter->voter_count; i++) {
        if (members_vote(voter, voter->voters[i]->origin, &vote) != NULL) {
            votes++;
            old = old || gossip->now_ns - voter->voters[i]->at_ns > OLD_VOTE_NS;
        }
    }
    // Those whom we hear ourselves are there, whoever else lost them.
    return (votes >= 2 || old) && !watch_hears(gossip, voter);
}

static uint32_t votes_from_afar(const struct gossip *gossip, const struct origin *origin) {
    uint32_t votes = 0;
    struct core_suspect vote;
    for (uint32_t i = 0; i < origin->voter_count; i++) {
        const struct origin *voter = origin->voters[i]->origin;
        votes += voter->state == GOSSIP_ALIVE && !overlay_is_neighbour(gossip, origin, voter) &&
                 members_vote(origin, voter, &vote) != NULL && vote.dead;
    }
    return votes;
}

static uint32_t clamp_needed(uint32_t remaining) {
    return remaining > QUORUM ? QUORUM : remaining == 0 ? 1 : remaining;
}

uint32_t members_needed_votes(const struct gossip *gossip, const struct origin *origin) {
    const struct origin *neighbours[NEIGHBOURS_MAX];
    uint32_t remaining = 0;
    uint32_t count = overlay_neighbours(gossip, origin, neighbours);
    for (uint32_t i = 0; i < count; i++) {
        remaining += !cannot_vote(gossip, origin, neighbours[i]);
    }
    return clamp_needed(remaining);
}

static bool quorum_stands(const struct gossip *gossip, const struct origin *origin) {
    const struct origin *neighbours[NEIGHBOURS_MAX];
    struct core_suspect vote;
    uint32_t remaining = 0;
    uint32_t votes = votes_from_afar(gossip, origin);
    uint32_t count = overlay_neighbours(gossip, origin, neighbours);
    for (uint32_t i = 0; i < count; i++) {
        if (!cannot_vote(gossip, origin, neighbours[i])) {
            remaining++;
            votes += members_vote(origin, neighbours[i], &vote) != NULL;
        }
    }
    if (remaining == 0) { // then our own word, wherever we stand
        votes += members_vote(origin, gossip->self, &vote) != NULL;
    }
    return votes >= clamp_needed(remaining);
}

bool members_hold_dead(const struct gossip *gossip, struct life life) {
    const struct origin *self = gossip->self;
    uint32_t others = gossip->ring_size - (self->in_rings ? 1 : 0);
    uint32_t votes = 0;
    for (uint32_t i = 0; i < self->voter_count; i++) {
        const struct record *record = self->voters[i];
        struct core_suspect vote;
        votes += record->origin->state == GOSSIP_ALIVE &&
                 core_suspect_decode(record->value, record->value_size, &vote) && vote.dead &&
                 life_compare(vote.life, life) == 0;
    }
    return others > 0 && votes >= clamp_needed(others);
}

static void evaluate(struct gossip *gossip, struct origin *origin) {
    bool stands = origin->voter_count > 0 && quorum_stands(gossip, origin);
    if (stands && origin->state == GOSSIP_ALIVE) {
        set_state(gossip, origin, GOSSIP_SUSPECT);
    } else if (!stands && origin->state == GOSSIP_SUSPECT) {
        set_state(gossip, origin, GOSSIP_ALIVE); // those who suspected it heard it again
    } else if (stands && gossip->now_ns - origin->state_at_ns >= gossip->config.dead_after_ns) {
        set_state(gossip, origin, GOSSIP_DEAD);
    }
}

static void evaluate_voted(struct gossip *gossip) {
    for (uint32_t i = 0; i < gossip->voted_count;) {
        struct origin *origin = gossip->voted[i];
        if (origin != gossip->self && member_is_live(origin)) {
            evaluate(gossip, origin);
        }
        if (origin->voter_count == 0 || !member_is_live(origin)) {
            origin->voted = false;
            gossip->voted[i] = gossip->voted[--gossip->voted_count];
        } else {
            i++;
        }
    }
}

void members_evaluate_all(struct gossip *gossip) {
    // Most messages leave the votes as they are. A state that changes may change who else has a
    // quorum, so the order in which members are looked at must not matter; what a few rounds do not
    // settle is looked at with the next event.
    for (int round = 0; gossip->votes_dirty && round < EVALUATE_ROUNDS; round++) {
        gossip->votes_dirty = false;
        evaluate_voted(gossip);
    }
}

uint64_t members_deadline_ns(const struct gossip *gossip) {
    uint64_t deadline = NEVER_NS;
    for (uint32_t i = 0; i < gossip->voted_count; i++) {
        const struct origin *origin = gossip->voted[i];
        uint64_t at = origin->state_at_ns + gossip->config.dead_after_ns;
        if (origin->state == GOSSIP_SUSPECT && at < deadline) {
            deadline = at;
        }
    }
    return deadline;
}

// ---- age

static void age(struct gossip *gossip, struct origin *origin) {
    bool over = origin->state == GOSSIP_DEAD || origin->state == GOSSIP_LEFT;
    uint64_t age_ns = gossip->now_ns - origin->state_at_ns;
    if (origin->life.incarnation == 0) {
        origin_forget(gossip, origin);
    } else if (over && !origin->quarantined && age_ns >= gossip->config.serve_dead_ns) {
        watch_quarantine(gossip, origin);
        members_drop(gossip, origin);
        merge_quarantine(gossip, origin);
    } else if (origin->quarantined && age_ns >= gossip->config.forget_ns) {
        watch_retract(gossip, origin);
        origin_forget(gossip, origin);
    }
}

void members_age(struct gossip *gossip) {
    for (uint32_t i = 0; i <= gossip->origin_mask; i++) {
        for (struct origin *origin = gossip->origin_hash[i]; origin != NULL;) {
            struct origin *next = origin->hash_next;
            if (origin != gossip->self) {
                age(gossip, origin);
            }
            origin = next;
        }
    }
}
