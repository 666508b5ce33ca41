// SPDX-License-Identifier: Apache-2.0
// Who is whose neighbour: the live members in a few circles, each sorted by another hash of the
// name; a member's neighbours are those before and behind it on each circle. So links are
// symmetric, the union is connected while one circle is, and a join or death touches a handful of
// members. On the first circle racks stay together. Few members are all neighbours of each other.
#include "core.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void overlay_keys(const struct gossip *gossip, struct origin *origin) {
    for (uint32_t z = 0; z < gossip->ring_count; z++) {
        origin->ring_key[z] = hash_bytes(origin->name, strlen(origin->name), z + 2);
    }
    uint64_t rack = hash_bytes(origin->rack, strlen(origin->rack), 1);
    origin->ring_key[0] = rack << 32 | (origin->ring_key[0] & UINT32_MAX);
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
static uint32_t place_of(const struct gossip *gossip, uint32_t z, const struct origin *origin) {
    uint32_t low = 0;
    uint32_t high = gossip->ring_size;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (compare(&gossip->rings[z][middle], origin->ring_key[z], origin) < 0) {
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

static void add_once(struct origin *out[NEIGHBOURS_MAX], uint32_t *count, struct origin *origin,
                     const struct origin *of) {
    bool known = origin == of;
    for (uint32_t i = 0; i < *count && !known; i++) {
        known = out[i] == origin;
    }
    if (!known && *count < NEIGHBOURS_MAX) {
        out[(*count)++] = origin;
    }
}

uint32_t overlay_neighbours(const struct gossip *gossip, const struct origin *origin,
                            struct origin *out[NEIGHBOURS_MAX]) {
    uint32_t count = 0;
    uint32_t size = gossip->ring_size;
    if (size <= gossip->config.neighbours + 1) { // a full mesh
        for (uint32_t i = 0; i < size; i++) {
            add_once(out, &count, gossip->rings[0][i].origin, origin);
        }
        return count;
    }
    for (uint32_t z = 0; z < gossip->ring_count; z++) {
        uint32_t at = place_of(gossip, z, origin);
        uint32_t behind = at + (origin->in_rings ? 1 : 0);
        add_once(out, &count, gossip->rings[z][(at + size - 1) % size].origin, origin);
        add_once(out, &count, gossip->rings[z][behind % size].origin, origin);
    }
    return count;
}

bool overlay_is_neighbour(const struct gossip *gossip, const struct origin *of,
                          const struct origin *who) {
    struct origin *neighbours[NEIGHBOURS_MAX];
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
    memcpy(peer->address, peer->origin->address, sizeof peer->address);
    gossip->peer_generation++;
    repair_send_digest(gossip, peer->address);
}

static void keep_peer(struct gossip *gossip, struct origin *origin) {
    struct peer *peer = NULL;
    for (uint32_t i = 0; i < gossip->peer_count && peer == NULL; i++) {
        peer = gossip->peers[i].origin == origin ? &gossip->peers[i] : NULL;
    }
    if (peer != NULL && strcmp(peer->address, origin->address) == 0) {
        // Whoever comes back from lingering has time for its first word again.
        peer->since_ns = peer->linger_until_ns == 0 ? peer->since_ns : gossip->now_ns;
    } else if (peer != NULL || gossip->peer_count < PEERS_MAX) {
        peer = peer != NULL ? peer : &gossip->peers[gossip->peer_count++];
        *peer = (struct peer){.origin = origin};
        start_peer(gossip, peer);
    }
    if (peer != NULL) {
        peer->linger_until_ns = 0;
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

void overlay_refresh(struct gossip *gossip) {
    struct origin *wanted[NEIGHBOURS_MAX];
    uint32_t count = gossip->phase == OWN_ACTIVE || gossip->phase == OWN_LEFT
                         ? overlay_neighbours(gossip, gossip->self, wanted)
                         : 0;
    gossip->overlay_dirty = false;
    release_peers(gossip, wanted, count);
    for (uint32_t i = 0; i < count; i++) {
        keep_peer(gossip, wanted[i]);
    }
}
