// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "mlx5_header.h"

static const struct mlx5_ethernet ethernet = {.destination = {2, 0, 0, 0, 0, 0xd},
                                              .source = {2, 0, 0, 0, 0, 0x5}};

// Carriers fcbb:bb00:N::, N from 1; the source is fcbb:bb00:100::.
static struct encap encap_of(uint8_t carriers) {
    struct encap encap = {.source = {0xfc, 0xbb, 0xbb, 0, 1}, .sids.count = carriers};
    for (uint8_t i = 0; i < carriers; i++) {
        encap.sids.sids[i] = (struct sid){{0xfc, 0xbb, 0xbb, 0, 0, (uint8_t)(i + 1)}};
    }
    return encap;
}

static void one_carrier_is_ethernet_and_ipv6(void **state) {
    (void)state;
    const uint8_t wanted[54] = {
        2,    0,    0,    0, 0, 0xd, 2,  0,  0, 0, 0, 5, 0x86, 0xdd,       // Ethernet
        0x66, 0xa0, 0,    0, 0, 0,   41, 64,                               // IPv6, class 0x6a
        0xfc, 0xbb, 0xbb, 0, 1, 0,   0,  0,  0, 0, 0, 0, 0,    0,    0, 0, // source
        0xfc, 0xbb, 0xbb, 0, 0, 1,                                         // destination
    };
    struct encap encap = encap_of(1);
    uint8_t out[MLX5_HEADER_MAX];
    memset(out, 0xee, sizeof out);
    assert_int_equal(mlx5_header_build(&ethernet, &encap, 0x6a, 6, out), sizeof wanted);
    assert_memory_equal(out, wanted, sizeof wanted);
}

static void three_carriers_have_a_reduced_srh_in_reverse(void **state) {
    (void)state;
    const uint8_t srh[40] = {
        4,
        4,
        4,
        2,
        1,
        0,
        0,
        0, // inner IPv4, 40 bytes, SRH, two left, last
           // entry 1
        0xfc,
        0xbb,
        0xbb,
        0,
        0,
        3,
        [24] = 0xfc,
        0xbb,
        0xbb,
        0,
        0,
        2,
    };
    struct encap encap = encap_of(3);
    uint8_t out[MLX5_HEADER_MAX];
    memset(out, 0xee, sizeof out);
    assert_int_equal(mlx5_header_build(&ethernet, &encap, 0, 4, out), 54 + sizeof srh);
    assert_int_equal(out[14 + 6], 43);
    assert_int_equal(out[14 + 24 + 5], 1);
    assert_memory_equal(out + 54, srh, sizeof srh);
}

static void every_class_and_inner_version_has_its_place(void **state) {
    (void)state;
    uint8_t out[MLX5_HEADER_MAX];
    for (unsigned traffic_class = 0; traffic_class < 256; traffic_class++) {
        for (uint8_t carriers = 1; carriers <= 2; carriers++) {
            struct encap encap = encap_of(carriers);
            uint8_t version = traffic_class % 2 == 0 ? 4 : 6;
            size_t size =
                mlx5_header_build(&ethernet, &encap, (uint8_t)traffic_class, version, out);
            assert_int_equal(size, carriers == 1 ? 54 : 78);
            assert_int_equal((out[14] << 8 | out[15]) & 0xfff, traffic_class << 4);
            assert_int_equal(out[14] >> 4, 6);
            assert_int_equal(out[carriers == 1 ? 20 : 54], version == 4 ? 4 : 41);
        }
    }
}

static void the_size_is_what_the_list_says_and_never_too_much(void **state) {
    (void)state;
    uint8_t out[MLX5_HEADER_MAX];
    for (uint8_t carriers = 1; carriers <= SID_LIST_MAX; carriers++) {
        struct encap encap = encap_of(carriers);
        size_t size = mlx5_header_build(&ethernet, &encap, 0, 6, out);
        assert_int_equal(size, 14 + sid_list_overhead_bytes(&encap.sids));
        assert_true(size <= MLX5_HEADER_MAX);
    }
}

static void without_carriers_or_with_too_many_nothing_is_written(void **state) {
    (void)state;
    uint8_t out[MLX5_HEADER_MAX], untouched[MLX5_HEADER_MAX];
    memset(out, 0xee, sizeof out);
    memcpy(untouched, out, sizeof out);
    struct encap encap = encap_of(1);
    encap.sids.count = 0;
    assert_int_equal(mlx5_header_build(&ethernet, &encap, 0, 6, out), 0);
    encap.sids.count = SID_LIST_MAX + 1;
    assert_int_equal(mlx5_header_build(&ethernet, &encap, 0, 6, out), 0);
    assert_memory_equal(out, untouched, sizeof out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_carrier_is_ethernet_and_ipv6),
        cmocka_unit_test(three_carriers_have_a_reduced_srh_in_reverse),
        cmocka_unit_test(every_class_and_inner_version_has_its_place),
        cmocka_unit_test(the_size_is_what_the_list_says_and_never_too_much),
        cmocka_unit_test(without_carriers_or_with_too_many_nothing_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
