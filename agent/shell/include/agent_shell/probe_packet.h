// SPDX-License-Identifier: Apache-2.0
// The bytes of a loop probe.
//
//   one carrier:   IPv6 (destination = carrier) | UDP | payload          by an ordinary UDP socket
//   more carriers: IPv6 (destination = carrier 1) | SRH | UDP | payload  by a raw socket
//
//   payload, big endian:  | magic 4 | form 1 | 0 1 | mark 2 | host nonce 8 | token 8 | sent_at_ns 8
//   |
//
// A probe of a train is filled up with zeroes behind that (RFC 4656 calls it padding); who reads it
// needs only the head. The mark says where the sender keeps the time at which the kernel saw the
// probe leave (probe_stamps.h).
//
// Linux takes a segment routing header from a UDP socket only as a sticky option and only in the
// full form (tried on 6.18: IPV6_RTHDR of type 4 as ancillary data is EINVAL, the reduced form is
// EINVAL as an option), so a probe of more than one carrier is written whole here, in the reduced
// form of RFC 8986 section 5.2. UDP checksums are zero (RFC 6935): the destination changes at every
// uSID on the way.
//
// Pure: no descriptor, no clock. Errors: -EBADMSG for bytes that are not the head of a probe.
#ifndef AGENT_SHELL_PROBE_PACKET_H
#define AGENT_SHELL_PROBE_PACKET_H

#include <stddef.h>
#include <stdint.h>

#include "model/usid.h"

#define PROBE_PAYLOAD_SIZE 32
#define PROBE_UDP_PORT 51791 // both ends: a probe comes back to the socket that sent it
#define PROBE_HOP_LIMIT 64
#define PROBE_PACKET_MAX (40 + 8 + 16 * (SID_LIST_MAX - 1) + 8 + PROBE_PAYLOAD_SIZE)
#define PROBE_PADDING_MAX 9216 // jumbo frames

struct probe_payload {
    uint64_t nonce; // of this life of the agent: answers to an earlier one are not ours
    uint64_t token;
    uint64_t sent_at_ns;
    uint16_t mark;
};

void probe_payload_encode(const struct probe_payload *payload, uint8_t bytes[PROBE_PAYLOAD_SIZE]);
// *out is untouched on failure.
int probe_payload_decode(const void *bytes, size_t size, struct probe_payload *out);

// The size of the IPv6 packet of a probe without padding.
size_t probe_packet_size(const struct sid_list *sids);

// An IPv6 packet for a list of two or more carriers, but for its last `padding` bytes, which its
// lengths count; returns the size of what was written (<= PROBE_PACKET_MAX).
size_t probe_packet_encode(const struct sid *source, const struct sid_list *sids,
                           uint8_t traffic_class, uint16_t padding,
                           const uint8_t payload[PROBE_PAYLOAD_SIZE],
                           uint8_t packet[PROBE_PACKET_MAX]);

#endif
