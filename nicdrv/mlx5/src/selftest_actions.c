// SPDX-License-Identifier: Apache-2.0
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mlx5_reason.h"
#include "selftest_bench.h"

#define UPLINK_VPORT 0xffff
#define FIRST_FUNCTION_VPORT 1
#define ENCAP_MAX 158
#define ETHERNET_SIZE 14
#define IPV6_SIZE 40
#define COUNTER_BULK_UNITS 1
#define SAMPLE_ONE_IN 2

// Fields of headers that nothing but the self test rewrites, and a register that a sampler
// restores.
enum { OUT_IPV6_DESTINATION = 0x11, OUT_UDP_SPORT = 0x0b, OUT_HOP_LIMIT = 0x47, REG_C_0 = 0x51 };

// What the device is told to put in front: Ethernet, IPv6 and, when there is room, an SRH.
static void write_header(uint8_t *out, size_t size) {
    memset(out, 0, size);
    out[0] = out[6] = 0x02; // locally administered addresses
    out[12] = 0x86;
    out[13] = 0xdd;
    uint8_t *ipv6 = out + ETHERNET_SIZE;
    size_t srh_size = size - ETHERNET_SIZE - IPV6_SIZE;
    ipv6[0] = 0x60;
    ipv6[6] = srh_size > 0 ? 43 : 41;
    ipv6[7] = 64;
    memcpy(ipv6 + 8, bench_documentation, sizeof(bench_documentation));
    memcpy(ipv6 + 24, bench_documentation, sizeof(bench_documentation));
    if (srh_size == 0) {
        return;
    }
    uint8_t *srh = ipv6 + IPV6_SIZE;
    uint8_t segments = (uint8_t)((srh_size - 8) / sizeof(bench_documentation));
    srh[0] = 41;
    srh[1] = (uint8_t)(segments * 2); // units of 8 bytes after the first
    srh[2] = 4;
    srh[3] = segments;
    srh[4] = (uint8_t)(segments - 1);
    for (uint8_t i = 0; i < segments; i++) {
        memcpy(srh + 8 + i * sizeof(bench_documentation), bench_documentation,
               sizeof(bench_documentation));
    }
}

static struct mlx5dv_dr_action *make_encap(struct selftest_bench *bench, size_t size) {
    uint8_t header[ENCAP_MAX];
    assert(size <= sizeof(header));
    write_header(header, size);
    return mlx5dv_dr_action_create_packet_reformat(
        bench->domain, 0, MLX5DV_FLOW_ACTION_PACKET_REFORMAT_TYPE_L2_TO_L3_TUNNEL, size, header);
}

static struct mlx5dv_dr_action *make_decap(struct selftest_bench *bench) {
    uint8_t ethernet[ETHERNET_SIZE] = {[0] = 0x02, [6] = 0x02, [12] = 0x86, [13] = 0xdd};
    return mlx5dv_dr_action_create_packet_reformat(
        bench->domain, 0, MLX5DV_FLOW_ACTION_PACKET_REFORMAT_TYPE_L3_TUNNEL_TO_L2, sizeof(ethernet),
        ethernet);
}

static struct mlx5dv_dr_action *make_set(struct selftest_bench *bench, __be64 *sets, size_t count) {
    return mlx5dv_dr_action_create_modify_header(bench->domain, 0, count * sizeof(*sets), sets);
}

static __be64 set(int field, uint8_t width, uint32_t value) {
    return prm_set_action((enum prm_modify)field, 0, width, value);
}

static struct mlx5dv_dr_action *make_set_destination(struct selftest_bench *bench) {
    __be64 sets[4];
    for (uint32_t i = 0; i < 4; i++) {
        sets[i] = set(OUT_IPV6_DESTINATION + (int)i, 32, i);
    }
    return make_set(bench, sets, 4);
}

static struct mlx5dv_dr_action *make_count(struct selftest_bench *bench, uint8_t bulk_units,
                                           uint32_t offset, struct mlx5dv_devx_obj **object) {
    uint8_t in[PRM_ALLOC_COUNTER_IN] = {0};
    uint8_t out[PRM_ALLOC_COUNTER_OUT] = {0};
    prm_set(in, PRM_OPCODE, PRM_ALLOC_FLOW_COUNTER);
    prm_set(in, PRM_ALLOC_COUNTER_BULK, bulk_units);
    *object = mlx5dv_devx_obj_create(bench->context, in, sizeof(in), out, sizeof(out));
    if (*object == NULL) {
        return NULL;
    }
    if (object == &bench->counter_bulk) {
        bench->counter_bulk_id = prm_get(out, PRM_ALLOC_COUNTER_ID);
    }
    return mlx5dv_dr_action_create_flow_counter(*object, offset);
}

static struct mlx5dv_dr_action *untried(void) { // something that it needs was refused
    errno = ECANCELED;
    return NULL;
}

static struct mlx5dv_dr_action *make_jump(struct selftest_bench *bench, enum bench_table to) {
    struct mlx5dv_dr_table *table = bench->tables[to];
    return table != NULL ? mlx5dv_dr_action_create_dest_table(table) : untried();
}

// Both wires of a mirror lead to the same place: it is about whether an array can be made.
static struct mlx5dv_dr_action *make_array(struct selftest_bench *bench) {
    struct mlx5dv_dr_action *uplink = bench_take(bench, ACTION_UPLINK);
    struct mlx5dv_dr_action *table = bench_take(bench, ACTION_PATH_TABLE);
    if (uplink == NULL || table == NULL) {
        return untried();
    }
    struct mlx5dv_dr_action_dest_attr wire = {.type = MLX5DV_DR_ACTION_DEST, .dest = uplink};
    struct mlx5dv_dr_action_dest_attr copy = {.type = MLX5DV_DR_ACTION_DEST, .dest = table};
    struct mlx5dv_dr_action_dest_attr *both[] = {&wire, &copy};
    return mlx5dv_dr_action_create_dest_array(bench->domain, 2, both);
}

static struct mlx5dv_dr_action *make_sampler(struct selftest_bench *bench) {
    struct mlx5dv_dr_action *samples = bench_take(bench, ACTION_UPLINK);
    if (samples == NULL || bench->tables[PATH_TABLE] == NULL) {
        return untried();
    }
    struct mlx5dv_dr_flow_sampler_attr attributes = {
        .sample_ratio = SAMPLE_ONE_IN,
        .default_next_table = bench->tables[PATH_TABLE],
        .num_sample_actions = 1,
        .sample_actions = &samples,
        .action = set(REG_C_0, 32, 0),
    };
    return mlx5dv_dr_action_create_flow_sampler(&attributes);
}

static struct mlx5dv_dr_action *make_rewrite(struct selftest_bench *bench, enum bench_action kind) {
    __be64 sets[2] = {0};
    size_t count = 1;
    if (kind == ACTION_SET_CE) {
        sets[0] = set(PRM_OUT_IP_ECN, 2, 3);
    } else if (kind == ACTION_SET_CLASS) {
        sets[0] = set(PRM_OUT_IP_DSCP, 6, 26);
        sets[1] = set(PRM_OUT_IP_ECN, 2, 2);
        count = 2;
    } else if (kind == ACTION_SET_PATH) {
        sets[0] = set(PRM_METADATA_REG_C_1, 32, 1);
    } else if (kind == ACTION_SET_UDP_SPORT) {
        sets[0] = set(OUT_UDP_SPORT, 16, 50000);
    } else {
        sets[0] = set(OUT_HOP_LIMIT, 8, 64);
    }
    return make_set(bench, sets, count);
}

static struct mlx5dv_dr_action *make(struct selftest_bench *bench, enum bench_action kind) {
    switch (kind) {
    case ACTION_UPLINK:
        return mlx5dv_dr_action_create_dest_vport(bench->domain, UPLINK_VPORT);
    case ACTION_FUNCTION:
        return mlx5dv_dr_action_create_dest_vport(bench->domain, FIRST_FUNCTION_VPORT);
    case ACTION_FLOW_TABLE:
        return make_jump(bench, FLOW_TABLE);
    case ACTION_PATH_TABLE:
        return make_jump(bench, PATH_TABLE);
    case ACTION_MISS:
        return mlx5dv_dr_action_create_default_miss();
    case ACTION_ENCAP_54:
    case ACTION_ENCAP_54_AGAIN:
        return make_encap(bench, 54);
    case ACTION_ENCAP_78:
        return make_encap(bench, 78);
    case ACTION_ENCAP_94:
        return make_encap(bench, 94);
    case ACTION_ENCAP_126:
        return make_encap(bench, 126);
    case ACTION_ENCAP_158:
        return make_encap(bench, ENCAP_MAX);
    case ACTION_DECAP:
        return make_decap(bench);
    case ACTION_SET_DESTINATION:
        return make_set_destination(bench);
    case ACTION_COUNT:
        return make_count(bench, 0, 0, &bench->counter);
    case ACTION_COUNT_BULK: // the last one
        return make_count(bench, COUNTER_BULK_UNITS, COUNTER_BULK_UNITS * PRM_COUNTER_BULK_UNIT - 1,
                          &bench->counter_bulk);
    case ACTION_ARRAY:
        return make_array(bench);
    case ACTION_SAMPLER:
        return make_sampler(bench);
    case ACTION_SET_CE:
    case ACTION_SET_CLASS:
    case ACTION_SET_PATH:
    case ACTION_SET_UDP_SPORT:
    case ACTION_SET_HOP_LIMIT:
        return make_rewrite(bench, kind);
    case ACTION_NONE:
    case ACTION_KINDS:
        break;
    }
    abort(); // no such action
}

struct mlx5dv_dr_action *bench_take(struct selftest_bench *bench, enum bench_action kind) {
    struct bench_stock *stock = &bench->stock[kind];
    if (stock->action == NULL && stock->code == 0 && bench->domain != NULL) {
        mlx5_reason_preset();
        stock->action = make(bench, kind);
        int code = stock->action != NULL ? 0 : mlx5_reason_code();
        stock->code = code == -ECANCELED ? BENCH_UNTRIED : code;
    }
    return stock->action;
}
