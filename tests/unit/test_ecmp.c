// SPDX-License-Identifier: Apache-2.0
#include "cmocka_all.h"

#include "batch_fixture.h"

static void keeps_every_flow_whole(void **state) {
    (void)state;
    struct batch_fixture *fixture = batch_open(256, 1000, 8, 1);
    assert_int_equal(batch_run(fixture, &algorithm_ecmp), 0);
    assert_int_equal(fixture->part_count, 256);
    for (uint32_t i = 0; i < 256; i++) {
        assert_int_equal(fixture->flow_parts[i], 1);
        assert_int_equal(fixture->flow_bytes[i], 1000);
    }
    free(fixture);
}

// 256 flows on 8 paths by hash: binomial with mean 32 and deviation 5.3; six deviations either way.
static void uses_all_paths_but_not_evenly(void **state) {
    (void)state;
    struct batch_fixture *fixture = batch_open(256, 1, 8, 1);
    batch_run(fixture, &algorithm_ecmp);
    uint64_t least = UINT64_MAX, most = 0;
    for (uint32_t i = 0; i < 8; i++) {
        least = fixture->candidate_bytes[i] < least ? fixture->candidate_bytes[i] : least;
        most = fixture->candidate_bytes[i] > most ? fixture->candidate_bytes[i] : most;
    }
    assert_in_range(least, 1, 31);
    assert_in_range(most, 33, 64);
    free(fixture);
}

static void a_flow_stays_on_its_path_when_other_flows_come(void **state) {
    (void)state;
    struct batch_fixture *few = batch_open(1, 1000, 8, 1);
    struct batch_fixture *many = batch_open(2, 1000, 8, 1);
    many->flows[1].bytes = 0; // adds nothing to any path
    batch_run(few, &algorithm_ecmp);
    batch_run(many, &algorithm_ecmp);
    assert_memory_equal(few->candidate_bytes, many->candidate_bytes, sizeof few->candidate_bytes);
    free(few);
    free(many);
}

static void stops_where_emit_fails(void **state) {
    (void)state;
    struct batch_fixture *fixture = batch_open(9, 800, 8, 1);
    fixture->fail_at = 8;
    assert_int_equal(batch_run(fixture, &algorithm_ecmp), -12);
    free(fixture);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_every_flow_whole),
        cmocka_unit_test(uses_all_paths_but_not_evenly),
        cmocka_unit_test(a_flow_stays_on_its_path_when_other_flows_come),
        cmocka_unit_test(stops_where_emit_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
