// SPDX-License-Identifier: Apache-2.0
#include "cmocka_all.h"

#include <stdlib.h>
#include <string.h>

#include "live.h"
#include "path_fixture.h"
#include "sparse.h"

#define MIB (UINT64_C(1) << 20)
#define FLOWS_MAX 1024

// A fabric, its rates, and flows; and what sparse_place makes of them.
struct bed {
    struct path_fixture fixture;
    struct grid *grid;
    uint64_t *nominal, *rate;
    struct sparse_flow flows[FLOWS_MAX];
    struct sparse_input input;
    struct sparse_placement placement;
};

static void bed_fill(struct bed *bed) {
    struct fabric *fabric = bed->fixture.fabric;
    assert_int_equal(grid_open(fabric, &bed->grid), 0);
    uint32_t links = fabric_link_count(fabric);
    bed->nominal = calloc(links, sizeof bed->nominal[0]);
    bed->rate = calloc(links, sizeof bed->rate[0]);
    assert_true(bed->nominal != NULL && bed->rate != NULL);
    for (uint32_t i = 0; i < links; i++) {
        bed->nominal[i] = bed->rate[i] = fabric_link_rate_bps(fabric, (link_id){i});
    }
    bed->input = (struct sparse_input){.grid = bed->grid,
                                       .nominal_bps = bed->nominal,
                                       .rate_bps = bed->rate,
                                       .flows = bed->flows,
                                       .parts_max = RULE_PATHS_MAX};
}

static struct bed *bed_open(uint32_t leaves, uint32_t spines, uint32_t hosts) {
    struct bed *bed = calloc(1, sizeof *bed);
    assert_non_null(bed);
    fixture_leaf_spine(&bed->fixture, leaves, spines, hosts, 1);
    bed_fill(bed);
    return bed;
}

static struct bed *bed_open_three_tier(void) {
    struct bed *bed = calloc(1, sizeof *bed);
    assert_non_null(bed);
    fixture_three_tier(&bed->fixture, 4, 4, 4, 16, 4);
    bed_fill(bed);
    return bed;
}

static void bed_close(struct bed *bed) {
    sparse_placement_fini(&bed->placement);
    free(bed->nominal);
    free(bed->rate);
    grid_close(bed->grid);
    fixture_close(&bed->fixture);
    free(bed);
}

static uint32_t leaf_index(const struct bed *bed, port_id port) {
    return bed->grid->leaf_index[bed->fixture.fabric->ports[port.i].leaf.i];
}

static void bed_flow(struct bed *bed, uint32_t src, uint32_t dst, uint64_t bytes) {
    assert_true(bed->input.flow_count < FLOWS_MAX);
    bed->flows[bed->input.flow_count++] = (struct sparse_flow){{src}, {dst}, bytes};
}

// Host i of leaf l sends to host i of another leaf, i + 1 leaves on and round: all leaves send and
// receive alike.
static void bed_shift(struct bed *bed, uint32_t leaves, uint32_t hosts) {
    for (uint32_t leaf = 0; leaf < leaves; leaf++) {
        for (uint32_t i = 0; i < hosts; i++) {
            uint32_t to = (leaf + 1 + i % (leaves - 1)) % leaves;
            bed_flow(bed, leaf * hosts + i, to * hosts + i, MIB);
        }
    }
}

static void bed_place(struct bed *bed) {
    sparse_placement_fini(&bed->placement);
    assert_int_equal(sparse_place(&bed->input, &bed->placement), 0);
}

// Bytes by link, after a look at the parts: every byte once, and none over a dead link.
static double *bed_loads(const struct bed *bed) {
    double *loads = calloc(fabric_link_count(bed->fixture.fabric), sizeof loads[0]);
    assert_non_null(loads);
    uint64_t *left = calloc(bed->input.flow_count + 1, sizeof left[0]);
    assert_non_null(left);
    for (uint32_t i = 0; i < bed->input.flow_count; i++) {
        left[i] = bed->flows[i].bytes;
    }
    for (uint32_t i = 0; i < bed->placement.part_count; i++) {
        const struct sparse_part *part = &bed->placement.parts[i];
        assert_true(i == 0 || part[-1].flow < part->flow ||
                    (part[-1].flow == part->flow && part[-1].column < part->column));
        const struct sparse_flow *flow = &bed->flows[part->flow];
        struct path path;
        grid_path(bed->grid, flow->src, flow->dst, part->column, &path);
        for (uint32_t j = 1; j + 1 < path.link_count; j++) {
            assert_true(bed->rate[path.links[j].i] > 0);
            loads[path.links[j].i] += (double)part->bytes;
        }
        left[part->flow] -= part->bytes;
    }
    for (uint32_t i = 0; i < bed->input.flow_count; i++) {
        assert_int_equal(left[i], 0);
    }
    free(left);
    return loads;
}

static double bed_ratio(const struct bed *bed) {
    double *loads = bed_loads(bed);
    double most = 0;
    for (uint32_t i = 0; i < fabric_link_count(bed->fixture.fabric); i++) {
        double drain_s = loads[i] > 0 ? loads[i] * 8 / (double)bed->rate[i] : 0;
        most = drain_s > most ? drain_s : most;
    }
    free(loads);
    return most / bed->placement.goal_s;
}

static uint32_t bed_split_flows(const struct bed *bed) {
    uint32_t count = 0;
    for (uint32_t i = 1; i < bed->placement.part_count; i++) {
        const struct sparse_part *part = &bed->placement.parts[i];
        count += part->flow == part[-1].flow && (i == 1 || part[-2].flow != part->flow);
    }
    return count;
}

// Flows with bytes elsewhere than where the baseline put them.
static uint32_t bed_moved_flows(const struct bed *bed) {
    bool moved[FLOWS_MAX] = {false};
    for (uint32_t i = 0; i < bed->placement.part_count; i++) {
        const struct sparse_part *part = &bed->placement.parts[i];
        moved[part->flow] =
            moved[part->flow] || part->column != bed->placement.base_column[part->flow];
    }
    uint32_t count = 0;
    for (uint32_t i = 0; i < bed->input.flow_count; i++) {
        count += moved[i];
    }
    return count;
}

static uint64_t bed_moved_bytes(const struct bed *bed) {
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < bed->placement.part_count; i++) {
        const struct sparse_part *part = &bed->placement.parts[i];
        bytes += part->column != bed->placement.base_column[part->flow] ? part->bytes : 0;
    }
    return bytes;
}

static void cut(struct bed *bed, const char *link) {
    bed->rate[fixture_link(&bed->fixture, link).i] = 0;
}

static void halve(struct bed *bed, const char *link) {
    bed->rate[fixture_link(&bed->fixture, link).i] /= 2;
}

static void needs_no_split_where_links_are_alike(void **state) {
    (void)state;
    struct bed *bed = bed_open(8, 8, 16);
    bed_shift(bed, 8, 16);
    bed_place(bed);
    assert_true(bed_ratio(bed) == 1);
    assert_int_equal(bed->placement.part_count, 128);
    bed_close(bed);
}

// facts: 16 flows on 15 uplinks that live; one is split 15 ways, the others stay.
static void splits_one_flow_of_a_leaf_that_lost_a_link(void **state) {
    (void)state;
    struct bed *bed = bed_open(17, 16, 16);
    bed_shift(bed, 17, 16);
    cut(bed, "leaf0>spine3");
    bed_place(bed);
    assert_true(bed_ratio(bed) <= 1.0011);
    assert_int_equal(bed_split_flows(bed), 1);
    assert_int_equal(bed_moved_flows(bed), 1);
    assert_int_equal(bed->placement.part_count, 17 * 16 - 1 + 15);
    bed_close(bed);
}

static void leaves_half_a_link_half_its_flows(void **state) {
    (void)state;
    struct bed *bed = bed_open(8, 8, 16);
    bed_shift(bed, 8, 16);
    halve(bed, "leaf0>spine0");
    bed_place(bed);
    assert_true(bed_ratio(bed) <= 1.0011);
    assert_int_equal(bed_moved_flows(bed), 1);
    bed_close(bed);
}

static void splits_nothing_where_one_part_is_all_that_is_allowed(void **state) {
    (void)state;
    struct bed *bed = bed_open(17, 16, 16);
    bed_shift(bed, 17, 16);
    cut(bed, "leaf0>spine3");
    bed->input.parts_max = 1;
    bed_place(bed);
    assert_int_equal(bed->placement.part_count, 17 * 16);
    assert_true(bed_ratio(bed) <= 1.876); // two flows where 16/15 would be the mean
    bed_close(bed);
}

static void places_nothing_where_no_column_lives(void **state) {
    (void)state;
    struct bed *bed = bed_open(2, 2, 2);
    bed_flow(bed, 0, 2, MIB);
    bed_flow(bed, 2, 0, MIB);
    cut(bed, "leaf0>spine0");
    cut(bed, "spine1>leaf1");
    bed_place(bed);
    assert_int_equal(bed->placement.part_count, 1);
    assert_int_equal(bed->placement.parts[0].flow, 1);
    assert_true(bed->placement.base_column[0] < 2);
    bed_close(bed);
}

static void gives_a_flow_of_no_bytes_a_path(void **state) {
    (void)state;
    struct bed *bed = bed_open(2, 2, 2);
    bed_flow(bed, 0, 2, 0);
    cut(bed, "leaf0>spine0");
    bed_place(bed);
    assert_int_equal(bed->placement.part_count, 1);
    assert_int_equal(bed->placement.parts[0].column, 1);
    bed_close(bed);
}

static void places_the_same_with_a_baseline_that_was_kept(void **state) {
    (void)state;
    struct bed *bed = bed_open(8, 8, 16);
    bed_shift(bed, 8, 16);
    cut(bed, "spine2>leaf5");
    bed_place(bed);
    struct sparse_baseline *baseline;
    assert_int_equal(sparse_baseline_open(bed->grid, bed->flows, 128, &baseline), 0);
    bed->input.baseline = baseline;
    struct sparse_placement again;
    assert_int_equal(sparse_place(&bed->input, &again), 0);
    assert_int_equal(again.part_count, bed->placement.part_count);
    assert_memory_equal(again.parts, bed->placement.parts,
                        again.part_count * sizeof again.parts[0]);
    sparse_placement_fini(&again);
    sparse_baseline_close(baseline);
    bed_close(bed);
}

static void needs_no_split_in_three_tiers_either(void **state) {
    (void)state;
    struct bed *bed = bed_open_three_tier();
    bed_shift(bed, 16, 4);
    bed_place(bed);
    assert_true(bed_ratio(bed) <= 1.05);
    assert_int_equal(bed->placement.part_count, 64);
    bed_close(bed);
}

// A leaf sends five flows over four uplinks: 2 whole ones on one of them would be 1.6 of the cut.
static void splits_in_three_tiers_where_whole_flows_are_far_above_the_cut(void **state) {
    (void)state;
    struct bed *bed = bed_open_three_tier();
    for (uint32_t i = 0; i < 5; i++) {
        bed_flow(bed, i % 4, 16 + 4 * i, MIB);
    }
    bed_place(bed);
    assert_true(bed_ratio(bed) <= 1.0011);
    assert_int_equal(bed_split_flows(bed), 1);
    bed_close(bed);
}

static void moves_a_flow_whole_where_it_fits(void **state) {
    (void)state;
    struct bed *bed = bed_open(2, 4, 2);
    bed_flow(bed, 0, 2, MIB);
    bed_flow(bed, 1, 3, MIB);
    bed_place(bed);
    uint32_t column = bed->placement.base_column[0];
    bed->rate[grid_route(&bed->grid->near, 0, column)->links[0].i] = 0;
    bed_place(bed);
    assert_int_equal(bed->placement.part_count, 2);
    assert_int_equal(bed_moved_flows(bed), 1);
    assert_int_not_equal(bed->placement.parts[0].column, bed->placement.parts[1].column);
    bed_close(bed);
}

// Two links of one flow's path are half, and another flow is on each: one leaves, not two.
static void relieves_two_links_with_one_flow(void **state) {
    (void)state;
    struct bed *bed = bed_open(17, 8, 16);
    bed_shift(bed, 17, 16);
    bed_place(bed);
    uint32_t column = bed->placement.base_column[0];
    struct path path;
    grid_path(bed->grid, bed->flows[0].src, bed->flows[0].dst, column, &path);
    bed->rate[path.links[1].i] /= 2;
    bed->rate[path.links[2].i] /= 2;
    bed_place(bed);
    assert_true(bed_ratio(bed) <= 1.0011);
    assert_int_equal(bed_moved_flows(bed), 1);
    assert_true(bed->placement.parts[1].flow == 0); // it is the one that is split
    bed_close(bed);
}

// Leaf 0 lost the column of its flow to leaf 1, and leaf 1 another one. The flow needs all that is
// left of leaf 0's columns, but cannot use that one: other flows must.
static void lets_others_give_way_where_two_leaves_lost_different_links(void **state) {
    (void)state;
    struct bed *bed = bed_open(17, 16, 16);
    bed_shift(bed, 17, 16);
    bed_place(bed);
    uint32_t column = bed->placement.base_column[0];
    assert_true(leaf_index(bed, bed->flows[0].dst) == 1);
    const struct grid_space *near = &bed->grid->near;
    bed->rate[grid_route(near, 0, column)->links[0].i] = 0;
    bed->rate[link_opposite(grid_route(near, 1, (column + 1) % 16)->links[0]).i] = 0;
    bed_place(bed);
    assert_true(bed_ratio(bed) <= 1.0011);
    // Two flows lost their way. What leaf 1 has left, the lost column of leaf 0, is filled by
    // slices of one fifteenth of a flow each, because senders have no more room there.
    assert_true(bed_moved_bytes(bed) < 3 * MIB + MIB / 8);
    bed_close(bed);
}

static void evens_out_unequal_flows_without_splits(void **state) {
    (void)state;
    struct bed *bed = bed_open(2, 2, 8);
    static const uint64_t sizes[] = {7, 6, 5, 4, 4, 3, 2, 1}; // 16 and 16; coloured: 17 and 15
    for (uint32_t i = 0; i < 8; i++) {
        bed_flow(bed, i, 8 + i, sizes[i] * MIB);
    }
    bed_place(bed);
    assert_int_equal(bed->placement.part_count, 8);
    assert_true(bed_ratio(bed) == 1);
    bed_close(bed);
}

static void uses_what_is_left_of_parallel_cables(void **state) {
    (void)state;
    struct bed *bed = calloc(1, sizeof *bed);
    assert_non_null(bed);
    fixture_leaf_spine(&bed->fixture, 5, 2, 8, 4);
    bed_fill(bed);
    bed_shift(bed, 5, 8);
    cut(bed, "leaf0>spine1.2");
    bed_place(bed);
    assert_true(bed_ratio(bed) <= 1.0011);
    assert_int_equal(bed_split_flows(bed), 1);
    bed_close(bed);
}

static void leaves_room_for_what_occupies_a_link(void **state) {
    (void)state;
    struct bed *bed = bed_open(17, 16, 16);
    bed_shift(bed, 17, 16);
    double *occupied = calloc(fabric_link_count(bed->fixture.fabric), sizeof occupied[0]);
    assert_non_null(occupied);
    uint32_t link = fixture_link(&bed->fixture, "leaf0>spine3").i;
    occupied[link] = (double)MIB / 2;
    bed->input.occupied_bytes = occupied;
    bed_place(bed);
    double *loads = bed_loads(bed);
    // 16.5 flows on 16 links
    assert_true(loads[link] <= (16.5 / 16 * 1.0011 - 0.5) * (double)MIB);
    free(loads);
    free(occupied);
    bed_close(bed);
}

static void places_the_largest_flows_that_there_are(void **state) {
    (void)state;
    struct bed *bed = bed_open(3, 2, 4);
    for (uint32_t i = 0; i < 4; i++) {
        bed_flow(bed, i, 4 + i, UINT64_MAX - i);
    }
    halve(bed, "leaf0>spine0");
    bed_place(bed);
    free(bed_loads(bed));
    bed_close(bed);
}

static void places_nothing_at_all(void **state) {
    (void)state;
    struct bed *bed = bed_open(2, 2, 2);
    bed_place(bed);
    assert_int_equal(bed->placement.part_count, 0);
    assert_true(bed->placement.goal_s == 0);
    bed_close(bed);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(needs_no_split_where_links_are_alike),
        cmocka_unit_test(splits_one_flow_of_a_leaf_that_lost_a_link),
        cmocka_unit_test(leaves_half_a_link_half_its_flows),
        cmocka_unit_test(splits_nothing_where_one_part_is_all_that_is_allowed),
        cmocka_unit_test(places_nothing_where_no_column_lives),
        cmocka_unit_test(gives_a_flow_of_no_bytes_a_path),
        cmocka_unit_test(places_the_same_with_a_baseline_that_was_kept),
        cmocka_unit_test(needs_no_split_in_three_tiers_either),
        cmocka_unit_test(splits_in_three_tiers_where_whole_flows_are_far_above_the_cut),
        cmocka_unit_test(moves_a_flow_whole_where_it_fits),
        cmocka_unit_test(relieves_two_links_with_one_flow),
        cmocka_unit_test(lets_others_give_way_where_two_leaves_lost_different_links),
        cmocka_unit_test(evens_out_unequal_flows_without_splits),
        cmocka_unit_test(uses_what_is_left_of_parallel_cables),
        cmocka_unit_test(leaves_room_for_what_occupies_a_link),
        cmocka_unit_test(places_the_largest_flows_that_there_are),
        cmocka_unit_test(places_nothing_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
