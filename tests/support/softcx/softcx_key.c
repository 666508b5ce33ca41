// SPDX-License-Identifier: Apache-2.0
#include "softcx_key.h"

#include <errno.h>
#include <string.h>

#define PART_BITS 512

enum {
    ETHERTYPE_IPV4 = 0x0800,
    ETHERTYPE_IPV6 = 0x86dd,
    PROTOCOL_IPV4 = 4,
    PROTOCOL_TCP = 6,
    PROTOCOL_UDP = 17,
    PROTOCOL_IPV6 = 41,
    PROTOCOL_ROUTING = 43,
    PROTOCOL_FRAGMENT = 44,
    ROUTING_SRH = 4,
    ROCE_PORT = 4791,
};

struct prm_place {
    uint16_t bit; // from the start of the part
    uint8_t width;
    uint8_t word;
};

// Of the parts "outer" and "inner".
static const struct prm_place header_places[] = {
    {0, 32, KEY_SMAC_HIGH},
    {32, 16, KEY_SMAC_LOW},
    {48, 16, KEY_ETHERTYPE},
    {64, 32, KEY_DMAC_HIGH},
    {96, 16, KEY_DMAC_LOW},
    {128, 8, KEY_PROTOCOL},
    {136, 6, KEY_DSCP},
    {142, 2, KEY_ECN},
    {146, 1, KEY_FRAGMENT},
    {147, 4, KEY_IP_VERSION},
    {160, 16, KEY_L4_SOURCE},
    {176, 16, KEY_L4_DESTINATION},
    {216, 8, KEY_TTL},
    {224, 16, KEY_L4_SOURCE},
    {240, 16, KEY_L4_DESTINATION},
    {256, 32, KEY_SOURCE},
    {288, 32, KEY_SOURCE + 1},
    {320, 32, KEY_SOURCE + 2},
    {352, 32, KEY_SOURCE + 3},
    {384, 32, KEY_DESTINATION},
    {416, 32, KEY_DESTINATION + 1},
    {448, 32, KEY_DESTINATION + 2},
    {480, 32, KEY_DESTINATION + 3},
};

static const struct prm_place misc_places[] = {
    {48, 16, KEY_SOURCE_PORT},
    {236, 20, KEY_FLOW_LABEL},
    {268, 20, KEY_INNER + KEY_FLOW_LABEL},
    {328, 24, KEY_BTH_QP},
};

static const struct prm_place misc2_places[] = {
    {128, 32, KEY_REGISTER_C + 7}, {160, 32, KEY_REGISTER_C + 6}, {192, 32, KEY_REGISTER_C + 5},
    {224, 32, KEY_REGISTER_C + 4}, {256, 32, KEY_REGISTER_C + 3}, {288, 32, KEY_REGISTER_C + 2},
    {320, 32, KEY_REGISTER_C + 1}, {352, 32, KEY_REGISTER_C},     {384, 32, KEY_REGISTER_A},
};

struct prm_part {
    const struct prm_place *places;
    uint8_t count, first_word, criteria;
};

#define PLACES(array) (array), sizeof(array) / sizeof *(array)
static const struct prm_part parts[] = {
    {PLACES(header_places), 0, SOFTCX_OUTER},
    {PLACES(misc_places), 0, SOFTCX_MISC},
    {PLACES(header_places), KEY_INNER, SOFTCX_INNER},
    {PLACES(misc2_places), 0, SOFTCX_MISC2},
};
#define PART_COUNT (sizeof parts / sizeof *parts)

static uint32_t take_bits(uint8_t *bytes, size_t bit, uint8_t width) {
    uint32_t value = 0;
    for (size_t i = bit; i < bit + width; i++) {
        uint8_t one = (uint8_t)(0x80U >> (i % 8));
        value = value << 1 | ((bytes[i / 8] & one) != 0);
        bytes[i / 8] &= (uint8_t)~one;
    }
    return value;
}

// Moves what it decodes from the bytes to the key: what is left over is unknown.
static void take_part(uint8_t *bytes, size_t p, struct softcx_key *key) {
    for (size_t i = 0; i < parts[p].count; i++) {
        const struct prm_place *place = &parts[p].places[i];
        key->word[parts[p].first_word + place->word] |=
            take_bits(bytes, p * PART_BITS + place->bit, place->width);
    }
}

static bool is_zero(const uint8_t *bytes, size_t size) {
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] != 0) {
            return false;
        }
    }
    return true;
}

int softcx_key_of_mask(const uint8_t *prm, size_t size, uint8_t criteria, struct softcx_key *out) {
    uint8_t bytes[SOFTCX_PRM_SIZE] = {0};
    struct softcx_key key = {{0}};
    if (size > sizeof bytes) {
        return -EINVAL;
    }
    memcpy(bytes, prm, size);
    for (size_t p = 0; p < PART_COUNT; p++) {
        if ((criteria & parts[p].criteria) != 0) {
            take_part(bytes, p, &key);
            criteria &= (uint8_t)~parts[p].criteria;
        } else {
            memset(bytes + p * PART_BITS / 8, 0, PART_BITS / 8);
        }
    }
    if (criteria != 0 || !is_zero(bytes, PART_COUNT * PART_BITS / 8)) {
        return -EOPNOTSUPP;
    }
    for (size_t header = 0; header <= KEY_INNER; header += KEY_INNER) {
        if (key.word[header + KEY_IP_VERSION] != 0) {
            key.word[header + KEY_IP_VERSION] = 0xf;
        }
    }
    *out = key;
    return 0;
}

int softcx_key_of_value(const uint8_t *prm, size_t size, struct softcx_key *out) {
    uint8_t bytes[SOFTCX_PRM_SIZE] = {0};
    struct softcx_key key = {{0}};
    if (size > sizeof bytes) {
        return -EINVAL;
    }
    memcpy(bytes, prm, size);
    for (size_t p = 0; p < PART_COUNT; p++) {
        take_part(bytes, p, &key);
    }
    *out = key;
    return 0;
}

static uint32_t read16(const uint8_t *bytes) {
    return (uint32_t)bytes[0] << 8 | bytes[1];
}

static uint32_t read32(const uint8_t *bytes) {
    return read16(bytes) << 16 | read16(bytes + 2);
}

// What one IP header says and where its payload begins; payload 0: nothing that is looked into.
struct ip_seen {
    uint8_t version, protocol, next; // next: protocol of the payload, behind an SRH
    bool segments_left;
    size_t payload, end; // end: where the IP packet ends within the frame
};

static bool parse_ipv4(const uint8_t *frame, size_t at, size_t size, uint32_t *word,
                       struct ip_seen *seen) {
    const uint8_t *ip = frame + at;
    if (size - at < 20 || ip[0] >> 4 != 4) {
        return false;
    }
    size_t header = (size_t)(ip[0] & 0x0f) * 4, total = read16(ip + 2);
    if (header < 20 || total < header || total > size - at) {
        return false;
    }
    bool fragment = (read16(ip + 6) & 0x3fff) != 0;
    word[KEY_DSCP] = ip[1] >> 2;
    word[KEY_ECN] = ip[1] & 3U;
    word[KEY_FRAGMENT] = fragment;
    word[KEY_TTL] = ip[8];
    word[KEY_SOURCE + 3] = read32(ip + 12);
    word[KEY_DESTINATION + 3] = read32(ip + 16);
    *seen = (struct ip_seen){.version = 4, .protocol = ip[9], .next = ip[9], .end = at + total};
    seen->payload = fragment ? 0 : at + header;
    return true;
}

// Steps over one SRH; anything else behind the header that is not a packet is not looked into.
static void parse_routing(const uint8_t *frame, struct ip_seen *seen) {
    size_t at = seen->payload;
    seen->payload = 0;
    if (at + 8 > seen->end || frame[at + 2] != ROUTING_SRH) {
        return;
    }
    size_t header = 8 + (size_t)frame[at + 1] * 8;
    if (at + header > seen->end) {
        return;
    }
    seen->next = frame[at];
    seen->segments_left = frame[at + 3] != 0;
    if (seen->next == PROTOCOL_IPV4 || seen->next == PROTOCOL_IPV6) {
        seen->payload = at + header;
    }
}

static bool parse_ipv6(const uint8_t *frame, size_t at, size_t size, uint32_t *word,
                       struct ip_seen *seen) {
    const uint8_t *ip = frame + at;
    if (size - at < 40 || ip[0] >> 4 != 6 || read16(ip + 4) > size - at - 40) {
        return false;
    }
    uint32_t first = read32(ip);
    word[KEY_DSCP] = first >> 22 & 0x3f;
    word[KEY_ECN] = first >> 20 & 3;
    word[KEY_FLOW_LABEL] = first & 0xfffff;
    word[KEY_FRAGMENT] = ip[6] == PROTOCOL_FRAGMENT;
    word[KEY_TTL] = ip[7];
    for (size_t i = 0; i < 4; i++) {
        word[KEY_SOURCE + i] = read32(ip + 8 + 4 * i);
        word[KEY_DESTINATION + i] = read32(ip + 24 + 4 * i);
    }
    *seen = (struct ip_seen){.version = 6,
                             .protocol = ip[6],
                             .next = ip[6],
                             .payload = at + 40,
                             .end = at + 40 + read16(ip + 4)};
    if (ip[6] == PROTOCOL_ROUTING) {
        parse_routing(frame, seen);
    }
    return true;
}

static bool parse_ip(const uint8_t *frame, size_t at, size_t size, uint32_t *word,
                     struct ip_seen *seen) {
    if (at >= size) {
        return false;
    }
    bool good = frame[at] >> 4 == 4 ? parse_ipv4(frame, at, size, word, seen)
                                    : parse_ipv6(frame, at, size, word, seen);
    if (good) {
        word[KEY_IP_VERSION] = seen->version;
        word[KEY_PROTOCOL] = seen->protocol;
    }
    return good;
}

// Ports, and the destination QP of RoCE; false when there is no layer 4 that is known.
static bool parse_l4(const uint8_t *frame, const struct ip_seen *seen, uint32_t *word,
                     uint32_t *qp) {
    size_t at = seen->payload;
    bool udp = seen->protocol == PROTOCOL_UDP;
    if (at == 0 || (!udp && seen->protocol != PROTOCOL_TCP) || at + (udp ? 8 : 20) > seen->end) {
        return false;
    }
    word[KEY_L4_SOURCE] = read16(frame + at);
    word[KEY_L4_DESTINATION] = read16(frame + at + 2);
    if (udp && word[KEY_L4_DESTINATION] == ROCE_PORT && at + 8 + 12 <= seen->end) {
        *qp = read32(frame + at + 8 + 4) & 0xffffff;
    }
    return true;
}

static bool is_tunnel(const struct ip_seen *seen, const uint8_t *frame) {
    if (seen->payload == 0 || seen->payload >= seen->end) {
        return false;
    }
    uint8_t version = frame[seen->payload] >> 4;
    return (seen->next == PROTOCOL_IPV4 && version == 4) ||
           (seen->next == PROTOCOL_IPV6 && version == 6);
}

void softcx_parse(const uint8_t *frame, size_t size, struct softcx_key *key,
                  struct softcx_layout *layout) {
    struct ip_seen outer, inner;
    uint32_t *word = key->word;
    memset(key, 0, sizeof *key);
    memset(layout, 0, sizeof *layout);
    if (size < 14) {
        return;
    }
    word[KEY_DMAC_HIGH] = read32(frame);
    word[KEY_DMAC_LOW] = read16(frame + 4);
    word[KEY_SMAC_HIGH] = read32(frame + 6);
    word[KEY_SMAC_LOW] = read16(frame + 10);
    word[KEY_ETHERTYPE] = read16(frame + 12);
    layout->ethertype = (uint16_t)word[KEY_ETHERTYPE];
    uint8_t version = layout->ethertype == ETHERTYPE_IPV4   ? 4
                      : layout->ethertype == ETHERTYPE_IPV6 ? 6
                                                            : 0;
    if (version == 0 || size == 14 || frame[14] >> 4 != version ||
        !parse_ip(frame, 14, size, word, &outer)) {
        return;
    }
    layout->version = version;
    layout->protocol = outer.protocol;
    layout->ip = 14;
    layout->segments_left = outer.segments_left;
    if (parse_l4(frame, &outer, word, &word[KEY_BTH_QP])) {
        layout->l4 = (uint16_t)outer.payload;
    } else if (is_tunnel(&outer, frame) &&
               parse_ip(frame, outer.payload, outer.end, word + KEY_INNER, &inner)) {
        layout->tunnelled = (uint16_t)outer.payload;
        uint32_t inner_qp = 0; // the card looks for RoCE in the outer packet only
        (void)parse_l4(frame, &inner, word + KEY_INNER, &inner_qp);
    }
}
