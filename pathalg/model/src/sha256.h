// SPDX-License-Identifier: Apache-2.0
// SHA-256 (FIPS 180-4) for the digest of a fabric. Not for secrets: nothing here runs in constant
// time or wipes memory. The caller owns the struct; nothing fails.
#ifndef MODEL_SHA256_H
#define MODEL_SHA256_H

#include <stddef.h>
#include <stdint.h>

struct sha256 {
    uint32_t state[8];
    uint64_t size; // bytes taken so far
    uint8_t block[64];
};

void sha256_init(struct sha256 *sha);
void sha256_update(struct sha256 *sha, const void *bytes, size_t size);
void sha256_final(struct sha256 *sha, uint8_t digest[32]);

#endif
