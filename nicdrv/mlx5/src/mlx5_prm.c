// SPDX-License-Identifier: Apache-2.0
#include "mlx5_prm.h"

#include <assert.h>
#include <endian.h>
#include <string.h>

#define WORD_BITS 32
// Parts of the match parameters, 64 bytes each.
#define OUTER 0x000
#define MISC 0x200
#define MISC2 0x600

const struct prm_field PRM_IP_PROTOCOL = {OUTER + 0x80, 8};
const struct prm_field PRM_IP_DSCP = {OUTER + 0x88, 6};
const struct prm_field PRM_IP_ECN = {OUTER + 0x8e, 2};
const struct prm_field PRM_IP_VERSION = {OUTER + 0x93, 4};
const struct prm_field PRM_UDP_SPORT = {OUTER + 0xe0, 16};
const struct prm_field PRM_UDP_DPORT = {OUTER + 0xf0, 16};
const struct prm_field PRM_DST_IPV6 = {OUTER + 0x180, 128};
const struct prm_field PRM_DST_IPV4 = {OUTER + 0x1e0, 32};
const struct prm_field PRM_SOURCE_PORT = {MISC + 0x30, 16};
const struct prm_field PRM_BTH_DST_QP = {MISC + 0x148, 24};
const struct prm_field PRM_REG_C_1 = {MISC2 + 0x140, 32};

const struct prm_field PRM_OPCODE = {0x00, 16};
const struct prm_field PRM_STATUS = {0x00, 8};
const struct prm_field PRM_SYNDROME = {0x20, 32};
const struct prm_field PRM_ALLOC_COUNTER_BULK = {0x78, 8};
const struct prm_field PRM_ALLOC_COUNTER_ID = {0x40, 32};
const struct prm_field PRM_QUERY_COUNTER_COUNT = {0xd0, 16};
const struct prm_field PRM_QUERY_COUNTER_ID = {0xe0, 32};

static uint32_t field_mask(struct prm_field field) {
    return field.width == WORD_BITS ? UINT32_MAX : (1U << field.width) - 1;
}

static unsigned field_shift(struct prm_field field) {
    unsigned end = field.bit % WORD_BITS + field.width;
    assert(field.width > 0 && end <= WORD_BITS);
    return WORD_BITS - end;
}

static uint32_t load_word(const void *base, struct prm_field field) {
    uint32_t word;
    memcpy(&word, (const uint8_t *)base + field.bit / WORD_BITS * sizeof word, sizeof word);
    return be32toh(word);
}

void prm_set(void *base, struct prm_field field, uint32_t value) {
    unsigned shift = field_shift(field);
    uint32_t mask = field_mask(field);
    assert((value & ~mask) == 0);
    uint32_t word = load_word(base, field);
    word = htobe32((word & ~(mask << shift)) | value << shift);
    memcpy((uint8_t *)base + field.bit / WORD_BITS * sizeof word, &word, sizeof word);
}

uint32_t prm_get(const void *base, struct prm_field field) {
    return load_word(base, field) >> field_shift(field) & field_mask(field);
}

void prm_set_bytes(void *base, struct prm_field field, const uint8_t *bytes) {
    assert(field.bit % 8 == 0 && field.width % 8 == 0);
    memcpy((uint8_t *)base + field.bit / 8, bytes, field.width / 8);
}

uint64_t prm_get_u64(const void *base) {
    uint64_t value;
    memcpy(&value, base, sizeof value);
    return be64toh(value);
}

uint64_t prm_set_action(enum prm_modify field, uint8_t offset, uint8_t width, uint32_t value) {
    assert(width > 0 && offset + width <= WORD_BITS);
    assert(width == WORD_BITS || value >> width == 0);
    const uint64_t set = 1;
    return htobe64(set << 60 | (uint64_t)field << 48 | (uint64_t)offset << 40 |
                   (uint64_t)(width % WORD_BITS) << 32 | value);
}
