// SPDX-License-Identifier: Apache-2.0
#include "cmocka_all.h"

#include "batch_fixture.h"

static void hashes_sixteen_qps_of_every_flow(void **state) {
    (void)state;
    struct batch_fixture *fixture = batch_open(100, 1600, 8, 1);
    assert_int_equal(batch_run(fixture, &algorithm_qp_scaling), 0);
    for (uint32_t i = 0; i < 100; i++) {
        assert_int_equal(fixture->flow_bytes[i], 1600);
        assert_in_range(fixture->flow_parts[i], 4, 8); // 16 balls into 8 bins
    }
    // 1,600 balls into 8 bins: 200 each, give or take 5 times 13.
    for (uint32_t i = 0; i < 8; i++) {
        assert_int_equal(fixture->candidate_bytes[i] % 100, 0);
        assert_in_range(fixture->candidate_bytes[i], 13500, 26500);
    }
    free(fixture);
}

static void is_fairer_than_one_hash_and_not_even(void **state) {
    (void)state;
    struct batch_fixture *fixture = batch_open(32, 1600, 8, 1);
    uint64_t most[2] = {0};
    const struct algorithm *algorithms[2] = {&algorithm_ecmp, &algorithm_qp_scaling};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(batch_run(fixture, algorithms[i]), 0);
        for (uint32_t c = 0; c < 8; c++) {
            most[i] = fixture->candidate_bytes[c] > most[i] ? fixture->candidate_bytes[c] : most[i];
        }
    }
    assert_true(most[1] < most[0]);
    assert_true(most[1] > 1600 * 32 / 8);
    free(fixture);
}

static void takes_other_paths_with_another_salt(void **state) {
    (void)state;
    struct batch_fixture *fixture = batch_open(1, 1600, 64, 1);
    uint64_t first[64];
    assert_int_equal(batch_run(fixture, &algorithm_qp_scaling), 0);
    memcpy(first, fixture->candidate_bytes, sizeof first);
    fixture->batch.salt++;
    assert_int_equal(batch_run(fixture, &algorithm_qp_scaling), 0);
    assert_memory_not_equal(first, fixture->candidate_bytes, sizeof first);
    free(fixture);
}

static void stops_where_emit_fails(void **state) {
    (void)state;
    struct batch_fixture *fixture = batch_open(9, 1600, 8, 1);
    fixture->fail_at = 8;
    assert_int_equal(batch_run(fixture, &algorithm_qp_scaling), -12);
    assert_int_equal(fixture->part_count, 8);
    free(fixture);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes_sixteen_qps_of_every_flow),
        cmocka_unit_test(is_fairer_than_one_hash_and_not_even),
        cmocka_unit_test(takes_other_paths_with_another_salt),
        cmocka_unit_test(stops_where_emit_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
