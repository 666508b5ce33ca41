// SPDX-License-Identifier: Apache-2.0
// Scopes: hosts that share a rack or a job, and tell each other how busy they are (load.c). The
// live hosts of a scope stand in two circles, each sorted by another hash of the name; a host's
// partners are those before and behind it on each. So who relays to its partners reaches the whole
// scope, and a host has few partners however large a job is.
//
// Partners need a connection, but they are no neighbours: nobody watches them or floods to them.
// The first circle of a rack is the one on which its hosts are neighbours: there it needs no more.
#include "core.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SCOPE_RINGS 2
#define SCOPE_SALT 64

struct scope_host {
    char name[NAME_SIZE];
    uint64_t key[SCOPE_RINGS];
};

struct scope {
    struct scope_host *hosts; // sorted by name
    uint32_t host_count, self;
};

static void free_scopes(struct scope *scopes, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        free(scopes[i].hosts);
    }
    free(scopes);
}

void scopes_fini(struct gossip *gossip) {
    free_scopes(gossip->scopes, gossip->scope_count);
    free(gossip->partners);
}

static bool find_host(const struct scope *scope, const char *name, uint32_t *place) {
    uint32_t low = 0;
    uint32_t high = scope->host_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (strcmp(scope->hosts[middle].name, name) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *place = low;
    return low < scope->host_count && strcmp(scope->hosts[low].name, name) == 0;
}

uint32_t scopes_of(const struct gossip *gossip, const char *name) {
    uint32_t set = 0;
    uint32_t place;
    for (uint32_t i = 0; i < gossip->scope_count; i++) {
        set |= find_host(&gossip->scopes[i], name, &place) ? UINT32_C(1) << i : 0;
    }
    return set;
}

static int copy_scope(const struct gossip *gossip, const struct gossip_scope *from,
                      struct scope *out) {
    struct scope scope = {.host_count = from->host_count};
    scope.hosts = calloc(from->host_count + (size_t)1, sizeof *scope.hosts);
    if (scope.hosts == NULL) {
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < from->host_count; i++) {
        struct scope_host *host = &scope.hosts[i];
        size_t size = strlen(from->hosts[i]);
        assert(size < NAME_SIZE && (i == 0 || strcmp(from->hosts[i - 1], from->hosts[i]) < 0));
        memcpy(host->name, from->hosts[i], size + 1);
        for (uint32_t z = 0; z < SCOPE_RINGS; z++) {
            host->key[z] = z == 0 ? overlay_rack_key(host->name)
                                  : hash_bytes(host->name, size, SCOPE_SALT + z);
        }
    }
    bool found = find_host(&scope, gossip->config.name, &scope.self);
    assert(found);
    (void)found;
    *out = scope;
    return 0;
}

int scopes_set(struct gossip *gossip, const struct gossip_scope *scopes, uint32_t count) {
    count = count < GOSSIP_SCOPES_MAX ? count : GOSSIP_SCOPES_MAX;
    struct scope *copies = calloc(count + (size_t)1, sizeof *copies);
    int error = copies == NULL ? -ENOMEM : 0;
    if (gossip->partners == NULL) {
        gossip->partners = calloc(PARTNERS_MAX, sizeof *gossip->partners);
        error = gossip->partners == NULL ? -ENOMEM : error;
    }
    for (uint32_t i = 0; i < count && error == 0; i++) {
        error = copy_scope(gossip, &scopes[i], &copies[i]);
    }
    if (error != 0) {
        free_scopes(copies, copies == NULL ? 0 : count);
        return error;
    }
    free_scopes(gossip->scopes, gossip->scope_count);
    gossip->scopes = copies;
    gossip->scope_count = count;
    return 0;
}

// ---- partners

static const struct origin *live_member(const struct gossip *gossip, const char *name) {
    const struct origin *origin = origin_known(gossip, name);
    return origin != NULL && member_is_live(origin) ? origin : NULL;
}

// The live host next to us on a circle. Keys are hashes, so the nearest one so far is seldom
// replaced, and few names are looked up.
static const struct origin *nearest(const struct gossip *gossip, const struct scope *scope,
                                    uint32_t ring, bool before) {
    const struct origin *best = NULL;
    uint64_t least = UINT64_MAX;
    uint64_t own = scope->hosts[scope->self].key[ring];
    for (uint32_t i = 0; i < scope->host_count; i++) {
        uint64_t key = scope->hosts[i].key[ring];
        uint64_t distance = before ? own - key : key - own; // around the circle
        if (i != scope->self && distance < least) {
            const struct origin *origin = live_member(gossip, scope->hosts[i].name);
            least = origin != NULL ? distance : least;
            best = origin != NULL ? origin : best;
        }
    }
    return best;
}

static uint32_t add_partner(struct partner partners[PARTNERS_MAX], uint32_t count,
                            const struct origin *origin, uint32_t scope) {
    uint32_t at = 0;
    while (at < count && strcmp(partners[at].name, origin->name) != 0) {
        at++;
    }
    if (at == PARTNERS_MAX) {
        return count;
    }
    if (at == count) {
        partners[count++] = (struct partner){.scopes = 0};
        memcpy(partners[at].name, origin->name, sizeof partners[at].name);
        memcpy(partners[at].address, origin->address, sizeof partners[at].address);
    }
    partners[at].scopes |= UINT32_C(1) << scope;
    return count;
}

static bool same_addresses(const struct gossip *gossip, const struct partner *partners,
                           uint32_t count) {
    bool same = count == gossip->partner_count;
    for (uint32_t i = 0; i < count && same; i++) {
        same = strcmp(partners[i].address, gossip->partners[i].address) == 0;
    }
    return same;
}

void scopes_refresh(struct gossip *gossip) {
    struct partner partners[PARTNERS_MAX];
    uint32_t count = 0;
    bool active = gossip->phase == OWN_ACTIVE;
    gossip->scopes_dirty = false;
    // First those behind us on the first circle, for all scopes: they alone make it whole.
    for (uint32_t side = 0; side < 2 * SCOPE_RINGS; side++) {
        for (uint32_t i = 0; i < gossip->scope_count && active; i++) {
            const struct scope *scope = &gossip->scopes[i];
            const struct origin *origin =
                nearest(gossip, scope, side % SCOPE_RINGS, side >= SCOPE_RINGS);
            count = origin != NULL ? add_partner(partners, count, origin, i) : count;
        }
    }
    if (!same_addresses(gossip, partners, count)) {
        gossip->peer_generation++;
    }
    if (count > 0) {
        memcpy(gossip->partners, partners, count * sizeof partners[0]);
    }
    gossip->partner_count = count;
}
