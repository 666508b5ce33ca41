// SPDX-License-Identifier: Apache-2.0
// Cases whose optimum is known. Built several times, at -O0, -O2 and -O3, because the golden digest
// must not depend on how it was compiled.
#include "cmocka_all.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fabric_fixture.h"
#include "model/rng.h"
#include "waterfill.h"

#define BYTES 1e9
#define LINK_BPS 400e9

struct bed {
    struct fabric *fabric;
    struct grid *grid;
    uint64_t *rates;
    struct leaf_demand demand;
    struct waterfill *water;
    struct waterfill_result result;
};

// Every leaf sends BYTES to every other, unless the test says something else.
static struct bed bed_open(struct fabric *fabric) {
    struct bed bed = {.fabric = fabric};
    assert_int_equal(grid_open(fabric, &bed.grid), 0);
    uint32_t links = fabric_link_count(fabric), leaves = bed.grid->leaf_count;
    bed.rates = calloc(links, sizeof *bed.rates);
    bed.demand.kind = calloc(leaves, sizeof *bed.demand.kind);
    bed.demand.bytes = calloc((size_t)leaves * leaves, sizeof *bed.demand.bytes);
    assert_true(bed.rates != NULL && bed.demand.kind != NULL && bed.demand.bytes != NULL);
    for (uint32_t i = 0; i < links; i++) {
        bed.rates[i] = fabric_link_rate_bps(fabric, (link_id){i});
    }
    bed.demand.kind_count = 1;
    bed.demand.bytes[0] = BYTES;
    return bed;
}

static void bed_close(struct bed *bed) {
    waterfill_close(bed->water);
    free(bed->rates);
    free(bed->demand.kind);
    free(bed->demand.bytes);
    grid_close(bed->grid);
    fabric_close(bed->fabric);
}

// Each leaf is a kind of its own and sends `bytes` to every other.
static void every_leaf_its_own_kind(struct bed *bed, double bytes) {
    uint32_t leaves = bed->grid->leaf_count;
    bed->demand.kind_count = leaves;
    for (uint32_t i = 0; i < leaves; i++) {
        bed->demand.kind[i] = i;
        for (uint32_t j = 0; j < leaves; j++) {
            bed->demand.bytes[i * leaves + j] = bytes;
        }
    }
}

static void limit(struct bed *bed, const char *name, double share) {
    link_id link;
    assert_true(fabric_find_link(bed->fabric, name, &link));
    bed->rates[link.i] = (uint64_t)((double)bed->rates[link.i] * share);
}

static void fill(struct bed *bed) {
    waterfill_close(bed->water);
    bed->water = NULL;
    assert_int_equal(waterfill_open(bed->grid, bed->rates, &bed->demand, &bed->water, &bed->result),
                     0);
}

static double share_of(const struct bed *bed, uint32_t src, uint32_t dst, uint32_t column) {
    uint32_t shares[64];
    assert_true(waterfill_shares(bed->water, src, dst, shares));
    return (double)shares[column] / SHARE_ONE;
}

static void assert_close(double value, double wanted, double tolerance) {
    if (!(fabs(value - wanted) <= tolerance * fabs(wanted))) {
        fail_msg("%.9g is not %.9g", value, wanted);
    }
}

// Optimal, up to what the rounds are allowed to leave.
static void assert_reached(const struct bed *bed, double optimum_s) {
    assert_true(bed->result.goal_s <= optimum_s * (1 + 1e-9));
    assert_true(bed->result.reached_s >= optimum_s * (1 - 1e-9));
    assert_true(bed->result.reached_s <= optimum_s * 1.001);
}

static const double healthy_s = 7 * BYTES * 8 / (8 * LINK_BPS); // of 8 x 8

static void equal_links_are_shared_equally_without_a_round(void **state) {
    (void)state;
    struct bed bed = bed_open(fixture_leaf_spine(8, 8, 1, 1, 1));
    fill(&bed);
    assert_int_equal(bed.result.kind_count, 1);
    assert_int_equal(bed.result.rounds, 0);
    assert_close(bed.result.goal_s, healthy_s, 1e-12);
    assert_close(bed.result.reached_s, healthy_s, 1e-12);
    uint32_t shares[8];
    assert_true(waterfill_shares(bed.water, 2, 5, shares));
    for (uint32_t i = 0; i < 8; i++) {
        assert_int_equal(shares[i], SHARE_ONE / 8);
    }
    bed_close(&bed);
}

static void a_half_link_costs_a_fifteenth(void **state) {
    (void)state;
    const char *const directions[2][2] = {{"leaf0>spine0", "spine0>leaf0"},
                                          {"spine0>leaf0", "leaf0>spine0"}};
    for (unsigned i = 0; i < 2; i++) {
        struct bed bed = bed_open(fixture_leaf_spine(8, 8, 1, 1, 1));
        limit(&bed, directions[i][0], 0.5);
        fill(&bed);
        assert_close(bed.result.goal_s, healthy_s * 16 / 15, 1e-12);
        assert_reached(&bed, healthy_s * 16 / 15);
        assert_int_equal(bed.result.kind_count, 2);
        limit(&bed, directions[i][1], 0.5); // both
        fill(&bed);
        assert_close(bed.result.goal_s, healthy_s * 16 / 15, 1e-12);
        assert_reached(&bed, healthy_s * 16 / 15);
        assert_close(share_of(&bed, 0, 3, 0), 1.0 / 15, 0.01);
        assert_close(share_of(&bed, 3, 0, 0), 1.0 / 15, 0.01);
        bed_close(&bed);
    }
}

static void a_dead_link_carries_nothing(void **state) {
    (void)state;
    struct bed bed = bed_open(fixture_leaf_spine(8, 8, 1, 1, 1));
    limit(&bed, "leaf2>spine5", 0);
    fill(&bed);
    assert_reached(&bed, healthy_s * 8 / 7);
    for (uint32_t leaf = 0; leaf < 8; leaf++) {
        if (leaf != 2) {
            assert_true(share_of(&bed, 2, leaf, 5) == 0);
            assert_true(share_of(&bed, leaf, 2, 5) > 0.1);
        }
    }
    bed_close(&bed);
}

static void what_is_cut_off_is_left_out(void **state) {
    (void)state;
    struct bed bed = bed_open(fixture_leaf_spine(3, 2, 1, 1, 1));
    limit(&bed, "leaf0>spine0", 0);
    limit(&bed, "leaf0>spine1", 0);
    fill(&bed);
    uint32_t shares[2] = {7, 7};
    assert_false(waterfill_shares(bed.water, 0, 1, shares));
    assert_int_equal(shares[0] + shares[1], 0);
    assert_true(waterfill_shares(bed.water, 1, 0, shares));
    assert_reached(&bed, 2 * BYTES * 8 / (2 * LINK_BPS)); // leaves 1 and 2 still send to two
    double *loads = calloc(fabric_link_count(bed.fabric), sizeof *loads);
    assert_non_null(loads);
    waterfill_add_loads(bed.water, loads);
    double sum = 0;
    for (uint32_t i = 0; i < fabric_link_count(bed.fabric); i++) {
        sum += loads[i];
    }
    assert_close(sum, 4 * 2 * BYTES, 1e-9);
    free(loads);
    bed_close(&bed);
}

static void without_demand_there_is_nothing_to_reach(void **state) {
    (void)state;
    struct bed bed = bed_open(fixture_leaf_spine(4, 2, 1, 1, 1));
    bed.demand.bytes[0] = 0;
    limit(&bed, "leaf0>spine0", 0.5);
    fill(&bed);
    assert_true(bed.result.goal_s == 0 && bed.result.reached_s == 0);
    assert_close(share_of(&bed, 0, 1, 1), 2.0 / 3, 1e-6); // by what the links can carry
    bed_close(&bed);
}

// Leaf 0 sends to leaf 1 alone, over two spines, each half as fast on one side: each cut has 1.5
// links, the paths together one.
static void a_goal_out_of_reach_is_raised_to_the_optimum(void **state) {
    (void)state;
    struct bed bed = bed_open(fixture_leaf_spine(3, 2, 1, 1, 1));
    every_leaf_its_own_kind(&bed, 0);
    bed.demand.bytes[0 * 3 + 1] = BYTES;
    limit(&bed, "leaf0>spine0", 0.5);
    limit(&bed, "spine1>leaf1", 0.5);
    fill(&bed);
    const double optimum_s = BYTES * 8 / LINK_BPS;
    assert_reached(&bed, optimum_s);
    assert_true(bed.result.goal_s >= optimum_s * 0.999);
    assert_close(share_of(&bed, 0, 1, 0), 0.5, 0.002);
    bed_close(&bed);
}

// ---- more tiers, planes, cables

static void three_tiers_balance_near_and_far(void **state) {
    (void)state;
    struct bed bed = bed_open(fixture_three_tier(2, 2, 2, 2, 1, 1));
    fill(&bed);
    // A pod sends 2 x 2 demands over two core links; a leaf three demands over two.
    const double pod_s = 4 * BYTES * 8 / (2 * LINK_BPS);
    assert_int_equal(bed.result.rounds, 0);
    assert_close(bed.result.goal_s, pod_s, 1e-12);
    assert_close(bed.result.reached_s, pod_s, 1e-12);
    limit(&bed, "agg0>core0", 0.5);
    fill(&bed);
    assert_reached(&bed, pod_s * 4 / 3);
    assert_close(share_of(&bed, 0, 2, 0), 1.0 / 3, 0.01);
    limit(&bed, "agg0>core0", 0);
    fill(&bed);
    assert_reached(&bed, pod_s * 2);
    assert_true(share_of(&bed, 1, 3, 0) == 0);
    // Near traffic makes way for far traffic, which has one agg left.
    assert_true(share_of(&bed, 0, 1, 0) > 0.4);
    bed_close(&bed);
}

static void planes_are_filled_apart(void **state) {
    (void)state;
    struct fabric_clos_desc clos = {.kind = "dual-plane",
                                    .leaves = 4,
                                    .spines = 4,
                                    .hosts_per_leaf = 1,
                                    .host_bps = 100000000000,
                                    .fabric_bps = 400000000000};
    struct bed bed = bed_open(fixture_clos(&clos));
    limit(&bed, "leaf5>spine4", 0.5); // the first spine of plane 1
    fill(&bed);
    assert_int_equal(bed.result.kind_count, 3);
    assert_reached(&bed, 3 * BYTES * 8 / (3.5 * LINK_BPS));
    assert_close(share_of(&bed, 0, 1, 0), 0.25, 1e-6);
    assert_close(share_of(&bed, 5, 6, 0), 1.0 / 7, 0.01);
    uint32_t shares[4];
    assert_false(waterfill_shares(bed.water, 0, 4, shares));
    bed_close(&bed);
}

static void parallel_cables_fill_apart(void **state) {
    (void)state;
    struct bed bed = bed_open(fixture_leaf_spine(4, 2, 1, 2, 1));
    limit(&bed, "leaf1>spine0.1", 0);
    fill(&bed);
    assert_reached(&bed, 3 * BYTES * 8 / (3 * LINK_BPS));
    assert_true(share_of(&bed, 1, 2, 1) == 0);
    bed_close(&bed);
}

// Leaf b has one cable to the spine where a and c have two: its columns share it, and it is the
// cut.
static void columns_that_share_a_cable_are_not_counted_twice(void **state) {
    (void)state;
    const struct fabric_node_desc nodes[] = {
        {.name = "h0", .kind = NODE_HOST}, {.name = "h1", .kind = NODE_HOST},
        {.name = "h2", .kind = NODE_HOST}, {.name = "a", .kind = NODE_LEAF},
        {.name = "b", .kind = NODE_LEAF},  {.name = "c", .kind = NODE_LEAF},
        {.name = "s", .kind = NODE_SPINE},
    };
    const uint64_t rate = (uint64_t)LINK_BPS;
    const struct fabric_link_desc links[] = {
        {.a = "h0", .b = "a", .cables = 1, .rate_bps = rate},
        {.a = "h1", .b = "b", .cables = 1, .rate_bps = rate},
        {.a = "h2", .b = "c", .cables = 1, .rate_bps = rate},
        {.a = "a", .b = "s", .cables = 2, .rate_bps = rate},
        {.a = "b", .b = "s", .cables = 1, .rate_bps = rate},
        {.a = "c", .b = "s", .cables = 2, .rate_bps = rate},
    };
    struct fabric_desc desc = {.source = "fixture",
                               .version = 1,
                               .generation = 1,
                               .name = "explicit",
                               .block = "fcbb:bb00::/32",
                               .nodes = nodes,
                               .node_count = 7,
                               .links = links,
                               .link_count = 6};
    struct fabric *fabric = fabric_open(&desc, complain_aloud, NULL);
    assert_non_null(fabric);
    struct bed bed = bed_open(fabric);
    fill(&bed);
    assert_int_equal(bed.result.kind_count, 3);
    assert_reached(&bed, 2 * BYTES * 8 / LINK_BPS);
    bed_close(&bed);
}

// ---- kinds

static void break_some(struct bed *bed, uint64_t seed) {
    struct rng rng;
    rng_init(&rng, seed);
    uint32_t links = fabric_link_count(bed->fabric);
    for (uint32_t i = 0; i < links; i++) {
        if (fabric_link_is_internal(bed->fabric, (link_id){i}) && rng_below(&rng, 20) == 0) {
            bed->rates[i] = rng_below(&rng, 2) == 0 ? 0 : bed->rates[i] / 2;
        }
    }
}

static void kinds_of_leaves_change_nothing(void **state) {
    (void)state;
    struct bed some = bed_open(fixture_leaf_spine(24, 6, 1, 1, 1));
    struct bed all = bed_open(fixture_leaf_spine(24, 6, 1, 1, 1));
    break_some(&some, 1);
    break_some(&all, 1);
    every_leaf_its_own_kind(&all, BYTES);
    fill(&some);
    fill(&all);
    assert_true(some.result.kind_count < 24);
    assert_int_equal(all.result.kind_count, 24);
    assert_int_equal(some.result.rounds, all.result.rounds);
    assert_close(some.result.reached_s, all.result.reached_s, 1e-9);
    for (uint32_t src = 0; src < 24; src++) {
        for (uint32_t dst = 0; dst < 24; dst++) {
            for (uint32_t column = 0; src != dst && column < 6; column++) {
                double a = share_of(&some, src, dst, column);
                assert_true(fabs(a - share_of(&all, src, dst, column)) < 1e-8);
            }
        }
    }
    bed_close(&some);
    bed_close(&all);
}

static void one_broken_link_leaves_few_kinds(void **state) {
    (void)state;
    struct bed bed = bed_open(fixture_leaf_spine(128, 16, 1, 1, 1));
    limit(&bed, "leaf77>spine3", 0);
    limit(&bed, "spine3>leaf77", 0);
    fill(&bed);
    assert_int_equal(bed.result.kind_count, 2);
    assert_reached(&bed, 127 * BYTES * 8 / (15 * LINK_BPS));
    bed_close(&bed);
}

// ---- the same bits everywhere

static uint64_t digest_add(const struct bed *bed, uint64_t digest) {
    for (uint32_t src = 0; src < bed->grid->leaf_count; src++) {
        for (uint32_t dst = 0; dst < bed->grid->leaf_count; dst++) {
            uint32_t shares[64] = {0};
            if (src != dst && waterfill_shares(bed->water, src, dst, shares)) {
                digest = hash_bytes(shares, sizeof shares, digest);
            }
        }
    }
    uint32_t links = fabric_link_count(bed->fabric);
    double *loads = calloc(links, sizeof *loads);
    assert_non_null(loads);
    waterfill_add_loads(bed->water, loads);
    digest = hash_bytes(loads, links * sizeof *loads, digest);
    free(loads);
    return hash_bytes(&bed->result.goal_s, sizeof bed->result.goal_s, digest);
}

static uint64_t digest_of_broken(struct fabric *fabric, uint64_t seed, bool sparse) {
    struct bed bed = bed_open(fabric);
    break_some(&bed, seed);
    if (sparse) {
        uint32_t leaves = bed.grid->leaf_count;
        every_leaf_its_own_kind(&bed, 0);
        for (uint32_t i = 0; i < leaves; i++) {
            bed.demand.bytes[i * leaves + (i + 1) % leaves] = BYTES;
            bed.demand.bytes[i * leaves + (i * 5 + 2) % leaves] += BYTES / (i + 1);
        }
    }
    fill(&bed);
    uint64_t digest = digest_add(&bed, bed.result.rounds);
    bed_close(&bed);
    return digest;
}

// A change of these values is a change of plans: agents of different builds would disagree. Raise
// PLAN_VERSION, then the values.
static void shares_are_the_same_bits_on_every_machine(void **state) {
    (void)state;
    const uint64_t digests[] = {
        digest_of_broken(fixture_leaf_spine(16, 8, 1, 1, 1), 7, false),
        digest_of_broken(fixture_leaf_spine(16, 9, 1, 1, 1), 12, true), // out of reach of the cut
        digest_of_broken(fixture_three_tier(3, 3, 2, 6, 1, 1), 7, false),
        digest_of_broken(fixture_three_tier(3, 3, 2, 6, 1, 1), 8, false),
    };
    const uint64_t golden[] = {
        UINT64_C(0xd0c1aaa293cae26),
        UINT64_C(0x20ea95b661409ede),
        UINT64_C(0x75a5cdf3d336c3f9),
        UINT64_C(0xd6b0f27de23f0656),
    };
    for (unsigned i = 0; i < 4; i++) {
        if (digests[i] != golden[i]) {
            fail_msg("digest %u: 0x%" PRIx64, i, digests[i]);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_links_are_shared_equally_without_a_round),
        cmocka_unit_test(a_half_link_costs_a_fifteenth),
        cmocka_unit_test(a_dead_link_carries_nothing),
        cmocka_unit_test(what_is_cut_off_is_left_out),
        cmocka_unit_test(without_demand_there_is_nothing_to_reach),
        cmocka_unit_test(a_goal_out_of_reach_is_raised_to_the_optimum),
        cmocka_unit_test(three_tiers_balance_near_and_far),
        cmocka_unit_test(planes_are_filled_apart),
        cmocka_unit_test(parallel_cables_fill_apart),
        cmocka_unit_test(columns_that_share_a_cable_are_not_counted_twice),
        cmocka_unit_test(kinds_of_leaves_change_nothing),
        cmocka_unit_test(one_broken_link_leaves_few_kinds),
        cmocka_unit_test(shares_are_the_same_bits_on_every_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
