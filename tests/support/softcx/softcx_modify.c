// SPDX-License-Identifier: Apache-2.0
// Modify-header actions: 8 bytes each, big-endian.
//
//   type 4 | field 12 | 000 | offset 5 | 000 | width 5 (0: 32) | value 32                 set, add
//   type 4 | from 12  | 000 | offset 5 | 000 | width 5 | 0000 | to 12 | 000 | offset 5 | 0 8   copy
//
// Fields are numbered as in the PRM. The checksums of IPv4, UDP and TCP follow what is changed, as
// the card keeps them; a UDP checksum of zero stays.
#include <errno.h>
#include <string.h>

#include "softcx_object.h"

enum modify_type { MODIFY_SET = 1, MODIFY_ADD = 2, MODIFY_COPY = 3 };
enum { FIELD_REGISTER_A = 0x49, FIELD_REGISTER_C = 0x51, FIELD_MAX = 0x74 };

enum place_of {
    PLACE_NONE,
    PLACE_ETHERNET,
    PLACE_IPV4,
    PLACE_IPV6,
    PLACE_IP,
    PLACE_UDP,
    PLACE_TCP
};

// Where a field lies in its header: `bit` in IPv4 too when PLACE_IP has two places.
struct field_place {
    uint8_t of; // enum place_of
    uint8_t width;
    uint16_t bit, bit_ipv6;
};

static const struct field_place fields[FIELD_MAX] = {
    [0x01] = {PLACE_ETHERNET, 32, 48, 0}, // source address, upper
    [0x02] = {PLACE_ETHERNET, 16, 80, 0}, [0x03] = {PLACE_ETHERNET, 16, 96, 0},
    [0x04] = {PLACE_ETHERNET, 32, 0, 0},  [0x05] = {PLACE_ETHERNET, 16, 32, 0},
    [0x06] = {PLACE_IP, 6, 8, 4}, // DSCP
    [0x08] = {PLACE_TCP, 16, 0, 0},       [0x09] = {PLACE_TCP, 16, 16, 0},
    [0x0a] = {PLACE_IPV4, 8, 64, 0},      [0x0b] = {PLACE_UDP, 16, 0, 0},
    [0x0c] = {PLACE_UDP, 16, 16, 0},      [0x0d] = {PLACE_IPV6, 32, 64, 64},
    [0x0e] = {PLACE_IPV6, 32, 96, 96},    [0x0f] = {PLACE_IPV6, 32, 128, 128},
    [0x10] = {PLACE_IPV6, 32, 160, 160},  [0x11] = {PLACE_IPV6, 32, 192, 192},
    [0x12] = {PLACE_IPV6, 32, 224, 224},  [0x13] = {PLACE_IPV6, 32, 256, 256},
    [0x14] = {PLACE_IPV6, 32, 288, 288},  [0x15] = {PLACE_IPV4, 32, 96, 0},
    [0x16] = {PLACE_IPV4, 32, 128, 0},    [0x47] = {PLACE_IPV6, 8, 56, 56},
    [0x73] = {PLACE_IP, 2, 14, 10}, // ECN
};

static bool is_register(uint16_t field) {
    return field == FIELD_REGISTER_A ||
           (field >= FIELD_REGISTER_C && field < FIELD_REGISTER_C + SOFTCX_REGISTERS);
}

static uint8_t width_of(uint16_t field) {
    return is_register(field) ? 32 : field < FIELD_MAX ? fields[field].width : 0;
}

static uint32_t read32(const uint8_t *bytes) {
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static int decode_one(const uint8_t *bytes, struct modify *out) {
    uint32_t head = read32(bytes), tail = read32(bytes + 4);
    *out = (struct modify){.type = (uint8_t)(head >> 28),
                           .field = (uint16_t)(head >> 16 & 0xfff),
                           .offset = (uint8_t)(head >> 8 & 31),
                           .width = (uint8_t)(head & 31),
                           .value = tail};
    out->width = out->width == 0 ? 32 : out->width;
    if (out->type == MODIFY_COPY) {
        out->to_field = (uint16_t)(tail >> 16 & 0xfff);
        out->to_offset = (uint8_t)(tail >> 8 & 31);
        if (out->to_offset + out->width > width_of(out->to_field)) {
            return width_of(out->to_field) == 0 ? -EOPNOTSUPP : -EINVAL;
        }
    } else if (out->type != MODIFY_SET && out->type != MODIFY_ADD) {
        return -EOPNOTSUPP;
    }
    uint8_t width = width_of(out->field);
    if (out->type == MODIFY_SET && width != 0 && width < 32 && out->width == 32) {
        return -EINVAL;
    }
    return width == 0 ? -EOPNOTSUPP : out->offset + out->width > width ? -EINVAL : 0;
}

int softcx_modify_decode(const uint8_t *data, size_t size, struct modify *out, uint16_t *count) {
    if (size == 0 || size % 8 != 0 || size / 8 > SOFTCX_MODIFY_MAX) {
        return -EINVAL;
    }
    for (size_t i = 0; i < size / 8; i++) {
        int rc = decode_one(data + 8 * i, &out[i]);
        if (rc != 0) {
            return rc;
        }
    }
    *count = (uint16_t)(size / 8);
    return 0;
}

// ---- a field of the packet ------------------------------------------------------------------

struct place {
    uint32_t *metadata; // a register; else a field of the frame:
    size_t bit;         // from the start of the frame
    uint8_t width;
};

static bool locate(uint16_t field, struct softcx_packet *packet, const struct softcx_layout *layout,
                   struct place *out) {
    if (is_register(field)) {
        *out = (struct place){.width = 32};
        out->metadata = field == FIELD_REGISTER_A ? &packet->register_a
                                                  : &packet->register_c[field - FIELD_REGISTER_C];
        return true;
    }
    const struct field_place *place = &fields[field];
    size_t base = place->of == PLACE_ETHERNET                        ? 0
                  : place->of == PLACE_UDP || place->of == PLACE_TCP ? layout->l4
                                                                     : layout->ip;
    bool there = (place->of == PLACE_ETHERNET && packet->size >= 14) ||
                 (place->of == PLACE_IPV4 && layout->version == 4) ||
                 (place->of == PLACE_IPV6 && layout->version == 6) ||
                 (place->of == PLACE_IP && layout->version != 0) ||
                 (place->of == PLACE_UDP && layout->l4 != 0 && layout->protocol == 17) ||
                 (place->of == PLACE_TCP && layout->l4 != 0 && layout->protocol == 6);
    bool ipv6_place = place->of == PLACE_IP && layout->version == 6;
    *out = (struct place){.bit = base * 8 + (ipv6_place ? place->bit_ipv6 : place->bit),
                          .width = place->width};
    return there;
}

static uint32_t load(const struct place *place, const uint8_t *frame) {
    uint32_t value = 0;
    for (size_t i = place->bit; i < place->bit + place->width; i++) {
        value = value << 1 | (frame[i / 8] >> (7 - i % 8) & 1U);
    }
    return value;
}

static void store(const struct place *place, uint8_t *frame, uint32_t value) {
    for (size_t k = 0; k < place->width; k++) {
        size_t i = place->bit + place->width - 1 - k;
        uint8_t one = (uint8_t)(0x80U >> (i % 8));
        frame[i / 8] = (uint8_t)((value >> k & 1U) != 0 ? frame[i / 8] | one : frame[i / 8] & ~one);
    }
}

// RFC 1624: HC' = ~(~HC + ~m + m').
static void adjust(uint8_t *sum, uint32_t before, uint32_t after) {
    uint32_t value = ((uint32_t)sum[0] << 8 | sum[1]) ^ 0xffffU;
    value += (before ^ 0xffffU) + after;
    value = (value & 0xffff) + (value >> 16);
    value = ((value & 0xffff) + (value >> 16)) ^ 0xffffU;
    sum[0] = (uint8_t)(value >> 8);
    sum[1] = (uint8_t)value;
}

struct words {
    uint8_t bytes[8]; // four 16-bit words around the field, from an even offset
    size_t at, count;
};

static struct words words_of(const struct place *place, const uint8_t *frame) {
    struct words words = {.at = place->bit / 16 * 2};
    words.count = (place->bit + place->width + 15) / 16 - words.at / 2;
    memcpy(words.bytes, frame + words.at, words.count * 2);
    return words;
}

// Sums cover words at even offsets of their header; all headers begin at even offsets (14 + 4n).
static void fix_sums(const struct words *old, enum place_of of, struct softcx_packet *packet,
                     const struct softcx_layout *layout) {
    uint8_t *udp_sum =
        layout->l4 != 0 && layout->protocol == 17 ? packet->frame + layout->l4 + 6 : NULL;
    uint8_t *l4_sum =
        layout->l4 != 0 && layout->protocol == 6 ? packet->frame + layout->l4 + 16 : udp_sum;
    size_t addresses = (size_t)layout->ip + (layout->version == 4 ? 12 : 8);
    if (udp_sum != NULL && udp_sum[0] == 0 && udp_sum[1] == 0) {
        l4_sum = NULL;
    }
    for (size_t i = 0; i < old->count; i++) {
        size_t at = old->at + 2 * i;
        uint32_t before = (uint32_t)old->bytes[2 * i] << 8 | old->bytes[2 * i + 1];
        uint32_t after = (uint32_t)packet->frame[at] << 8 | packet->frame[at + 1];
        bool in_ip = of == PLACE_IPV4 || of == PLACE_IP || of == PLACE_IPV6;
        if (in_ip && layout->version == 4) {
            adjust(packet->frame + layout->ip + 10, before, after);
        }
        if (l4_sum != NULL && of != PLACE_ETHERNET && (!in_ip || at >= addresses)) {
            adjust(l4_sum, before, after);
        }
    }
    if (l4_sum != NULL && l4_sum == udp_sum && l4_sum[0] == 0 && l4_sum[1] == 0) {
        l4_sum[0] = l4_sum[1] = 0xff; // zero would say "no checksum"
    }
}

static void store_field(uint16_t field, const struct place *place, uint32_t value,
                        struct softcx_packet *packet, const struct softcx_layout *layout) {
    if (place->metadata != NULL) {
        *place->metadata = value;
        return;
    }
    struct words old = words_of(place, packet->frame);
    store(place, packet->frame, value);
    fix_sums(&old, (enum place_of)fields[field].of, packet, layout);
}

bool softcx_modify_run(const struct modify *modify, struct softcx_packet *packet,
                       const struct softcx_layout *layout) {
    struct place from, to;
    uint16_t field = modify->type == MODIFY_COPY ? modify->to_field : modify->field;
    if (!locate(modify->field, packet, layout, &from) || !locate(field, packet, layout, &to)) {
        return false;
    }
    uint8_t offset = modify->type == MODIFY_COPY ? modify->to_offset : modify->offset;
    uint32_t mask = modify->width == 32 ? UINT32_MAX : ((1U << modify->width) - 1) << offset;
    uint32_t source = from.metadata != NULL ? *from.metadata : load(&from, packet->frame);
    uint32_t old = to.metadata != NULL ? *to.metadata : load(&to, packet->frame);
    uint32_t value = modify->type == MODIFY_SET   ? modify->value << offset
                     : modify->type == MODIFY_ADD ? old + (modify->value << offset)
                                                  : (source >> modify->offset) << offset;
    store_field(field, &to, (old & ~mask) | (value & mask), packet, layout);
    return true;
}
