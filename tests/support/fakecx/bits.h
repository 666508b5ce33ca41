// SPDX-License-Identifier: Apache-2.0
// Fields of firmware commands: offset and width in bits, big-endian, within 32 bits or whole words.
#ifndef FAKECX_BITS_H
#define FAKECX_BITS_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

static inline uint32_t bits_get(const void *base, unsigned bit, unsigned width) {
    uint32_t word;
    memcpy(&word, (const uint8_t *)base + bit / 32 * 4, sizeof(word));
    uint32_t mask = width == 32 ? UINT32_MAX : (1U << width) - 1;
    return (be32toh(word) >> (32 - bit % 32 - width)) & mask;
}

static inline void bits_set(void *base, unsigned bit, unsigned width, uint32_t value) {
    uint8_t *at = (uint8_t *)base + bit / 32 * 4;
    uint32_t word;
    memcpy(&word, at, sizeof(word));
    uint32_t mask = width == 32 ? UINT32_MAX : (1U << width) - 1;
    unsigned shift = 32 - bit % 32 - width;
    word = htobe32((be32toh(word) & ~(mask << shift)) | (value & mask) << shift);
    memcpy(at, &word, sizeof(word));
}

static inline void bits_set64(void *base, unsigned bit, uint64_t value) {
    bits_set(base, bit, 32, (uint32_t)(value >> 32));
    bits_set(base, bit + 32, 32, (uint32_t)value);
}

static inline uint64_t bits_get64(const void *base, unsigned bit) {
    return (uint64_t)bits_get(base, bit, 32) << 32 | bits_get(base, bit + 32, 32);
}

#endif
