// SPDX-License-Identifier: Apache-2.0
#include "cmocka_all.h"

#include "local_batch.h"

#define ROUNDS 200
#define FLOWS (ROUNDS * BATCH_FLOWS_MAX)

// On how many of many flows each of 8 candidates is chosen; choices (or NULL): each flow's spine.
static void count_choices(const struct path_fixture *paths, uint32_t counts[8], uint8_t *choices) {
    memset(counts, 0, 8 * sizeof counts[0]);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        struct batch_fixture *batch = local_batch_open(paths, BATCH_FLOWS_MAX, 1);
        batch->batch.salt = round;
        for (uint32_t i = 0; i < BATCH_FLOWS_MAX; i++) {
            batch->flows[i].bytes = UINT64_C(1) << (i % 32);
        }
        // One flow at a time, to see where it went.
        for (uint32_t i = 0; i < BATCH_FLOWS_MAX; i++) {
            batch->batch.flows = &batch->flows[i];
            batch->batch.flow_count = 1;
            assert_int_equal(batch_run(batch, &algorithm_adaptive), 0);
            assert_int_equal(batch->part_count, 1);
            for (uint32_t c = 0; c < batch->batch.candidate_count; c++) {
                if (batch->candidate_bytes[c] > 0) {
                    node_id spine = fabric_link_to(paths->fabric, batch->candidates[c].links[1]);
                    uint32_t at = (uint32_t)(paths->fabric->nodes[spine.i].name[5] - '0');
                    counts[at]++;
                    choices[round * BATCH_FLOWS_MAX + i] = (uint8_t)at;
                }
            }
        }
        free(batch);
    }
}

static void chooses_in_proportion_to_capacity(void **state) {
    (void)state;
    static uint8_t choices[FLOWS];
    struct path_fixture paths;
    fixture_leaf_spine(&paths, 2, 8, 1, 1);
    uint32_t counts[8];
    count_choices(&paths, counts, choices);
    for (uint32_t i = 0; i < 8; i++) {
        assert_in_range(counts[i], FLOWS / 8 * 95 / 100, FLOWS / 8 * 105 / 100);
    }
    fixture_limit(&paths, "leaf0>spine3", 500000);
    count_choices(&paths, counts, choices);
    for (uint32_t i = 0; i < 8; i++) {
        uint32_t wanted = i == 3 ? FLOWS / 15 : FLOWS * 2 / 15;
        assert_in_range(counts[i], wanted * 93 / 100, wanted * 107 / 100);
    }
    fixture_close(&paths);
}

static void moves_only_flows_of_the_path_that_is_lost(void **state) {
    (void)state;
    static uint8_t before[FLOWS], after[FLOWS];
    struct path_fixture paths;
    fixture_leaf_spine(&paths, 2, 8, 1, 1);
    uint32_t counts[8];
    count_choices(&paths, counts, before);
    fixture_cut(&paths, "leaf0>spine3");
    count_choices(&paths, counts, after);
    assert_int_equal(counts[3], 0);
    for (uint32_t i = 0; i < FLOWS; i++) {
        assert_true(before[i] == 3 || after[i] == before[i]);
    }
    fixture_close(&paths);
}

static void stops_where_emit_fails(void **state) {
    (void)state;
    struct path_fixture paths;
    fixture_leaf_spine(&paths, 2, 8, 1, 1);
    struct batch_fixture *batch = local_batch_open(&paths, 9, 800);
    batch->fail_at = 8;
    assert_int_equal(batch_run(batch, &algorithm_adaptive), -12);
    assert_int_equal(batch->part_count, 8);
    free(batch);
    fixture_close(&paths);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chooses_in_proportion_to_capacity),
        cmocka_unit_test(moves_only_flows_of_the_path_that_is_lost),
        cmocka_unit_test(stops_where_emit_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
