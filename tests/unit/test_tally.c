// SPDX-License-Identifier: Apache-2.0
#include "cmocka_all.h"

#include "batch_fixture.h"
#include "tally.h"

static void merges_what_falls_on_one_candidate(void **state) {
    (void)state;
    struct batch_fixture *fixture = batch_open(1, 100, 8, 1);
    struct tally tally = {0};
    tally_add(&tally, 3, 1);
    tally_add(&tally, 5, 1);
    tally_add(&tally, 3, 2);
    assert_int_equal(tally_emit(&tally, &fixture->batch, 0, batch_emit, fixture), 0);
    assert_int_equal(fixture->part_count, 2);
    assert_int_equal(fixture->candidate_bytes[3], 75);
    assert_int_equal(fixture->candidate_bytes[5], 25);
    free(fixture);
}

static void places_every_byte_once(void **state) {
    (void)state;
    static const uint64_t sizes[] = {1, 2, 3, 1000, UINT64_C(0xffffffffffff), UINT64_MAX};
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct batch_fixture *fixture = batch_open(1, sizes[i], 7, 1);
        struct tally tally = {0};
        for (uint32_t c = 0; c < 7; c++) {
            tally_add(&tally, c, 1 + c * c);
        }
        assert_int_equal(tally_emit(&tally, &fixture->batch, 0, batch_emit, fixture), 0);
        assert_true(fixture->flow_bytes[0] == sizes[i]);
        free(fixture);
    }
}

static void leaves_out_parts_of_no_bytes(void **state) {
    (void)state;
    struct batch_fixture *fixture = batch_open(1, 2, 8, 1);
    struct tally tally = {0};
    for (uint32_t c = 0; c < 8; c++) {
        tally_add(&tally, c, 1);
    }
    assert_int_equal(tally_emit(&tally, &fixture->batch, 0, batch_emit, fixture), 0);
    assert_int_equal(fixture->part_count, 2);
    assert_int_equal(fixture->flow_bytes[0], 2);
    free(fixture);
}

static void an_empty_flow_has_one_empty_part(void **state) {
    (void)state;
    struct batch_fixture *fixture = batch_open(1, 0, 8, 1);
    struct tally tally = {0};
    tally_add(&tally, 6, 0);
    tally_add(&tally, 7, 1);
    assert_int_equal(tally_emit(&tally, &fixture->batch, 0, batch_emit, fixture), 0);
    assert_int_equal(fixture->part_count, 1);
    free(fixture);
}

static void holds_as_many_candidates_as_a_rule(void **state) {
    (void)state;
    struct batch_fixture *fixture = batch_open(1, 100000, 100, 1);
    struct tally tally = {0};
    for (uint32_t c = 0; c < 100; c++) {
        tally_add(&tally, c, 1);
    }
    assert_int_equal(tally_emit(&tally, &fixture->batch, 0, batch_emit, fixture), 0);
    assert_int_equal(fixture->part_count, RULE_PATHS_MAX);
    assert_int_equal(fixture->flow_bytes[0], 100000);
    free(fixture);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(merges_what_falls_on_one_candidate),
        cmocka_unit_test(places_every_byte_once),
        cmocka_unit_test(leaves_out_parts_of_no_bytes),
        cmocka_unit_test(an_empty_flow_has_one_empty_part),
        cmocka_unit_test(holds_as_many_candidates_as_a_rule),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
