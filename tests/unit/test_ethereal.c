// SPDX-License-Identifier: Apache-2.0
#include "cmocka_all.h"

#include "batch_fixture.h"

static uint32_t gcd(uint32_t a, uint32_t b) {
    return b == 0 ? a : gcd(b, a % b);
}

static void counts_sub_flows_as_the_paper_does(void **state) {
    (void)state;
    for (uint32_t paths = 1; paths <= 64; paths++) {
        for (uint32_t flows = 1; flows <= 40; flows++) {
            struct batch_fixture *fixture = batch_open(flows, UINT64_C(1) << 20, paths, 1);
            assert_int_equal(batch_run(fixture, &algorithm_ethereal), 0);
            uint32_t rest = flows % paths;
            uint32_t cuts = rest == 0 ? 0 : rest * (paths / gcd(rest, paths) - 1);
            assert_int_equal(fixture->part_count, flows + cuts);
            free(fixture);
        }
    }
}

static void loads_every_path_with_the_same_bytes(void **state) {
    (void)state;
    // 720720 divides by every number of parts up to 16.
    for (uint32_t paths = 1; paths <= 16; paths++) {
        for (uint32_t flows = 1; flows <= 40; flows++) {
            struct batch_fixture *fixture = batch_open(flows, 720720, paths, 1);
            assert_int_equal(batch_run(fixture, &algorithm_ethereal), 0);
            for (uint32_t i = 0; i < paths; i++) {
                assert_int_equal(fixture->candidate_bytes[i], UINT64_C(720720) * flows / paths);
            }
            free(fixture);
        }
    }
}

static void leaves_flows_whole_where_they_divide(void **state) {
    (void)state;
    struct batch_fixture *fixture = batch_open(16, 1000, 8, 1);
    assert_int_equal(batch_run(fixture, &algorithm_ethereal), 0);
    for (uint32_t i = 0; i < 16; i++) {
        assert_int_equal(fixture->flow_parts[i], 1);
    }
    free(fixture);
}

static void gives_the_remainder_to_the_last_part(void **state) {
    (void)state;
    struct batch_fixture *fixture = batch_open(1, 10, 4, 1);
    fixture->batch.salt = 0; // starts at path 0
    assert_int_equal(batch_run(fixture, &algorithm_ethereal), 0);
    assert_int_equal(fixture->candidate_bytes[0], 2);
    assert_int_equal(fixture->candidate_bytes[2], 2);
    assert_int_equal(fixture->candidate_bytes[3], 4);
    free(fixture);
}

static void balances_each_size_by_itself(void **state) {
    (void)state;
    struct batch_fixture *fixture = batch_open(12, 800, 8, 1);
    for (uint32_t i = 9; i < 12; i++) {
        fixture->flows[i].bytes = 1600;
    }
    assert_int_equal(batch_run(fixture, &algorithm_ethereal), 0);
    for (uint32_t i = 0; i < 8; i++) {
        assert_int_equal(fixture->candidate_bytes[i], (9 * 800 + 3 * 1600) / 8);
    }
    free(fixture);
}

static void makes_no_empty_part(void **state) {
    (void)state;
    struct batch_fixture *fixture = batch_open(1, 3, 8, 1);
    assert_int_equal(batch_run(fixture, &algorithm_ethereal), 0);
    assert_int_equal(fixture->flow_parts[0], 3);
    assert_int_equal(fixture->flow_bytes[0], 3);
    free(fixture);
}

static void reaches_every_uplink_where_paths_exceed_a_rule(void **state) {
    (void)state;
    struct batch_fixture *fixture = batch_open(1, 64000, 16, 16);
    assert_int_equal(batch_run(fixture, &algorithm_ethereal), 0);
    assert_int_equal(fixture->flow_parts[0], 64);
    for (uint32_t uplink = 0; uplink < 16; uplink++) {
        uint64_t bytes = 0;
        for (uint32_t i = 0; i < 16; i++) {
            bytes += fixture->candidate_bytes[uplink * 16 + i];
        }
        assert_int_equal(bytes, 4000);
    }
    free(fixture);
}

static void starts_elsewhere_with_another_salt(void **state) {
    (void)state;
    struct batch_fixture *fixture = batch_open(9, 800, 8, 1);
    uint64_t first[8];
    fixture->batch.salt = 0;
    batch_run(fixture, &algorithm_ethereal);
    memcpy(first, fixture->flow_parts, sizeof first);
    fixture->batch.salt = UINT64_C(3) << 32;
    batch_run(fixture, &algorithm_ethereal);
    assert_memory_not_equal(first, fixture->flow_parts, sizeof first);
    free(fixture);
}

static void stops_where_emit_fails(void **state) {
    (void)state;
    struct batch_fixture *fixture = batch_open(9, 800, 8, 1);
    fixture->fail_at = 8;
    assert_int_equal(batch_run(fixture, &algorithm_ethereal), -12);
    assert_int_equal(fixture->part_count, 8);
    free(fixture);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_sub_flows_as_the_paper_does),
        cmocka_unit_test(loads_every_path_with_the_same_bytes),
        cmocka_unit_test(leaves_flows_whole_where_they_divide),
        cmocka_unit_test(gives_the_remainder_to_the_last_part),
        cmocka_unit_test(balances_each_size_by_itself),
        cmocka_unit_test(makes_no_empty_part),
        cmocka_unit_test(reaches_every_uplink_where_paths_exceed_a_rule),
        cmocka_unit_test(starts_elsewhere_with_another_salt),
        cmocka_unit_test(stops_where_emit_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
