// SPDX-License-Identifier: Apache-2.0
// Repair, the asking side. All data moves because somebody asked for it: a ping tells what changed
// since the last one (HAVE), a digest finds out where two members differ (BUCKETS), and in both
// cases who has less sends WANT. ping.c has the telling side.
#include "core.h"

#include <string.h>

#define CONTACT_FLEET 8 // members that together try as often as one per CONTACT_NS each

// A message with one list, opened when the first item comes.
struct list_message {
    struct mp_writer writer;
    size_t message, list;
    uint32_t count;
};

static void add_have(struct gossip *gossip, struct list_message *out, enum section_kind kind,
                     const struct origin *origin) {
    if (out->count++ == 0) {
        outbox_open(gossip, &out->writer, &out->message);
        out->list = wire_open_list(&out->writer, kind);
    }
    struct wire_have have = {.life = origin->life, .complete = origin->complete};
    if (kind == SECTION_WANT && origin == gossip->self) { // whatever is said of our name
        have.life = (struct life){0, 0};
        have.complete = 0;
    }
    memcpy(have.origin, origin->name, sizeof have.origin);
    wire_write_have(&out->writer, &have);
}

static void send_list(struct gossip *gossip, struct list_message *out, const char *address) {
    if (out->count > 0) {
        wire_close_list(&out->writer, out->list, out->count);
        outbox_close(gossip, &out->writer, out->message, 1, address);
        out->count = 0;
    }
}

static bool any_behind(const struct gossip *gossip) {
    bool any = false;
    for (uint32_t i = 0; i < gossip->peer_count; i++) {
        any = any || gossip->peers[i].behind_at_ns != 0;
    }
    return any;
}

void repair_arm(struct gossip *gossip) {
    bool pending = gossip->want_count > 0 || any_behind(gossip);
    if (!pending) {
        gossip->retry_at_ns = NEVER_NS;
    } else if (gossip->retry_at_ns == NEVER_NS) {
        gossip->retry_at_ns = gossip->now_ns + RETRY_NS;
    }
}

void repair_behind(struct gossip *gossip) {
    for (uint32_t i = 0; i < gossip->peer_count; i++) {
        struct peer *peer = &gossip->peers[i];
        if (peer->behind_at_ns != 0 && gossip->now_ns - peer->behind_at_ns >= WANT_AGAIN_NS) {
            peer->behind_at_ns = 0;
            repair_send_digest(gossip, peer->address);
        }
    }
}

// ---- contact with those who are not members, or not any more

// Whoever of them has the least hash this time, wherever it stands in our table.
static const struct origin *random_dead(struct gossip *gossip) {
    const struct origin *chosen = NULL;
    uint64_t least = UINT64_MAX;
    uint64_t salt = rng_next(&gossip->rng);
    for (uint32_t i = 0; i <= gossip->origin_mask; i++) {
        const struct origin *origin = gossip->origin_hash[i]; // a base's dead are taken
        for (; origin != NULL; origin = origin->hash_next) {
            bool dead = origin->state == GOSSIP_DEAD && origin->address[0] != '\0';
            uint64_t hash = dead ? hash_bytes(origin->name, strlen(origin->name), salt) : 0;
            if (dead && hash <= least) {
                chosen = origin;
                least = hash;
            }
        }
    }
    return chosen;
}

static bool is_live_address(const struct gossip *gossip, const char *address) {
    for (uint32_t i = 0; i < members_count(gossip); i++) {
        const struct gossip *holder;
        const struct origin *origin = members_at(gossip, i, &holder);
        if (member_is_live(origin) && strcmp(origin->address, address) == 0) {
            return true;
        }
    }
    return false;
}

uint64_t repair_contact_interval_ns(const struct gossip *gossip) {
    uint64_t fleets = overlay_size(gossip) / CONTACT_FLEET;
    if (!gossip->answered) { // a seed may be down, or busy: each one more costs it two connections
        return FIRST_CONTACT_NS;
    }
    return CONTACT_NS * (fleets > 1 ? fleets : 1);
}

void repair_contact(struct gossip *gossip) {
    const struct origin *dead = random_dead(gossip);
    if (dead != NULL) {
        repair_send_digest_in(gossip, GOSSIP_PROTOCOL_MIN, dead->address);
    }
    gossip->contacts++;
    if (gossip->seed_count > 0) {
        const char *seed = gossip->seeds[gossip->next_seed++ % gossip->seed_count];
        if (!gossip->answered && gossip->crowd.asked_ns == 0) {
            gossip->crowd.asked_ns = gossip->now_ns; // the first answer tells how busy all are
        }
        if (!gossip->answered || !is_live_address(gossip, seed)) {
            repair_send_digest_in(gossip, GOSSIP_PROTOCOL_MIN, seed);
        }
    }
}

// ---- asking

// Longer and longer, where one side has keys and the other none, or our list lacks a key.
static uint64_t want_again_ns(const struct origin *origin) {
    return WANT_AGAIN_NS << origin->vain_count;
}

static bool may_ask(struct gossip *gossip, struct origin *origin) {
    if (!state_knows_host(gossip->config.signing, origin->name)) {
        return false;
    }
    if (origin->wanted_at_ns != 0 &&
        gossip->now_ns - origin->wanted_at_ns < want_again_ns(origin)) {
        return false;
    }
    origin->wanted_at_ns = gossip->now_ns;
    return true;
}

void repair_want(struct gossip *gossip, struct origin *origin, const char *address) {
    if (may_ask(gossip, origin)) {
        struct list_message want = {.count = 0};
        add_have(gossip, &want, SECTION_WANT, origin);
        send_list(gossip, &want, address);
    }
}

void repair_note(struct gossip *gossip, struct origin *origin, struct life life,
                 uint64_t complete) {
    if (!state_knows_host(gossip->config.signing, origin->name)) {
        return;
    }
    int order = life_compare(life, origin->want_life);
    if (order > 0 || (order == 0 && complete > origin->want_complete)) {
        origin->want_life = life;
        origin->want_complete = complete;
        origin->want_tries = 0;
    }
    if (!origin->want_due &&
        origins_append(&gossip->wants, &gossip->want_count, &gossip->want_capacity, origin)) {
        origin->want_due = true;
        origin->want_tries = 0;
        origin->retried_at_ns = gossip->now_ns;
    }
}

static bool is_satisfied(const struct origin *origin) {
    int order = life_compare(origin->life, origin->want_life);
    return order > 0 ||
           (order == 0 && (origin->quarantined || origin->complete >= origin->want_complete));
}

static const char *random_heard_peer(struct gossip *gossip) {
    uint64_t start = gossip->peer_count > 0 ? rng_below(&gossip->rng, gossip->peer_count) : 0;
    for (uint32_t i = 0; i < gossip->peer_count; i++) {
        const struct peer *peer = &gossip->peers[(start + i) % gossip->peer_count];
        if (watch_hears(gossip, peer->origin)) {
            return peer->address;
        }
    }
    return NULL;
}

void repair_retry(struct gossip *gossip) {
    struct list_message want = {.count = 0};
    const char *address = random_heard_peer(gossip);
    for (uint32_t i = 0; i < gossip->want_count && address != NULL;) {
        struct origin *origin = gossip->wants[i];
        // Whether a key came is seen when somebody names it again.
        bool vain = origin->vain_count > 0;
        if (is_satisfied(origin) || vain || origin->want_tries >= WANT_TRIES) {
            origin->want_due = false;
            gossip->wants[i] = gossip->wants[--gossip->want_count];
            continue;
        }
        // Any peer may not have it: asking whoever said so must not wait for that.
        if (gossip->now_ns - origin->retried_at_ns >= WANT_AGAIN_NS) {
            origin->retried_at_ns = gossip->now_ns;
            origin->want_tries++;
            add_have(gossip, &want, SECTION_WANT, origin);
        }
        i++;
    }
    if (want.count > 0) {
        send_list(gossip, &want, address);
    }
}

enum standing { STAND_EQUAL, STAND_BEHIND, STAND_AHEAD, STAND_IGNORE };

static enum standing stand(const struct origin *origin, const struct wire_have *have) {
    int order = life_compare(have->life, origin->life);
    if (origin->life.incarnation == 0 || order > 0) {
        return have->life.incarnation > 0 ? STAND_BEHIND : STAND_IGNORE;
    }
    if (origin->quarantined) {
        return STAND_IGNORE;
    }
    if (order < 0 || have->complete < origin->complete) {
        return STAND_AHEAD;
    }
    return have->complete > origin->complete ? STAND_BEHIND : STAND_EQUAL;
}

// Of these buckets, what the other side did not name: it does not know it at all. What is the
// base's was not named, or else it would have been taken.
static void tell_unnamed(struct gossip *gossip, const struct gossip *holder, uint32_t bucket,
                         struct list_message *out) {
    for (const struct origin *origin = holder->buckets[bucket]; origin != NULL;
         origin = origin->bucket_next) {
        if (holder == gossip ? origin->mark != gossip->mark : base_shares(gossip, origin)) {
            add_have(gossip, out, SECTION_HAVE, origin);
        }
    }
}

static void compare_haves(struct gossip *gossip, const struct wire_section *section,
                          const char *address, struct list_message *want,
                          struct list_message *have_more) {
    struct mp_reader reader = section->items;
    for (uint32_t i = 0; i < section->count; i++) {
        struct wire_have have;
        wire_next_have(&reader, &have);
        struct origin *origin = origin_intern(gossip, have.origin);
        if (origin == NULL) {
            gossip->stats.dropped_quota++;
            continue;
        }
        origin->mark = gossip->mark;
        enum standing standing = stand(origin, &have);
        if (standing == STAND_BEHIND && origin == gossip->self) {
            own_hearsay(gossip, have.life, have.complete, address);
        } else if (standing == STAND_BEHIND) {
            repair_note(gossip, origin, have.life, have.complete);
            if (may_ask(gossip, origin)) {
                add_have(gossip, want, SECTION_WANT, origin);
            }
        } else if (standing == STAND_AHEAD && have_more != NULL) {
            add_have(gossip, have_more, SECTION_HAVE, origin);
        }
    }
}

void repair_haves(struct gossip *gossip, const struct wire_envelope *envelope,
                  const struct wire_section *section) {
    struct list_message want = {.count = 0};
    compare_haves(gossip, section, envelope->address, &want, NULL);
    send_list(gossip, &want, envelope->address);
}

void repair_buckets(struct gossip *gossip, const struct wire_envelope *envelope,
                    const struct wire_section *section) {
    struct list_message want = {.count = 0};
    struct list_message have = {.count = 0};
    gossip->mark++;
    compare_haves(gossip, section, envelope->address, &want, &have);
    uint32_t want_count = want.count;
    for (uint32_t bucket = 0; bucket < DIGEST_BUCKETS; bucket++) {
        if ((section->bytes[bucket / 8] >> (bucket % 8) & 1) == 0) {
            continue;
        }
        tell_unnamed(gossip, gossip, bucket, &have);
        if (gossip->config.base != NULL) {
            tell_unnamed(gossip, gossip->config.base, bucket, &have);
        }
    }
    send_list(gossip, &want, envelope->address);
    send_list(gossip, &have, envelope->address);
    gossip->answered = gossip->answered || section->last;
    crowd_answered(gossip, envelope->address, want_count);
}

// ---- data that was asked for

static void ask_on(struct gossip *gossip, struct origin *origin, struct list_message *want) {
    origin->wanted_at_ns = gossip->now_ns;
    add_have(gossip, want, SECTION_WANT, origin);
}

static void receive_part(struct gossip *gossip, const struct wire_part *part, const char *address,
                         struct list_message *want) {
    struct origin *origin = origin_intern(gossip, part->origin);
    if (origin == NULL) {
        gossip->stats.dropped_quota++;
        return;
    }
    if (origin == gossip->self) {
        if (merge_own(gossip, part) == MERGE_GAP) {
            own_hearsay(gossip, part->life, part->to, address);
        }
        return;
    }
    enum merge_result result = merge_part(gossip, origin, part);
    if (result == MERGE_NEW) {
        gossip->stats.repairs_received++;
        repair_came(gossip, origin);
        if (origin->want_due && !is_satisfied(origin)) {
            ask_on(gossip, origin, want);
        }
    } else if (result == MERGE_GAP && may_ask(gossip, origin)) {
        ask_on(gossip, origin, want);
    } else if (result == MERGE_REFUSED && !state_key_is_known(gossip->config.signing, part)) {
        origin->vain_count =
            origin->vain_count < VAIN_MAX ? (uint8_t)(origin->vain_count + 1) : VAIN_MAX;
    }
}

void repair_data(struct gossip *gossip, const struct wire_envelope *envelope,
                 const struct wire_section *section) {
    struct list_message want = {.count = 0};
    struct mp_reader reader = section->items;
    for (uint32_t i = 0; i < section->count; i++) {
        struct wire_part part;
        wire_next_part(&reader, &part);
        receive_part(gossip, &part, envelope->address, &want);
    }
    send_list(gossip, &want, envelope->address);
}
