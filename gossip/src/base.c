// SPDX-License-Identifier: Apache-2.0
// A base: another core that stands still. What it knew is known here from the start without being
// held here, so that ten thousand cores of one process share one copy. The base is only read.
//
// Each origin of the base is either shared or taken. A shared one is a live member that nobody
// accuses and that accuses nobody: it stands in the base's circles, lists and buckets, and whoever
// walks through ours walks through those as well. As soon as there is anything to change in it or
// to point at, it is taken: copied with its records, and from then on the base's is passed over. So
// what is taken for good are the neighbours, those who spoke to us and those of whom there was
// news.
//
//   members here = own members + the base's that are not taken     (rings, buckets likewise)
//
// The base holds its members sorted by name. The places of the taken ones there are our `holes`,
// ascending: so the n-th of all members is found without copying anybody.
#include "core.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool base_shares(const struct gossip *gossip, const struct origin *from) {
    return (gossip->base_taken[from->number / 8] >> (from->number % 8) & 1) == 0;
}

const struct origin *base_find(const struct gossip *gossip, const char *name) {
    const struct gossip *base = gossip->config.base;
    const struct origin *from = base != NULL ? origin_find_own(base, name) : NULL;
    return from != NULL && base_shares(gossip, from) ? from : NULL;
}

// The first place among the base's members whose name is not below.
static uint32_t member_place(const struct gossip *base, const char *name) {
    uint32_t low = 0;
    uint32_t high = base->member_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (strcmp(base->members[middle]->name, name) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

// How many holes lie below a place.
static uint32_t holes_below(const struct gossip *gossip, uint32_t place) {
    uint32_t low = 0;
    uint32_t high = gossip->base_hole_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (gossip->base_holes[middle] < place) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static int reserve_hole(struct gossip *gossip) {
    if (gossip->base_hole_count == gossip->base_hole_capacity) {
        uint32_t capacity = gossip->base_hole_capacity == 0 ? 16 : 2 * gossip->base_hole_capacity;
        uint32_t *grown = realloc(gossip->base_holes, capacity * sizeof *grown);
        if (grown == NULL) {
            return -ENOMEM;
        }
        gossip->base_holes = grown;
        gossip->base_hole_capacity = capacity;
    }
    return 0;
}

// From here on the base's origin is passed over. There is room for one more hole.
static void pass_over(struct gossip *gossip, const struct origin *from) {
    gossip->base_taken[from->number / 8] |= (uint8_t)(1U << (from->number % 8));
    if (!from->member) {
        return;
    }
    uint32_t place = member_place(gossip->config.base, from->name);
    uint32_t at = holes_below(gossip, place);
    memmove(&gossip->base_holes[at + 1], &gossip->base_holes[at],
            (gossip->base_hole_count - at) * sizeof *gossip->base_holes);
    gossip->base_holes[at] = place;
    gossip->base_hole_count++;
}

// ---- taking

// What is true of the origin here as well; what ties it to the base's lists is left out.
static struct origin *copy_origin(struct gossip *gossip, const struct origin *from) {
    struct origin *origin = malloc(sizeof *origin);
    if (origin == NULL) {
        return NULL;
    }
    *origin = *from;
    origin->hash_next = origin->bucket_prev = origin->bucket_next = NULL;
    origin->first = origin->last = NULL;
    origin->records = NULL;
    origin->record_count = origin->record_capacity = 0;
    origin->voters = NULL;
    origin->voter_count = origin->voter_capacity = 0;
    origin->voted = origin->listed = origin->member = origin->in_rings = false;
    origin->summary_due = 0;
    origin->want_due = false;
    origin->want_life = (struct life){0, 0};
    origin->want_complete = origin->want_tries = 0;
    origin->mark = origin->heard_at_ns = origin->pinged_at_ns = origin->wanted_at_ns =
        origin->accused_at_ns = 0;
    origin->vain_count = 0;
    origin->asked_at_ns = origin->news_at_ns = origin->alibi_at_ns = 0;
    origin->rate_at_ns = gossip->now_ns;
    origin->rate_tokens = RATE_BURST;
    origin->state_change = (struct change){.kind = GOSSIP_MEMBER_STATE, .origin = origin};
    origin->duplicate_change = (struct change){.kind = GOSSIP_ALARM_DUPLICATE, .origin = origin};
    origin->forged_change = (struct change){.kind = GOSSIP_ALARM_FORGED, .origin = origin};
    origin->version_change = (struct change){.kind = GOSSIP_ALARM_VERSION, .origin = origin};
    origin->forged_count = 0;
    origin->forged_at_ns = origin->forged_alarm_at_ns = 0;
    return origin;
}

struct origin *base_take(struct gossip *gossip, const struct origin *from) {
    struct origin *origin = reserve_hole(gossip) == 0 ? copy_origin(gossip, from) : NULL;
    if (origin == NULL) {
        return NULL;
    }
    bool entered = store_copy_records(gossip, origin, from) == 0 &&
                   (!from->member || members_enter(gossip, origin));
    if (!entered) {
        store_uncopy(gossip, origin);
        free(origin);
        return NULL;
    }
    pass_over(gossip, from);
    origin_insert(gossip, origin);
    origin_update_digest(gossip, origin); // the sums have it already; now it is in our bucket
    if (from->in_rings) {
        bool dirty = gossip->overlay_dirty; // it stood in the circles all the time
        overlay_add(gossip, origin);
        gossip->overlay_dirty = dirty;
    }
    return origin;
}

// ---- opening

// A member that nobody votes on. (Who votes is found through the votes.)
static bool may_be_shared(const struct origin *from) {
    return from->member && from->state == GOSSIP_ALIVE && from->in_rings && from->listed &&
           from->voter_count == 0;
}

static int take_once(struct gossip *gossip, const struct origin *from) {
    return !base_shares(gossip, from) || base_take(gossip, from) != NULL ? 0 : -ENOMEM;
}

static int take_with_voters(struct gossip *gossip, const struct origin *from) {
    int error = may_be_shared(from) ? 0 : take_once(gossip, from);
    for (uint32_t i = 0; i < from->voter_count && error == 0; i++) {
        error = take_once(gossip, from->voters[i]->origin);
    }
    return error;
}

static int copy_votes(struct gossip *gossip, const struct origin *from) {
    struct origin *target = origin_find_own(gossip, from->name);
    for (uint32_t i = 0; i < from->voter_count && target != NULL; i++) {
        const struct record *vote = from->voters[i];
        struct origin *voter = origin_find_own(gossip, vote->origin->name);
        struct record *own =
            voter == NULL ? NULL
                          : store_find(gossip, voter, vote->table, vote->key, vote->key_size);
        if (own != NULL && own->value != NULL && !members_add_vote(gossip, target, own)) {
            return -ENOMEM;
        }
    }
    return 0;
}

typedef int base_step(struct gossip *gossip, const struct origin *from);

static int for_all(struct gossip *gossip, base_step *step) {
    const struct gossip *base = gossip->config.base;
    int error = 0;
    for (uint32_t i = 0; i <= base->origin_mask && error == 0; i++) {
        const struct origin *from = base->origin_hash[i];
        for (; from != NULL && error == 0; from = from->hash_next) {
            error = step(gossip, from);
        }
    }
    return error;
}

// Liveness is tied up between origins: whoever has a part in it is taken at once. A base whose
// members are all well, as is usual, costs no look at each.
static int take_the_unwell(struct gossip *gossip) {
    const struct gossip *base = gossip->config.base;
    if (base->origin_count == base->ring_size && base->voted_count == 0) {
        return 0;
    }
    int error = for_all(gossip, take_with_voters);
    return error != 0 ? error : for_all(gossip, copy_votes);
}

// Makes an origin of the base unknown here.
static int hide(struct gossip *gossip, const struct origin *from) {
    if (reserve_hole(gossip) != 0) {
        return -ENOMEM;
    }
    uint32_t bucket = origin_bucket(from->name);
    gossip->digest[bucket] ^= from->digest_term;
    if (from->speaks != 0) {
        gossip->speakers[from->speaks - GOSSIP_PROTOCOL_MIN]--;
    }
    pass_over(gossip, from);
    return 0;
}

// This very life goes on; of an earlier one it is only known that it must be outbid.
static int take_self(struct gossip *gossip) {
    const struct gossip *base = gossip->config.base;
    const struct origin *from = origin_find_own(base, gossip->config.name);
    if (from == NULL || !base_shares(gossip, from)) {
        return 0;
    }
    if (from->life.incarnation > 0 && from->life.nonce == gossip->config.nonce &&
        member_is_live(from)) {
        return base_take(gossip, from) != NULL ? 0 : -ENOMEM;
    }
    gossip->heard_self = from->life;
    // Votes on that life need somebody whom they are on.
    int error = hide(gossip, from);
    return error != 0 || origin_intern(gossip, from->name) != NULL ? error : -ENOMEM;
}

int base_open(struct gossip *gossip) {
    const struct gossip *base = gossip->config.base;
    if (base == NULL) {
        return 0;
    }
    gossip->base_taken = calloc(base->next_number / 8 + 1, 1);
    if (gossip->base_taken == NULL) {
        return -ENOMEM;
    }
    gossip->hash_seed = base->hash_seed; // so that hashes may be copied
    memcpy(gossip->digest, base->digest, sizeof gossip->digest);
    memcpy(gossip->speakers, base->speakers, sizeof gossip->speakers);
    // A base that told nobody of itself is not a member.
    bool silent = base->self->life.incarnation == 0;
    int error = silent ? hide(gossip, base->self) : 0;
    error = error != 0 ? error : take_self(gossip);
    return error != 0 ? error : take_the_unwell(gossip);
}

int base_check(const struct gossip_config *config, struct error *error) {
    const struct gossip *base = config->base;
    uint32_t neighbours = config->neighbours != 0 ? config->neighbours : GOSSIP_NEIGHBOURS;
    if (base == NULL) {
        return 0;
    }
    if (base->config.base != NULL) {
        return error_set(error, -EINVAL, "gossip: %s: its base has a base itself", config->name);
    }
    if (base->config.neighbours != neighbours) {
        return error_set(error, -EINVAL, "gossip: %s: %u neighbours, but its base has %u",
                         config->name, neighbours, base->config.neighbours);
    }
    uint32_t protocol = config->protocol_max != 0 ? config->protocol_max : GOSSIP_PROTOCOL_VERSION;
    if (base->config.protocol_max != protocol ||
        (base->config.signing == NULL) != (config->signing == NULL)) {
        return error_set(error, -EINVAL, "gossip: %s: its base speaks or signs otherwise",
                         config->name);
    }
    if (base->self->life.incarnation != 0 && base->pushed_seq < base->next_seq) {
        return error_set(error, -EINVAL, "gossip: %s: its base has not told all that it wrote",
                         config->name);
    }
    return 0;
}

void base_fini(struct gossip *gossip) {
    free(gossip->base_taken);
    free(gossip->base_holes);
}

// ---- all members, sorted by name

static uint32_t shared_count(const struct gossip *gossip) {
    const struct gossip *base = gossip->config.base;
    return base == NULL ? 0 : base->member_count - gossip->base_hole_count;
}

uint32_t members_count(const struct gossip *gossip) {
    return gossip->member_count + shared_count(gossip);
}

// The place of an own member among all.
static uint32_t rank_of(const struct gossip *gossip, uint32_t own) {
    uint32_t place = member_place(gossip->config.base, gossip->members[own]->name);
    return own + place - holes_below(gossip, place);
}

// The n-th member of the base that is not taken.
static const struct origin *shared_at(const struct gossip *gossip, uint32_t n) {
    uint32_t low = 0;
    uint32_t high = gossip->base_hole_count;
    while (low < high) { // holes that lie below it
        uint32_t middle = low + (high - low) / 2;
        if (gossip->base_holes[middle] - middle <= n) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return gossip->config.base->members[n + low];
}

const struct origin *members_at(const struct gossip *gossip, uint32_t index,
                                const struct gossip **holder) {
    *holder = gossip;
    if (shared_count(gossip) == 0) {
        return gossip->members[index];
    }
    uint32_t low = 0;
    uint32_t high = gossip->member_count;
    while (low < high) { // own members that stand before it
        uint32_t middle = low + (high - low) / 2;
        if (rank_of(gossip, middle) < index) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low < gossip->member_count && rank_of(gossip, low) == index) {
        return gossip->members[low];
    }
    *holder = gossip->config.base;
    return shared_at(gossip, index - low);
}
