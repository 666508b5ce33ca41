// SPDX-License-Identifier: Apache-2.0
// RoCEv2 packets as this program sends them: UDP 4791, Base Transport Header, ICRC.
//
//   request    IP | UDP | BTH | RETH (first and only) | payload               | ICRC
//   response   IP | UDP | BTH | AETH                  | report (after the end) | ICRC
//   CNP        IP | UDP | BTH | 16 bytes of zero                              | ICRC
//
// The payload of a request begins with a data header (32 bytes, network order), because PSNs repeat
// when packets are sent again and a measurement must not:
//
//   | magic 4 | run 4 | wire sequence 8 | sent at 8 (CLOCK_REALTIME ns) | first PSN 3, flags 1 ->
//   | source QP 3, pad 1 |                             (data bytes: payload length less the pad)
//
// A frame is built in place: 20 bytes for an IPv4 header, then UDP and on. With IPv6 the kernel
// puts its header in front and the first 20 bytes are not sent. Formats: IBTA volume 1 chapter 9,
// annexes A16 (RoCE) and A17 (RoCEv2). Pure; nothing here allocates.
#ifndef TRAFFIC_ROCE_H
#define TRAFFIC_ROCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ROCE_UDP_PORT 4791
#define ROCE_IPV4_SIZE 20
#define ROCE_IPV6_SIZE 40
#define ROCE_UDP_SIZE 8
#define ROCE_BTH_SIZE 12
#define ROCE_RETH_SIZE 16
#define ROCE_AETH_SIZE 4
#define ROCE_ICRC_SIZE 4
#define ROCE_CNP_SIZE 16
#define ROCE_DATA_SIZE 32   // data header
#define ROCE_REPORT_SIZE 48 // report
#define ROCE_MTU_MAX 4096
#define ROCE_FRAME_MAX                                                                             \
    (ROCE_IPV4_SIZE + ROCE_UDP_SIZE + ROCE_BTH_SIZE + ROCE_RETH_SIZE + ROCE_MTU_MAX +              \
     ROCE_ICRC_SIZE)
#define ROCE_PSN_MASK 0xffffffU
#define ROCE_QP_MAX 0xffffffU

enum roce_opcode {
    ROCE_WRITE_FIRST = 0x06,
    ROCE_WRITE_MIDDLE = 0x07,
    ROCE_WRITE_LAST = 0x08,
    ROCE_WRITE_ONLY = 0x0a,
    ROCE_ACK = 0x11,
    ROCE_CNP = 0x81,
};
enum roce_syndrome { ROCE_SYNDROME_ACK = 0x1f, ROCE_SYNDROME_NAK_PSN = 0x60 };
enum roce_flag { ROCE_FLAG_END = 1, ROCE_FLAG_RELIABLE = 2 };

struct roce_bth {
    uint8_t opcode;
    bool ack_request;
    uint32_t qp; // destination
    uint32_t psn;
};

struct roce_data {
    uint32_t run;  // one per start of the sender, so that a restart is not taken for loss
    uint64_t wire; // counts every packet of the QP that was sent, also again
    uint64_t sent_at_ns;
    uint32_t first_psn;
    uint8_t flags;
    uint32_t source_qp;
    uint8_t pad; // of the last packet, which holds at least this header
};

// What the receiver saw of a QP when its last byte had come.
struct roce_report {
    uint32_t run;
    uint64_t lost, reordered, duplicate;
    uint64_t longest_silence_ns;      // of the QP
    uint64_t flow_longest_silence_ns; // of all QPs between the two ports, so far
};

struct roce_addresses {
    bool ipv6;
    uint8_t source[16]; // network order; IPv4 in the first four bytes
    uint8_t destination[16];
    uint16_t source_port;
    uint8_t traffic_class;
};

// Encoders write behind the UDP header and return the size from BTH to before the ICRC.
size_t roce_encode_write(uint8_t frame[ROCE_FRAME_MAX], const struct roce_bth *bth,
                         const struct roce_data *data, uint64_t message_offset,
                         uint32_t message_bytes, size_t payload_size);
size_t roce_encode_response(uint8_t frame[ROCE_FRAME_MAX], const struct roce_bth *bth,
                            uint8_t syndrome, uint32_t message_sequence,
                            const struct roce_report *report);
size_t roce_encode_cnp(uint8_t frame[ROCE_FRAME_MAX], uint32_t qp);
// Completes a frame with headers and ICRC. *start and the size returned are what a raw socket
// sends: from the IPv4 header, or from the UDP header where the kernel adds IPv6.
size_t roce_seal(uint8_t frame[ROCE_FRAME_MAX], size_t transport_size,
                 const struct roce_addresses *addresses, const uint8_t **start);

// `packet` begins at the BTH and ends with the ICRC; false when too short for what it says it is.
bool roce_decode_bth(const uint8_t *packet, size_t size, struct roce_bth *bth);
// The payload of a request; false when it is not one of ours.
bool roce_decode_data(const uint8_t *packet, size_t size, struct roce_data *data,
                      uint32_t *data_bytes);
// has_report tells whether *report was filled.
bool roce_decode_response(const uint8_t *packet, size_t size, uint8_t *syndrome,
                          struct roce_report *report, bool *has_report);
bool roce_icrc_matches(const uint8_t *packet, size_t size, const struct roce_addresses *addresses);

static inline bool roce_is_request(uint8_t opcode) {
    return opcode == ROCE_WRITE_FIRST || opcode == ROCE_WRITE_MIDDLE || opcode == ROCE_WRITE_LAST ||
           opcode == ROCE_WRITE_ONLY;
}
// Bytes of an IP packet whose payload is `payload_size`; RETH left out.
static inline size_t roce_packet_bytes(bool ipv6, size_t payload_size) {
    size_t headers = ROCE_UDP_SIZE + ROCE_BTH_SIZE + ROCE_ICRC_SIZE;
    return headers + payload_size + (ipv6 ? (size_t)ROCE_IPV6_SIZE : (size_t)ROCE_IPV4_SIZE);
}
// The UDP source port that a NIC gives a QP (as rdma-core's ibv_flow_label_to_udp_sport): stays in
// 0xc000..0xffff.
uint16_t roce_source_port(uint32_t source_qp, uint32_t destination_qp);

#endif
