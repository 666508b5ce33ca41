// SPDX-License-Identifier: Apache-2.0
#include "cmocka_all.h"

#include <string.h>

#include "fabric_fixture.h"
#include "walk.h"

struct bench {
    struct fabric *fabric;
    struct walk_finder finder;
};

static struct bench open_bench(struct fabric *fabric) {
    struct bench bench = {.fabric = fabric};
    assert_int_equal(walk_finder_init(&bench.finder, fabric), 0);
    return bench;
}

static void close_bench(struct bench *bench) {
    walk_finder_fini(&bench->finder);
    fabric_close(bench->fabric);
}

static link_id link_named(const struct bench *bench, const char *name) {
    link_id link;
    assert_true(fabric_find_link(bench->fabric, name, &link));
    return link;
}

// "h0>leaf0 leaf0>spine1 ..."
static void assert_walk(const struct bench *bench, const struct walk *walk, const char *expected) {
    char text[1024] = "", name[LINK_NAME_SIZE];
    for (unsigned i = 0; i < walk->link_count; i++) {
        fabric_format_link(bench->fabric, walk->links[i], name);
        strcat(text, i > 0 ? " " : "");
        strcat(text, name);
    }
    assert_string_equal(text, expected);
}

static bool contains(const struct walk *walk, link_id link) {
    for (unsigned i = 0; i < walk->link_count; i++) {
        if (walk->links[i].i == link.i) {
            return true;
        }
    }
    return false;
}

static void a_near_ping_goes_over_the_cable_and_back(void **state) {
    (void)state;
    struct bench bench = open_bench(fixture_leaf_spine(2, 2, 1, 1, 1));
    struct walk_request request = {.port = {0},
                                   .through = link_named(&bench, "leaf0>spine1"),
                                   .both = true};
    struct walk walk;
    assert_true(walk_find(&bench.finder, &request, &walk));
    assert_walk(&bench, &walk, "h0>leaf0 leaf0>spine1 spine1>leaf0 leaf0>h0");
    assert_true(walk_find_prefix(&bench.finder, &request, &walk));
    assert_walk(&bench, &walk, "h0>leaf0 leaf0>h0");
    close_bench(&bench);
}

static void a_far_ping_reaches_the_cable_from_the_spine(void **state) {
    (void)state;
    struct bench bench = open_bench(fixture_leaf_spine(2, 2, 1, 1, 1));
    struct walk_request request = {.port = {0},
                                   .through = link_named(&bench, "leaf1>spine1"),
                                   .both = true};
    struct walk walk;
    assert_true(walk_find(&bench.finder, &request, &walk));
    assert_walk(&bench, &walk,
                "h0>leaf0 leaf0>spine1 spine1>leaf1 leaf1>spine1 spine1>leaf0 leaf0>h0");
    assert_true(walk_find_prefix(&bench.finder, &request, &walk));
    assert_walk(&bench, &walk, "h0>leaf0 leaf0>spine1 spine1>leaf0 leaf0>h0");
    close_bench(&bench);
}

static void a_one_way_loop_never_uses_the_other_direction(void **state) {
    (void)state;
    struct bench bench = open_bench(fixture_leaf_spine(3, 3, 1, 1, 1));
    for (uint32_t i = 0; i < fabric_link_count(bench.fabric); i++) {
        link_id link = {i};
        if (!fabric_link_is_internal(bench.fabric, link)) {
            continue;
        }
        struct walk_request request = {.port = {0}, .through = link, .salt = i};
        struct walk walk;
        assert_true(walk_find(&bench.finder, &request, &walk));
        assert_true(contains(&walk, link));
        assert_false(contains(&walk, link_opposite(link)));
        struct sid_list sids;
        assert_int_equal(fabric_walk_sids(bench.fabric, walk.links, walk.link_count, &sids), 0);
    }
    close_bench(&bench);
}

static void links_to_avoid_are_avoided_where_another_way_exists(void **state) {
    (void)state;
    struct bench bench = open_bench(fixture_leaf_spine(3, 3, 1, 1, 1));
    bool avoid[256] = {false};
    link_id bad = link_named(&bench, "leaf0>spine0");
    avoid[bad.i] = true;
    for (uint64_t salt = 0; salt < 32; salt++) {
        struct walk_request request = {.port = {0},
                                       .through = link_named(&bench, "spine1>leaf1"),
                                       .avoid = avoid,
                                       .salt = salt};
        struct walk walk;
        assert_true(walk_find(&bench.finder, &request, &walk));
        assert_false(contains(&walk, bad));
    }
    close_bench(&bench);
}

static void there_is_no_one_way_loop_over_the_only_cable(void **state) {
    (void)state;
    struct bench bench = open_bench(fixture_leaf_spine(2, 1, 1, 1, 1));
    struct walk_request request = {.port = {0}, .through = link_named(&bench, "leaf0>spine0")};
    struct walk walk;
    assert_false(walk_find(&bench.finder, &request, &walk));
    request.both = true;
    assert_true(walk_find(&bench.finder, &request, &walk));
    close_bench(&bench);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_near_ping_goes_over_the_cable_and_back),
        cmocka_unit_test(a_far_ping_reaches_the_cable_from_the_spine),
        cmocka_unit_test(a_one_way_loop_never_uses_the_other_direction),
        cmocka_unit_test(links_to_avoid_are_avoided_where_another_way_exists),
        cmocka_unit_test(there_is_no_one_way_loop_over_the_only_cable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
