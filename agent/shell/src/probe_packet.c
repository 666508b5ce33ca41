// SPDX-License-Identifier: Apache-2.0
#include "agent_shell/probe_packet.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#define PROBE_MAGIC UINT32_C(0x73723670) // "sr6p"
#define PROBE_FORM 2
#define ROUTING_TYPE_SRH 4

static void put64(uint8_t *at, uint64_t value) {
    uint64_t wire = htobe64(value);
    memcpy(at, &wire, sizeof(wire));
}

static uint64_t get64(const uint8_t *at) {
    uint64_t wire;
    memcpy(&wire, at, sizeof(wire));
    return be64toh(wire);
}

static void put32(uint8_t *at, uint32_t value) {
    uint32_t wire = htobe32(value);
    memcpy(at, &wire, sizeof(wire));
}

static void put16(uint8_t *at, uint16_t value) {
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)(value & 0xff);
}

void probe_payload_encode(const struct probe_payload *payload, uint8_t bytes[PROBE_PAYLOAD_SIZE]) {
    memset(bytes, 0, PROBE_PAYLOAD_SIZE);
    put32(bytes, PROBE_MAGIC);
    bytes[4] = PROBE_FORM;
    put16(bytes + 6, payload->mark);
    put64(bytes + 8, payload->nonce);
    put64(bytes + 16, payload->token);
    put64(bytes + 24, payload->sent_at_ns);
}

int probe_payload_decode(const void *bytes, size_t size, struct probe_payload *out) {
    const uint8_t *at = bytes;
    uint32_t magic;
    if (size < PROBE_PAYLOAD_SIZE) {
        return -EBADMSG;
    }
    memcpy(&magic, at, sizeof(magic));
    if (be32toh(magic) != PROBE_MAGIC || at[4] != PROBE_FORM) {
        return -EBADMSG;
    }
    *out = (struct probe_payload){get64(at + 8), get64(at + 16), get64(at + 24),
                                  (uint16_t)(at[6] << 8 | at[7])};
    return 0;
}

// RFC 8754 section 2, reduced (RFC 8986 section 5.2): the first carrier is the destination address
// and not repeated here; the others stand in reverse order, segments left counts them all.
static size_t srh_encode(const struct sid_list *sids, uint8_t *at) {
    unsigned entries = sids->count - 1U;
    at[0] = IPPROTO_UDP;
    at[1] = (uint8_t)(2 * entries);
    at[2] = ROUTING_TYPE_SRH;
    at[3] = (uint8_t)entries;
    at[4] = (uint8_t)(entries - 1);
    at[5] = at[6] = at[7] = 0;
    for (unsigned i = 0; i < entries; i++) {
        memcpy(at + 8 + (size_t)16 * i, sids->sids[sids->count - 1U - i].bytes, 16);
    }
    return 8 + (size_t)16 * entries;
}

size_t probe_packet_size(const struct sid_list *sids) {
    size_t srh = sids->count < 2 ? 0 : 8 + (size_t)16 * (sids->count - 1U);
    return 40 + srh + 8 + PROBE_PAYLOAD_SIZE;
}

size_t probe_packet_encode(const struct sid *source, const struct sid_list *sids,
                           uint8_t traffic_class, uint16_t padding,
                           const uint8_t payload[PROBE_PAYLOAD_SIZE],
                           uint8_t packet[PROBE_PACKET_MAX]) {
    assert(sids->count >= 2 && sids->count <= SID_LIST_MAX && padding <= PROBE_PADDING_MAX);
    uint8_t *udp = packet + 40 + srh_encode(sids, packet + 40);
    put16(udp, PROBE_UDP_PORT);
    put16(udp + 2, PROBE_UDP_PORT);
    put16(udp + 4, (uint16_t)(8 + PROBE_PAYLOAD_SIZE + padding));
    put16(udp + 6, 0);
    memcpy(udp + 8, payload, PROBE_PAYLOAD_SIZE);
    size_t size = (size_t)(udp - packet) + 8 + PROBE_PAYLOAD_SIZE;

    put32(packet, UINT32_C(6) << 28 | (uint32_t)traffic_class << 20);
    put16(packet + 4, (uint16_t)(size - 40 + padding));
    packet[6] = IPPROTO_ROUTING;
    packet[7] = PROBE_HOP_LIMIT;
    memcpy(packet + 8, source->bytes, 16);
    memcpy(packet + 24, sids->sids[0].bytes, 16);
    return size;
}
