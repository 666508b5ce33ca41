// SPDX-License-Identifier: Apache-2.0
// A small seeded pseudo-random generator (xoshiro256**, Blackman and Vigna, public domain
// algorithm; seeded by SplitMix64) and the 64-bit mixing hash that pure code uses for rendezvous
// hashing.
//
// Not for keys or nonces. Pure modules take `struct rng *` as a parameter instead of reading a
// global generator, so that a run is replayed from its seed. Not thread-safe; the caller owns the
// struct.
#ifndef MODEL_RNG_H
#define MODEL_RNG_H

#include <stddef.h>
#include <stdint.h>

struct rng {
    uint64_t state[4];
};

void rng_init(struct rng *rng, uint64_t seed);
uint64_t rng_next(struct rng *rng);
// Uniform in [0, bound); bound must be positive.
uint64_t rng_below(struct rng *rng, uint64_t bound);

// Stateless, equal on every machine: used wherever agents must agree without talking (rendezvous
// hashing, ECMP model).
uint64_t hash_u64(uint64_t value);
uint64_t hash_pair(uint64_t a, uint64_t b);
uint64_t hash_bytes(const void *bytes, size_t size, uint64_t seed);

#endif
