// SPDX-License-Identifier: Apache-2.0
// What the card says of itself: QUERY_HCA_CAP and the contexts of its vports. Offsets in bits from
// the start of the answer.
#include <rdma/mlx5_user_ioctl_verbs.h>

#include "bits.h"
#include "card.h"

enum caps_group {
    GROUP_GENERAL = 0x01,
    GROUP_ROCE = 0x09,
    GROUP_NIC_TABLES = 0x0f,
    GROUP_ESW_TABLES = 0x11,
    GROUP_DEVICE_MEMORY = 0x1f,
};

enum { LOG_STEERING = 27, LOG_REWRITE = 20, LOG_PATTERN = 20, OUT_BYTES = 0x420 };

static const uint64_t STEERING_START = 1ULL << 32, REWRITE_START = 1ULL << 30,
                      PATTERN_START = 1ULL << 29;

uint64_t caps_icm_start(uint64_t dm_type, uint64_t *size) {
    switch (dm_type) {
    case MLX5_IB_UAPI_DM_TYPE_STEERING_SW_ICM:
        *size = 1ULL << LOG_STEERING;
        return STEERING_START;
    case MLX5_IB_UAPI_DM_TYPE_HEADER_MODIFY_SW_ICM:
        *size = 1ULL << LOG_REWRITE;
        return REWRITE_START;
    case MLX5_IB_UAPI_DM_TYPE_HEADER_MODIFY_PATTERN_SW_ICM:
        *size = 1ULL << LOG_PATTERN;
        return PATTERN_START;
    default:
        *size = 0;
        return 0;
    }
}

static void general(const struct card *card, uint32_t vhca_id, void *out) {
    bits_set(out, 0xb0, 16, vhca_id);
    bits_set(out, 0x227, 1, 1); // eSwitch manager
    bits_set(out, 0x29d, 1, 1); // RoCE
    bits_set(out, 0x4c4, 4, card->format);
}

// Software owns the tables: said in one bit by the first format, in another by the later ones.
static void sw_owner(const struct card *card, void *out, unsigned properties) {
    bits_set(out, properties + (card->format == CARD_CX5 ? 0x11 : 0x1e), 1, 1);
}

static void nic_tables(const struct card *card, void *out) {
    sw_owner(card, out, 0x280);
    sw_owner(card, out, 0x880);
    bits_set(out, 0x2b8, 8, 64); // levels
    bits_set64(out, 0x2080, 0x10000);
}

static void esw_tables(const struct card *card, void *out) {
    sw_owner(card, out, 0x280);
    for (unsigned i = 0; i < 4; i++) { // drop and uplink, each for receive and send
        bits_set64(out, 0x1880 + 64 * i, 0x20000 + 0x1000 * i);
    }
}

static void device_memory(void *out) {
    bits_set(out, 0x198, 8, LOG_STEERING);
    bits_set(out, 0x188, 8, LOG_REWRITE);
    bits_set(out, 0x1b8, 8, LOG_PATTERN);
    bits_set64(out, 0x1c0, REWRITE_START);
    bits_set64(out, 0x240, PATTERN_START);
}

uint8_t caps_answer(const struct card *card, const void *in, void *out, size_t out_size) {
    uint32_t vport = bits_get(in, 0x50, 16);
    bool other = bits_get(in, 0x40, 1) != 0;
    if (out_size < OUT_BYTES) {
        return 0x51; // BAD_OUTP_LEN
    }
    if (other && vport > CARD_VPORT_MAX) {
        return 0x3; // BAD_PARAM
    }
    switch (bits_get(in, 0x30, 16)) {
    case GROUP_GENERAL:
        general(card, other ? vport + 1 : 1, out);
        return 0;
    case GROUP_ROCE:
        bits_set(out, 0x86, 1, 1); // loopback is allowed while RoCE is on
        return 0;
    case GROUP_NIC_TABLES:
        nic_tables(card, out);
        return 0;
    case GROUP_ESW_TABLES:
        esw_tables(card, out);
        return 0;
    case GROUP_DEVICE_MEMORY:
        device_memory(out);
        return 0;
    default:
        return 0x3;
    }
}
