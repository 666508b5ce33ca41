// SPDX-License-Identifier: Apache-2.0
#include "cmocka_all.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "path_fixture.h"

static int plan_of(const struct path_fixture *fixture, uint32_t host, struct plan *plan) {
    plan_init(plan);
    return plan_host(&fixture->input, (node_id){host}, plan, NULL);
}

static void a_host_plans_what_it_sends_sorted(void **state) {
    (void)state;
    struct path_fixture fixture;
    fixture_leaf_spine(&fixture, 4, 4, 2, 1);
    fixture_collective(&fixture, COLLECTIVE_ALLTOALL, 8 << 20, 0);
    struct plan plan;
    assert_int_equal(plan_of(&fixture, 3, &plan), 0);
    assert_int_equal(plan.flow_count, 7);
    for (uint32_t i = 0; i < 7; i++) {
        assert_int_equal(plan.flows[i].src.i, 3);
        assert_int_equal(plan.flows[i].dst.i, i < 3 ? i : i + 1);
        assert_int_equal(plan.flows[i].bytes, 1 << 20);
        assert_int_equal(plan.flows[i].local, plan.flows[i].dst.i == 2);
        assert_int_equal(plan.flows[i].steered, plan.flows[i].dst.i != 2);
        assert_false(plan.flows[i].spray);
    }
    plan_fini(&plan);
    fixture_close(&fixture);
}

static void collectives_of_a_job_merge_into_one_flow(void **state) {
    (void)state;
    struct path_fixture fixture;
    fixture_leaf_spine(&fixture, 4, 4, 2, 1);
    fixture_collective(&fixture, COLLECTIVE_ALLTOALL, 800, 0);
    const struct job_pair pair = {.src_rank = 0, .dst_rank = 5};
    fixture_pairs(&fixture, &pair, 1, 7000);
    struct plan plan;
    assert_int_equal(plan_of(&fixture, 0, &plan), 0);
    assert_int_equal(plan.flow_count, 7);
    for (uint32_t i = 0; i < 7; i++) {
        assert_int_equal(plan.flows[i].bytes, plan.flows[i].dst.i == 5 ? 7100 : 100);
    }
    plan_fini(&plan);
    fixture_close(&fixture);
}

static void a_local_flow_takes_its_two_host_links_and_has_no_backup(void **state) {
    (void)state;
    struct path_fixture fixture;
    fixture_leaf_spine(&fixture, 4, 4, 2, 1);
    const struct job_pair pair = {.src_rank = 0, .dst_rank = 1};
    fixture_pairs(&fixture, &pair, 1, 7000);
    struct plan plan;
    assert_int_equal(plan_of(&fixture, 0, &plan), 0);
    assert_int_equal(plan.part_count, 1);
    assert_int_equal(plan.parts[0].path.link_count, 2);
    assert_int_equal(plan.parts[0].backup.link_count, 0);
    assert_false(plan.flows[0].steered);
    plan_fini(&plan);
    fixture_close(&fixture);
}

static void an_unready_destination_keeps_its_parts_but_is_not_steered(void **state) {
    (void)state;
    struct path_fixture fixture;
    fixture_leaf_spine(&fixture, 4, 4, 2, 1);
    fixture_collective(&fixture, COLLECTIVE_ALLTOALL, 8 << 20, 0);
    bool ready[8] = {true, true, true, true, false, true, true, true};
    struct plan all, some;
    assert_int_equal(plan_of(&fixture, 0, &all), 0);
    fixture.input.decap_ready = ready;
    assert_int_equal(plan_of(&fixture, 0, &some), 0);
    assert_int_equal(all.part_count, some.part_count);
    for (uint32_t i = 0; i < some.part_count; i++) {
        assert_true(path_equal(&all.parts[i].path, &some.parts[i].path));
    }
    for (uint32_t i = 0; i < some.flow_count; i++) {
        assert_int_equal(some.flows[i].steered, !some.flows[i].local && some.flows[i].dst.i != 4);
    }
    plan_fini(&all);
    plan_fini(&some);
    fixture_close(&fixture);
}

static void an_unreachable_destination_has_a_flow_without_parts(void **state) {
    (void)state;
    struct path_fixture fixture;
    fixture_leaf_spine(&fixture, 4, 4, 2, 1);
    fixture_collective(&fixture, COLLECTIVE_ALLTOALL, 8 << 20, 0);
    fixture_cut(&fixture, "leaf2>h4"); // its neighbour h5 on the same leaf stays reachable
    struct plan plan;
    assert_int_equal(plan_of(&fixture, 0, &plan), 0);
    assert_int_equal(plan.flow_count, 7);
    for (uint32_t i = 0; i < 7; i++) {
        bool cut = plan.flows[i].dst.i == 4;
        assert_int_equal(plan.flows[i].part_count == 0, cut);
        assert_int_equal(plan.flows[i].steered, !cut && !plan.flows[i].local);
    }
    plan_fini(&plan);
    fixture_close(&fixture);
}

static void a_host_in_no_job_sends_nothing(void **state) {
    (void)state;
    struct path_fixture fixture;
    fixture_leaf_spine(&fixture, 4, 4, 2, 1);
    const struct job_pair pair = {.src_rank = 0, .dst_rank = 7};
    fixture_pairs(&fixture, &pair, 1, 7000);
    struct plan plan;
    assert_int_equal(plan_of(&fixture, 5, &plan), 0);
    assert_int_equal(plan.flow_count, 0);
    assert_int_equal(plan.part_count, 0);
    plan_fini(&plan);
    fixture_close(&fixture);
}

static void an_unknown_algorithm_is_refused_by_name_and_the_old_plan_stays(void **state) {
    (void)state;
    struct path_fixture fixture;
    fixture_leaf_spine(&fixture, 4, 4, 2, 1);
    fixture_collective(&fixture, COLLECTIVE_ALLTOALL, 8 << 20, 0);
    struct plan plan;
    assert_int_equal(plan_of(&fixture, 0, &plan), 0);
    struct error error;
    fixture.input.algorithm = "magic";
    assert_int_equal(plan_host(&fixture.input, (node_id){0}, &plan, &error), -EINVAL);
    assert_non_null(strstr(error.text, "magic"));
    assert_non_null(strstr(error.text, "ethereal"));
    assert_int_equal(plan.flow_count, 7);
    fixture.input.algorithm = "";
    strcpy(fixture.job.algorithm, "wizardry");
    assert_int_equal(plan_host(&fixture.input, (node_id){0}, &plan, &error), -EINVAL);
    assert_non_null(strstr(error.text, "wizardry"));
    assert_non_null(strstr(error.text, "job job"));
    plan_fini(&plan);
    fixture_close(&fixture);
}

static void a_jobs_own_algorithm_wins_over_the_default(void **state) {
    (void)state;
    struct path_fixture fixture;
    fixture_leaf_spine(&fixture, 4, 4, 2, 1);
    fixture_collective(&fixture, COLLECTIVE_ALLTOALL, 8 << 20, 0);
    strcpy(fixture.job.algorithm, "spray");
    struct plan plan;
    assert_int_equal(plan_of(&fixture, 0, &plan), 0);
    for (uint32_t i = 0; i < plan.flow_count; i++) {
        assert_int_equal(plan.flows[i].spray, !plan.flows[i].local);
        assert_int_equal(plan.flows[i].part_count, plan.flows[i].local ? 1 : 4);
    }
    assert_int_equal(plan.split_count, 0);
    plan_fini(&plan);
    fixture_close(&fixture);
}

static void splits_are_sub_flows_beyond_one_per_flow(void **state) {
    (void)state;
    struct path_fixture fixture;
    fixture_leaf_spine(&fixture, 4, 4, 2, 1);
    fixture_collective(&fixture, COLLECTIVE_ALLTOALL, 8 << 20, 0);
    struct plan plan;
    assert_int_equal(plan_of(&fixture, 0, &plan), 0);
    // To each of three leaves two flows over four paths: both in 4 / gcd(2, 4) = 2 parts.
    assert_int_equal(plan.split_count, 3 * 2);
    assert_int_equal(plan.part_count, 1 + 3 * 4);
    plan_fini(&plan);
    fixture_close(&fixture);
}

static void one_job_does_not_move_anothers_flows(void **state) {
    (void)state;
    struct path_fixture fixture;
    fixture_leaf_spine(&fixture, 4, 4, 4, 1);
    fixture_collective(&fixture, COLLECTIVE_ALLTOALL, 8 << 20, 0);
    struct job other = fixture.job;
    strcpy(other.name, "a-job-that-sorts-first");
    other.collectives[0].bytes = 12345678;
    struct plan_job both[2] = {fixture.plan_job, fixture.plan_job};
    both[0].job = &other;
    struct plan alone, together;
    assert_int_equal(plan_of(&fixture, 0, &alone), 0);
    fixture.input.jobs = both;
    fixture.input.job_count = 2;
    assert_int_equal(plan_of(&fixture, 0, &together), 0);
    assert_int_equal(together.flow_count, 2 * alone.flow_count);
    for (uint32_t i = 0; i < alone.flow_count; i++) {
        const struct plan_flow *a = &alone.flows[i];
        const struct plan_flow *b = &together.flows[2 * i + 1];
        assert_int_equal(b->job, 1);
        assert_int_equal(a->part_count, b->part_count);
        for (uint32_t j = 0; j < a->part_count; j++) {
            assert_true(path_equal(&alone.parts[a->first_part + j].path,
                                   &together.parts[b->first_part + j].path));
        }
    }
    plan_fini(&alone);
    plan_fini(&together);
    fixture_close(&fixture);
}

static void plans_differ_in_any_path_or_byte(void **state) {
    (void)state;
    struct path_fixture fixture;
    fixture_leaf_spine(&fixture, 4, 4, 2, 1);
    fixture_collective(&fixture, COLLECTIVE_ALLTOALL, 8 << 20, 0);
    struct plan a, b;
    assert_int_equal(plan_of(&fixture, 0, &a), 0);
    assert_int_equal(plan_of(&fixture, 0, &b), 0);
    assert_true(plan_equal(&a, &b));
    b.parts[3].bytes++;
    assert_false(plan_equal(&a, &b));
    b.parts[3].bytes--;
    b.parts[5].backup.links[1].i ^= 1;
    assert_false(plan_equal(&a, &b));
    b.parts[5].backup.links[1].i ^= 1;
    b.flows[2].steered = !b.flows[2].steered;
    assert_false(plan_equal(&a, &b));
    plan_fini(&a);
    plan_fini(&b);
    fixture_close(&fixture);
}

// Eight flows of either size in turn, eight paths: grouped by size, nothing needs splitting.
static void sizes_that_come_mixed_are_grouped(void **state) {
    (void)state;
    struct path_fixture fixture;
    fixture_leaf_spine(&fixture, 2, 8, 16, 1);
    struct job_pair even[8], odd[8];
    for (uint32_t i = 0; i < 8; i++) {
        even[i] = (struct job_pair){.src_rank = 0, .dst_rank = 16 + 2 * i};
        odd[i] = (struct job_pair){.src_rank = 0, .dst_rank = 17 + 2 * i};
    }
    fixture_pairs(&fixture, even, 8, 1000);
    fixture_pairs(&fixture, odd, 8, 5000);
    struct plan plan;
    assert_int_equal(plan_of(&fixture, 0, &plan), 0);
    assert_int_equal(plan.flow_count, 16);
    assert_int_equal(plan.split_count, 0);
    uint64_t *loads = calloc(fabric_link_count(fixture.fabric), sizeof loads[0]);
    plan_add_loads(&plan, loads);
    assert_int_equal(loads[fixture_link(&fixture, "leaf0>spine3").i], 6000);
    free(loads);
    plan_fini(&plan);
    fixture_close(&fixture);
}

static void parts_on_one_path_have_different_backups(void **state) {
    (void)state;
    struct path_fixture fixture;
    fixture_leaf_spine(&fixture, 2, 8, 16, 1);
    fixture_collective(&fixture, COLLECTIVE_ALLTOALL, 64 << 20, 0);
    struct plan plan;
    assert_int_equal(plan_of(&fixture, 0, &plan), 0);
    unsigned pairs = 0;
    for (uint32_t i = 0; i < plan.part_count; i++) {
        for (uint32_t j = i + 1; j < plan.part_count; j++) {
            const struct plan_part *a = &plan.parts[i], *b = &plan.parts[j];
            if (a->path.link_count > 2 && a->path.links[1].i == b->path.links[1].i) {
                assert_int_not_equal(a->backup.links[1].i, b->backup.links[1].i);
                pairs++;
            }
        }
    }
    assert_int_equal(pairs, 8); // sixteen flows on eight paths
    plan_fini(&plan);
    fixture_close(&fixture);
}

// What leaf0>spine0 carries when it dies must land on all other spines alike.
static void expect_even_backups(enum collective_type type, uint32_t spines, uint32_t hosts) {
    struct path_fixture fixture;
    fixture_leaf_spine(&fixture, 8, spines, hosts, 1);
    fixture_collective(&fixture, type, UINT64_C(64) << 20, 1);
    link_id dead = fixture_link(&fixture, "leaf0>spine0");
    uint64_t *moved = calloc(fabric_link_count(fixture.fabric), sizeof moved[0]);
    struct plan plan;
    uint64_t total = 0;
    for (uint32_t host = 0; host < hosts; host++) {
        assert_int_equal(plan_of(&fixture, host, &plan), 0);
        for (uint32_t i = 0; i < plan.part_count; i++) {
            if (plan.parts[i].path.link_count > 2 && plan.parts[i].path.links[1].i == dead.i) {
                moved[plan.parts[i].backup.links[1].i] += plan.parts[i].bytes;
                total += plan.parts[i].bytes;
            }
        }
        plan_fini(&plan);
    }
    uint64_t most = 0;
    for (uint32_t i = 0; i < fabric_link_count(fixture.fabric); i++) {
        most = moved[i] > most ? moved[i] : most;
    }
    assert_true(total > 0);
    assert_true(most * (spines - 1) * 100 <= total * 110); // within a tenth
    free(moved);
    fixture_close(&fixture);
}

static void backups_of_one_links_flows_spread_evenly(void **state) {
    (void)state;
    expect_even_backups(COLLECTIVE_ALLTOALL, 8, 16);
    expect_even_backups(COLLECTIVE_ALLTOALL, 4, 2);
    // A flow or two for each host: the hosts of a leaf must differ, to which leaf they send or not.
    expect_even_backups(COLLECTIVE_RING, 8, 14);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_host_plans_what_it_sends_sorted),
        cmocka_unit_test(collectives_of_a_job_merge_into_one_flow),
        cmocka_unit_test(a_local_flow_takes_its_two_host_links_and_has_no_backup),
        cmocka_unit_test(an_unready_destination_keeps_its_parts_but_is_not_steered),
        cmocka_unit_test(an_unreachable_destination_has_a_flow_without_parts),
        cmocka_unit_test(a_host_in_no_job_sends_nothing),
        cmocka_unit_test(an_unknown_algorithm_is_refused_by_name_and_the_old_plan_stays),
        cmocka_unit_test(a_jobs_own_algorithm_wins_over_the_default),
        cmocka_unit_test(splits_are_sub_flows_beyond_one_per_flow),
        cmocka_unit_test(one_job_does_not_move_anothers_flows),
        cmocka_unit_test(plans_differ_in_any_path_or_byte),
        cmocka_unit_test(sizes_that_come_mixed_are_grouped),
        cmocka_unit_test(parts_on_one_path_have_different_backups),
        cmocka_unit_test(backups_of_one_links_flows_spread_evenly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
