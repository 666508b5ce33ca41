// SPDX-License-Identifier: Apache-2.0
// Islands: few members that live among many who all fell silent together (a power cut, a small
// partition, what others remember of a fleet). Of a member that we accuse, most neighbours are then
// silent as well, but nobody who lives is their neighbour and could say so.
//
// So when an own accusation has stood for OLD_VOTE_NS, neither refuted nor shared by a quorum, its
// other neighbours are asked directly, and once one of them stayed silent, all members in turn. Who
// gave no word within FIRST_WORD_NS cannot vote on those whom we accuse (members.c). Who answers
// with a digest is in touch with us again, so the living of an island find each other.
//
// Whoever hears nobody at all, though he asked, may as well be deaf: for him nothing follows.
//
// Who was silent when asked is accused at once, whether it is our neighbour or, where none of its
// own was heard either, not: so three among a thousand find out within a minute. But only while
// nobody whom we accused of late refuted it, as a member does whom merely we cannot reach.
#include "core.h"

#define ACCUSED_AT_ONCE 8                         // a quarter of a ping interval
#define LOOKED_AT 256                             // for that
#define ASK_NS (NS_PER_S / 32)                    // between two questions
#define ALIBI_NS (LONE_VOTE_MAX_NS + OLD_VOTE_NS) // he may be as late with the next refutation

static uint64_t later(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

static bool is_fresh(const struct gossip *gossip, uint64_t alibi_at_ns) {
    return alibi_at_ns != 0 && gossip->now_ns - alibi_at_ns < ALIBI_NS;
}

// Whoever hears nobody at all may be deaf.
static bool is_on_island(const struct gossip *gossip) {
    return gossip->island_since_ns != 0 && gossip->heard_at_ns > gossip->island_since_ns;
}

static bool is_sure(const struct gossip *gossip) {
    return is_on_island(gossip) && !is_fresh(gossip, gossip->alibi_at_ns);
}

bool island_doubts(const struct gossip *gossip, const struct origin *accused) {
    struct core_suspect vote;
    const struct record *own = members_vote(accused, gossip->self, &vote);
    bool alibi =
        accused->alibi_at_ns > accused->heard_at_ns && is_fresh(gossip, accused->alibi_at_ns);
    if (own == NULL || alibi) {
        return false;
    }
    return is_sure(gossip) || gossip->now_ns - own->at_ns > OLD_VOTE_NS;
}

static bool is_unanswered(const struct gossip *gossip, const struct origin *origin) {
    return origin->asked_at_ns >= gossip->island_since_ns &&
           later(origin->heard_at_ns, origin->news_at_ns) < origin->asked_at_ns &&
           gossip->now_ns - origin->asked_at_ns >= FIRST_WORD_NS;
}

bool island_is_silent(const struct gossip *gossip, const struct origin *origin) {
    return is_on_island(gossip) && is_unanswered(gossip, origin);
}

bool island_lost(const struct gossip *gossip, const struct origin *origin) {
    return is_sure(gossip) && island_is_silent(gossip, origin);
}

void island_refuted(struct gossip *gossip, struct origin *origin) {
    origin->alibi_at_ns = gossip->alibi_at_ns = gossip->now_ns;
}

// ---- asking

static bool may_ask(const struct gossip *gossip, const struct origin *origin) {
    struct core_suspect vote;
    return origin != gossip->self && member_is_live(origin) && !watch_hears(gossip, origin) &&
           members_vote(origin, gossip->self, &vote) == NULL;
}

static bool is_unasked(const struct gossip *gossip, const struct origin *origin) {
    return origin->asked_at_ns < gossip->island_since_ns && may_ask(gossip, origin);
}

// Who answered is asked again, so that his vote comes here; so is he of whom there merely was news.
static bool is_asked_again(const struct gossip *gossip, const struct origin *origin) {
    uint64_t wait_ns =
        origin->heard_at_ns >= origin->asked_at_ns ? FIRST_WORD_NS : OLD_VOTE_NS + FIRST_WORD_NS;
    return later(origin->heard_at_ns, origin->news_at_ns) >= origin->asked_at_ns &&
           gossip->now_ns - origin->asked_at_ns >= wait_ns && may_ask(gossip, origin);
}

// A neighbour of somebody whom we accuse; *silent: some of those were asked in vain.
static struct origin *next_voter(struct gossip *gossip, const struct origin *accused,
                                 bool *silent) {
    const struct origin *neighbours[NEIGHBOURS_MAX];
    struct origin *chosen = NULL;
    uint32_t count = overlay_neighbours(gossip, accused, neighbours);
    for (uint32_t i = 0; i < count; i++) {
        struct origin *origin = origin_find(gossip, neighbours[i]->name);
        if (origin == NULL) { // memory is short
            continue;
        }
        *silent = *silent || is_unanswered(gossip, origin);
        if (is_unasked(gossip, origin) || is_asked_again(gossip, origin)) {
            chosen = origin;
        }
    }
    return chosen;
}

static struct origin *next_member(struct gossip *gossip) {
    uint32_t count = members_count(gossip);
    for (uint32_t i = 0; i < count; i++) {
        const struct gossip *holder;
        const struct origin *origin = members_at(gossip, gossip->ask_next++ % count, &holder);
        if (is_unasked(gossip, origin)) {
            return origin_find(gossip, origin->name);
        }
    }
    return NULL;
}

static struct origin *next_to_ask(struct gossip *gossip) {
    struct origin *chosen = NULL;
    bool silent = false;
    for (uint32_t i = 0; i < gossip->voted_count && chosen == NULL; i++) {
        const struct origin *accused = gossip->voted[i];
        if (member_is_live(accused) && island_doubts(gossip, accused)) {
            chosen = next_voter(gossip, accused, &silent);
        }
    }
    return chosen == NULL && silent ? next_member(gossip) : chosen;
}

void island_ask(struct gossip *gossip) {
    if (gossip->now_ns < gossip->ask_at_ns) {
        return;
    }
    struct origin *asked = gossip->island_since_ns != 0 ? next_to_ask(gossip) : NULL;
    gossip->ask_at_ns = asked != NULL ? gossip->now_ns + ASK_NS : NEVER_NS;
    if (asked != NULL) {
        asked->asked_at_ns = gossip->now_ns;
        repair_send_digest(gossip, asked->address);
    }
}

// ---- accusing those who are not our neighbours

static bool is_forsaken(const struct gossip *gossip, const struct origin *origin) {
    const struct origin *neighbours[NEIGHBOURS_MAX];
    struct core_suspect vote;
    if (!member_is_live(origin) || !island_lost(gossip, origin) ||
        members_vote(origin, gossip->self, &vote) != NULL) {
        return false;
    }
    uint32_t count = overlay_neighbours(gossip, origin, neighbours);
    for (uint32_t i = 0; i < count; i++) {
        if (!island_is_silent(gossip, neighbours[i]) &&
            members_vote(neighbours[i], gossip->self, &vote) == NULL) {
            return false;
        }
    }
    return true;
}

// Each is told as well: the first question may have been lost.
static void accuse_forsaken(struct gossip *gossip) {
    uint32_t accused = 0;
    for (uint32_t i = 0; i < LOOKED_AT && i < gossip->member_count && accused < ACCUSED_AT_ONCE;
         i++) {
        struct origin *origin =
            gossip->members[gossip->accuse_next++ % gossip->member_count]; // the asked are ours
        if (is_forsaken(gossip, origin)) {
            watch_accuse(gossip, origin);
            repair_send_digest(gossip, origin->address);
            accused++;
        }
    }
}

static bool doubts_any(const struct gossip *gossip) {
    for (uint32_t i = 0; i < gossip->voted_count && gossip->phase == OWN_ACTIVE; i++) {
        const struct origin *accused = gossip->voted[i];
        if (member_is_live(accused) && island_doubts(gossip, accused)) {
            return true;
        }
    }
    return false;
}

void island_watch(struct gossip *gossip) {
    bool over = gossip->now_ns - gossip->island_seen_ns > OLD_VOTE_NS;
    gossip->island_since_ns = over ? 0 : gossip->island_since_ns;
    if (!doubts_any(gossip)) {
        return;
    }
    gossip->island_seen_ns = gossip->now_ns;
    if (gossip->island_since_ns == 0) {
        gossip->island_since_ns = gossip->now_ns;
        gossip->ask_next = (uint32_t)rng_below(&gossip->rng, members_count(gossip));
    }
    if (gossip->ask_at_ns == NEVER_NS) {
        gossip->ask_at_ns = gossip->now_ns;
    }
    if (is_sure(gossip)) {
        accuse_forsaken(gossip);
    }
}
