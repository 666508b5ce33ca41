// SPDX-License-Identifier: Apache-2.0
// Watching the neighbours: who was silent for too long is accused in a record of our own.
// Lifeguard: when we were not scheduled ourselves, or lost most neighbours at once, we are probably
// the sick one, and hold our tongue.
#include "core.h"

#include <stdio.h>
#include <string.h>

#define CAUTION_NS (1500 * NS_PER_MS) // how long timeouts stay half as long again

static uint64_t later(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

static uint64_t timeout_ns(const struct gossip *gossip) {
    bool cautious = gossip->now_ns < gossip->cautious_until_ns;
    uint64_t busy_ns = crowd_lately(gossip) ? crowd_patience_ns(gossip) : 0;
    return gossip->config.ping_timeout_ns * (cautious ? 3 : 2) / 2 + busy_ns;
}

static void become_cautious(struct gossip *gossip) {
    gossip->cautious_until_ns = gossip->now_ns + CAUTION_NS;
}

void watch_time(struct gossip *gossip, uint64_t now_ns) {
    uint64_t deadline = gossip_deadline_ns(gossip);
    gossip->now_ns = later(gossip->now_ns, now_ns);
    if (deadline != NEVER_NS && gossip->now_ns > deadline + LATE_NS) {
        gossip->trusted_from_ns = gossip->now_ns;
        become_cautious(gossip);
    }
}

// How late a ping may come.
static uint64_t slack_ns(const struct gossip *gossip) {
    const struct gossip_config *config = &gossip->config;
    uint64_t slack = config->ping_timeout_ns > config->ping_interval_ns
                         ? config->ping_timeout_ns - config->ping_interval_ns
                         : config->ping_timeout_ns;
    return gossip->now_ns < gossip->cautious_until_ns ? 2 * slack : slack;
}

// Somebody accuses it: alive, it has heard of that and says a word to all its neighbours at once.
static uint64_t accused_at_ns(const struct origin *origin) {
    struct core_suspect vote;
    const struct record *record = members_vote(origin, NULL, &vote);
    return record == NULL || origin->heard_at_ns >= record->at_ns ? 0 : record->at_ns;
}

// When a watched peer counts as silent, unless it speaks before.
static uint64_t silent_at_ns(const struct gossip *gossip, const struct peer *peer) {
    const struct origin *origin = peer->origin;
    uint64_t from = later(later(origin->heard_at_ns, peer->since_ns), gossip->trusted_from_ns);
    uint64_t timeout = timeout_ns(gossip);
    if (island_lost(gossip, origin)) {
        return later(peer->since_ns, gossip->trusted_from_ns) +
               gossip->config.ping_interval_ns / PING_SLOTS;
    }
    uint64_t first_ns = origin->heard_at_ns == 0 ? later(FIRST_WORD_NS, timeout) : timeout;
    if (!peer->pinged && crowd_lately(gossip)) { // it may choose us later than we did
        return from + first_ns + crowd_patience_ns(gossip);
    }
    if (origin->heard_at_ns == 0) {
        return from + first_ns;
    }
    uint64_t at = from + timeout;
    // The carrier says that the connection broke: a moment to come back.
    uint64_t hint = later(peer->lost_at_ns, accused_at_ns(origin));
    if (hint != 0) {
        uint64_t soon = later(from, hint) + slack_ns(gossip);
        at = soon < at ? soon : at;
    }
    return at;
}

static bool is_watched(const struct gossip *gossip, const struct peer *peer) {
    // Whom we cannot understand, we cannot hear.
    return peer->linger_until_ns == 0 && peer->chosen && member_is_live(peer->origin) &&
           member_speaks(gossip, peer->origin);
}

static bool is_accused(const struct gossip *gossip, const struct origin *origin) {
    struct core_suspect vote;
    return members_vote(origin, gossip->self, &vote) != NULL;
}

bool watch_hears(const struct gossip *gossip, const struct origin *origin) {
    return origin->heard_at_ns != 0 &&
           gossip->now_ns - origin->heard_at_ns <= gossip->config.ping_timeout_ns;
}

static bool has_room(const struct gossip *gossip) {
    uint32_t accusations = 0;
    if (gossip->self->record_count < ACCUSATIONS_MAX) {
        return true;
    }
    for (uint32_t i = 0; i < gossip->self->record_count; i++) {
        const struct record *record = gossip->self->records[i];
        accusations += record->table == GOSSIP_TABLE_CORE &&
                       strncmp(record->key, CORE_SUSPECT, strlen(CORE_SUSPECT)) == 0;
    }
    return accusations < ACCUSATIONS_MAX;
}

static void accuse(struct gossip *gossip, const struct origin *origin, bool dead) {
    char key[GOSSIP_KEY_MAX];
    uint8_t value[32];
    struct mp_writer writer;
    snprintf(key, sizeof key, CORE_SUSPECT "%s", origin->name);
    mp_write_fixed(&writer, value, sizeof value);
    mp_write_array(&writer, 3);
    mp_write_uint(&writer, origin->life.incarnation);
    mp_write_uint(&writer, origin->life.nonce);
    mp_write_bool(&writer, dead);
    // Out of quota: the others' votes have to do.
    if (has_room(gossip) || is_accused(gossip, origin)) {
        (void)own_set(gossip, GOSSIP_TABLE_CORE, key, value, writer.size);
    }
}

void watch_accuse(struct gossip *gossip, const struct origin *origin) {
    accuse(gossip, origin, false);
}

void watch_retract(struct gossip *gossip, struct origin *origin) {
    char key[GOSSIP_KEY_MAX];
    snprintf(key, sizeof key, CORE_SUSPECT "%s", origin->name);
    struct record *record = store_find(gossip, gossip->self, GOSSIP_TABLE_CORE, key, strlen(key));
    if (record != NULL && record->value != NULL) {
        (void)own_set(gossip, GOSSIP_TABLE_CORE, key, NULL, 0);
    }
}

// Our accusation of the life that it had before, in the same run.
static bool was_accused(const struct gossip *gossip, const struct origin *origin) {
    char key[GOSSIP_KEY_MAX];
    struct core_suspect vote;
    snprintf(key, sizeof key, CORE_SUSPECT "%s", origin->name);
    const struct record *record =
        store_find(gossip, gossip->self, GOSSIP_TABLE_CORE, key, strlen(key));
    return record != NULL && record->value != NULL &&
           core_suspect_decode(record->value, record->value_size, &vote) &&
           vote.life.nonce == origin->life.nonce;
}

void watch_new_life(struct gossip *gossip, struct origin *origin) {
    origin->accused_at_ns = 0;
    if (origin != gossip->self) {
        if (was_accused(gossip, origin)) {
            island_refuted(gossip, origin);
        }
        watch_retract(gossip, origin);
    }
}

static bool may_answer(const struct gossip *gossip, struct origin *origin) {
    if (origin->accused_at_ns != 0 && gossip->now_ns - origin->accused_at_ns < ACCUSE_AGAIN_NS) {
        return false;
    }
    origin->accused_at_ns = gossip->now_ns;
    return true;
}

static void answer_accused(struct gossip *gossip, const struct wire_envelope *envelope,
                           const struct origin *origin) {
    struct mp_writer writer;
    size_t message;
    outbox_open(gossip, &writer, &message);
    wire_write_accuse(&writer, origin->life);
    outbox_close(gossip, &writer, message, 1, envelope->address);
}

// It speaks as an earlier life than the one we hold: another host has its name, or it came back.
static void tell_of_later_life(struct gossip *gossip, const struct wire_envelope *envelope,
                               const struct origin *origin) {
    struct mp_writer writer;
    size_t message;
    struct wire_have have = {.life = origin->life, .complete = origin->complete};
    memcpy(have.origin, origin->name, sizeof have.origin);
    outbox_open(gossip, &writer, &message);
    size_t list = wire_open_list(&writer, SECTION_HAVE);
    wire_write_have(&writer, &have);
    wire_close_list(&writer, list, 1);
    outbox_close(gossip, &writer, message, 1, envelope->address);
}

void watch_heard(struct gossip *gossip, const struct wire_envelope *envelope) {
    struct origin *origin = origin_find(gossip, envelope->name);
    if (origin != NULL && origin->quarantined && life_compare(envelope->life, origin->life) < 0 &&
        may_answer(gossip, origin)) {
        serve_witness(gossip, origin, envelope->address);
        return;
    }
    if (origin == NULL || envelope->life.incarnation == 0 || origin->life.incarnation == 0) {
        return;
    }
    if (origin == gossip->self) {
        own_hearsay(gossip, envelope->life, 0, envelope->address);
        return;
    }
    int order = life_compare(envelope->life, origin->life);
    if (order > 0) {
        repair_want(gossip, origin, envelope->address);
    }
    if (envelope->life.nonce != origin->life.nonce) {
        if (order < 0 && !origin->quarantined && may_answer(gossip, origin)) {
            tell_of_later_life(gossip, envelope, origin);
        }
        return;
    }
    origin->heard_at_ns = gossip->heard_at_ns = gossip->now_ns;
    struct peer *peer = overlay_peer(gossip, envelope->address);
    if (peer != NULL && peer->origin == origin) {
        peer->lost_at_ns = 0;
    }
    if (member_is_live(origin)) {
        watch_retract(gossip, origin);
    }
    if ((origin->state == GOSSIP_SUSPECT || origin->state == GOSSIP_DEAD) && order <= 0 &&
        may_answer(gossip, origin)) {
        answer_accused(gossip, envelope, origin);
    }
}

// More than half of the neighbours fell silent together: wait another timeout, then believe
// it.
static bool withhold(struct gossip *gossip, uint32_t silent, uint32_t watched) {
    if (silent < QUORUM || 2 * silent <= watched) {
        gossip->mass_loss_at_ns = 0;
        return false;
    }
    if (gossip->mass_loss_at_ns == 0) {
        gossip->mass_loss_at_ns = gossip->now_ns;
        become_cautious(gossip);
    }
    return gossip->now_ns - gossip->mass_loss_at_ns < gossip->config.ping_timeout_ns;
}

void watch_check(struct gossip *gossip) {
    uint32_t silent = 0;
    uint32_t watched = 0;
    if (gossip->phase != OWN_ACTIVE) {
        return;
    }
    for (uint32_t i = 0; i < gossip->peer_count; i++) {
        const struct peer *peer = &gossip->peers[i];
        watched += is_watched(gossip, peer);
        silent += is_watched(gossip, peer) && gossip->now_ns >= silent_at_ns(gossip, peer) &&
                  !island_lost(gossip, peer->origin);
    }
    bool withheld = withhold(gossip, silent, watched);
    for (uint32_t i = 0; i < gossip->peer_count; i++) {
        const struct peer *peer = &gossip->peers[i];
        if (!is_watched(gossip, peer) || gossip->now_ns < silent_at_ns(gossip, peer) ||
            is_accused(gossip, peer->origin)) {
            continue;
        }
        bool told = !withheld || island_lost(gossip, peer->origin);
        gossip->stats.suspicions_withheld += !told;
        if (told) {
            accuse(gossip, peer->origin, false);
        }
    }
}

void watch_dead(struct gossip *gossip) {
    gossip->dead_dirty = false;
    if (gossip->phase != OWN_ACTIVE) {
        return;
    }
    for (uint32_t i = 0; i < gossip->member_count; i++) {
        struct origin *origin = gossip->members[i];
        if (origin->state == GOSSIP_DEAD &&
            (is_accused(gossip, origin) || overlay_is_neighbour(gossip, origin, gossip->self))) {
            accuse(gossip, origin, true);
        } else if (origin->state == GOSSIP_LEFT) {
            watch_retract(gossip, origin);
        }
    }
}

void watch_quarantine(struct gossip *gossip, struct origin *origin) {
    if (gossip->phase == OWN_ACTIVE && overlay_is_neighbour(gossip, origin, gossip->self)) {
        accuse(gossip, origin, true);
    }
}

// ---- when we are accused

static void refute(struct gossip *gossip) {
    // One refutation answers all accusations of that life; more would only be noise.
    if (gossip->phase == OWN_ACTIVE &&
        gossip->now_ns - gossip->claimed_at_ns >= gossip->config.dead_after_ns / 4) {
        gossip->stats.refutations++;
        own_claim(gossip);
    }
}

void watch_accused(struct gossip *gossip, struct life life) {
    if (life_compare(life, gossip->self->life) == 0) {
        refute(gossip);
    }
}

static void consider_lone_vote(struct gossip *gossip) {
    if (gossip->lone_vote_at_ns == 0) {
        gossip->lone_vote_at_ns = gossip->now_ns;
    } else if (gossip->now_ns - gossip->lone_vote_at_ns >= gossip->lone_vote_ns) {
        // A single broken direction may accuse us for ever: answer more and more rarely.
        gossip->lone_vote_ns = 2 * gossip->lone_vote_ns < LONE_VOTE_MAX_NS
                                   ? 2 * gossip->lone_vote_ns
                                   : LONE_VOTE_MAX_NS;
        gossip->lone_vote_at_ns = 0;
        refute(gossip);
    }
}

// A word to all is the quickest answer to the first of them.
static void answer_votes(struct gossip *gossip) {
    struct core_suspect vote;
    const struct record *record = members_vote(gossip->self, NULL, &vote);
    if (record != NULL && gossip->phase == OWN_ACTIVE && record->at_ns > gossip->spoke_at_ns) {
        repair_speak(gossip);
    }
}

void watch_refute(struct gossip *gossip) {
    const struct origin *self = gossip->self;
    uint32_t votes = 0;
    bool dead = false;
    answer_votes(gossip);
    for (uint32_t i = 0; i < self->voter_count && gossip->phase == OWN_ACTIVE; i++) {
        struct core_suspect vote;
        // Of a later life that was ours we need proof: not of what others merely say.
        if (members_vote(self, self->voters[i]->origin, &vote) != NULL &&
            life_compare(vote.life, self->life) == 0) {
            votes++;
            dead = dead || vote.dead;
        }
    }
    if (votes == 0) {
        bool quiet = gossip->now_ns - gossip->claimed_at_ns > LONE_VOTE_MAX_NS;
        gossip->lone_vote_ns = quiet ? LONE_VOTE_NS : gossip->lone_vote_ns;
        gossip->lone_vote_at_ns = 0;
    } else if (dead || votes >= 2 || votes >= members_needed_votes(gossip, self)) {
        refute(gossip);
    } else {
        consider_lone_vote(gossip);
    }
}

uint64_t watch_deadline_ns(const struct gossip *gossip) {
    uint64_t deadline = NEVER_NS;
    for (uint32_t i = 0; i < gossip->peer_count && gossip->phase == OWN_ACTIVE; i++) {
        const struct peer *peer = &gossip->peers[i];
        uint64_t at = silent_at_ns(gossip, peer);
        // What is overdue already is looked at with every ping.
        if (is_watched(gossip, peer) && at > gossip->now_ns && at < deadline) {
            deadline = at;
        }
    }
    return deadline;
}
