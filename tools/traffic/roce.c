// SPDX-License-Identifier: Apache-2.0
#include "roce.h"

#include <arpa/inet.h>
#include <assert.h>
#include <string.h>
#include <zlib.h>

#define DATA_MAGIC 0x53563654U   // "SV6T"
#define REPORT_MAGIC 0x53563652U // "SV6R"
#define PKEY_DEFAULT 0xffff
#define HOP_LIMIT 64
#define REMOTE_KEY 0x53363630U
#define TRANSPORT (ROCE_IPV4_SIZE + ROCE_UDP_SIZE) // where the BTH begins in a frame

// ---- big-endian fields

static void put16(uint8_t *at, uint16_t value) {
    value = htons(value);
    memcpy(at, &value, sizeof value);
}
static void put32(uint8_t *at, uint32_t value) {
    value = htonl(value);
    memcpy(at, &value, sizeof value);
}
static void put64(uint8_t *at, uint64_t value) {
    put32(at, (uint32_t)(value >> 32));
    put32(at + 4, (uint32_t)value);
}
static uint32_t get32(const uint8_t *at) {
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return ntohl(value);
}
static uint64_t get64(const uint8_t *at) {
    return (uint64_t)get32(at) << 32 | get32(at + 4);
}

// ---- encoding

static void put_bth(uint8_t *at, const struct roce_bth *bth) {
    at[0] = bth->opcode;
    at[1] = 0; // no solicited event, no padding, header version 0
    put16(at + 2, PKEY_DEFAULT);
    put32(at + 4, bth->qp & ROCE_QP_MAX);
    put32(at + 8, (bth->ack_request ? 1U << 31 : 0) | (bth->psn & ROCE_PSN_MASK));
}

static bool has_reth(uint8_t opcode) {
    return opcode == ROCE_WRITE_FIRST || opcode == ROCE_WRITE_ONLY;
}

size_t roce_encode_write(uint8_t frame[ROCE_FRAME_MAX], const struct roce_bth *bth,
                         const struct roce_data *data, uint64_t message_offset,
                         uint32_t message_bytes, size_t payload_size) {
    assert(payload_size >= ROCE_DATA_SIZE && payload_size <= ROCE_MTU_MAX);
    uint8_t *at = frame + TRANSPORT;
    put_bth(at, bth);
    at += ROCE_BTH_SIZE;
    if (has_reth(bth->opcode)) {
        put64(at, message_offset);
        put32(at + 8, REMOTE_KEY);
        put32(at + 12, message_bytes);
        at += ROCE_RETH_SIZE;
    }
    put32(at, DATA_MAGIC);
    put32(at + 4, data->run);
    put64(at + 8, data->wire);
    put64(at + 16, data->sent_at_ns);
    put32(at + 24, data->first_psn << 8 | data->flags);
    put32(at + 28, data->source_qp << 8 | data->pad);
    memset(at + ROCE_DATA_SIZE, 0, payload_size - ROCE_DATA_SIZE);
    return (size_t)(at - (frame + TRANSPORT)) + payload_size;
}

size_t roce_encode_response(uint8_t frame[ROCE_FRAME_MAX], const struct roce_bth *bth,
                            uint8_t syndrome, uint32_t message_sequence,
                            const struct roce_report *report) {
    uint8_t *at = frame + TRANSPORT;
    put_bth(at, bth);
    put32(at + ROCE_BTH_SIZE, (uint32_t)syndrome << 24 | (message_sequence & 0xffffff));
    size_t size = ROCE_BTH_SIZE + ROCE_AETH_SIZE;
    if (report != NULL) {
        at += size;
        put32(at, REPORT_MAGIC);
        put32(at + 4, report->run);
        put64(at + 8, report->lost);
        put64(at + 16, report->reordered);
        put64(at + 24, report->duplicate);
        put64(at + 32, report->longest_silence_ns);
        put64(at + 40, report->flow_longest_silence_ns);
        size += ROCE_REPORT_SIZE;
    }
    return size;
}

size_t roce_encode_cnp(uint8_t frame[ROCE_FRAME_MAX], uint32_t qp) {
    struct roce_bth bth = {.opcode = ROCE_CNP, .qp = qp};
    put_bth(frame + TRANSPORT, &bth);
    frame[TRANSPORT + 4] = 0x40; // BECN
    memset(frame + TRANSPORT + ROCE_BTH_SIZE, 0, ROCE_CNP_SIZE);
    return ROCE_BTH_SIZE + ROCE_CNP_SIZE;
}

// ---- ICRC and the headers in front

// RoCEv2 sends IPv4 unfragmented; the identification is ours to choose. It follows from the PSN, so
// that a receiver, who never sees it, can check the ICRC that covers it. Never 0: the kernel would
// fill that in.
static uint16_t ipv4_identification(const uint8_t *bth) {
    return (uint16_t)(0x8000 | (get32(bth + 8) & 0x7fff));
}

static void put_udp(uint8_t *at, uint16_t source_port, size_t size) {
    put16(at, source_port);
    put16(at + 2, ROCE_UDP_PORT);
    put16(at + 4, (uint16_t)size);
    put16(at + 6, 0); // the ICRC protects more than a checksum would
}

static void put_ipv4(uint8_t *at, const struct roce_addresses *addresses, uint16_t identification,
                     size_t udp_size) {
    memset(at, 0, ROCE_IPV4_SIZE);
    at[0] = 0x45;
    at[1] = addresses->traffic_class;
    put16(at + 2, (uint16_t)(ROCE_IPV4_SIZE + udp_size));
    put16(at + 4, identification);
    put16(at + 6, 0x4000); // don't fragment
    at[8] = HOP_LIMIT;
    at[9] = 17;
    memcpy(at + 12, addresses->source, 4);
    memcpy(at + 16, addresses->destination, 4);
}

// Annex A17: eight bytes of ones for the absent local route header, then the packet from the IP
// header on, with everything that changes on the way replaced by ones. `transport_size` runs from
// BTH to before the ICRC.
static uint32_t compute_icrc(const uint8_t *bth, size_t transport_size,
                             const struct roce_addresses *addresses) {
    uint8_t header[8 + ROCE_IPV6_SIZE + ROCE_UDP_SIZE + ROCE_BTH_SIZE];
    uint8_t *at = header;
    size_t udp_size = ROCE_UDP_SIZE + transport_size + ROCE_ICRC_SIZE;
    memset(at, 0xff, 8);
    at += 8;
    if (addresses->ipv6) {
        put32(at, 0x6fffffff); // traffic class and flow label
        put16(at + 4, (uint16_t)udp_size);
        at[6] = 17;
        at[7] = 0xff; // hop limit
        memcpy(at + 8, addresses->source, 16);
        memcpy(at + 24, addresses->destination, 16);
        at += ROCE_IPV6_SIZE;
    } else {
        put_ipv4(at, addresses, ipv4_identification(bth), udp_size);
        at[1] = at[8] = at[10] = at[11] = 0xff; // class, time to live, checksum
        at += ROCE_IPV4_SIZE;
    }
    put_udp(at, addresses->source_port, udp_size);
    at[6] = at[7] = 0xff;
    at += ROCE_UDP_SIZE;
    memcpy(at, bth, ROCE_BTH_SIZE);
    at[4] = 0xff; // FECN, BECN
    at += ROCE_BTH_SIZE;
    uLong crc = crc32(0, header, (uInt)(at - header));
    return (uint32_t)crc32(crc, bth + ROCE_BTH_SIZE, (uInt)(transport_size - ROCE_BTH_SIZE));
}

static void put_icrc(uint8_t *at, uint32_t icrc) {
    for (unsigned i = 0; i < ROCE_ICRC_SIZE; i++) {
        at[i] = (uint8_t)(icrc >> 8 * i); // sent least significant byte first
    }
}

size_t roce_seal(uint8_t frame[ROCE_FRAME_MAX], size_t transport_size,
                 const struct roce_addresses *addresses, const uint8_t **start) {
    uint8_t *bth = frame + TRANSPORT;
    size_t udp_size = ROCE_UDP_SIZE + transport_size + ROCE_ICRC_SIZE;
    put_udp(frame + ROCE_IPV4_SIZE, addresses->source_port, udp_size);
    put_icrc(bth + transport_size, compute_icrc(bth, transport_size, addresses));
    if (addresses->ipv6) {
        *start = frame + ROCE_IPV4_SIZE;
        return udp_size;
    }
    put_ipv4(frame, addresses, ipv4_identification(bth), udp_size); // the kernel adds the checksum
    *start = frame;
    return ROCE_IPV4_SIZE + udp_size;
}

bool roce_icrc_matches(const uint8_t *packet, size_t size, const struct roce_addresses *addresses) {
    uint8_t expected[ROCE_ICRC_SIZE];
    size_t transport_size = size - ROCE_ICRC_SIZE;
    put_icrc(expected, compute_icrc(packet, transport_size, addresses));
    return memcmp(expected, packet + transport_size, sizeof expected) == 0;
}

// ---- decoding

bool roce_decode_bth(const uint8_t *packet, size_t size, struct roce_bth *bth) {
    if (size < ROCE_BTH_SIZE + ROCE_ICRC_SIZE) {
        return false;
    }
    *bth = (struct roce_bth){.opcode = packet[0],
                             .ack_request = (packet[8] & 0x80) != 0,
                             .qp = get32(packet + 4) & ROCE_QP_MAX,
                             .psn = get32(packet + 8) & ROCE_PSN_MASK};
    return true;
}

bool roce_decode_data(const uint8_t *packet, size_t size, struct roce_data *data,
                      uint32_t *data_bytes) {
    size_t headers = ROCE_BTH_SIZE + (has_reth(packet[0]) ? ROCE_RETH_SIZE : 0);
    if (size < headers + ROCE_DATA_SIZE + ROCE_ICRC_SIZE) {
        return false;
    }
    const uint8_t *at = packet + headers;
    size_t payload_size = size - headers - ROCE_ICRC_SIZE;
    uint8_t pad = at[31];
    if (get32(at) != DATA_MAGIC || payload_size > ROCE_MTU_MAX || pad > payload_size) {
        return false;
    }
    *data = (struct roce_data){.run = get32(at + 4),
                               .wire = get64(at + 8),
                               .sent_at_ns = get64(at + 16),
                               .first_psn = get32(at + 24) >> 8,
                               .flags = at[27],
                               .source_qp = get32(at + 28) >> 8,
                               .pad = pad};
    *data_bytes = (uint32_t)payload_size - pad;
    return true;
}

bool roce_decode_response(const uint8_t *packet, size_t size, uint8_t *syndrome,
                          struct roce_report *report, bool *has_report) {
    size_t headers = ROCE_BTH_SIZE + ROCE_AETH_SIZE;
    if (size < headers + ROCE_ICRC_SIZE) {
        return false;
    }
    *syndrome = packet[ROCE_BTH_SIZE];
    const uint8_t *at = packet + headers;
    *has_report = size == headers + ROCE_REPORT_SIZE + ROCE_ICRC_SIZE && get32(at) == REPORT_MAGIC;
    if (*has_report) {
        *report = (struct roce_report){.run = get32(at + 4),
                                       .lost = get64(at + 8),
                                       .reordered = get64(at + 16),
                                       .duplicate = get64(at + 24),
                                       .longest_silence_ns = get64(at + 32),
                                       .flow_longest_silence_ns = get64(at + 40)};
    }
    return true;
}

uint16_t roce_source_port(uint32_t source_qp, uint32_t destination_qp) {
    // As the kernel's rdma_calc_flow_label: a product of the two QPs, folded to 20 bits.
    uint64_t value = (uint64_t)source_qp * destination_qp;
    value ^= value >> 20;
    value ^= value >> 40;
    uint32_t label = (uint32_t)value & 0xfffff;
    return (uint16_t)(((label & 0x3fff) ^ (label & 0xfc000) >> 14) | 0xc000);
}
