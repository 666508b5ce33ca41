// SPDX-License-Identifier: Apache-2.0
#include "cmocka_all.h"

#include <stdlib.h>
#include <string.h>

#include "path_fixture.h"

static struct plan plan_of(const struct path_fixture *fixture, uint32_t host) {
    struct plan plan;
    plan_init(&plan);
    assert_int_equal(plan_host(&fixture->input, (node_id){host}, &plan, NULL), 0);
    return plan;
}

// All hosts' plans before and after.
static struct plan_churn churn_of(struct path_fixture *fixture, const char *cut,
                                  uint64_t *least_moved) {
    uint32_t hosts = fixture->fabric->host_count;
    uint64_t *loads = calloc(fabric_link_count(fixture->fabric), sizeof loads[0]);
    struct plan *before = calloc(hosts, sizeof before[0]);
    struct plan_churn churn = {0};
    for (uint32_t i = 0; i < hosts; i++) {
        before[i] = plan_of(fixture, i);
        plan_add_loads(&before[i], loads);
    }
    if (cut != NULL) {
        fixture_cut(fixture, cut);
    }
    for (uint32_t i = 0; i < hosts; i++) {
        struct plan after = plan_of(fixture, i);
        plan_churn(&before[i], &after, &churn);
        plan_fini(&after);
        plan_fini(&before[i]);
    }
    *least_moved = plan_least_moved_bytes(&fixture->input, loads);
    free(before);
    free(loads);
    return churn;
}

static void an_equal_plan_moves_nothing(void **state) {
    (void)state;
    struct path_fixture fixture;
    uint64_t least;
    fixture_leaf_spine(&fixture, 4, 4, 4, 1);
    fixture_collective(&fixture, COLLECTIVE_ALLTOALL, 16 << 20, 0);
    struct plan_churn churn = churn_of(&fixture, NULL, &least);
    assert_int_equal(churn.flows, 16 * 12);
    assert_int_equal(churn.bytes, (uint64_t)16 * 12 << 20);
    assert_int_equal(churn.moved_flows, 0);
    assert_int_equal(churn.moved_bytes, 0);
    assert_int_equal(least, 0);
    fixture_close(&fixture);
}

static void bytes_move_when_their_path_has_less_of_them(void **state) {
    (void)state;
    struct path_fixture fixture;
    fixture_leaf_spine(&fixture, 2, 2, 2, 1);
    const struct job_pair pair = {.src_rank = 0, .dst_rank = 2};
    fixture_pairs(&fixture, &pair, 1, 1000);
    struct plan before = plan_of(&fixture, 0), after = plan_of(&fixture, 0);
    assert_int_equal(after.part_count, 2); // ethereal splits it
    struct plan_churn churn = {0};
    after.parts[0].bytes -= 100;
    after.parts[1].bytes += 100;
    plan_churn(&before, &after, &churn);
    assert_int_equal(churn.moved_bytes, 100);
    assert_int_equal(churn.moved_flows, 1);
    after.parts[1].path = after.parts[0].path; // both on one path: all of the other's
    churn = (struct plan_churn){0};
    plan_churn(&before, &after, &churn);
    assert_int_equal(churn.moved_bytes, 500);
    assert_int_equal(churn.bytes, 1000);
    plan_fini(&before);
    plan_fini(&after);
    fixture_close(&fixture);
}

static void a_dead_link_moves_what_it_carried_and_little_more(void **state) {
    (void)state;
    struct path_fixture fixture;
    uint64_t least;
    fixture_leaf_spine(&fixture, 8, 8, 16, 1);
    fixture_collective(&fixture, COLLECTIVE_ALLTOALL, 64 << 20, 0);
    fixture.input.algorithm = "shared";
    struct plan_churn churn = churn_of(&fixture, "leaf0>spine0", &least);
    // A leaf sends 16 x 112 flows of half a MiB, an eighth of them over each uplink.
    assert_int_equal(least, (uint64_t)16 * 112 / 8 << 19);
    assert_true(churn.moved_bytes >= least);
    assert_true(churn.moved_bytes <= 3 * least);
    fixture_close(&fixture);
}

static void new_flows_have_not_moved(void **state) {
    (void)state;
    struct path_fixture fixture;
    fixture_leaf_spine(&fixture, 2, 2, 2, 1);
    const struct job_pair pair = {.src_rank = 0, .dst_rank = 2};
    struct plan before = plan_of(&fixture, 0);
    fixture_pairs(&fixture, &pair, 1, 1000);
    struct plan after = plan_of(&fixture, 0);
    struct plan_churn churn = {0};
    plan_churn(&before, &after, &churn);
    plan_churn(&after, &before, &churn);
    assert_int_equal(churn.flows, 0);
    assert_int_equal(churn.moved_bytes, 0);
    plan_fini(&before);
    plan_fini(&after);
    fixture_close(&fixture);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_equal_plan_moves_nothing),
        cmocka_unit_test(bytes_move_when_their_path_has_less_of_them),
        cmocka_unit_test(a_dead_link_moves_what_it_carried_and_little_more),
        cmocka_unit_test(new_flows_have_not_moved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
