// SPDX-License-Identifier: Apache-2.0
#include "limits.h"

#include <string.h>

#include <sodium.h>

static uint64_t hash(const struct limits *limits, const char *sender) {
    uint64_t value;
    _Static_assert(sizeof value == crypto_shorthash_BYTES, "one word");
    _Static_assert(sizeof limits->hash_key == crypto_shorthash_KEYBYTES, "its key");
    crypto_shorthash((unsigned char *)&value, (const unsigned char *)sender, strlen(sender),
                     limits->hash_key);
    return value;
}

// The sender's entry; a new one takes the place of whoever was silent for longest.
static struct limit *find(struct limits *limits, uint64_t now_ns, const char *sender) {
    uint64_t wanted = hash(limits, sender);
    struct limit *set = limits->sets[wanted % LIMITS_SETS], *oldest = set;
    for (uint32_t i = 0; i < LIMITS_WAYS; i++) {
        if (set[i].sender == wanted && set[i].used_at_ns != 0) {
            return &set[i];
        }
        oldest = set[i].used_at_ns < oldest->used_at_ns ? &set[i] : oldest;
    }
    *oldest = (struct limit){.sender = wanted, .used_at_ns = now_ns};
    return oldest;
}

static uint64_t later(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

bool limits_take(struct limits *limits, uint64_t now_ns, const char *sender, size_t size) {
    struct limit *limit = find(limits, now_ns, sender);
    uint64_t messages = later(limit->messages_paid_ns, now_ns) + NS_PER_S / LIMIT_MESSAGES;
    uint64_t bytes = later(limit->bytes_paid_ns, now_ns) + size * NS_PER_S / LIMIT_BYTES;
    limit->used_at_ns = now_ns;
    if (messages > now_ns + LIMIT_BURST_NS || bytes > now_ns + LIMIT_BURST_NS) {
        return false;
    }
    limit->messages_paid_ns = messages;
    limit->bytes_paid_ns = bytes;
    return true;
}
