// SPDX-License-Identifier: Apache-2.0
// What the unit tests of the software eSwitch share: a card with a root table and a few actions,
// two RoCE packets, match parameters by byte offset.
#ifndef SOFTCX_BED_H
#define SOFTCX_BED_H

#include <errno.h>
#include <string.h>

#include "softcx_model.h"

#define BED_ROOT 1000000
#define BED_FRAME_MAX 4096

// Bytes of fte_match_param.
enum {
    BED_PROTOCOL = 16,
    BED_DSCP_ECN = 17,
    BED_VERSION = 18, // shifted left by one
    BED_UDP_SOURCE = 28,
    BED_DESTINATION = 48,
    BED_SOURCE_PORT = 64 + 6,
    BED_BTH_QP = 64 + 41,
    BED_INNER = 128,
    BED_REGISTER_C_1 = 192 + 40,
    BED_REGISTER_C_0 = 192 + 44,
    BED_MISC3 = 256,
};

struct bed_match {
    uint8_t bytes[SOFTCX_PRM_SIZE];
};

struct bed_frame {
    uint8_t bytes[BED_FRAME_MAX];
    size_t size;
};

struct bed {
    struct softcx *card;
    struct softcx_count *counts;
    uint64_t next_action, to_uplink, to_vport2, drop;
    struct bed_frame roce4, roce6; // ports 49153 to 4791, QP 0x11, DSCP 26, ECN 2, 64 bytes
    uint8_t room[SOFTCX_REFORMAT_MAX + BED_FRAME_MAX];
    struct softcx_packet packet; // as bed_send left it
};

// Ethernet, IPv6 with DSCP 26, ECN 2, flow label 0, hop limit 64, next header 4.
extern const uint8_t bed_outer[54];

int bed_setup(void **state);
int bed_teardown(void **state);

// A frame of BED_FRAME_MAX at most, from a vport, with registers zero.
struct softcx_result bed_send(struct bed *bed, uint16_t source, const struct bed_frame *frame);
void bed_expect_frame(const struct bed *bed, const struct bed_frame *frame);

uint64_t bed_action(struct bed *bed, enum softcx_action_kind kind, uint64_t value,
                    const uint8_t *data, size_t size);
// A table of level 1, and a rule in the root that sends everything to it.
void bed_root(struct bed *bed, uint64_t table);
void bed_matcher(struct bed *bed, uint64_t id, uint64_t table, uint16_t priority, uint8_t criteria,
                 const struct bed_match *mask);
void bed_rule(struct bed *bed, uint64_t id, uint64_t matcher, const struct bed_match *value,
              const uint64_t *actions, size_t count);
// A matcher (`id`) that looks at nothing and its rule (id + 1).
void bed_rule_all(struct bed *bed, uint64_t table, uint16_t priority, uint64_t id,
                  const uint64_t *actions, size_t count);

// The checksum of `size` bytes, whose own place holds zero or the sum: 0 then when right.
uint16_t bed_checksum(const uint8_t *bytes, size_t size, uint32_t start);

#endif
