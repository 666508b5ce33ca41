// SPDX-License-Identifier: Apache-2.0
// The few fields of the device's programming interface (PRM) that mlx5dv_dr takes as plain bytes:
// match parameters, modify-header actions, DEVX flow counters. libmlx5 installs no header of them.
//
// A field is (offset in bits from the start, width in bits), big-endian, as in the PRM's tables.
// Pure; the caller owns all storage.
#ifndef MLX5_PRM_H
#define MLX5_PRM_H

#include <stddef.h>
#include <stdint.h>

#define PRM_MATCH_SIZE 448 // bytes of fte_match_param that rdma-core 44 accepts

struct prm_field {
    uint16_t bit, width;
};

enum prm_criteria { PRM_OUTER = 1, PRM_MISC = 2, PRM_INNER = 4, PRM_MISC2 = 8 };

extern const struct prm_field PRM_IP_PROTOCOL, PRM_IP_DSCP, PRM_IP_ECN, PRM_IP_VERSION,
    PRM_UDP_SPORT, PRM_UDP_DPORT, PRM_DST_IPV4, PRM_SOURCE_PORT, PRM_BTH_DST_QP, PRM_REG_C_1;
extern const struct prm_field PRM_DST_IPV6; // 128 bits: prm_set_bytes

void prm_set(void *base, struct prm_field field, uint32_t value); // width <= 32
uint32_t prm_get(const void *base, struct prm_field field);
void prm_set_bytes(void *base, struct prm_field field, const uint8_t *bytes);

// Modify-header fields by their numbers in the PRM.
enum prm_modify { PRM_OUT_IP_ECN = 0x73, PRM_OUT_IP_DSCP = 0x06, PRM_METADATA_REG_C_1 = 0x52 };
// One set action in device order: `value` into `width` bits of the field from `offset`.
uint64_t prm_set_action(enum prm_modify field, uint8_t offset, uint8_t width, uint32_t value);

#endif
