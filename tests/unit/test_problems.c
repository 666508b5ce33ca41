// SPDX-License-Identifier: Apache-2.0
#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "path_fixture.h"

#define KEPT 8

struct heard {
    char texts[KEPT][ERROR_TEXT_SIZE];
    uint32_t count;
    char last[ERROR_TEXT_SIZE];
};

static void hear(void *context, const struct error *error) {
    struct heard *heard = context;
    if (heard->count < KEPT) {
        strcpy(heard->texts[heard->count], error->text);
    }
    strcpy(heard->last, error->text);
    heard->count++;
}

static struct heard problems_of(const struct plan_input *input, uint32_t host) {
    struct heard heard = {.count = 0};
    assert_int_equal(plan_problems(input, (node_id){host}, hear, &heard), 0);
    return heard;
}

static void open_lab(struct path_fixture *fixture) {
    fixture_leaf_spine(fixture, 4, 4, 2, 1);
    fixture_collective(fixture, COLLECTIVE_ALLTOALL, 8 << 20, 0);
    fixture->input.algorithm = "shared";
}

static void a_whole_fabric_has_none(void **state) {
    (void)state;
    struct path_fixture fixture;
    open_lab(&fixture);
    assert_int_equal(problems_of(&fixture.input, ID_NONE).count, 0);
    assert_int_equal(problems_of(&fixture.input, 3).count, 0);
    fixture_cut(&fixture, "leaf0>spine0"); // others are left
    assert_int_equal(problems_of(&fixture.input, ID_NONE).count, 0);
    fixture_close(&fixture);
}

static void weights_for_another_number_of_ranks_are_told(void **state) {
    (void)state;
    struct path_fixture fixture;
    fixture_leaf_spine(&fixture, 4, 4, 2, 1);
    fixture_collective(&fixture, COLLECTIVE_ALLTOALLV, 8 << 20, 0);
    struct collective *collective = &fixture.job.collectives[0];
    collective->weight_count = 3;
    collective->weights = calloc(collective->weight_count, sizeof collective->weights[0]);
    assert_non_null(collective->weights);
    collective->weights[0] = collective->weights[1] = collective->weights[2] = 1;
    fixture.input.algorithm = "shared";
    struct heard heard = problems_of(&fixture.input, ID_NONE);
    assert_int_equal(heard.count, 1);
    assert_string_equal(heard.texts[0], "job job: collective 0: weights for 3 ranks, fixture has 8 "
                                        "ports; ranks beyond are left out");
    fixture_close(&fixture);
}

static void a_dead_cable_of_a_host_is_one_sentence(void **state) {
    (void)state;
    struct path_fixture fixture;
    open_lab(&fixture);
    fixture_cut(&fixture, "leaf2>h5");
    fixture.beliefs[fixture_link(&fixture, "h6>leaf3").i].drained = true;
    struct heard all = problems_of(&fixture.input, ID_NONE);
    assert_int_equal(all.count, 2);
    assert_string_equal(all.texts[0], "h5 cannot be reached: leaf2>h5 is down");
    assert_string_equal(all.texts[1], "h6 cannot send: h6>leaf3 is drained");
    // h0 sends to both, and only one of them cannot hear it.
    struct heard own = problems_of(&fixture.input, 0);
    assert_int_equal(own.count, 1);
    assert_string_equal(own.texts[0], all.texts[0]);
    fixture_close(&fixture);
}

static void a_leaf_that_is_cut_off_is_named_and_its_pairs_are_not(void **state) {
    (void)state;
    struct path_fixture fixture;
    open_lab(&fixture);
    fixture_cut(&fixture, "leaf1>spine0");
    fixture_cut(&fixture, "leaf1>spine1");
    fixture_cut(&fixture, "leaf1>spine2");
    fixture_limit(&fixture, "leaf1>spine3", 0);
    struct heard all = problems_of(&fixture.input, ID_NONE);
    assert_int_equal(all.count, 1);
    assert_string_equal(all.texts[0], "leaf1 cannot send: no uplink of it is live");
    assert_int_equal(problems_of(&fixture.input, 0).count, 0); // h0 only sends
    assert_int_equal(problems_of(&fixture.input, 2).count, 1); // on leaf1
    fixture_close(&fixture);
}

static void leaves_that_nothing_joins_are_named_in_pairs(void **state) {
    (void)state;
    struct path_fixture fixture;
    open_lab(&fixture);
    for (unsigned spine = 0; spine < 4; spine++) {
        char link[32];
        snprintf(link, sizeof link, spine < 2 ? "leaf0>spine%u" : "spine%u>leaf3", spine);
        fixture_cut(&fixture, link);
    }
    struct heard all = problems_of(&fixture.input, ID_NONE);
    assert_int_equal(all.count, 1);
    assert_string_equal(all.texts[0], "no live path from leaf0 to leaf3");
    assert_int_equal(problems_of(&fixture.input, 0).count, 1);
    assert_int_equal(problems_of(&fixture.input, 2).count, 0);
    fixture_close(&fixture);
}

static void ranks_that_the_fabric_lacks_are_named(void **state) {
    (void)state;
    struct path_fixture fixture;
    open_lab(&fixture);
    char names[8][NAME_SIZE] = {"h0", "h1", "h2", "h99", "h4", "h5", "h6", "h7"};
    fixture.job.all_ranks = false;
    fixture.job.rank_count = 8;
    fixture.job.ranks = names;
    fixture.ranks[3].i = ID_NONE;
    struct heard all = problems_of(&fixture.input, ID_NONE);
    assert_int_equal(all.count, 1);
    assert_string_equal(all.texts[0], "job job: rank 3: no port h99 in fabric fixture");
    fixture.job.ranks = NULL;
    fixture.job.rank_count = 0;
    fixture_close(&fixture);
}

static void reservations_that_do_not_fit_are_named_and_the_rest_is_planned(void **state) {
    (void)state;
    struct path_fixture fixture;
    open_lab(&fixture);
    fixture.job.reserved_bps = 300 * GBPS;
    assert_int_equal(problems_of(&fixture.input, ID_NONE).count, 0);
    fixture.job.reserved_bps = 500 * GBPS; // more than a NIC has
    struct heard all = problems_of(&fixture.input, ID_NONE);
    assert_true(all.count > 0);
    assert_string_equal(all.texts[0], "job job: its reservation makes 500.0 Gbit/s on h0>leaf0, "
                                      "which has 400.0 (7 more links)");
    struct plan plan;
    plan_init(&plan);
    assert_int_equal(plan_host(&fixture.input, (node_id){0}, &plan, NULL), 0);
    assert_true(plan.flow_count > 0 && plan.flows[0].part_count > 0);
    plan_fini(&plan);
    fixture.job.reserved_bps = 300 * GBPS;
    fixture_cut(&fixture, "leaf0>spine1"); // two hosts send 3/4 x 2 x 300 over what is left
    fixture_cut(&fixture, "leaf0>spine2");
    fixture_limit(&fixture, "leaf0>spine3", 100000);
    all = problems_of(&fixture.input, ID_NONE);
    assert_int_equal(all.count, 1);
    assert_non_null(strstr(all.texts[0], "leaf0>spine"));
    fixture_close(&fixture);
}

static void reservations_of_other_algorithms_are_not_kept(void **state) {
    (void)state;
    struct path_fixture fixture;
    open_lab(&fixture);
    fixture.job.reserved_bps = 1;
    fixture.input.algorithm = "ecmp";
    struct heard all = problems_of(&fixture.input, ID_NONE);
    assert_int_equal(all.count, 1);
    assert_non_null(strstr(all.texts[0], "only algorithm shared"));
    fixture_close(&fixture);
}

static void many_are_cut_short_with_a_count(void **state) {
    (void)state;
    struct path_fixture fixture;
    fixture_leaf_spine(&fixture, 8, 8, 16, 1);
    fixture_collective(&fixture, COLLECTIVE_ALLTOALL, 64 << 20, 0);
    for (uint32_t i = 0; i < fixture.fabric->port_count; i++) {
        fixture.beliefs[2 * fixture.fabric->ports[i].cable.i].down = true;
    }
    struct heard all = problems_of(&fixture.input, ID_NONE);
    assert_int_equal(all.count, PLAN_PROBLEMS_MAX + 1);
    assert_string_equal(all.last, "and 28 problems more");
    fixture_close(&fixture);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_fabric_has_none),
        cmocka_unit_test(weights_for_another_number_of_ranks_are_told),
        cmocka_unit_test(a_dead_cable_of_a_host_is_one_sentence),
        cmocka_unit_test(a_leaf_that_is_cut_off_is_named_and_its_pairs_are_not),
        cmocka_unit_test(leaves_that_nothing_joins_are_named_in_pairs),
        cmocka_unit_test(ranks_that_the_fabric_lacks_are_named),
        cmocka_unit_test(reservations_that_do_not_fit_are_named_and_the_rest_is_planned),
        cmocka_unit_test(reservations_of_other_algorithms_are_not_kept),
        cmocka_unit_test(many_are_cut_short_with_a_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
