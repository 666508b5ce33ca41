// SPDX-License-Identifier: Apache-2.0
// `shared` through plans: what jobs of all kinds come to, together.
#include "cmocka_all.h"

#include <stdlib.h>
#include <string.h>

#include "path_fixture.h"

// The most loaded link over the cut bound, of all hosts' plans.
static double ratio_of(const struct plan_input *input, uint64_t *splits) {
    uint64_t *loads = calloc(fabric_link_count(input->fabric), sizeof loads[0]);
    struct planner *planner;
    struct plan plan;
    struct plan_score score;
    plan_init(&plan);
    *splits = 0;
    assert_int_equal(planner_open(input->fabric, &planner), 0);
    for (uint32_t i = 0; i < input->fabric->host_count; i++) {
        assert_int_equal(planner_plan(planner, input, (node_id){i}, &plan, NULL), 0);
        plan_add_loads(&plan, loads);
        *splits += plan.split_count;
    }
    plan_score(input, loads, &score);
    planner_close(planner);
    plan_fini(&plan);
    free(loads);
    return score.max_link_load_s / score.lower_bound_s;
}

static void open_128(struct path_fixture *fixture, enum collective_type type) {
    fixture_leaf_spine(fixture, 8, 8, 16, 1);
    fixture_collective(fixture, type, 64 << 20, 1);
    fixture->input.algorithm = "";
}

static void an_alltoall_meets_the_bound_and_splits_nothing(void **state) {
    (void)state;
    struct path_fixture fixture;
    uint64_t splits;
    open_128(&fixture, COLLECTIVE_ALLTOALL);
    assert_true(ratio_of(&fixture.input, &splits) < 1.000001);
    assert_int_equal(splits, 0);
    fixture_limit(&fixture, "leaf0>spine0", 500000);
    fixture_limit(&fixture, "spine0>leaf0", 500000);
    assert_true(ratio_of(&fixture.input, &splits) < 1.01);
    assert_int_equal(splits, 0);
    fixture_cut(&fixture, "leaf3>spine5");
    assert_true(ratio_of(&fixture.input, &splits) < 1.01);
    assert_int_equal(splits, 0);
    fixture_close(&fixture);
}

static void a_permutation_meets_the_bound_and_is_split_only_when_links_break(void **state) {
    (void)state;
    struct path_fixture fixture;
    uint64_t splits;
    fixture_leaf_spine(&fixture, 16, 16, 16, 1);
    fixture_collective(&fixture, COLLECTIVE_PERMUTATION, 64 << 20, 1);
    fixture.input.algorithm = "";
    assert_true(ratio_of(&fixture.input, &splits) < 1.000001);
    assert_int_equal(splits, 0);
    fixture_cut(&fixture, "leaf0>spine0");
    assert_true(ratio_of(&fixture.input, &splits) < 1.01);
    assert_true(splits > 0 && splits < 64);
    fixture_close(&fixture);
}

// A pair of both travels as one flow on one path.
static void a_ring_beside_an_alltoall_in_one_job_is_not_split(void **state) {
    (void)state;
    struct path_fixture fixture;
    uint64_t splits;
    open_128(&fixture, COLLECTIVE_ALLTOALL);
    fixture_collective(&fixture, COLLECTIVE_RING, 1 << 20, 1);
    assert_true(ratio_of(&fixture.input, &splits) < 1.05);
    assert_int_equal(splits, 0);
    fixture_close(&fixture);
}

static uint64_t bytes_over(const struct plan *plan, uint32_t job, link_id link) {
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < plan->flow_count; i++) {
        const struct plan_flow *flow = &plan->flows[i];
        for (uint32_t j = 0; j < flow->part_count && flow->job == job; j++) {
            const struct plan_part *part = &plan->parts[flow->first_part + j];
            bytes += part->path.link_count > 2 && part->path.links[1].i == link.i ? part->bytes : 0;
        }
    }
    return bytes;
}

// Two jobs send between one pair of ports, more than one path of three can carry in time: they fill
// the parts of the pair's placement one after the other.
static void jobs_of_one_pair_share_its_parts(void **state) {
    (void)state;
    struct path_fixture fixture;
    fixture_leaf_spine(&fixture, 2, 3, 2, 1);
    const struct job_pair pair = {.src_rank = 0, .dst_rank = 2};
    fixture_pairs(&fixture, &pair, 1, 3000);
    struct job other = fixture.job;
    strcpy(other.name, "other");
    struct collective small = fixture.job.collectives[0];
    small.bytes = 600;
    other.collectives[0] = small;
    const struct plan_job jobs[2] = {
        fixture.plan_job,
        {.job = &other, .ranks = fixture.ranks, .rank_count = 4, .permutations = fixture.maps}};
    fixture.input.jobs = jobs;
    fixture.input.job_count = 2;
    fixture.input.algorithm = "shared";
    for (uint32_t i = 0; i < fabric_link_count(fixture.fabric); i++) {
        fixture.beliefs[i].capacity_ppm = 900000; // no link is as good as ever
    }
    struct plan plan;
    plan_init(&plan);
    assert_int_equal(plan_host(&fixture.input, (node_id){0}, &plan, NULL), 0);
    assert_int_equal(plan.flow_count, 2);
    uint64_t sums[3];
    const char *const links[3] = {"leaf0>spine0", "leaf0>spine1", "leaf0>spine2"};
    for (unsigned i = 0; i < 3; i++) {
        link_id link = fixture_link(&fixture, links[i]);
        sums[i] = bytes_over(&plan, 0, link) + bytes_over(&plan, 1, link);
        assert_in_range(sums[i], 1190, 1210);
    }
    assert_int_equal(sums[0] + sums[1] + sums[2], 3600);
    assert_int_equal(plan.flows[0].part_count, 3);
    assert_int_equal(plan.flows[1].part_count, 1);
    plan_fini(&plan);
    fixture_close(&fixture);
}

// One job reserves three quarters of a way; of five flows of another only one takes what is left of
// it.
static void a_reservation_slows_links_for_others(void **state) {
    (void)state;
    struct path_fixture fixture;
    fixture_leaf_spine(&fixture, 2, 2, 6, 1);
    struct job_pair first = {.src_rank = 0, .dst_rank = 6};
    const struct job_pair rest[5] = {{1, 7}, {2, 8}, {3, 9}, {4, 10}, {5, 11}};
    fixture_pairs(&fixture, rest, 5, 9000);
    struct job other = fixture.job;
    strcpy(other.name, "reserved");
    other.collectives[0] = (struct collective){.type = COLLECTIVE_PAIRS,
                                               .bytes = 1000,
                                               .pair_count = 1,
                                               .pairs = &first};
    other.reserved_bps = 300 * GBPS;
    const struct plan_job jobs[2] = {
        fixture.plan_job,
        {.job = &other, .ranks = fixture.ranks, .rank_count = 12, .permutations = fixture.maps}};
    fixture.input.jobs = jobs;
    fixture.input.job_count = 2;
    fixture.input.algorithm = "shared";
    struct plan plan;
    plan_init(&plan);
    assert_int_equal(plan_host(&fixture.input, (node_id){0}, &plan, NULL), 0);
    assert_int_equal(plan.part_count, 1);
    link_id reserved = plan.parts[0].path.links[1];
    uint64_t bytes = 0;
    for (uint32_t host = 1; host < 6; host++) {
        assert_int_equal(plan_host(&fixture.input, (node_id){host}, &plan, NULL), 0);
        bytes += bytes_over(&plan, 0, reserved);
    }
    assert_in_range(bytes, 8900, 9100);
    plan_fini(&plan);
    fixture_close(&fixture);
}

// Cable k goes up with cable k down; of two, one is dead on one side, one on the other.
static void a_pair_that_no_column_joins_takes_what_way_there_is(void **state) {
    (void)state;
    struct path_fixture fixture;
    fixture_leaf_spine(&fixture, 2, 1, 2, 2);
    const struct job_pair pair = {.src_rank = 0, .dst_rank = 2};
    fixture_pairs(&fixture, &pair, 1, 1000);
    fixture.input.algorithm = "shared";
    fixture_cut(&fixture, "leaf0>spine0.0");
    fixture_cut(&fixture, "spine0>leaf1.1");
    struct plan plan;
    plan_init(&plan);
    assert_int_equal(plan_host(&fixture.input, (node_id){0}, &plan, NULL), 0);
    assert_int_equal(plan.part_count, 1);
    assert_int_equal(plan.parts[0].bytes, 1000);
    assert_true(path_is_live(fixture.fabric, fixture.beliefs, &plan.parts[0].path));
    plan_fini(&plan);
    fixture_close(&fixture);
}

static void version_1_has_its_own_default(void **state) {
    (void)state;
    struct path_fixture fixture;
    fixture_leaf_spine(&fixture, 4, 4, 2, 1);
    fixture_collective(&fixture, COLLECTIVE_RING, 8 << 20, 0);
    struct plan old, named;
    plan_init(&old);
    plan_init(&named);
    fixture.input.algorithm = "";
    fixture.input.version = 1;
    assert_int_equal(plan_host(&fixture.input, (node_id){0}, &old, NULL), 0);
    fixture.input.version = 0;
    fixture.input.algorithm = "ethereal";
    assert_int_equal(plan_host(&fixture.input, (node_id){0}, &named, NULL), 0);
    assert_true(plan_equal(&old, &named));
    fixture.input.version = 1;
    fixture.input.algorithm = "shared";
    assert_int_equal(plan_host(&fixture.input, (node_id){0}, &named, NULL), -22);
    plan_fini(&old);
    plan_fini(&named);
    fixture_close(&fixture);
}

// What the link carries when it dies lands on each other uplink within a flow of the same.
static void expect_even_backups(enum collective_type type, uint32_t spines, uint32_t hosts) {
    struct path_fixture fixture;
    fixture_leaf_spine(&fixture, 8, spines, hosts, 1);
    fixture_collective(&fixture, type, UINT64_C(64) << 20, 1);
    fixture.input.algorithm = "shared";
    link_id dead = fixture_link(&fixture, "leaf0>spine0");
    uint32_t *moved = calloc(fabric_link_count(fixture.fabric), sizeof moved[0]);
    struct plan plan;
    plan_init(&plan);
    uint32_t total = 0, most = 0;
    for (uint32_t host = 0; host < hosts; host++) {
        assert_int_equal(plan_host(&fixture.input, (node_id){host}, &plan, NULL), 0);
        for (uint32_t i = 0; i < plan.part_count; i++) {
            if (plan.parts[i].path.link_count > 2 && plan.parts[i].path.links[1].i == dead.i) {
                uint32_t count = ++moved[plan.parts[i].backup.links[1].i];
                most = count > most ? count : most;
                total++;
            }
        }
    }
    uint32_t even = (total + spines - 2) / (spines - 1);
    assert_true(total > 0);
    assert_true(most <= even + even / 10);
    plan_fini(&plan);
    free(moved);
    fixture_close(&fixture);
}

static void backups_of_one_links_flows_spread_evenly(void **state) {
    (void)state;
    expect_even_backups(COLLECTIVE_ALLTOALL, 8, 16);
    expect_even_backups(COLLECTIVE_ALLTOALL, 4, 16);
    expect_even_backups(COLLECTIVE_PERMUTATION, 8, 16);
    expect_even_backups(COLLECTIVE_RING, 4, 16);
    expect_even_backups(COLLECTIVE_RING, 3, 32);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_alltoall_meets_the_bound_and_splits_nothing),
        cmocka_unit_test(a_permutation_meets_the_bound_and_is_split_only_when_links_break),
        cmocka_unit_test(a_ring_beside_an_alltoall_in_one_job_is_not_split),
        cmocka_unit_test(jobs_of_one_pair_share_its_parts),
        cmocka_unit_test(a_reservation_slows_links_for_others),
        cmocka_unit_test(a_pair_that_no_column_joins_takes_what_way_there_is),
        cmocka_unit_test(version_1_has_its_own_default),
        cmocka_unit_test(backups_of_one_links_flows_spread_evenly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
