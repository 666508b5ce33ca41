// SPDX-License-Identifier: Apache-2.0
#include "model/rng.h"

#include <assert.h>

static uint64_t rotate_left(uint64_t value, unsigned count) {
    return (value << count) | (value >> (64 - count));
}

// The finaliser of SplitMix64.
uint64_t hash_u64(uint64_t value) {
    value += UINT64_C(0x9e3779b97f4a7c15);
    value = (value ^ (value >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ (value >> 27)) * UINT64_C(0x94d049bb133111eb);
    return value ^ (value >> 31);
}

uint64_t hash_pair(uint64_t a, uint64_t b) {
    return hash_u64(hash_u64(a) ^ rotate_left(b, 32));
}

// Eight bytes at a time in little-endian order, so that every machine computes the same.
uint64_t hash_bytes(const void *bytes, size_t size, uint64_t seed) {
    const uint8_t *at = bytes;
    uint64_t hash = hash_u64(seed ^ size);
    for (size_t done = 0; done < size; done += 8) {
        uint64_t word = 0;
        for (size_t i = 0; i < 8 && done + i < size; i++) {
            word |= (uint64_t)at[done + i] << (8 * i);
        }
        hash = hash_u64(hash ^ word);
    }
    return hash;
}

void rng_init(struct rng *rng, uint64_t seed) {
    for (unsigned i = 0; i < 4; i++) {
        rng->state[i] = hash_u64(seed + i * UINT64_C(0x9e3779b97f4a7c15));
    }
}

uint64_t rng_next(struct rng *rng) {
    uint64_t *s = rng->state;
    uint64_t result = rotate_left(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}

uint64_t rng_below(struct rng *rng, uint64_t bound) {
    assert(bound > 0);
    // Draws below 2^64 mod bound are thrown away: what is left divides evenly.
    uint64_t threshold = (0 - bound) % bound;
    for (;;) {
        uint64_t draw = rng_next(rng);
        if (draw >= threshold) {
            return draw % bound;
        }
    }
}
