// SPDX-License-Identifier: Apache-2.0
#include <endian.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "mlx5_prm.h"

// Where the bytes of the match parameters lie: 64 bytes each of outer, misc, inner, misc2, ...
// The whole field set to ones must be exactly these bytes.
static const struct {
    const struct prm_field *field;
    size_t at;
    uint8_t ones[4];
} places[] = {
    {&PRM_IP_PROTOCOL, 16, {0xff, 0, 0, 0}},
    {&PRM_IP_DSCP, 16, {0, 0xfc, 0, 0}},
    {&PRM_IP_ECN, 16, {0, 0x03, 0, 0}},
    {&PRM_IP_VERSION, 16, {0, 0, 0x1e, 0}},
    {&PRM_UDP_SPORT, 28, {0xff, 0xff, 0, 0}},
    {&PRM_UDP_DPORT, 28, {0, 0, 0xff, 0xff}},
    {&PRM_DST_IPV4, 60, {0xff, 0xff, 0xff, 0xff}},
    {&PRM_SOURCE_PORT, 68, {0, 0, 0xff, 0xff}},
    {&PRM_BTH_DST_QP, 104, {0, 0xff, 0xff, 0xff}},
    {&PRM_REG_C_1, 232, {0xff, 0xff, 0xff, 0xff}},
};

static uint32_t ones_of(struct prm_field field) {
    return (uint32_t)((UINT64_C(1) << field.width) - 1);
}

static void every_match_field_lies_where_the_device_looks(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        uint8_t match[PRM_MATCH_SIZE] = {0}, wanted[PRM_MATCH_SIZE] = {0};
        memcpy(wanted + places[i].at, places[i].ones, 4);
        prm_set(match, *places[i].field, ones_of(*places[i].field));
        assert_memory_equal(match, wanted, sizeof match);
    }
}

static void a_field_is_set_and_read_without_touching_its_neighbours(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        struct prm_field field = *places[i].field;
        uint32_t value = 0x5a96c3a5 & ones_of(field);
        uint8_t match[PRM_MATCH_SIZE], before[PRM_MATCH_SIZE];
        memset(match, 0xff, sizeof match);
        memcpy(before, match, sizeof before);
        prm_set(match, field, value);
        assert_int_equal(prm_get(match, field), value);
        prm_set(match, field, 0);
        assert_int_equal(prm_get(match, field), 0);
        prm_set(match, field, ones_of(field));
        assert_memory_equal(match, before, sizeof match);
    }
}

static void an_ipv6_destination_fills_the_last_sixteen_bytes_of_outer(void **state) {
    (void)state;
    const uint8_t address[16] = {0xfc, 0xbb, 0xbb, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    uint8_t match[PRM_MATCH_SIZE] = {0}, wanted[PRM_MATCH_SIZE] = {0};
    memcpy(wanted + 48, address, sizeof address);
    prm_set_bytes(match, PRM_DST_IPV6, address);
    assert_memory_equal(match, wanted, sizeof match);
    // An IPv4 destination is the last of its four words.
    assert_int_equal(prm_get(match, PRM_DST_IPV4), 0x090a0b0c);
}

static void a_set_action_has_type_field_offset_width_and_value(void **state) {
    (void)state;
    static const struct {
        enum prm_modify field;
        uint8_t offset, width;
        uint32_t value;
        uint8_t bytes[8];
    } actions[] = {
        {PRM_METADATA_REG_C_1, 0, 32, 0x12345678, {0x10, 0x52, 0, 0, 0x12, 0x34, 0x56, 0x78}},
        {PRM_OUT_IP_ECN, 0, 2, 3, {0x10, 0x73, 0, 2, 0, 0, 0, 3}},
        {PRM_OUT_IP_DSCP, 0, 6, 26, {0x10, 0x06, 0, 6, 0, 0, 0, 26}},
        {PRM_METADATA_REG_C_1, 16, 16, 0xffff, {0x10, 0x52, 16, 16, 0, 0, 0xff, 0xff}},
        {PRM_METADATA_REG_C_1, 31, 1, 1, {0x10, 0x52, 31, 1, 0, 0, 0, 1}},
    };
    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++) {
        uint64_t action =
            prm_set_action(actions[i].field, actions[i].offset, actions[i].width, actions[i].value);
        assert_memory_equal(&action, actions[i].bytes, sizeof action);
    }
}

static void counter_commands_are_laid_out_as_the_firmware_reads_them(void **state) {
    (void)state;
    const uint8_t alloc[PRM_ALLOC_COUNTER_IN] = {0x09, 0x39, [15] = 4};
    const uint8_t query[PRM_QUERY_COUNTER_IN] = {0x09, 0x3b, [26] = 2, [28] = 0x01,
                                                 0x02, 0x03, 0x04};
    uint8_t in[PRM_QUERY_COUNTER_IN] = {0};
    prm_set(in, PRM_OPCODE, PRM_ALLOC_FLOW_COUNTER);
    prm_set(in, PRM_ALLOC_COUNTER_BULK, 512 / PRM_COUNTER_BULK_UNIT);
    assert_memory_equal(in, alloc, sizeof alloc);
    memset(in, 0, sizeof in);
    prm_set(in, PRM_OPCODE, PRM_QUERY_FLOW_COUNTER);
    prm_set(in, PRM_QUERY_COUNTER_COUNT, 512);
    prm_set(in, PRM_QUERY_COUNTER_ID, 0x01020304);
    assert_memory_equal(in, query, sizeof query);
}

static void answers_of_counters_are_read(void **state) {
    (void)state;
    const uint8_t out[PRM_COUNTER_DATA + PRM_COUNTER_SIZE] = {
        [0] = 0x04, [4] = 0xde, 0xad, 0xbe,     0xef,     [8] = 0,
        0x80,       0,          7,    [16] = 1, [23] = 2, [31] = 3};
    assert_int_equal(prm_get(out, PRM_STATUS), 4);
    assert_int_equal(prm_get(out, PRM_SYNDROME), 0xdeadbeef);
    assert_int_equal(prm_get(out, PRM_ALLOC_COUNTER_ID), 0x00800007);
    assert_int_equal(prm_get_u64(out + PRM_COUNTER_DATA), UINT64_C(0x0100000000000002));
    assert_int_equal(prm_get_u64(out + PRM_COUNTER_DATA + 8), 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_match_field_lies_where_the_device_looks),
        cmocka_unit_test(a_field_is_set_and_read_without_touching_its_neighbours),
        cmocka_unit_test(an_ipv6_destination_fills_the_last_sixteen_bytes_of_outer),
        cmocka_unit_test(a_set_action_has_type_field_offset_width_and_value),
        cmocka_unit_test(counter_commands_are_laid_out_as_the_firmware_reads_them),
        cmocka_unit_test(answers_of_counters_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
