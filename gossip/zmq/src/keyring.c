// SPDX-License-Identifier: Apache-2.0
#include "keyring.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The name that the member at this address gave itself; "" when nothing is known of it.
static const char *name_at(const struct gossip *gossip, const char *address) {
    uint32_t count = gossip_member_count(gossip);
    const char *name = "";
    for (uint32_t i = 0; i < count; i++) {
        struct gossip_member member;
        if (!gossip_member_at(gossip, i, &member) || strcmp(member.address, address) != 0) {
            continue;
        }
        name = member.name;
        if (member.state == GOSSIP_ALIVE || member.state == GOSSIP_SUSPECT) {
            break; // the living before those that had the address once
        }
    }
    return name;
}

struct target {
    const char *name, *address, *ip;
};

static bool was_heard_from(const struct keyring *keyring, const char *ip, const char *public_key) {
    for (uint32_t i = 0; i < KEYRING_HEARD_MAX; i++) {
        if (strcmp(keyring->heard[i].ip, ip) == 0 &&
            strcmp(keyring->heard[i].public_key, public_key) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_of_host(const struct keyring *keyring, const struct curve_key *key,
                       const struct target *target) {
    return strcmp(key->address, target->address) == 0 ||
           (target->name[0] != '\0' && strcmp(key->host, target->name) == 0) ||
           was_heard_from(keyring, target->ip, key->public_key);
}

static bool is_of_any(const struct curve_key *key) {
    return strcmp(key->host, "*") == 0;
}

// The candidate number `wanted` of those that are (or are not) the host's own; NULL beyond the
// last. `count` says how many there were up to there.
static const char *candidate(const struct keyring *keyring, const struct target *target, bool own,
                             uint32_t wanted, uint32_t *count) {
    *count = 0;
    for (uint32_t i = 0; i < keyring->fleet.count; i++) {
        const struct curve_key *key = &keyring->fleet.keys[i];
        bool of_host = is_of_host(keyring, key, target);
        if (own ? of_host : !of_host && is_of_any(key)) {
            if ((*count)++ == wanted) {
                return key->public_key;
            }
        }
    }
    return NULL;
}

const char *keyring_key_of(const struct keyring *keyring, const struct gossip *gossip,
                           const char *address, uint32_t turn) {
    struct tcp_address parsed;
    if (!address_parse(address, &parsed)) {
        return NULL;
    }
    struct target target = {name_at(gossip, address), address, parsed.ip};
    uint32_t own, shared;
    (void)candidate(keyring, &target, true, UINT32_MAX, &own);
    (void)candidate(keyring, &target, false, UINT32_MAX, &shared);
    if (own + shared == 0) {
        return NULL;
    }
    uint32_t wanted = turn % (own + shared), passed;
    return wanted < own ? candidate(keyring, &target, true, wanted, &passed)
                        : candidate(keyring, &target, false, wanted - own, &passed);
}

bool keyring_has(const struct keyring *keyring, const char *public_key) {
    for (uint32_t i = 0; i < keyring->fleet.count; i++) {
        if (strcmp(keyring->fleet.keys[i].public_key, public_key) == 0) {
            return true;
        }
    }
    return false;
}

void keyring_heard(struct keyring *keyring, const char *ip, const char *public_key) {
    if (was_heard_from(keyring, ip, public_key)) {
        return;
    }
    uint32_t slot = keyring->heard_next++ % KEYRING_HEARD_MAX;
    snprintf(keyring->heard[slot].ip, sizeof keyring->heard[slot].ip, "%s", ip);
    snprintf(keyring->heard[slot].public_key, CURVE_KEY_TEXT_SIZE, "%s", public_key);
}

int keyring_copy(const struct curve_keys *fleet, struct curve_keys *out) {
    struct curve_key *keys = malloc(fleet->count * sizeof *keys);
    if (keys == NULL) {
        return -ENOMEM;
    }
    memcpy(keys, fleet->keys, fleet->count * sizeof *keys);
    *out = (struct curve_keys){.keys = keys, .count = fleet->count};
    return 0;
}
