// SPDX-License-Identifier: Apache-2.0
#include "keyring.h"

#include <errno.h>
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

static bool is_of_host(const struct curve_key *key, const char *name, const char *address) {
    return strcmp(key->address, address) == 0 || (name[0] != '\0' && strcmp(key->host, name) == 0);
}

static bool is_of_any(const struct curve_key *key) {
    return strcmp(key->host, "*") == 0;
}

const char *keyring_key_of(const struct curve_keys *fleet, const struct gossip *gossip,
                           const char *address, uint32_t turn) {
    const char *name = name_at(gossip, address);
    uint32_t own = 0, shared = 0;
    for (uint32_t i = 0; i < fleet->count; i++) {
        own += is_of_host(&fleet->keys[i], name, address);
        shared += is_of_any(&fleet->keys[i]) && !is_of_host(&fleet->keys[i], name, address);
    }
    if (own + shared == 0) {
        return NULL;
    }
    uint32_t wanted = turn % (own + shared);
    bool want_own = wanted < own;
    wanted -= want_own ? 0 : own;
    for (uint32_t i = 0; i < fleet->count; i++) {
        const struct curve_key *key = &fleet->keys[i];
        bool of_host = is_of_host(key, name, address);
        if (want_own ? of_host : !of_host && is_of_any(key)) {
            if (wanted-- == 0) {
                return key->public_key;
            }
        }
    }
    return NULL;
}

bool keyring_has(const struct curve_keys *fleet, const char *public_key) {
    for (uint32_t i = 0; i < fleet->count; i++) {
        if (strcmp(fleet->keys[i].public_key, public_key) == 0) {
            return true;
        }
    }
    return false;
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
