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
        cmocka_unit_test(places_nothing_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
