// SPDX-License-Identifier: Apache-2.0
#include "cmocka_all.h"

#include "capacity.h"
#include "local_batch.h"
#include "model/rng.h"

static uint32_t gcd(uint32_t a, uint32_t b) {
    while (b != 0) {
        uint32_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

// ---- weights

static void weighs_the_smaller_of_the_two_ends(void **state) {
    (void)state;
    struct path_fixture paths;
    fixture_leaf_spine(&paths, 4, 4, 2, 1);
    fixture_limit(&paths, "leaf0>spine1", 500000);
    fixture_limit(&paths, "spine2>leaf3", 250000);
    fixture_limit(&paths, "spine2>leaf1", 1000); // not ours
    struct batch_fixture *batch = local_batch_open(&paths, 1, 1);
    uint16_t weights[4];
    assert_int_equal(capacity_weights(&batch->batch, weights), 4 + 2 + 1 + 4);
    assert_memory_equal(weights, ((uint16_t[]){4, 2, 1, 4}), sizeof weights);
    fixture_limit(&paths, "leaf0>spine0", 1); // lives, barely
    assert_int_equal(capacity_weights(&batch->batch, weights), 1 + 32 + 16 + 64);
    free(batch);
    fixture_close(&paths);
}

// ---- placement

static void with_equal_capacities_it_is_ethereal(void **state) {
    (void)state;
    for (uint32_t spines = 1; spines <= 16; spines++) {
        for (uint32_t flows = 1; flows <= 40; flows++) {
            struct path_fixture paths;
            fixture_leaf_spine(&paths, 2, spines, 1, 1);
            struct batch_fixture *batch = local_batch_open(&paths, flows, 720720);
            assert_int_equal(batch_run(batch, &algorithm_weighted), 0);
            uint32_t rest = flows % spines;
            uint32_t cuts = rest == 0 ? 0 : rest * (spines / gcd(rest, spines) - 1);
            assert_int_equal(batch->part_count, flows + cuts);
            for (uint32_t i = 0; i < spines; i++) {
                assert_int_equal(batch->candidate_bytes[i], UINT64_C(720720) * flows / spines);
            }
            free(batch);
            fixture_close(&paths);
        }
    }
}

static void loads_paths_by_their_weights(void **state) {
    (void)state;
    struct path_fixture paths;
    fixture_leaf_spine(&paths, 2, 8, 1, 1);
    fixture_limit(&paths, "leaf0>spine3", 500000);
    for (uint32_t flows = 1; flows <= 33; flows++) {
        struct batch_fixture *batch = local_batch_open(&paths, flows, 15000);
        assert_int_equal(batch_run(batch, &algorithm_weighted), 0);
        for (uint32_t i = 0; i < 8; i++) {
            assert_int_equal(batch->candidate_bytes[i], flows * (i == 3 ? 1000 : 2000));
        }
        for (uint32_t i = 0; i < flows; i++) {
            assert_int_equal(batch->flow_bytes[i], 15000);
            assert_in_range(batch->flow_parts[i], 1, 8); // pieces on one path are one part
        }
        free(batch);
    }
    fixture_close(&paths);
}

static void cuts_only_the_rest(void **state) {
    (void)state;
    struct path_fixture paths;
    fixture_leaf_spine(&paths, 2, 8, 1, 1);
    fixture_limit(&paths, "leaf0>spine3", 500000);
    struct batch_fixture *batch = local_batch_open(&paths, 16, 15000);
    assert_int_equal(batch_run(batch, &algorithm_weighted), 0);
    assert_int_equal(batch->part_count, 15 + 8); // 16 = 15 + 1
    free(batch);
    fixture_close(&paths);
}

static void keeps_to_what_a_rule_holds(void **state) {
    (void)state;
    struct path_fixture paths;
    fixture_three_tier(&paths, 2, 2, 16, 256, 1);
    fixture_limit(&paths, "leaf0>agg3", 300000);
    struct batch_fixture *batch = local_batch_open(&paths, 5, 1000000);
    assert_int_equal(batch->batch.candidate_count, 256);
    assert_int_equal(batch_run(batch, &algorithm_weighted), 0);
    for (uint32_t i = 0; i < 5; i++) {
        assert_in_range(batch->flow_parts[i], 1, 64);
        assert_int_equal(batch->flow_bytes[i], 1000000);
    }
    free(batch);
    fixture_close(&paths);
}

static void makes_no_empty_part(void **state) {
    (void)state;
    struct path_fixture paths;
    fixture_leaf_spine(&paths, 2, 8, 1, 1);
    struct batch_fixture *batch = local_batch_open(&paths, 2, 3);
    batch->flows[0].bytes = 0;
    assert_int_equal(batch_run(batch, &algorithm_weighted), 0);
    assert_int_equal(batch->flow_parts[0], 1);
    assert_int_equal(batch->flow_parts[1], 3);
    free(batch);
    fixture_close(&paths);
}

static void stops_where_emit_fails(void **state) {
    (void)state;
    struct path_fixture paths;
    fixture_leaf_spine(&paths, 2, 8, 1, 1);
    struct batch_fixture *batch = local_batch_open(&paths, 9, 800);
    batch->fail_at = 8;
    assert_int_equal(batch_run(batch, &algorithm_weighted), -12);
    assert_int_equal(batch->part_count, 8);
    free(batch);
    fixture_close(&paths);
}

// ---- whole plans

static double ratio(const struct path_fixture *paths, const char *algorithm) {
    uint64_t splits = 0;
    uint64_t *loads = fixture_loads(paths, algorithm, &splits);
    struct plan_score score;
    plan_score(&paths->input, loads, &score);
    free(loads);
    return score.max_link_load_s / score.lower_bound_s;
}

static void break_links(struct path_fixture *paths, struct rng *rng, uint32_t count) {
    for (uint32_t i = 0; i < count;) {
        uint32_t cable = (uint32_t)rng_below(rng, paths->fabric->cable_count);
        link_id up = link_of((cable_id){cable}, false);
        if (fabric_link_is_internal(paths->fabric, up)) {
            uint32_t left = rng_below(rng, 2) == 0 ? 0 : CAPACITY_FULL_PPM / 2;
            paths->beliefs[up.i].capacity_ppm = left;
            paths->beliefs[link_opposite(up).i].capacity_ppm = left;
            i++;
        }
    }
}

static void is_within_a_quarter_of_the_bound_on_broken_fabrics(void **state) {
    (void)state;
    double uniform = 0;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct path_fixture paths;
        fixture_leaf_spine(&paths, 8, 8, 4, 1);
        fixture_collective(&paths, COLLECTIVE_ALLTOALL, 64 << 20, 0);
        struct rng rng;
        rng_init(&rng, seed);
        break_links(&paths, &rng, 1 + (uint32_t)seed % 8);
        assert_true(ratio(&paths, "weighted") <= 1.25);
        uniform += ratio(&paths, "spray") / 40;
        fixture_close(&paths);
    }
    assert_true(uniform >= 1.3);
}

static void half_a_link_costs_it_little(void **state) {
    (void)state;
    struct path_fixture paths;
    fixture_leaf_spine(&paths, 8, 8, 4, 1);
    fixture_collective(&paths, COLLECTIVE_ALLTOALL, 64 << 20, 0);
    fixture_limit(&paths, "leaf0>spine0", 500000);
    fixture_limit(&paths, "spine0>leaf0", 500000);
    assert_true(ratio(&paths, "weighted") <= 1.02);
    assert_true(ratio(&paths, "ethereal") >= 1.87);
    fixture_close(&paths);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weighs_the_smaller_of_the_two_ends),
        cmocka_unit_test(with_equal_capacities_it_is_ethereal),
        cmocka_unit_test(loads_paths_by_their_weights),
        cmocka_unit_test(cuts_only_the_rest),
        cmocka_unit_test(keeps_to_what_a_rule_holds),
        cmocka_unit_test(makes_no_empty_part),
        cmocka_unit_test(stops_where_emit_fails),
        cmocka_unit_test(is_within_a_quarter_of_the_bound_on_broken_fabrics),
        cmocka_unit_test(half_a_link_costs_it_little),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
