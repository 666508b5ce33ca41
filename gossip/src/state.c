// SPDX-License-Identifier: Apache-2.0
// The hash of what an origin holds, and who may sign for it (gossip/signing.h). A leaf is computed
// once, when its record is set, so the hash of a state costs 32 bytes a record.
//
// What is hashed is laid out so that no two states give the same bytes: every field has a fixed
// size or is preceded by it, but for the value at the very end.
#include "core.h"

#include <sodium.h>
#include <string.h>

#define LEAF_TAG "record"
#define STATE_TAG "srv6-steer state"
#define LEAF_HEAD_MAX (sizeof LEAF_TAG + 4 + 1 + GOSSIP_KEY_MAX + 8 + 1)
#define SIGNED_SIZE (sizeof STATE_TAG - 1 + NAME_SIZE + 4 + 4 + 8 + 8 + HASH_SIZE)

_Static_assert(HASH_SIZE == crypto_generichash_BYTES, "BLAKE2b-256");
_Static_assert(SIGNED_PROOF_SIZE == KEY_HINT_SIZE + crypto_sign_BYTES, "Ed25519");
_Static_assert(GOSSIP_PUBLIC_KEY_SIZE == crypto_sign_PUBLICKEYBYTES, "Ed25519");
_Static_assert(GOSSIP_SECRET_KEY_SIZE == crypto_sign_SECRETKEYBYTES, "Ed25519");
_Static_assert(GOSSIP_KEY_MAX <= UINT8_MAX, "a key's size is one byte");

// ---- hashing

static size_t put_bytes(uint8_t *out, size_t at, const void *bytes, size_t size) {
    memcpy(out + at, bytes, size);
    return at + size;
}

static size_t put_number(uint8_t *out, size_t at, uint64_t value, size_t width) {
    for (size_t i = 0; i < width; i++) {
        out[at + i] = (uint8_t)(value >> (8 * (width - 1 - i)));
    }
    return at + width;
}

void state_leaf(const struct wire_record *record, uint8_t leaf[HASH_SIZE]) {
    uint8_t head[LEAF_HEAD_MAX];
    size_t size = put_bytes(head, 0, LEAF_TAG, sizeof LEAF_TAG - 1);
    size = put_number(head, size, record->table, 4);
    size = put_number(head, size, record->key.size, 1);
    size = put_bytes(head, size, record->key.bytes, record->key.size);
    size = put_number(head, size, record->seq, 8);
    size = put_number(head, size, record->value != NULL, 1);
    crypto_generichash_state hash;
    crypto_generichash_init(&hash, NULL, 0, HASH_SIZE);
    crypto_generichash_update(&hash, head, size);
    if (record->value_size > 0) {
        crypto_generichash_update(&hash, record->value, record->value_size);
    }
    crypto_generichash_final(&hash, leaf, HASH_SIZE);
}

bool state_keeps(const struct next_state *next, const struct record *record) {
    bool collected = record->value == NULL && record->seq <= next->floor;
    return record->seq <= next->from && record->mark != next->mark && !collected;
}

void state_hash(const struct next_state *next, uint8_t hash[HASH_SIZE]) {
    crypto_generichash_state all;
    crypto_generichash_init(&all, NULL, 0, HASH_SIZE);
    const struct record *record = next->origin == NULL ? NULL : next->origin->first;
    for (; record != NULL && record->seq <= next->from; record = record->next) {
        if (state_keeps(next, record)) {
            crypto_generichash_update(&all, record->leaf, HASH_SIZE);
        }
    }
    for (uint32_t i = 0; i < next->draft_count; i++) {
        crypto_generichash_update(&all, next->drafts[i].leaf, HASH_SIZE);
    }
    crypto_generichash_final(&all, hash, HASH_SIZE);
}

// ---- proving

static void signed_text(const struct wire_part *part, const uint8_t hash[HASH_SIZE],
                        uint8_t text[SIGNED_SIZE]) {
    uint8_t name[NAME_SIZE] = {0};
    memcpy(name, part->origin, strlen(part->origin));
    size_t size = put_bytes(text, 0, STATE_TAG, sizeof STATE_TAG - 1);
    size = put_bytes(text, size, name, sizeof name);
    size = put_number(text, size, part->life.incarnation, 4);
    size = put_number(text, size, part->life.nonce, 4);
    size = put_number(text, size, part->floor, 8);
    size = put_number(text, size, part->to, 8);
    put_bytes(text, size, hash, HASH_SIZE);
}

static const uint8_t *public_half(const struct gossip_signing *signing) {
    return signing->secret_key + GOSSIP_SECRET_KEY_SIZE - GOSSIP_PUBLIC_KEY_SIZE;
}

uint8_t state_prove(const struct gossip_signing *signing, const struct wire_part *part,
                    const uint8_t hash[HASH_SIZE], uint8_t proof[PROOF_SIZE_MAX]) {
    uint8_t text[SIGNED_SIZE];
    signed_text(part, hash, text);
    if (signing == NULL) {
        crypto_generichash(proof, HASH_SIZE, text, sizeof text, NULL, 0);
        return HASH_SIZE;
    }
    memcpy(proof, public_half(signing), KEY_HINT_SIZE);
    crypto_sign_detached(proof + KEY_HINT_SIZE, NULL, text, sizeof text, signing->secret_key);
    return SIGNED_PROOF_SIZE;
}

// ---- checking

static uint32_t first_key_of(const struct gossip_signing *signing, const char *host) {
    uint32_t low = 0;
    uint32_t high = signing->key_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (strcmp(signing->keys[middle].host, host) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

// The keys by which a host is believed: its own, or those of "*".
static const struct gossip_public_key *keys_of(const struct gossip_signing *signing,
                                               const char *host, uint32_t *count) {
    const char *owner = host;
    uint32_t first = first_key_of(signing, owner);
    if (first == signing->key_count || strcmp(signing->keys[first].host, owner) != 0) {
        owner = "*";
        first = first_key_of(signing, owner);
    }
    uint32_t end = first;
    while (end < signing->key_count && strcmp(signing->keys[end].host, owner) == 0) {
        end++;
    }
    *count = end - first;
    return signing->keys + first;
}

bool state_knows_host(const struct gossip_signing *signing, const char *host) {
    uint32_t count = 1;
    if (signing != NULL) {
        (void)keys_of(signing, host, &count);
    }
    return count > 0;
}

static bool is_hinted(const struct wire_part *part, const struct gossip_public_key *key) {
    return memcmp(part->proof.bytes, key->bytes, KEY_HINT_SIZE) == 0;
}

bool state_key_is_known(const struct gossip_signing *signing, const struct wire_part *part) {
    if (signing == NULL || part->proof.size != SIGNED_PROOF_SIZE) {
        return signing == NULL && part->proof.size == HASH_SIZE;
    }
    uint32_t count;
    const struct gossip_public_key *keys = keys_of(signing, part->origin, &count);
    for (uint32_t i = 0; i < count; i++) {
        if (is_hinted(part, &keys[i])) {
            return true;
        }
    }
    return false;
}

bool state_is_proved(const struct gossip_signing *signing, const struct wire_part *part,
                     const uint8_t hash[HASH_SIZE]) {
    uint8_t text[SIGNED_SIZE];
    const uint8_t *proof = (const uint8_t *)part->proof.bytes;
    if (signing == NULL) {
        uint8_t expected[PROOF_SIZE_MAX];
        uint8_t size = state_prove(NULL, part, hash, expected);
        return part->proof.size == size && memcmp(proof, expected, size) == 0;
    }
    uint32_t count;
    const struct gossip_public_key *keys = keys_of(signing, part->origin, &count);
    signed_text(part, hash, text);
    for (uint32_t i = 0; i < count && part->proof.size == SIGNED_PROOF_SIZE; i++) {
        if (is_hinted(part, &keys[i]) &&
            crypto_sign_verify_detached(proof + KEY_HINT_SIZE, text, sizeof text, keys[i].bytes) ==
                0) {
            return true;
        }
    }
    return false;
}
