// SPDX-License-Identifier: Apache-2.0
// Who is whose neighbour: the live members in a few circles, each sorted by another hash of the
// name; a member's neighbours are those before and behind it on each circle. So links are
// symmetric, the union is connected while one circle is, and a join or death touches a handful of
// members. On the first circle racks stay together. Few members are all neighbours of each other.
//
// With a base a circle is two sorted lists: ours, and the base's without what we took of it.
#include "core.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

uint64_t overlay_rack_key(const char *name) {
    return hash_bytes(name, strlen(name), 2) & UINT32_MAX;
}

void overlay_keys(const struct gossip *gossip, struct origin *origin) {
    uint64_t rack = hash_bytes(origin->rack, strlen(origin->rack), 1);
    origin->ring_key[0] = rack << 32 | overlay_rack_key(origin->name);
    for (uint32_t z = 1; z < gossip->ring_count; z++) {
        origin->ring_key[z] = hash_bytes(origin->name, strlen(origin->name), z + 2);
    }
}

int overlay_reserve(struct gossip *gossip) {
    if (gossip->ring_size < gossip->ring_capacity) {
        return 0;
    }
    // Ring sizes never exceed the number of members, which may include dead ones.
    uint32_t capacity = gossip->ring_capacity == 0 ? 16 : 2 * gossip->ring_capacity;
    for (uint32_t z = 0; z < gossip->ring_count; z++) {
        struct ring_entry *grown = realloc(gossip->rings[z], capacity * sizeof(struct ring_entry));
        if (grown == NULL) {
            return -ENOMEM; // rings that did grow are merely larger than needed
        }
        gossip->rings[z] = grown;
    }
    gossip->ring_capacity = capacity;
    return 0;
}

static int compare(const struct ring_entry *entry, uint64_t key, const struct origin *origin) {
    if (entry->key != key) {
        return entry->key < key ? -1 : 1;
    }
    return strcmp(entry->origin->name, origin->name);
}

// The first place whose entry is not before `origin`.
static uint32_t place_of(const struct gossip *holder, uint32_t z, const struct origin *origin) {
    uint32_t low = 0;
    uint32_t high = holder->ring_size;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (compare(&holder->rings[z][middle], origin->ring_key[z], origin) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

void overlay_add(struct gossip *gossip, struct origin *origin) {
    if (origin->in_rings || overlay_reserve(gossip) != 0) {
        return;
    }
    for (uint32_t z = 0; z < gossip->ring_count; z++) {
        uint32_t at = place_of(gossip, z, origin);
        struct ring_entry *ring = gossip->rings[z];
        memmove(&ring[at + 1], &ring[at], (gossip->ring_size - at) * sizeof *ring);
        ring[at] = (struct ring_entry){origin->ring_key[z], origin};
    }
    gossip->ring_size++;
    origin->in_rings = true;
    gossip->overlay_dirty = true;
}

void overlay_remove(struct gossip *gossip, struct origin *origin) {
    if (!origin->in_rings) {
        return;
    }
    for (uint32_t z = 0; z < gossip->ring_count; z++) {
        uint32_t at = place_of(gossip, z, origin);
        struct ring_entry *ring = gossip->rings[z];
        memmove(&ring[at], &ring[at + 1], (gossip->ring_size - at - 1) * sizeof *ring);
    }
    gossip->ring_size--;
    origin->in_rings = false;
    gossip->overlay_dirty = true;
}

// ---- the circles

uint32_t overlay_size(const struct gossip *gossip) {
    return members_count(gossip) - gossip->member_count + gossip->ring_size; // what is shared lives
}

// The nearest entry of a holder's circle that stands before `place`, or NULL.
static const struct ring_entry *before(const struct gossip *gossip, const struct gossip *holder,
                                       uint32_t z, uint32_t place) {
    while (place > 0) {
        const struct ring_entry *entry = &holder->rings[z][--place];
        if (holder == gossip || base_shares(gossip, entry->origin)) {
            return entry;
        }
    }
    return NULL;
}

// The nearest one at `place` or behind it that is not `of`, or NULL.
static const struct ring_entry *from(const struct gossip *gossip, const struct gossip *holder,
                                     uint32_t z, uint32_t place, const struct origin *of) {
    for (; place < holder->ring_size; place++) {
        const struct ring_entry *entry = &holder->rings[z][place];
        if (entry->origin != of && (holder == gossip || base_shares(gossip, entry->origin))) {
            return entry;
        }
    }
    return NULL;
}

// Of two entries that may be missing the later or earlier one.
static const struct ring_entry *pick(const struct ring_entry *a, const struct ring_entry *b,
                                     bool later) {
    if (a == NULL || b == NULL) {
        return a == NULL ? b : a;
    }
    return (compare(a, b->key, b->origin) > 0) == later ? a : b;
}

static const struct origin *neighbour_before(const struct gossip *gossip, uint32_t z,
                                             const struct origin *origin) {
    const struct gossip *base = gossip->config.base;
    const struct ring_entry *near = before(gossip, gossip, z, place_of(gossip, z, origin));
    const struct ring_entry *far = before(gossip, gossip, z, gossip->ring_size);
    if (base != NULL) {
        near = pick(near, before(gossip, base, z, place_of(base, z, origin)), true);
        far = pick(far, before(gossip, base, z, base->ring_size), true);
    }
    return near != NULL ? near->origin : far->origin;
}

static const struct origin *neighbour_behind(const struct gossip *gossip, uint32_t z,
                                             const struct origin *origin) {
    const struct gossip *base = gossip->config.base;
    const struct ring_entry *near = from(gossip, gossip, z, place_of(gossip, z, origin), origin);
    const struct ring_entry *far = from(gossip, gossip, z, 0, NULL);
    if (base != NULL) {
        near = pick(near, from(gossip, base, z, place_of(base, z, origin), origin), false);
        far = pick(far, from(gossip, base, z, 0, NULL), false);
    }
    return near != NULL ? near->origin : far->origin;
}

// ---- neighbours

static void add_once(const struct origin *out[NEIGHBOURS_MAX], uint32_t *count,
                     const struct origin *origin, const struct origin *of) {
    bool known = origin == of;
    for (uint32_t i = 0; i < *count && !known; i++) {
        known = out[i] == origin;
    }
    if (!known && *count < NEIGHBOURS_MAX) {
        out[(*count)++] = origin;
    }
}

// All live members, in the order of the first circle.
static uint32_t all_of_them(const struct gossip *gossip, const struct origin *origin,
                            const struct origin *out[NEIGHBOURS_MAX]) {
    uint32_t count = 0;
    uint32_t size = overlay_size(gossip);
    const struct ring_entry *first = from(gossip, gossip, 0, 0, NULL);
    if (gossip->config.base != NULL) {
        first = pick(first, from(gossip, gossip->config.base, 0, 0, NULL), false);
    }
    const struct origin *member = first != NULL ? first->origin : NULL;
    for (uint32_t i = 0; i < size; i++) {
        add_once(out, &count, member, origin);
        member = neighbour_behind(gossip, 0, member);
    }
    return count;
}

uint32_t overlay_neighbours(const struct gossip *gossip, const struct origin *origin,
                            const struct origin *out[NEIGHBOURS_MAX]) {
    uint32_t count = 0;
    if (overlay_size(gossip) <= gossip->config.neighbours + 1) {
        return all_of_them(gossip, origin, out);
    }
    for (uint32_t z = 0; z < gossip->ring_count; z++) {
        add_once(out, &count, neighbour_before(gossip, z, origin), origin);
        add_once(out, &count, neighbour_behind(gossip, z, origin), origin);
    }
    return count;
}

bool overlay_is_neighbour(const struct gossip *gossip, const struct origin *of,
                          const struct origin *who) {
    const struct origin *neighbours[NEIGHBOURS_MAX];
    uint32_t count = overlay_neighbours(gossip, of, neighbours);
    for (uint32_t i = 0; i < count; i++) {
        if (neighbours[i] == who) {
            return true;
        }
    }
    return false;
}

// ---- own peers

struct peer *overlay_peer(struct gossip *gossip, const char *address) {
    for (uint32_t i = 0; i < gossip->peer_count; i++) {
        if (strcmp(gossip->peers[i].address, address) == 0) {
            return &gossip->peers[i];
        }
    }
    return NULL;
}

bool overlay_lost_words(const struct gossip *gossip, const struct peer *peer) {
    // The first words to a new neighbour, a digest among them, wait for its connection.
    return peer->connected || peer->lost_at_ns != 0 || peer->behind_at_ns != 0 ||
           gossip->now_ns - peer->since_ns >= FIRST_WORD_NS;
}

const struct peer *overlay_peer_of(const struct gossip *gossip, const struct origin *origin) {
    for (uint32_t i = 0; i < gossip->peer_count; i++) {
        if (gossip->peers[i].origin == origin) {
            return &gossip->peers[i];
        }
    }
    return NULL;
}

static void start_peer(struct gossip *gossip, struct peer *peer) {
    peer->since_ns = gossip->now_ns;
    peer->lost_at_ns = 0;
    peer->behind_at_ns = 0;
    peer->connected = false;
    peer->pinged = false;
    memcpy(peer->address, peer->origin->address, sizeof peer->address);
    gossip->peer_generation++;
    repair_send_digest(gossip, peer->address);
}

// Of each slot of a ping interval how many neighbours are pinged in it; returns the one with
// fewest.
static uint8_t count_slots(const struct gossip *gossip, uint32_t counts[PING_SLOTS]) {
    uint8_t least = 0;
    memset(counts, 0, PING_SLOTS * sizeof *counts);
    for (uint32_t i = 0; i < gossip->peer_count; i++) {
        counts[gossip->peers[i].slot] += gossip->peers[i].linger_until_ns == 0;
    }
    for (uint8_t slot = 1; slot < PING_SLOTS; slot++) {
        least = counts[slot] < counts[least] ? slot : least;
    }
    return least;
}

void overlay_even_slots(struct gossip *gossip, uint8_t slot) {
    uint32_t counts[PING_SLOTS];
    uint8_t least = count_slots(gossip, counts);
    for (uint32_t i = 0; i < gossip->peer_count && counts[slot] > counts[least] + 1; i++) {
        struct peer *peer = &gossip->peers[i];
        if (peer->slot == slot && peer->linger_until_ns == 0) {
            peer->slot = least;
            least = count_slots(gossip, counts);
        }
    }
}

static void keep_peer(struct gossip *gossip, struct origin *origin, bool chosen) {
    struct peer *peer = NULL;
    for (uint32_t i = 0; i < gossip->peer_count && peer == NULL; i++) {
        peer = gossip->peers[i].origin == origin ? &gossip->peers[i] : NULL;
    }
    if (peer != NULL && strcmp(peer->address, origin->address) == 0) {
        // Whoever comes back from lingering has time for its first word again.
        peer->since_ns = peer->linger_until_ns == 0 ? peer->since_ns : gossip->now_ns;
    } else if (peer != NULL || gossip->peer_count < PEERS_MAX) {
        uint32_t counts[PING_SLOTS];
        uint8_t slot = peer != NULL ? peer->slot : count_slots(gossip, counts);
        peer = peer != NULL ? peer : &gossip->peers[gossip->peer_count++];
        *peer = (struct peer){.origin = origin, .slot = slot};
        start_peer(gossip, peer);
    }
    if (peer != NULL) {
        peer->linger_until_ns = 0;
        peer->chosen = chosen;
    }
}

static bool contains(struct origin *const *list, uint32_t count, const struct origin *origin) {
    for (uint32_t i = 0; i < count; i++) {
        if (list[i] == origin) {
            return true;
        }
    }
    return false;
}

static void release_peers(struct gossip *gossip, struct origin *const *wanted, uint32_t count) {
    for (uint32_t i = 0; i < gossip->peer_count;) {
        struct peer *peer = &gossip->peers[i];
        if (!contains(wanted, count, peer->origin) && peer->linger_until_ns == 0) {
            peer->linger_until_ns = gossip->now_ns + LINGER_NS;
        }
        bool over = peer->origin->state == GOSSIP_DEAD || !peer->origin->member;
        if (peer->linger_until_ns != 0 && (over || peer->linger_until_ns <= gossip->now_ns)) {
            *peer = gossip->peers[--gossip->peer_count];
            gossip->peer_generation++;
        } else {
            i++;
        }
    }
}

// Who lives of those that we have.
static uint32_t standing_neighbours(const struct gossip *gossip,
                                    struct origin *out[NEIGHBOURS_MAX]) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < gossip->peer_count && count < NEIGHBOURS_MAX; i++) {
        const struct peer *peer = &gossip->peers[i];
        if (peer->linger_until_ns == 0 && member_is_live(peer->origin)) {
            out[count++] = peer->origin;
        }
    }
    return count;
}

// Pinged us since the crowd came: it has chosen. Who merely asks what we know has not.
static bool has_come(const struct gossip *gossip, const struct origin *origin) {
    return origin->pinged_at_ns != 0 && origin->pinged_at_ns >= gossip->crowd.since_ns;
}

static uint32_t wanted_neighbours(struct gossip *gossip, struct origin *out[NEIGHBOURS_MAX]) {
    const struct origin *neighbours[NEIGHBOURS_MAX];
    uint32_t count = 0;
    if (gossip->phase != OWN_ACTIVE && gossip->phase != OWN_LEFT) {
        return 0;
    }
    bool waits = crowd_waits(gossip);
    count = waits ? standing_neighbours(gossip, out) : 0;
    uint32_t found = overlay_neighbours(gossip, gossip->self, neighbours);
    for (uint32_t i = 0; i < found && count < NEIGHBOURS_MAX; i++) {
        struct origin *own = origin_find(gossip, neighbours[i]->name); // NULL: memory is short
        if (own != NULL && !contains(out, count, own) && (!waits || has_come(gossip, own))) {
            out[count++] = own;
        }
    }
    return count;
}

void overlay_refresh(struct gossip *gossip) {
    struct origin *wanted[NEIGHBOURS_MAX];
    uint32_t count = wanted_neighbours(gossip, wanted);
    gossip->scopes_dirty = gossip->scopes_dirty || gossip->overlay_dirty;
    gossip->overlay_dirty = false;
    release_peers(gossip, wanted, count);
    for (uint32_t i = 0; i < count; i++) {
        keep_peer(gossip, wanted[i], overlay_is_neighbour(gossip, gossip->self, wanted[i]));
    }
}
