// SPDX-License-Identifier: Apache-2.0
#include "cmocka_all.h"

#include "path_fixture.h"

static struct path path_over(const struct path_fixture *fixture, const char *const links[4]) {
    struct path path = {.link_count = 4};
    for (unsigned i = 0; i < 4; i++) {
        path.links[i] = fixture_link(fixture, links[i]);
    }
    return path;
}

static const char *const over_spine0[] = {"h0>leaf0", "leaf0>spine0", "spine0>leaf1", "leaf1>h2"};
static const char *const over_spine1[] = {"h0>leaf0", "leaf0>spine1", "spine1>leaf1", "leaf1>h2"};
static const char *const back[] = {"h2>leaf1", "leaf1>spine0", "spine0>leaf0", "leaf0>h0"};

static void paths_are_equal_link_by_link(void **state) {
    (void)state;
    struct path_fixture fixture;
    fixture_leaf_spine(&fixture, 2, 2, 2, 1);
    struct path a = path_over(&fixture, over_spine0);
    struct path b = path_over(&fixture, over_spine0);
    assert_true(path_equal(&a, &b));
    b.links[3] = fixture_link(&fixture, "leaf1>h3");
    assert_false(path_equal(&a, &b));
    b = a;
    b.link_count = 3;
    assert_false(path_equal(&a, &b));
    fixture_close(&fixture);
}

static void a_path_is_live_until_one_of_its_links_is_down(void **state) {
    (void)state;
    struct path_fixture fixture;
    fixture_leaf_spine(&fixture, 2, 2, 2, 1);
    struct path path = path_over(&fixture, over_spine0);
    assert_true(path_is_live(fixture.fabric, NULL, &path));
    assert_true(path_is_live(fixture.fabric, fixture.beliefs, &path));
    fixture_cut(&fixture, "leaf1>spine0"); // the other direction of a link of the path
    assert_true(path_is_live(fixture.fabric, fixture.beliefs, &path));
    fixture_cut(&fixture, "spine0>leaf1");
    assert_false(path_is_live(fixture.fabric, fixture.beliefs, &path));
    assert_true(path_is_live(fixture.fabric, NULL, &path));
    fixture_close(&fixture);
}

static void a_drained_link_and_one_without_capacity_are_not_live(void **state) {
    (void)state;
    struct path_fixture fixture;
    fixture_leaf_spine(&fixture, 2, 2, 2, 1);
    struct path path = path_over(&fixture, over_spine0);
    link_id link = fixture_link(&fixture, "leaf0>spine0");
    fixture.beliefs[link.i].drained = true;
    assert_false(path_is_live(fixture.fabric, fixture.beliefs, &path));
    fixture.beliefs[link.i].drained = false;
    fixture_limit(&fixture, "leaf0>spine0", 1);
    assert_true(path_is_live(fixture.fabric, fixture.beliefs, &path));
    fixture_limit(&fixture, "leaf0>spine0", 0);
    assert_false(path_is_live(fixture.fabric, fixture.beliefs, &path));
    fixture_close(&fixture);
}

static void no_path_at_all_is_not_live(void **state) {
    (void)state;
    struct path_fixture fixture;
    fixture_leaf_spine(&fixture, 2, 2, 2, 1);
    assert_false(path_is_live(fixture.fabric, NULL, &(struct path){0}));
    fixture_close(&fixture);
}

static void paths_share_cables_between_switches_only(void **state) {
    (void)state;
    struct path_fixture fixture;
    fixture_leaf_spine(&fixture, 2, 2, 2, 1);
    struct path a = path_over(&fixture, over_spine0);
    struct path b = path_over(&fixture, over_spine1);
    struct path c = path_over(&fixture, back);
    assert_true(path_shares_cable(fixture.fabric, &a, &a));
    assert_false(path_shares_cable(fixture.fabric, &a, &b)); // both host cables are common
    assert_true(path_shares_cable(fixture.fabric, &a, &c));  // the other direction counts
    assert_false(path_shares_cable(fixture.fabric, &b, &c));
    fixture_close(&fixture);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_are_equal_link_by_link),
        cmocka_unit_test(a_path_is_live_until_one_of_its_links_is_down),
        cmocka_unit_test(a_drained_link_and_one_without_capacity_are_not_live),
        cmocka_unit_test(no_path_at_all_is_not_live),
        cmocka_unit_test(paths_share_cables_between_switches_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
