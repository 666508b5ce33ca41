// SPDX-License-Identifier: Apache-2.0
// The emulated card under the real library: what it makes, what it refuses, what it leaves.
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmocka_all.h"
#include "fakecx_bed.h"
#include "mlx5_prm.h"

static void the_device_says_which_card_it_is(void **state) {
    (void)state;
    const char *format = getenv("FAKECX_FORMAT");
    const char *firmware = strcmp(format, "cx5") == 0   ? "16."
                           : strcmp(format, "cx7") == 0 ? "28."
                                                        : "22.";
    struct ibv_context *device = fakecx_bed_open();
    struct ibv_device_attr attributes;
    struct ibv_port_attr port;
    assert_int_equal(ibv_query_device(device, &attributes), 0);
    assert_memory_equal(attributes.fw_ver, firmware, 3);
    assert_int_equal(attributes.vendor_id, 0x15b3);
    assert_int_equal(ibv_query_port(device, 1, &port), 0);
    assert_int_equal(port.link_layer, IBV_LINK_LAYER_ETHERNET);
    assert_string_equal(ibv_get_device_name(device->device), "mlx5_0");
    ibv_close_device(device);
}

static void a_switch_is_made_and_leaves_nothing(void **state) {
    (void)state;
    struct fakecx_switch sw;
    fakecx_switch_make(&sw);
    struct mlx5dv_dr_action *encap = fakecx_bed_encap(sw.domain, 54);
    assert_non_null(encap);
    struct mlx5dv_dr_rule *flow = fakecx_switch_flow(&sw, 1),
                          *path = fakecx_switch_path(&sw, encap);
    assert_non_null(flow);
    assert_non_null(path);
    assert_int_equal(mlx5dv_dr_domain_sync(sw.domain, MLX5DV_DR_DOMAIN_SYNC_FLAGS_SW |
                                                          MLX5DV_DR_DOMAIN_SYNC_FLAGS_HW |
                                                          MLX5DV_DR_DOMAIN_SYNC_FLAGS_MEM),
                     0);
    assert_int_equal(fakecx_count("reformat"), 1);
    assert_int_equal(fakecx_count("counter"), 1);
    assert_int_equal(fakecx_count("table"), 2); // the root table is the kernel's
    assert_int_equal(fakecx_count("flow"), 1);
    assert_true(fakecx_icm_bytes() > 0);
    assert_int_equal(mlx5dv_dr_rule_destroy(path), 0);
    assert_int_equal(mlx5dv_dr_rule_destroy(flow), 0);
    assert_int_equal(mlx5dv_dr_action_destroy(encap), 0);
    fakecx_switch_remove(&sw);
    assert_string_equal(fakecx_bed_objects(), "");
    assert_int_equal(fakecx_icm_bytes(), 0);
}

static void what_a_closed_device_left_is_listed(void **state) {
    (void)state;
    struct ibv_context *device = fakecx_bed_open();
    uint32_t id;
    assert_non_null(device);
    struct mlx5dv_devx_obj *counter = fakecx_bed_counter(device, 2, &id);
    assert_non_null(counter);
    ibv_close_device(device);
    free(counter); // the library's own part of it
    char line[64];
    snprintf(line, sizeof(line), "left counter 0x%x 256\n", id);
    assert_string_equal(fakecx_bed_objects(), line);
    assert_int_equal(fakecx_count(NULL), 0);
}

static void encapsulations_fit_128_bytes(void **state) {
    (void)state;
    struct fakecx_switch sw;
    fakecx_switch_make(&sw);
    struct mlx5dv_dr_action *encap = fakecx_bed_encap(sw.domain, 128);
    assert_non_null(encap);
    assert_null(fakecx_bed_encap(sw.domain, 129));
    assert_int_equal(errno, EINVAL);
    assert_int_equal(mlx5dv_dr_action_destroy(encap), 0);
    fakecx_switch_remove(&sw);
}

static void there_are_sixteen_vports_and_the_uplink(void **state) {
    (void)state;
    struct fakecx_switch sw;
    fakecx_switch_make(&sw);
    struct mlx5dv_dr_action *last = mlx5dv_dr_action_create_dest_vport(sw.domain, 16);
    assert_non_null(last);
    assert_null(mlx5dv_dr_action_create_dest_vport(sw.domain, 17));
    assert_int_equal(mlx5dv_dr_action_destroy(last), 0);
    fakecx_switch_remove(&sw);
}

static void firmware_does_not_know_every_command(void **state) {
    (void)state;
    struct ibv_context *device = fakecx_bed_open();
    uint32_t in[4] = {0}, out[4] = {0};
    prm_set(in, PRM_OPCODE, 0x0900); // a TIR
    assert_null(mlx5dv_devx_obj_create(device, in, sizeof(in), out, sizeof(out)));
    assert_int_equal(errno, EREMOTEIO);
    assert_int_equal(prm_get(out, PRM_STATUS), 0x2);
    assert_int_equal(mlx5dv_devx_general_cmd(device, in, sizeof(in), out, sizeof(out)), EINVAL);
    ibv_close_device(device);
}

// Trap 7 of a root table: what the kernel refuses, libmlx5 does not.
static void the_root_table_only_jumps(void **state) {
    (void)state;
    struct fakecx_switch sw;
    fakecx_switch_make(&sw);
    struct fakecx_match value = {0};
    struct mlx5dv_dr_action *miss = mlx5dv_dr_action_create_default_miss();
    assert_non_null(miss);
    assert_null(mlx5dv_dr_rule_create(sw.matchers[0], fakecx_match(&value), 1, &miss));
    assert_int_equal(errno, EINVAL);
    assert_int_equal(fakecx_count("flow"), 1);
    mlx5dv_dr_action_destroy(miss);
    fakecx_switch_remove(&sw);
}

static void a_table_that_a_root_rule_jumps_to_stays(void **state) {
    (void)state;
    struct ibv_context *device = fakecx_bed_open();
    struct fakecx_match match = {0};
    uint8_t in[64] = {0}, out[16] = {0};
    prm_set(in, PRM_OPCODE, 0x930);
    struct mlx5dv_devx_obj *table =
        mlx5dv_devx_obj_create(device, in, sizeof(in), out, sizeof(out));
    assert_non_null(table);
    struct mlx5dv_flow_matcher_attr attributes = {.type = IBV_FLOW_ATTR_NORMAL,
                                                  .match_mask = fakecx_match(&match),
                                                  .comp_mask = MLX5DV_FLOW_MATCHER_MASK_FT_TYPE,
                                                  .ft_type = MLX5_IB_UAPI_FLOW_TABLE_TYPE_FDB};
    struct mlx5dv_flow_matcher *matcher = mlx5dv_create_flow_matcher(device, &attributes);
    assert_non_null(matcher);
    struct mlx5dv_flow_action_attr to = {.type = MLX5DV_FLOW_ACTION_DEST_DEVX, .obj = table};
    struct ibv_flow *flow = mlx5dv_create_flow(matcher, fakecx_match(&match), 1, &to);
    assert_non_null(flow);
    assert_int_equal(mlx5dv_devx_obj_destroy(table), EBUSY);
    assert_int_equal(mlx5dv_destroy_flow_matcher(matcher), EBUSY);
    assert_int_equal(ibv_destroy_flow(flow), 0);
    assert_int_equal(mlx5dv_destroy_flow_matcher(matcher), 0);
    assert_int_equal(mlx5dv_devx_obj_destroy(table), 0);
    ibv_close_device(device);
}

static void header_rewrites_and_decapsulations_are_made(void **state) {
    (void)state;
    struct fakecx_switch sw;
    fakecx_switch_make(&sw);
    __be64 two[] = {(__be64)prm_set_action(PRM_METADATA_REG_C_1, 0, 32, 1),
                    (__be64)prm_set_action(PRM_OUT_IP_ECN, 0, 2, 3)};
    uint8_t header[14] = {0};
    struct mlx5dv_dr_action *rewrites[20], *decap;
    decap = mlx5dv_dr_action_create_packet_reformat(
        sw.domain, 0, MLX5DV_FLOW_ACTION_PACKET_REFORMAT_TYPE_L3_TUNNEL_TO_L2, sizeof(header),
        header);
    assert_non_null(decap);
    assert_int_equal(fakecx_count("reformat"), 0); // it is a rewrite
    for (size_t i = 0; i < 20; i++) {
        rewrites[i] = mlx5dv_dr_action_create_modify_header(sw.domain, 0, sizeof(two), two);
        assert_non_null(rewrites[i]);
    }
    for (size_t i = 0; i < 20; i++) {
        assert_int_equal(mlx5dv_dr_action_destroy(rewrites[i]), 0);
    }
    assert_int_equal(mlx5dv_dr_action_destroy(decap), 0);
    fakecx_switch_remove(&sw);
    assert_string_equal(fakecx_bed_objects(), "");
}

// ---- counters

static void query_of(uint32_t *in, uint32_t id, uint32_t count) {
    memset(in, 0, PRM_QUERY_COUNTER_IN);
    prm_set(in, PRM_OPCODE, PRM_QUERY_FLOW_COUNTER);
    prm_set(in, PRM_QUERY_COUNTER_ID, id);
    prm_set(in, PRM_QUERY_COUNTER_COUNT, count);
}

static void counters_are_read_in_bulk(void **state) {
    (void)state;
    struct ibv_context *device = fakecx_bed_open();
    uint32_t first, second, in[PRM_QUERY_COUNTER_IN / 4];
    uint64_t out[2 + 2 * 128];
    struct mlx5dv_devx_obj *bulk = fakecx_bed_counter(device, 1, &first);
    struct mlx5dv_devx_obj *single = fakecx_bed_counter(device, 0, &second);
    assert_non_null(bulk);
    assert_non_null(single);
    assert_true(second >= first + 128);
    memset(out, 0xee, sizeof(out));
    query_of(in, first, 128);
    assert_int_equal(mlx5dv_devx_obj_query(bulk, in, sizeof(in), out, sizeof(out)), 0);
    for (size_t i = 0; i < sizeof(out) / sizeof(out[0]); i++) {
        assert_int_equal(out[i], 0); // nothing carries packets here
    }
    query_of(in, first + 1, 128); // beyond the end
    assert_int_equal(mlx5dv_devx_obj_query(bulk, in, sizeof(in), out, sizeof(out)), EREMOTEIO);
    assert_int_equal(prm_get(out, PRM_STATUS), 0x3);
    query_of(in, second, 1); // another's
    assert_int_equal(mlx5dv_devx_obj_query(bulk, in, sizeof(in), out, sizeof(out)), EINVAL);
    query_of(in, first, 128);
    assert_int_equal(mlx5dv_devx_obj_query(bulk, in, sizeof(in), out, 16 + 127 * 16), EREMOTEIO);
    assert_int_equal(prm_get(out, PRM_STATUS), 0x51);
    mlx5dv_devx_obj_destroy(single);
    mlx5dv_devx_obj_destroy(bulk);
    ibv_close_device(device);
}

static void an_asynchronous_query_answers_by_descriptor(void **state) {
    (void)state;
    struct ibv_context *device = fakecx_bed_open();
    uint32_t id, in[PRM_QUERY_COUNTER_IN / 4];
    struct mlx5dv_devx_obj *bulk = fakecx_bed_counter(device, 1, &id);
    struct mlx5dv_devx_cmd_comp *channel = mlx5dv_devx_create_cmd_comp(device);
    assert_non_null(channel);
    query_of(in, id, 128);
    size_t size = 16 + 128 * 16;
    for (uint64_t wr_id = 5; wr_id < 7; wr_id++) {
        assert_int_equal(mlx5dv_devx_obj_query_async(bulk, in, sizeof(in), size, wr_id, channel),
                         0);
    }
    struct mlx5dv_devx_async_cmd_hdr *answer = malloc(sizeof(*answer) + size);
    for (uint64_t wr_id = 5; wr_id < 7; wr_id++) {
        memset(answer, 0xee, sizeof(*answer) + size);
        assert_int_equal(mlx5dv_devx_get_async_cmd_comp(channel, answer, sizeof(*answer) + size),
                         0);
        assert_int_equal(answer->wr_id, wr_id);
        assert_int_equal(prm_get(answer->out_data, PRM_STATUS), 0);
        assert_int_equal(answer->out_data[size - 1], 0);
    }
    free(answer);
    mlx5dv_devx_destroy_cmd_comp(channel);
    mlx5dv_devx_obj_destroy(bulk);
    ibv_close_device(device);
}

// ---- many rules, many threads

static void twenty_thousand_rules_come_and_go(void **state) {
    (void)state;
    enum { COUNT = 20000 };
    struct fakecx_switch sw;
    fakecx_switch_make(&sw);
    struct mlx5dv_dr_rule **rules = calloc(COUNT, sizeof(*rules));
    for (uint32_t i = 0; i < COUNT; i++) {
        rules[i] = fakecx_switch_flow(&sw, i);
        assert_non_null(rules[i]);
    }
    assert_int_equal(mlx5dv_dr_domain_sync(sw.domain, MLX5DV_DR_DOMAIN_SYNC_FLAGS_SW), 0);
    for (uint32_t i = 0; i < COUNT; i++) {
        assert_int_equal(mlx5dv_dr_rule_destroy(rules[i]), 0);
    }
    free(rules);
    fakecx_switch_remove(&sw);
}

enum { THREADS = 4, RULES_EACH = 1000 };

struct worker {
    pthread_t thread;
    struct fakecx_switch *sw;
    uint32_t first;
    bool well;
};

static void *work(void *argument) {
    struct worker *worker = argument;
    struct mlx5dv_dr_rule *rules[RULES_EACH];
    worker->well = true;
    for (uint32_t i = 0; i < RULES_EACH; i++) {
        rules[i] = fakecx_switch_flow(worker->sw, worker->first + i);
        worker->well &= rules[i] != NULL;
        uint32_t id;
        struct mlx5dv_devx_obj *counter =
            i % 16 == 0 ? fakecx_bed_counter(worker->sw->device, 0, &id) : NULL;
        if (counter != NULL) {
            worker->well &= mlx5dv_devx_obj_destroy(counter) == 0;
        }
    }
    for (uint32_t i = 0; i < RULES_EACH; i++) {
        worker->well &= rules[i] != NULL && mlx5dv_dr_rule_destroy(rules[i]) == 0;
    }
    return NULL;
}

static void threads_share_a_switch(void **state) {
    (void)state;
    struct fakecx_switch sw;
    struct worker workers[THREADS];
    fakecx_switch_make(&sw);
    for (uint32_t i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.sw = &sw, .first = i * RULES_EACH};
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (uint32_t i = 0; i < THREADS; i++) {
        pthread_join(workers[i].thread, NULL);
        assert_true(workers[i].well);
    }
    fakecx_switch_remove(&sw);
}

int main(void) {
    fakecx_bed_begin();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_device_says_which_card_it_is),
        cmocka_unit_test(a_switch_is_made_and_leaves_nothing),
        cmocka_unit_test(encapsulations_fit_128_bytes),
        cmocka_unit_test(there_are_sixteen_vports_and_the_uplink),
        cmocka_unit_test(firmware_does_not_know_every_command),
        cmocka_unit_test(the_root_table_only_jumps),
        cmocka_unit_test(a_table_that_a_root_rule_jumps_to_stays),
        cmocka_unit_test(header_rewrites_and_decapsulations_are_made),
        cmocka_unit_test(counters_are_read_in_bulk),
        cmocka_unit_test(an_asynchronous_query_answers_by_descriptor),
        cmocka_unit_test(twenty_thousand_rules_come_and_go),
        cmocka_unit_test(threads_share_a_switch),
        cmocka_unit_test(what_a_closed_device_left_is_listed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
