// SPDX-License-Identifier: Apache-2.0
#include "cmocka_all.h"

#include <stdlib.h>
#include <string.h>

#include "fabric_fixture.h"
#include "grid.h"
#include "pathalg/candidates.h"

struct bed {
    struct fabric *fabric;
    struct grid *grid;
};

static struct bed bed_open(struct fabric *fabric) {
    struct bed bed = {.fabric = fabric};
    assert_int_equal(grid_open(fabric, &bed.grid), 0);
    return bed;
}

static void bed_close(struct bed *bed) {
    grid_close(bed->grid);
    fabric_close(bed->fabric);
}

// "leaf0>spine1" or, with a second hop, "leaf0>agg0 agg0>core1"; "" where there is no way.
static const char *route_text(const struct bed *bed, const struct grid_space *space, uint32_t leaf,
                              uint32_t column) {
    static char text[2 * LINK_NAME_SIZE];
    const struct grid_route *route = grid_route(space, leaf, column);
    text[0] = '\0';
    for (uint32_t i = 0; i < route->link_count; i++) {
        char name[LINK_NAME_SIZE];
        fabric_format_link(bed->fabric, route->links[i], name);
        strcat(strcat(text, i > 0 ? " " : ""), name);
    }
    return text;
}

static void a_leaf_spine_fabric_has_a_column_for_each_spine(void **state) {
    (void)state;
    struct bed bed = bed_open(fixture_leaf_spine(3, 4, 1, 1, 1));
    assert_int_equal(bed.grid->leaf_count, 3);
    assert_int_equal(bed.grid->region_count, 1);
    assert_int_equal(bed.grid->near.column_count, 4);
    assert_int_equal(bed.grid->far.column_count, 0);
    assert_int_equal(bed.grid->column_max, 4);
    assert_false(bed.grid->repeats);
    assert_string_equal(route_text(&bed, &bed.grid->near, 2, 3), "leaf2>spine3");
    assert_int_equal(bed.grid->leaf_index[bed.grid->leaves[2].i], 2);
    assert_int_equal(bed.grid->leaf_index[0], ID_NONE);
    bed_close(&bed);
}

static void parallel_cables_are_columns_of_their_own(void **state) {
    (void)state;
    struct bed bed = bed_open(fixture_leaf_spine(2, 2, 1, 3, 1));
    assert_int_equal(bed.grid->near.column_count, 6);
    assert_string_equal(route_text(&bed, &bed.grid->near, 1, 5), "leaf1>spine1.2");
    bed_close(&bed);
}

static void pods_are_regions_and_cores_join_them(void **state) {
    (void)state;
    struct bed bed = bed_open(fixture_three_tier(3, 2, 2, 4, 1, 1));
    assert_int_equal(bed.grid->region_count, 3);
    assert_int_equal(bed.grid->regions[3], 1);
    assert_int_equal(bed.grid->near.column_count, 2);
    assert_int_equal(bed.grid->far.column_count, 4);
    assert_ptr_equal(grid_between(bed.grid, 2, 3), &bed.grid->near);
    assert_ptr_equal(grid_between(bed.grid, 1, 2), &bed.grid->far);
    assert_string_equal(route_text(&bed, &bed.grid->near, 3, 1), "leaf3>agg3");
    assert_string_equal(route_text(&bed, &bed.grid->far, 3, 2), "leaf3>agg3 agg3>core2");
    bed_close(&bed);
}

static void parallel_cables_of_two_hops_are_paired(void **state) {
    (void)state;
    struct bed bed = bed_open(fixture_three_tier(2, 1, 1, 1, 1, 2));
    assert_int_equal(bed.grid->far.column_count, 2);
    assert_string_equal(route_text(&bed, &bed.grid->far, 0, 1), "leaf0>agg0.1 agg0>core0.1");
    bed_close(&bed);
}

static void a_pod_alone_needs_no_cores(void **state) {
    (void)state;
    struct bed bed = bed_open(fixture_three_tier(1, 3, 2, 4, 1, 1));
    assert_int_equal(bed.grid->region_count, 1);
    assert_int_equal(bed.grid->far.column_count, 0);
    bed_close(&bed);
}

static void planes_are_regions_that_nothing_joins(void **state) {
    (void)state;
    struct fabric_clos_desc clos = {.kind = "dual-plane",
                                    .leaves = 3,
                                    .spines = 2,
                                    .hosts_per_leaf = 2,
                                    .host_bps = 100000000000,
                                    .fabric_bps = 400000000000};
    struct bed bed = bed_open(fixture_clos(&clos));
    assert_int_equal(bed.grid->leaf_count, 6);
    assert_int_equal(bed.grid->region_count, 2);
    assert_int_equal(bed.grid->regions[2], 0);
    assert_int_equal(bed.grid->regions[3], 1);
    assert_int_equal(bed.grid->near.column_count, 2);
    assert_int_equal(grid_between(bed.grid, 0, 3)->column_count, 0);
    assert_string_equal(route_text(&bed, &bed.grid->near, 4, 0), "leaf4>spine2");
    bed_close(&bed);
}

// ---- explicit fabrics

static struct fabric *explicit_fabric(const struct fabric_node_desc *nodes, uint32_t node_count,
                                      const struct fabric_link_desc *links, uint32_t link_count) {
    struct fabric_link_desc whole[32];
    assert_true(link_count <= 32);
    for (uint32_t i = 0; i < link_count; i++) {
        whole[i] = links[i];
        whole[i].rate_bps = 400000000000;
        whole[i].cables = links[i].cables > 0 ? links[i].cables : 1;
    }
    struct fabric_desc desc = {.source = "fixture",
                               .version = 1,
                               .generation = 1,
                               .name = "explicit",
                               .block = "fcbb:bb00::/32",
                               .nodes = nodes,
                               .node_count = node_count,
                               .links = whole,
                               .link_count = link_count};
    struct fabric *fabric = fabric_open(&desc, complain_aloud, NULL);
    assert_non_null(fabric);
    return fabric;
}

static void a_leaf_without_a_spine_has_an_empty_route(void **state) {
    (void)state;
    const struct fabric_node_desc nodes[] = {
        {.name = "h0", .kind = NODE_HOST},  {.name = "h1", .kind = NODE_HOST},
        {.name = "h2", .kind = NODE_HOST},  {.name = "a", .kind = NODE_LEAF},
        {.name = "b", .kind = NODE_LEAF},   {.name = "c", .kind = NODE_LEAF},
        {.name = "s0", .kind = NODE_SPINE}, {.name = "s1", .kind = NODE_SPINE},
    };
    const struct fabric_link_desc links[] = {
        {.a = "h0", .b = "a"}, {.a = "h1", .b = "b"}, {.a = "h2", .b = "c"}, {.a = "a", .b = "s0"},
        {.a = "a", .b = "s1"}, {.a = "b", .b = "s0"}, {.a = "b", .b = "s1"}, {.a = "c", .b = "s1"},
    };
    struct bed bed = bed_open(explicit_fabric(nodes, 8, links, 8));
    assert_int_equal(bed.grid->region_count, 1);
    assert_int_equal(bed.grid->near.column_count, 2);
    assert_string_equal(route_text(&bed, &bed.grid->near, 2, 0), "");
    assert_string_equal(route_text(&bed, &bed.grid->near, 2, 1), "c>s1");
    assert_false(bed.grid->repeats);
    bed_close(&bed);
}

static void a_leaf_with_fewer_cables_uses_its_own_again(void **state) {
    (void)state;
    const struct fabric_node_desc nodes[] = {
        {.name = "h0", .kind = NODE_HOST},  {.name = "h1", .kind = NODE_HOST},
        {.name = "a", .kind = NODE_LEAF},   {.name = "b", .kind = NODE_LEAF},
        {.name = "s0", .kind = NODE_SPINE}, {.name = "s1", .kind = NODE_SPINE},
    };
    const struct fabric_link_desc links[] = {
        {.a = "h0", .b = "a"},
        {.a = "h1", .b = "b"},
        {.a = "a", .b = "s0", .cables = 4},
        {.a = "b", .b = "s0", .cables = 2},
        {.a = "a", .b = "s1"},
        {.a = "b", .b = "s1"},
    };
    struct bed bed = bed_open(explicit_fabric(nodes, 6, links, 6));
    assert_int_equal(bed.grid->near.column_count, 5);
    assert_string_equal(route_text(&bed, &bed.grid->near, 1, 1), "b>s0.1");
    assert_string_equal(route_text(&bed, &bed.grid->near, 1, 2), "b>s0.0");
    assert_string_equal(route_text(&bed, &bed.grid->near, 1, 3), "b>s0.1");
    assert_string_equal(route_text(&bed, &bed.grid->near, 1, 4), "b>s1");
    assert_true(bed.grid->repeats);
    bed_close(&bed);
}

// Core c1 joins both aggs of pod 0, so a leaf there has two ways to it, in the order of aggs.
static void a_core_may_join_several_aggs_of_a_pod(void **state) {
    (void)state;
    const struct fabric_node_desc nodes[] = {
        {.name = "h0", .kind = NODE_HOST},          {.name = "h1", .kind = NODE_HOST},
        {.name = "a", .kind = NODE_LEAF, .pod = 0}, {.name = "b", .kind = NODE_LEAF, .pod = 1},
        {.name = "p0", .kind = NODE_AGG, .pod = 0}, {.name = "p1", .kind = NODE_AGG, .pod = 0},
        {.name = "q0", .kind = NODE_AGG, .pod = 1}, {.name = "c0", .kind = NODE_CORE},
        {.name = "c1", .kind = NODE_CORE},
    };
    const struct fabric_link_desc links[] = {
        {.a = "h0", .b = "a"},  {.a = "h1", .b = "b"},  {.a = "a", .b = "p0"},
        {.a = "a", .b = "p1"},  {.a = "b", .b = "q0"},  {.a = "p0", .b = "c0"},
        {.a = "p0", .b = "c1"}, {.a = "p1", .b = "c1"}, {.a = "q0", .b = "c0"},
        {.a = "q0", .b = "c1"},
    };
    struct bed bed = bed_open(explicit_fabric(nodes, 9, links, 10));
    assert_int_equal(bed.grid->region_count, 2);
    assert_int_equal(bed.grid->far.column_count, 3);
    assert_string_equal(route_text(&bed, &bed.grid->far, 0, 0), "a>p0 p0>c0");
    assert_string_equal(route_text(&bed, &bed.grid->far, 0, 1), "a>p0 p0>c1");
    assert_string_equal(route_text(&bed, &bed.grid->far, 0, 2), "a>p1 p1>c1");
    assert_string_equal(route_text(&bed, &bed.grid->far, 1, 1), "b>q0 q0>c1");
    assert_string_equal(route_text(&bed, &bed.grid->far, 1, 2), "b>q0 q0>c1");
    bed_close(&bed);
}

// ---- paths

// A column's path is one of the candidates, and columns of single cables are all of them.
static void check_paths(struct bed *bed, uint32_t src, uint32_t dst, bool all) {
    static struct path candidates[CANDIDATES_MAX];
    uint32_t found = candidates_find(bed->fabric, NULL, (port_id){src}, (port_id){dst}, candidates,
                                     CANDIDATES_MAX);
    uint32_t src_leaf = bed->grid->leaf_index[bed->fabric->ports[src].leaf.i];
    uint32_t dst_leaf = bed->grid->leaf_index[bed->fabric->ports[dst].leaf.i];
    uint32_t columns = grid_between(bed->grid, src_leaf, dst_leaf)->column_count;
    assert_true(columns > 0 && (!all || columns == found));
    for (uint32_t column = 0; column < columns; column++) {
        struct path path;
        grid_path(bed->grid, (port_id){src}, (port_id){dst}, column, &path);
        uint32_t same = 0;
        for (uint32_t i = 0; i < found; i++) {
            same += path_equal(&path, &candidates[i]);
        }
        assert_int_equal(same, 1);
    }
}

static void columns_are_candidate_paths(void **state) {
    (void)state;
    struct bed bed = bed_open(fixture_leaf_spine(3, 4, 2, 1, 1));
    check_paths(&bed, 0, 5, true);
    check_paths(&bed, 4, 1, true);
    bed_close(&bed);
    bed = bed_open(fixture_leaf_spine(3, 4, 2, 2, 1));
    check_paths(&bed, 0, 5, false);
    bed_close(&bed);
    bed = bed_open(fixture_three_tier(2, 2, 2, 6, 2, 1));
    check_paths(&bed, 0, 2, true);
    check_paths(&bed, 0, 7, true);
    bed_close(&bed);
    bed = bed_open(fixture_three_tier(2, 2, 2, 2, 1, 2));
    check_paths(&bed, 0, 3, false);
    bed_close(&bed);
}

static void a_column_lives_when_all_its_links_do_in_their_direction(void **state) {
    (void)state;
    struct bed bed = bed_open(fixture_three_tier(2, 2, 2, 2, 1, 1));
    uint32_t links = fabric_link_count(bed.fabric);
    uint64_t *rates = calloc(links, sizeof *rates);
    assert_non_null(rates);
    for (uint32_t i = 0; i < links; i++) {
        rates[i] = 1;
    }
    link_id link;
    assert_true(grid_column_lives(bed.grid, rates, 0, 3, 1));
    assert_true(fabric_find_link(bed.fabric, "core1>agg1", &link)); // up, for this pair, is unused
    rates[link.i] = 0;
    assert_true(grid_column_lives(bed.grid, rates, 0, 3, 1));
    assert_false(grid_column_lives(bed.grid, rates, 3, 0, 1));
    assert_true(grid_column_lives(bed.grid, rates, 3, 0, 0));
    assert_true(fabric_find_link(bed.fabric, "agg1>leaf0", &link));
    rates[link.i] = 0;
    assert_false(grid_column_lives(bed.grid, rates, 1, 0, 1));
    assert_true(grid_column_lives(bed.grid, rates, 0, 1, 1));
    free(rates);
    bed_close(&bed);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_leaf_spine_fabric_has_a_column_for_each_spine),
        cmocka_unit_test(parallel_cables_are_columns_of_their_own),
        cmocka_unit_test(pods_are_regions_and_cores_join_them),
        cmocka_unit_test(parallel_cables_of_two_hops_are_paired),
        cmocka_unit_test(a_pod_alone_needs_no_cores),
        cmocka_unit_test(planes_are_regions_that_nothing_joins),
        cmocka_unit_test(a_leaf_without_a_spine_has_an_empty_route),
        cmocka_unit_test(a_leaf_with_fewer_cables_uses_its_own_again),
        cmocka_unit_test(a_core_may_join_several_aggs_of_a_pod),
        cmocka_unit_test(columns_are_candidate_paths),
        cmocka_unit_test(a_column_lives_when_all_its_links_do_in_their_direction),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
