// SPDX-License-Identifier: Apache-2.0
#include "fakecx_bed.h"

#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmocka_all.h"
#include "mlx5_prm.h"

static const char *in_dir(const char *name) {
    static char path[1024];
    snprintf(path, sizeof(path), "%s/%s", getenv("FAKECX_DIR"), name);
    return path;
}

void fakecx_bed_begin(void) {
    if (fakecx_count == NULL) {
        printf("skipped: libfakecx.so is not preloaded (run by ctest)\n");
        exit(77);
    }
    remove(in_dir("faults"));
    remove(in_dir("objects"));
}

void fakecx_bed_fault(const char *lines) {
    if (lines == NULL) {
        remove(in_dir("faults"));
        fakecx_refresh();
        return;
    }
    char new[1024];
    strcpy(new, in_dir("faults.new"));
    FILE *file = fopen(new, "we");
    assert_non_null(file);
    fprintf(file, "%s\n", lines);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(rename(new, in_dir("faults")), 0);
    fakecx_refresh();
}

const char *fakecx_bed_objects(void) {
    static char text[1 << 16];
    FILE *file = fopen(in_dir("objects"), "re");
    assert_non_null(file);
    size_t length = fread(text, 1, sizeof(text) - 1, file);
    text[length] = '\0';
    fclose(file);
    return text;
}

struct mlx5dv_flow_match_parameters *fakecx_match(struct fakecx_match *match) {
    match->size = sizeof(match->bytes);
    return (struct mlx5dv_flow_match_parameters *)match;
}

struct ibv_context *fakecx_bed_open(void) {
    struct ibv_device **devices = ibv_get_device_list(NULL);
    assert_non_null(devices);
    assert_non_null(devices[0]);
    struct mlx5dv_context_attr attributes = {.flags = MLX5DV_CONTEXT_FLAGS_DEVX};
    struct ibv_context *device = mlx5dv_open_device(devices[0], &attributes);
    int error = errno;
    ibv_free_device_list(devices);
    errno = error;
    return device;
}

struct mlx5dv_dr_action *fakecx_bed_encap(struct mlx5dv_dr_domain *domain, size_t size) {
    uint8_t header[256] = {0};
    assert_true(size <= sizeof(header));
    return mlx5dv_dr_action_create_packet_reformat(
        domain, 0, MLX5DV_FLOW_ACTION_PACKET_REFORMAT_TYPE_L2_TO_L3_TUNNEL, size, header);
}

struct mlx5dv_devx_obj *fakecx_bed_counter(struct ibv_context *device, uint32_t bulk,
                                           uint32_t *id) {
    uint32_t in[PRM_ALLOC_COUNTER_IN / 4] = {0}, out[PRM_ALLOC_COUNTER_OUT / 4] = {0};
    prm_set(in, PRM_OPCODE, PRM_ALLOC_FLOW_COUNTER);
    prm_set(in, PRM_ALLOC_COUNTER_BULK, bulk);
    struct mlx5dv_devx_obj *counter =
        mlx5dv_devx_obj_create(device, in, sizeof(in), out, sizeof(out));
    if (counter != NULL) {
        *id = prm_get(out, PRM_ALLOC_COUNTER_ID);
    }
    return counter;
}

// ---- the small eSwitch

static void match_flow(struct fakecx_match *mask, struct fakecx_match *value, uint32_t number) {
    *mask = *value = (struct fakecx_match){0};
    uint8_t ones[16], address[16] = {0x20, 0x01, 0x0d, 0xb8};
    memset(ones, 0xff, sizeof(ones));
    uint32_t last = htobe32(number / 4096);
    memcpy(address + 12, &last, sizeof(last));
    prm_set_bytes(mask->bytes, PRM_DST_IPV6, ones);
    prm_set_bytes(value->bytes, PRM_DST_IPV6, address);
    prm_set(mask->bytes, PRM_IP_VERSION, 6);
    prm_set(value->bytes, PRM_IP_VERSION, 6);
    prm_set(mask->bytes, PRM_IP_PROTOCOL, 0xff);
    prm_set(value->bytes, PRM_IP_PROTOCOL, 17);
    prm_set(mask->bytes, PRM_UDP_SPORT, 0xffff);
    prm_set(value->bytes, PRM_UDP_SPORT, 0xc000 + number % 4096);
    prm_set(mask->bytes, PRM_SOURCE_PORT, 0xffff);
    prm_set(value->bytes, PRM_SOURCE_PORT, 1);
}

static void match_path(struct fakecx_match *mask, struct fakecx_match *value) {
    *mask = *value = (struct fakecx_match){0};
    prm_set(mask->bytes, PRM_REG_C_1, UINT32_MAX);
    prm_set(value->bytes, PRM_REG_C_1, 7);
    prm_set(mask->bytes, PRM_SOURCE_PORT, 0xffff);
    prm_set(value->bytes, PRM_SOURCE_PORT, 1);
}

static void match_root(struct fakecx_match *mask, struct fakecx_match *value) {
    *mask = *value = (struct fakecx_match){0};
    prm_set(mask->bytes, PRM_SOURCE_PORT, 0xffff);
    prm_set(value->bytes, PRM_SOURCE_PORT, 1);
}

static void make_actions(struct fakecx_switch *out) {
    uint32_t id;
    uint64_t set = prm_set_action(PRM_METADATA_REG_C_1, 0, 32, 7);
    out->counter = fakecx_bed_counter(out->device, 1, &id);
    assert_non_null(out->counter);
    out->count = mlx5dv_dr_action_create_flow_counter(out->counter, 3);
    out->to_flows = mlx5dv_dr_action_create_dest_table(out->tables[1]);
    out->to_paths = mlx5dv_dr_action_create_dest_table(out->tables[2]);
    out->set_path =
        mlx5dv_dr_action_create_modify_header(out->domain, 0, sizeof(set), (__be64 *)&set);
    out->uplink = mlx5dv_dr_action_create_dest_vport(out->domain, 0xffff);
    assert_true(out->count != NULL && out->to_flows != NULL && out->to_paths != NULL &&
                out->set_path != NULL && out->uplink != NULL);
}

void fakecx_switch_make(struct fakecx_switch *out) {
    static void (*const parts[])(struct fakecx_match *, struct fakecx_match *) = {match_root, NULL,
                                                                                  match_path};
    struct fakecx_match mask, value;
    out->device = fakecx_bed_open();
    assert_non_null(out->device);
    out->domain = mlx5dv_dr_domain_create(out->device, MLX5DV_DR_DOMAIN_TYPE_FDB);
    assert_non_null(out->domain);
    for (uint32_t level = 0; level < 3; level++) {
        out->tables[level] = mlx5dv_dr_table_create(out->domain, level);
        assert_non_null(out->tables[level]);
        level == 1 ? match_flow(&mask, &value, 0) : parts[level](&mask, &value);
        uint8_t criteria = level == 1   ? PRM_OUTER | PRM_MISC
                           : level == 2 ? PRM_MISC | PRM_MISC2
                                        : PRM_MISC;
        out->matchers[level] =
            mlx5dv_dr_matcher_create(out->tables[level], 0, criteria, fakecx_match(&mask));
        assert_non_null(out->matchers[level]);
    }
    make_actions(out);
    match_root(&mask, &value);
    out->root = mlx5dv_dr_rule_create(out->matchers[0], fakecx_match(&value), 1, &out->to_flows);
    assert_non_null(out->root);
}

struct mlx5dv_dr_rule *fakecx_switch_flow(struct fakecx_switch *from, uint32_t number) {
    struct fakecx_match mask, value;
    struct mlx5dv_dr_action *actions[] = {from->set_path, from->to_paths};
    match_flow(&mask, &value, number);
    return mlx5dv_dr_rule_create(from->matchers[1], fakecx_match(&value), 2, actions);
}

struct mlx5dv_dr_rule *fakecx_switch_path(struct fakecx_switch *from,
                                          struct mlx5dv_dr_action *encap) {
    struct fakecx_match mask, value;
    struct mlx5dv_dr_action *actions[] = {from->count, encap, from->uplink};
    match_path(&mask, &value);
    return mlx5dv_dr_rule_create(from->matchers[2], fakecx_match(&value), 3, actions);
}

void fakecx_switch_remove(struct fakecx_switch *gone) {
    struct mlx5dv_dr_action *actions[] = {gone->to_flows, gone->to_paths, gone->set_path,
                                          gone->uplink, gone->count};
    assert_int_equal(mlx5dv_dr_rule_destroy(gone->root), 0);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(mlx5dv_dr_matcher_destroy(gone->matchers[i]), 0);
    }
    for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
        assert_int_equal(mlx5dv_dr_action_destroy(actions[i]), 0);
    }
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(mlx5dv_dr_table_destroy(gone->tables[i]), 0);
    }
    assert_int_equal(mlx5dv_devx_obj_destroy(gone->counter), 0);
    assert_int_equal(mlx5dv_dr_domain_destroy(gone->domain), 0);
    assert_int_equal(ibv_close_device(gone->device), 0);
}
