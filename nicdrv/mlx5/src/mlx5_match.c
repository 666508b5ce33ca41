// SPDX-License-Identifier: Apache-2.0
#include "mlx5_match.h"

#include <string.h>

#define ROCE_PORT 4791
#define NEXT_UDP 17
#define NEXT_IPV4 4
#define NEXT_IPV6 41
#define CE 3

static void *bytes_of(union mlx5_match *match) {
    return &match->words[1];
}

static void begin(union mlx5_match *mask, union mlx5_match *value) {
    memset(mask, 0, sizeof *mask);
    memset(value, 0, sizeof *value);
    mask->parameters.match_sz = PRM_MATCH_SIZE;
    value->parameters.match_sz = PRM_MATCH_SIZE;
}

static void match_exact(union mlx5_match *mask, union mlx5_match *value, struct prm_field field,
                        uint32_t what) {
    prm_set(bytes_of(mask), field, (uint32_t)((UINT64_C(1) << field.width) - 1));
    prm_set(bytes_of(value), field, what);
}

// The library wants the version itself as its mask.
static void match_version(union mlx5_match *mask, union mlx5_match *value,
                          enum mlx5_version version) {
    prm_set(bytes_of(mask), PRM_IP_VERSION, mlx5_version_number(version));
    prm_set(bytes_of(value), PRM_IP_VERSION, mlx5_version_number(version));
}

static void match_ipv6(union mlx5_match *mask, union mlx5_match *value,
                       const uint8_t destination[16]) {
    uint8_t ones[16];
    memset(ones, 0xff, sizeof ones);
    prm_set_bytes(bytes_of(mask), PRM_DST_IPV6, ones);
    prm_set_bytes(bytes_of(value), PRM_DST_IPV6, destination);
}

static void match_destination(union mlx5_match *mask, union mlx5_match *value,
                              const uint8_t destination[16]) {
    if (mlx5_version_of(destination) == MLX5_IPV6) {
        match_ipv6(mask, value, destination);
        return;
    }
    const uint8_t *last = &destination[12];
    match_exact(mask, value, PRM_DST_IPV4,
                (uint32_t)last[0] << 24 | (uint32_t)last[1] << 16 | (uint32_t)last[2] << 8 |
                    last[3]);
}

void mlx5_match_in_root(union mlx5_match *mask) {
    prm_set(bytes_of(mask), PRM_IP_VERSION, 0xf);
}

void mlx5_match_source(uint16_t vport, union mlx5_match *mask, union mlx5_match *value) {
    begin(mask, value);
    match_exact(mask, value, PRM_SOURCE_PORT, vport);
}

void mlx5_match_roce(enum mlx5_version version, uint16_t vport, union mlx5_match *mask,
                     union mlx5_match *value) {
    mlx5_match_source(vport, mask, value);
    match_version(mask, value, version);
    match_exact(mask, value, PRM_IP_PROTOCOL, NEXT_UDP);
    match_exact(mask, value, PRM_UDP_DPORT, ROCE_PORT);
}

static void match_low(union mlx5_match *mask, union mlx5_match *value, struct prm_field field,
                      uint32_t what) {
    prm_set(bytes_of(mask), field, RULE_BUCKETS - 1);
    prm_set(bytes_of(value), field, what);
}

void mlx5_match_flow(const struct mlx5_flow *flow, uint16_t vport, union mlx5_match *mask,
                     union mlx5_match *value) {
    mlx5_match_source(vport, mask, value);
    match_version(mask, value, mlx5_version_of(flow->destination));
    match_destination(mask, value, flow->destination);
    switch ((enum mlx5_flow_kind)flow->kind) {
    case MLX5_FLOW_QP:
        match_exact(mask, value, PRM_BTH_DST_QP, flow->value);
        break;
    case MLX5_FLOW_SPORT:
        match_exact(mask, value, PRM_UDP_SPORT, flow->value);
        break;
    case MLX5_FLOW_QP_BUCKET:
        match_low(mask, value, PRM_BTH_DST_QP, flow->value);
        break;
    case MLX5_FLOW_SPORT_BUCKET:
        match_low(mask, value, PRM_UDP_SPORT, flow->value);
        break;
    case MLX5_FLOW_ANY:
        break;
    }
}

void mlx5_match_path(const struct mlx5_path_key *key, uint16_t vport, union mlx5_match *mask,
                     union mlx5_match *value) {
    mlx5_match_source(vport, mask, value);
    match_version(mask, value, key->version);
    match_exact(mask, value, PRM_IP_DSCP, key->traffic_class >> 2);
    match_exact(mask, value, PRM_IP_ECN, key->traffic_class & 3);
    match_exact(mask, value, PRM_REG_C_1, key->id);
}

void mlx5_match_tunnel(const struct mlx5_decap_key *key, bool with_ecn, union mlx5_match *mask,
                       union mlx5_match *value) {
    mlx5_match_source(MLX5_UPLINK_VPORT, mask, value);
    match_version(mask, value, MLX5_IPV6);
    match_exact(mask, value, PRM_IP_PROTOCOL, key->version == MLX5_IPV4 ? NEXT_IPV4 : NEXT_IPV6);
    match_ipv6(mask, value, key->sid.bytes);
    if (with_ecn) {
        match_exact(mask, value, PRM_IP_ECN, CE);
    }
}
