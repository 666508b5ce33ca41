// SPDX-License-Identifier: Apache-2.0
// What the card's parser sees in a packet, and what a matcher asks for: both are the same array of
// words, so that a match is "packet AND mask equals value".
//
// Masks and values come as the device's match parameters (PRM fte_match_param, seven parts of 64
// bytes). The offsets are written down here a second time on purpose: this is the judge of the
// driver and shares no code with it.
//
//   part  0 outer   1 misc   2 inner   3 misc2   4 misc3 to 6 misc5 (nothing of them is decoded)
//
// As on the card: the ports of UDP and TCP are one place; a mask of 4 or 6 in ip_version compares
// the version whole; IPv4 addresses are the last word of a 128-bit field; layer 4 is seen only
// where it follows the IP header at once, in the first fragment of nothing (no fragments); "inner"
// is what follows an outer next header of 4 or 41, also after an SRH.
//
// Pure.
#ifndef SOFTCX_KEY_H
#define SOFTCX_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SOFTCX_PRM_SIZE 448
#define SOFTCX_REGISTERS 8

enum softcx_criteria { SOFTCX_OUTER = 1, SOFTCX_MISC = 2, SOFTCX_INNER = 4, SOFTCX_MISC2 = 8 };

// Words of one set of headers; the inner ones follow the outer ones.
enum softcx_header_word {
    KEY_SMAC_HIGH, // 32 bits
    KEY_SMAC_LOW,  // 16 bits
    KEY_DMAC_HIGH,
    KEY_DMAC_LOW,
    KEY_ETHERTYPE,
    KEY_IP_VERSION,
    KEY_PROTOCOL, // next header of the IP header
    KEY_DSCP,
    KEY_ECN,
    KEY_FRAGMENT,
    KEY_TTL,
    KEY_FLOW_LABEL,
    KEY_SOURCE, // four words
    KEY_DESTINATION = KEY_SOURCE + 4,
    KEY_L4_SOURCE = KEY_DESTINATION + 4,
    KEY_L4_DESTINATION,
    KEY_HEADER_WORDS,
};

enum softcx_key_word {
    KEY_INNER = KEY_HEADER_WORDS,
    KEY_SOURCE_PORT = 2 * KEY_HEADER_WORDS, // vport that the packet came from
    KEY_BTH_QP,
    KEY_REGISTER_C, // eight words
    KEY_REGISTER_A = KEY_REGISTER_C + SOFTCX_REGISTERS,
    KEY_WORDS,
};

struct softcx_key {
    uint32_t word[KEY_WORDS];
};

// Where the parser found what; offsets from the start of the frame, 0: not there.
struct softcx_layout {
    uint16_t ethertype;
    uint8_t version, protocol; // of the outer IP header; 0 when none or malformed
    uint16_t ip, l4;           // l4: only UDP (17) and TCP (6)
    uint16_t tunnelled;        // IP header inside the outer one
    bool segments_left;        // an SRH that is not at its end
};

// -EINVAL: too large; -EOPNOTSUPP: a bit is set that the card's parser does not know, or a part
// that `criteria` names is not decoded.
int softcx_key_of_mask(const uint8_t *prm, size_t size, uint8_t criteria, struct softcx_key *out);
// Bits that no field covers are ignored, as are those outside the mask, by the caller.
int softcx_key_of_value(const uint8_t *prm, size_t size, struct softcx_key *out);

// Registers and the source port are not the packet's: they are left zero.
void softcx_parse(const uint8_t *frame, size_t size, struct softcx_key *key,
                  struct softcx_layout *layout);

#endif
