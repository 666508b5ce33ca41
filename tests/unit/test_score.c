// SPDX-License-Identifier: Apache-2.0
#include "cmocka_all.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "path_fixture.h"

// The load of a plan of all hosts, as a multiple of the bound.
static double ratio(const struct path_fixture *fixture, const char *algorithm,
                    struct plan_score *score) {
    uint64_t splits;
    uint64_t *loads = fixture_loads(fixture, algorithm, &splits);
    plan_score(&fixture->input, loads, score);
    free(loads);
    double result = score->max_link_load_s / score->lower_bound_s;
    printf("  %s: %.4f of the bound, %llu splits\n", algorithm, result, (unsigned long long)splits);
    return result;
}

static void open_paper_128(struct path_fixture *fixture) {
    fixture_leaf_spine(fixture, 8, 8, 16, 1);
    fixture_collective(fixture, COLLECTIVE_ALLTOALL, 64 << 20, 0);
}

// The closed forms: T_nic = B (N - 1) / N / C, T_fab = hp B (N - hp) / N / (S C).
static void bounds_are_the_closed_forms_of_an_alltoall(void **state) {
    (void)state;
    struct path_fixture fixture;
    open_paper_128(&fixture);
    struct plan_score score;
    ratio(&fixture, "ethereal", &score);
    assert_true(fabs(score.lower_bound_s * 1e6 - 2348.8) < 0.1);
    assert_true(fabs(score.nic_bound_s * 1e6 - 1331.7) < 0.1);
    assert_string_equal(score.bound_kind, "cut");
    fixture_close(&fixture);
}

static void ethereal_and_spray_meet_the_bound_on_a_whole_fabric_and_ecmp_does_not(void **state) {
    (void)state;
    struct path_fixture fixture;
    open_paper_128(&fixture);
    struct plan_score score;
    assert_true(ratio(&fixture, "ethereal", &score) == 1.0);
    assert_true(fabs(ratio(&fixture, "spray", &score) - 1.0) < 1e-6);
    assert_true(ratio(&fixture, "ecmp", &score) >= 1.12);
    fixture_close(&fixture);
}

// Ethereal as published knows no capacities: 2 / (8 / 7.5).
static void ethereal_loads_a_half_link_like_a_whole_one(void **state) {
    (void)state;
    struct path_fixture fixture;
    open_paper_128(&fixture);
    fixture_limit(&fixture, "leaf0>spine0", CAPACITY_FULL_PPM / 2);
    fixture_limit(&fixture, "spine0>leaf0", CAPACITY_FULL_PPM / 2);
    struct plan_score score;
    assert_true(fabs(ratio(&fixture, "ethereal", &score) - 1.875) < 1e-9);
    assert_int_equal(score.max_link.i / 2, fixture_link(&fixture, "leaf0>spine0").i / 2);
    assert_true(fabs(score.lower_bound_s * 1e6 - 2505.4) < 0.1);
    fixture_close(&fixture);
}

static void a_dead_link_narrows_the_cut(void **state) {
    (void)state;
    struct path_fixture fixture;
    open_paper_128(&fixture);
    fixture_cut(&fixture, "spine0>leaf0"); // one way: only what enters leaf 0 suffers
    struct plan_score score;
    ratio(&fixture, "ethereal", &score);
    assert_true(fabs(score.lower_bound_s * 1e6 - 2348.8 * 8 / 7) < 0.1);
    fixture_close(&fixture);
}

static void ethereal_is_near_the_bound_on_three_tiers(void **state) {
    (void)state;
    struct path_fixture fixture;
    fixture_three_tier(&fixture, 4, 4, 4, 16, 4);
    fixture_collective(&fixture, COLLECTIVE_ALLTOALL, 64 << 20, 0);
    struct plan_score score;
    assert_true(ratio(&fixture, "ethereal", &score) < 1.0001);
    assert_true(ratio(&fixture, "ecmp", &score) > 1.1);
    fixture_close(&fixture);
}

static void the_pod_cut_binds_where_cores_are_few(void **state) {
    (void)state;
    struct path_fixture fixture;
    fixture_three_tier(&fixture, 2, 2, 2, 2, 2); // 4 hosts a pod, 2 links out of it
    fixture_collective(&fixture, COLLECTIVE_ALLTOALL, 8 << 20, 0);
    struct plan_score score;
    ratio(&fixture, "ethereal", &score);
    double pod_s = 4.0 * 4.0 * (1 << 20) * 8 / (2 * 400e9);
    assert_true(fabs(score.lower_bound_s - pod_s) < 1e-12);
    fixture_close(&fixture);
}

static void the_cut_of_each_pod_is_its_own(void **state) {
    (void)state;
    struct path_fixture fixture;
    fixture_three_tier(&fixture, 3, 2, 2, 2, 2);
    // Every host of pods 1 and 2 sends to its like in pod 0, which has two links to take it in.
    struct job_pair pairs[8];
    for (uint32_t i = 0; i < 8; i++) {
        pairs[i] = (struct job_pair){.src_rank = 4 + i, .dst_rank = i % 4};
    }
    fixture_pairs(&fixture, pairs, 8, 1 << 20);
    struct plan_score score;
    ratio(&fixture, "ethereal", &score);
    assert_true(fabs(score.lower_bound_s - 8.0 * (1 << 20) * 8 / (2 * 400e9)) < 1e-12);
    fixture_close(&fixture);
}

static void nothing_sent_costs_nothing(void **state) {
    (void)state;
    struct path_fixture fixture;
    fixture_leaf_spine(&fixture, 2, 2, 2, 1);
    uint64_t *loads = calloc(fabric_link_count(fixture.fabric), sizeof loads[0]);
    struct plan_score score;
    plan_score(&fixture.input, loads, &score);
    assert_true(score.max_link_load_s == 0 && score.lower_bound_s == 0 && score.nic_bound_s == 0);
    assert_int_equal(score.max_link.i, ID_NONE);
    free(loads);
    fixture_close(&fixture);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bounds_are_the_closed_forms_of_an_alltoall),
        cmocka_unit_test(ethereal_and_spray_meet_the_bound_on_a_whole_fabric_and_ecmp_does_not),
        cmocka_unit_test(ethereal_loads_a_half_link_like_a_whole_one),
        cmocka_unit_test(a_dead_link_narrows_the_cut),
        cmocka_unit_test(ethereal_is_near_the_bound_on_three_tiers),
        cmocka_unit_test(the_pod_cut_binds_where_cores_are_few),
        cmocka_unit_test(the_cut_of_each_pod_is_its_own),
        cmocka_unit_test(nothing_sent_costs_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
