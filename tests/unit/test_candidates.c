// SPDX-License-Identifier: Apache-2.0
#include "cmocka_all.h"

#include <stdio.h>

#include "path_fixture.h"

static uint32_t find(const struct path_fixture *fixture, const char *src, const char *dst,
                     struct path *paths, uint32_t max) {
    return candidates_find(fixture->fabric, fixture->beliefs, fixture_port(fixture, src),
                           fixture_port(fixture, dst), paths, max);
}

static void one_path_over_each_spine_in_their_order(void **state) {
    (void)state;
    struct path_fixture fixture;
    fixture_leaf_spine(&fixture, 4, 4, 2, 1);
    struct path paths[4];
    assert_int_equal(find(&fixture, "h0", "h7", paths, 4), 4);
    for (unsigned i = 0; i < 4; i++) {
        char up[32], down[32];
        snprintf(up, sizeof up, "leaf0>spine%u", i);
        snprintf(down, sizeof down, "spine%u>leaf3", i);
        assert_int_equal(paths[i].link_count, 4);
        assert_int_equal(paths[i].links[0].i, fixture_link(&fixture, "h0>leaf0").i);
        assert_int_equal(paths[i].links[1].i, fixture_link(&fixture, up).i);
        assert_int_equal(paths[i].links[2].i, fixture_link(&fixture, down).i);
        assert_int_equal(paths[i].links[3].i, fixture_link(&fixture, "leaf3>h7").i);
    }
    fixture_close(&fixture);
}

static void within_a_leaf_there_is_the_one_path(void **state) {
    (void)state;
    struct path_fixture fixture;
    fixture_leaf_spine(&fixture, 4, 4, 2, 1);
    struct path path;
    assert_int_equal(find(&fixture, "h0", "h1", &path, 1), 1);
    assert_int_equal(path.link_count, 2);
    assert_int_equal(path.links[1].i, fixture_link(&fixture, "leaf0>h1").i);
    fixture_close(&fixture);
}

static void parallel_cables_multiply(void **state) {
    (void)state;
    struct path_fixture fixture;
    fixture_leaf_spine(&fixture, 2, 2, 2, 3);
    struct path paths[18];
    assert_int_equal(find(&fixture, "h0", "h2", paths, 18), 2 * 3 * 3);
    for (unsigned i = 0; i < 18; i++) {
        for (unsigned j = i + 1; j < 18; j++) {
            assert_false(path_equal(&paths[i], &paths[j]));
        }
    }
    fixture_close(&fixture);
}

static void dead_links_are_left_out_by_direction(void **state) {
    (void)state;
    struct path_fixture fixture;
    fixture_leaf_spine(&fixture, 4, 4, 2, 1);
    fixture_cut(&fixture, "leaf0>spine1");
    fixture_cut(&fixture, "spine2>leaf3");
    assert_int_equal(find(&fixture, "h0", "h7", NULL, 0), 2);
    assert_int_equal(find(&fixture, "h7", "h0", NULL, 0), 4);
    assert_int_equal(find(&fixture, "h0", "h2", NULL, 0), 3);
    fixture_close(&fixture);
}

static void a_dead_host_link_makes_a_port_unreachable(void **state) {
    (void)state;
    struct path_fixture fixture;
    fixture_leaf_spine(&fixture, 4, 4, 2, 1);
    fixture_cut(&fixture, "leaf3>h7");
    assert_int_equal(find(&fixture, "h0", "h7", NULL, 0), 0);
    assert_int_equal(find(&fixture, "h6", "h7", NULL, 0), 0);
    assert_int_equal(find(&fixture, "h7", "h0", NULL, 0), 4);
    fixture_cut(&fixture, "h7>leaf3");
    assert_int_equal(find(&fixture, "h7", "h0", NULL, 0), 0);
    fixture_close(&fixture);
}

static void pods_are_joined_over_every_core_and_inside_over_every_agg(void **state) {
    (void)state;
    struct path_fixture fixture;
    fixture_three_tier(&fixture, 3, 2, 2, 8, 2); // 4 hosts a pod
    struct path paths[8];
    assert_int_equal(find(&fixture, "h0", "h2", paths, 8), 2);
    assert_int_equal(paths[0].link_count, 4);
    assert_int_equal(find(&fixture, "h0", "h11", paths, 8), 8);
    for (unsigned i = 0; i < 8; i++) {
        assert_int_equal(paths[i].link_count, 6);
        for (unsigned j = 0; j + 1 < 6; j++) {
            assert_int_equal(fabric_link_to(fixture.fabric, paths[i].links[j]).i,
                             fabric_link_from(fixture.fabric, paths[i].links[j + 1]).i);
        }
        assert_int_equal(paths[i].links[5].i, fixture_link(&fixture, "leaf5>h11").i);
    }
    fixture_close(&fixture);
}

static void a_small_buffer_gets_an_even_subset(void **state) {
    (void)state;
    struct path_fixture fixture;
    fixture_three_tier(&fixture, 2, 1, 4, 16, 1); // 4 cores above each agg
    struct path all[16], some[4];
    assert_int_equal(find(&fixture, "h0", "h1", all, 16), 16);
    assert_int_equal(find(&fixture, "h0", "h1", some, 4), 16);
    for (unsigned i = 0; i < 4; i++) {
        assert_true(path_equal(&some[i], &all[4 * i + 3])); // one over each agg
    }
    fixture_close(&fixture);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_path_over_each_spine_in_their_order),
        cmocka_unit_test(within_a_leaf_there_is_the_one_path),
        cmocka_unit_test(parallel_cables_multiply),
        cmocka_unit_test(dead_links_are_left_out_by_direction),
        cmocka_unit_test(a_dead_host_link_makes_a_port_unreachable),
        cmocka_unit_test(pods_are_joined_over_every_core_and_inside_over_every_agg),
        cmocka_unit_test(a_small_buffer_gets_an_even_subset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
