// SPDX-License-Identifier: Apache-2.0
#include "cmocka_all.h"

#include "batch_fixture.h"

static void puts_every_flow_on_all_paths(void **state) {
    (void)state;
    struct batch_fixture *fixture = batch_open(3, 803, 8, 1);
    assert_int_equal(batch_run(fixture, &algorithm_spray), 0);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(fixture->flow_parts[i], 8);
        assert_int_equal(fixture->flow_bytes[i], 803);
    }
    for (uint32_t i = 0; i < 8; i++) {
        assert_in_range(fixture->candidate_bytes[i], 300, 303);
    }
    free(fixture);
}

static void takes_as_many_paths_as_a_rule_holds(void **state) {
    (void)state;
    struct batch_fixture *fixture = batch_open(4, 64, 16, 16);
    assert_int_equal(batch_run(fixture, &algorithm_spray), 0);
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(fixture->flow_parts[i], 64);
    }
    // Four flows of 64 paths each go once round the 256.
    for (uint32_t i = 0; i < 256; i++) {
        assert_int_equal(fixture->candidate_bytes[i], 1);
    }
    free(fixture);
}

static void stops_where_emit_fails(void **state) {
    (void)state;
    struct batch_fixture *fixture = batch_open(9, 800, 8, 1);
    fixture->fail_at = 8;
    assert_int_equal(batch_run(fixture, &algorithm_spray), -12);
    free(fixture);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(puts_every_flow_on_all_paths),
        cmocka_unit_test(takes_as_many_paths_as_a_rule_holds),
        cmocka_unit_test(stops_where_emit_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
