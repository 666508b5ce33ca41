// SPDX-License-Identifier: Apache-2.0
#include "keyring.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CANDIDATES_MAX 16 // of one address; a rotation has two

static int compare_hosts(const void *a, const void *b) {
    const struct curve_key *one = a, *other = b;
    int order = strcmp(one->host, other->host);
    return order != 0 ? order : strcmp(one->public_key, other->public_key);
}

static int compare_keys(const void *a, const void *b) {
    const struct curve_key *const *one = a, *const *other = b;
    return strcmp((*one)->public_key, (*other)->public_key);
}

static int compare_addresses(const void *a, const void *b) {
    const struct curve_key *const *one = a, *const *other = b;
    return strcmp((*one)->address, (*other)->address);
}

static const struct curve_key **sorted(const struct curve_keys *fleet,
                                       int (*compare)(const void *, const void *)) {
    const struct curve_key **list = malloc((fleet->count + 1) * sizeof(*list));
    for (uint32_t i = 0; list != NULL && i < fleet->count; i++) {
        list[i] = &fleet->keys[i];
    }
    if (list != NULL) {
        qsort(list, fleet->count, sizeof(*list), compare);
    }
    return list;
}

static void free_lists(struct curve_keys *fleet, const struct curve_key **by_key,
                       const struct curve_key **by_address) {
    curve_keys_fini(fleet);
    free(by_key);
    free(by_address);
}

int keyring_set(struct keyring *keyring, const struct curve_keys *fleet) {
    struct curve_keys copy = {malloc((fleet->count + 1) * sizeof(*copy.keys)), fleet->count};
    if (copy.keys == NULL) {
        return -ENOMEM;
    }
    memcpy(copy.keys, fleet->keys, fleet->count * sizeof(*copy.keys));
    qsort(copy.keys, copy.count, sizeof(*copy.keys), compare_hosts);
    const struct curve_key **by_key = sorted(&copy, compare_keys);
    const struct curve_key **by_address = sorted(&copy, compare_addresses);
    if (by_key == NULL || by_address == NULL) {
        free_lists(&copy, by_key, by_address);
        return -ENOMEM;
    }
    free_lists(&keyring->fleet, keyring->by_key, keyring->by_address);
    keyring->fleet = copy;
    keyring->by_key = by_key;
    keyring->by_address = by_address;
    return 0;
}

void keyring_fini(struct keyring *keyring) {
    free_lists(&keyring->fleet, keyring->by_key, keyring->by_address);
    *keyring = (struct keyring){0};
}

const struct curve_key *keyring_find(const struct keyring *keyring, const char *public_key) {
    uint32_t low = 0, high = keyring->fleet.count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = strcmp(keyring->by_key[middle]->public_key, public_key);
        if (order == 0) {
            return keyring->by_key[middle];
        }
        low = order < 0 ? middle + 1 : low;
        high = order < 0 ? high : middle;
    }
    return NULL;
}

// ---- whom to expect at an address

struct candidates {
    const char *keys[CANDIDATES_MAX];
    uint32_t count;
};

static void add(struct candidates *list, const struct curve_key *key) {
    bool known = key == NULL || list->count == CANDIDATES_MAX;
    for (uint32_t i = 0; !known && i < list->count; i++) {
        known = strcmp(list->keys[i], key->public_key) == 0;
    }
    if (!known) {
        list->keys[list->count++] = key->public_key;
    }
}

static void add_host(struct candidates *list, const struct keyring *keyring, const char *host) {
    const struct curve_keys *fleet = &keyring->fleet;
    uint32_t low = 0, high = fleet->count;
    while (low < high) { // to the first of the host's lines
        uint32_t middle = low + (high - low) / 2;
        bool before = strcmp(fleet->keys[middle].host, host) < 0;
        low = before ? middle + 1 : low;
        high = before ? high : middle;
    }
    for (; low < fleet->count && strcmp(fleet->keys[low].host, host) == 0; low++) {
        add(list, &fleet->keys[low]);
    }
}

static void add_address(struct candidates *list, const struct keyring *keyring,
                        const char *address) {
    const struct curve_key *const *keys = keyring->by_address;
    uint32_t low = 0, high = keyring->fleet.count;
    while (low < high) { // to the first line with the address
        uint32_t middle = low + (high - low) / 2;
        bool before = strcmp(keys[middle]->address, address) < 0;
        low = before ? middle + 1 : low;
        high = before ? high : middle;
    }
    for (; low < keyring->fleet.count && strcmp(keys[low]->address, address) == 0; low++) {
        add(list, keys[low]);
    }
}

static void add_heard(struct candidates *list, const struct keyring *keyring, const char *ip) {
    for (uint32_t i = 0; i < KEYRING_HEARD_MAX; i++) {
        if (strcmp(keyring->heard[i].ip, ip) == 0) {
            add(list, keyring_find(keyring, keyring->heard[i].public_key));
        }
    }
}

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

const char *keyring_key_of(const struct keyring *keyring, const struct gossip *gossip,
                           const char *address, uint32_t turn, uint32_t *count) {
    struct tcp_address parsed;
    struct candidates list = {.count = 0};
    if (address_parse(address, &parsed)) {
        add_address(&list, keyring, address);
        add_host(&list, keyring, name_at(gossip, address));
        add_heard(&list, keyring, parsed.ip);
        add_host(&list, keyring, "*");
    }
    *count = list.count;
    return list.count == 0 ? NULL : list.keys[turn % list.count];
}

void keyring_heard(struct keyring *keyring, const char *ip, const char *public_key) {
    for (uint32_t i = 0; i < KEYRING_HEARD_MAX; i++) {
        if (strcmp(keyring->heard[i].ip, ip) == 0 &&
            strcmp(keyring->heard[i].public_key, public_key) == 0) {
            return;
        }
    }
    uint32_t slot = keyring->heard_next++ % KEYRING_HEARD_MAX;
    snprintf(keyring->heard[slot].ip, sizeof(keyring->heard[slot].ip), "%s", ip);
    snprintf(keyring->heard[slot].public_key, CURVE_KEY_TEXT_SIZE, "%s", public_key);
}
