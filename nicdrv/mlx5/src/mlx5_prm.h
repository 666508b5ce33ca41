// SPDX-License-Identifier: Apache-2.0
// The few fields of the device's programming interface (PRM) that mlx5dv_dr and DEVX take as plain
// bytes: match parameters, modify-header actions, flow counters. libmlx5 installs no header of
// them.
//
// A field is (offset in bits from the start, width in bits), big-endian, as in the PRM's tables;
// none crosses a border of 32 bits, except those that are a multiple of it.
// Pure; the caller owns all storage.
#ifndef MLX5_PRM_H
#define MLX5_PRM_H

#include <stddef.h>
#include <stdint.h>

#define PRM_MATCH_SIZE 448 // bytes of fte_match_param that rdma-core 44 accepts

struct prm_field {
    uint16_t bit, width;
};

// Match parameters: which parts a matcher looks at, and their fields.
enum prm_criteria { PRM_OUTER = 1, PRM_MISC = 2, PRM_INNER = 4, PRM_MISC2 = 8 };

extern const struct prm_field PRM_IP_PROTOCOL, PRM_IP_DSCP, PRM_IP_ECN, PRM_IP_VERSION,
    PRM_UDP_SPORT, PRM_UDP_DPORT, PRM_DST_IPV4, PRM_SOURCE_PORT, PRM_BTH_DST_QP, PRM_REG_C_1;
extern const struct prm_field PRM_DST_IPV6; // 128 bits: prm_set_bytes

// DEVX commands on flow counters. A bulk is counted in units of 128; an answer holds 16 bytes a
// counter, packets and then bytes, from PRM_COUNTER_DATA on.
enum prm_opcode { PRM_ALLOC_FLOW_COUNTER = 0x939, PRM_QUERY_FLOW_COUNTER = 0x93b };
enum prm_command_size { // in bytes
    PRM_ALLOC_COUNTER_IN = 16,
    PRM_ALLOC_COUNTER_OUT = 16,
    PRM_QUERY_COUNTER_IN = 32,
    PRM_COUNTER_DATA = 16,
    PRM_COUNTER_SIZE = 16,
};
#define PRM_COUNTER_BULK_UNIT 128

extern const struct prm_field PRM_OPCODE;                                   // of any command
extern const struct prm_field PRM_STATUS, PRM_SYNDROME;                     // of any answer
extern const struct prm_field PRM_ALLOC_COUNTER_BULK, PRM_ALLOC_COUNTER_ID; // ID: of the answer
extern const struct prm_field PRM_QUERY_COUNTER_COUNT, PRM_QUERY_COUNTER_ID;

// width <= 32; the value must fit the field.
void prm_set(void *base, struct prm_field field, uint32_t value);
uint32_t prm_get(const void *base, struct prm_field field);
// Whole bytes: width and offset are multiples of 8.
void prm_set_bytes(void *base, struct prm_field field, const uint8_t *bytes);
uint64_t prm_get_u64(const void *base); // eight bytes, as in an answer's counters

// Modify-header fields by their numbers in the PRM.
enum prm_modify { PRM_OUT_IP_ECN = 0x73, PRM_OUT_IP_DSCP = 0x06, PRM_METADATA_REG_C_1 = 0x52 };
// One set action in device order: `value` into `width` (1 to 32) bits of the field from `offset`.
//
//   | 4: set = 1 | 12: field | 3 | 5: offset | 3 | 5: width, 32 is 0 | 32: value |
uint64_t prm_set_action(enum prm_modify field, uint8_t offset, uint8_t width, uint32_t value);

#endif
