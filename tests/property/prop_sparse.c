// SPDX-License-Identifier: Apache-2.0
// Random sparse traffic on random fabrics, whole and broken. The seed is printed; SEED=... reruns
// it. What is not a promise (splits, moves, times) is printed, too.
#include "cmocka_all.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "model/rng.h"
#include "path_fixture.h"
#include "sparse.h"

#define ROUNDS 60
#define MIB (UINT64_C(1) << 20)

static uint64_t base_seed;

struct shape {
    uint32_t leaves, spines, hosts, cables; // leaf-spine
};
static const struct shape shapes[] = {{8, 8, 16, 1}, {16, 16, 16, 1}, {64, 16, 16, 1},
                                      {8, 4, 16, 2}, {5, 3, 7, 1},    {12, 6, 4, 3}};
#define SHAPE_COUNT (sizeof shapes / sizeof shapes[0])

struct bed {
    struct path_fixture fixture;
    struct grid *grid;
    uint32_t link_count, hosts_per_leaf;
    uint64_t *nominal, *rate;
    double *occupied;
    struct sparse_flow *flows;
    struct sparse_input input;
    struct sparse_placement placement;
    struct rng rng;
};

static void bed_fill(struct bed *bed, uint32_t hosts_per_leaf, uint64_t seed) {
    struct fabric *fabric = bed->fixture.fabric;
    rng_init(&bed->rng, seed);
    assert_int_equal(grid_open(fabric, &bed->grid), 0);
    bed->hosts_per_leaf = hosts_per_leaf;
    bed->link_count = fabric_link_count(fabric);
    bed->nominal = calloc(bed->link_count, sizeof bed->nominal[0]);
    bed->rate = calloc(bed->link_count, sizeof bed->rate[0]);
    bed->occupied = calloc(bed->link_count, sizeof bed->occupied[0]);
    bed->flows = calloc(fabric->port_count, sizeof bed->flows[0]);
    assert_true(bed->nominal && bed->rate && bed->occupied && bed->flows);
    for (uint32_t i = 0; i < bed->link_count; i++) {
        bed->nominal[i] = bed->rate[i] = fabric_link_rate_bps(fabric, (link_id){i});
    }
    bed->input = (struct sparse_input){.grid = bed->grid,
                                       .nominal_bps = bed->nominal,
                                       .rate_bps = bed->rate,
                                       .occupied_base_bytes = bed->occupied,
                                       .occupied_bytes = bed->occupied,
                                       .flows = bed->flows,
                                       .parts_max = RULE_PATHS_MAX};
}

static void bed_open(struct bed *bed, const struct shape *shape, uint64_t seed) {
    memset(bed, 0, sizeof *bed);
    fixture_leaf_spine(&bed->fixture, shape->leaves, shape->spines, shape->hosts, shape->cables);
    bed_fill(bed, shape->hosts, seed);
}

static void bed_open_three_tier(struct bed *bed, uint64_t seed) {
    memset(bed, 0, sizeof *bed);
    fixture_three_tier(&bed->fixture, 4, 4, 4, 16, 4);
    bed_fill(bed, 4, seed);
}

static void bed_close(struct bed *bed) {
    sparse_placement_fini(&bed->placement);
    free(bed->nominal);
    free(bed->rate);
    free(bed->occupied);
    free(bed->flows);
    grid_close(bed->grid);
    fixture_close(&bed->fixture);
}

static uint32_t leaf_of(const struct bed *bed, uint32_t port) {
    return port / bed->hosts_per_leaf;
}

// ---- traffic

static void set_flow(struct bed *bed, uint32_t src, uint32_t dst) {
    bed->flows[bed->input.flow_count++] = (struct sparse_flow){{src}, {dst}, MIB};
}

// Every host sends once and receives once, always across leaves.
static void even_traffic(struct bed *bed) {
    uint32_t ports = bed->fixture.fabric->port_count;
    uint32_t *map = calloc(ports, sizeof map[0]);
    assert_non_null(map);
    for (uint32_t i = 0; i < ports; i++) {
        uint32_t other = (uint32_t)rng_below(&bed->rng, i + 1);
        map[i] = map[other];
        map[other] = i;
    }
    for (bool again = true; again;) {
        again = false;
        for (uint32_t i = 0; i < ports; i++) {
            if (leaf_of(bed, map[i]) == leaf_of(bed, i)) {
                uint32_t other = (uint32_t)rng_below(&bed->rng, ports);
                uint32_t swap = map[i];
                map[i] = map[other];
                map[other] = swap;
                again = true;
            }
        }
    }
    for (uint32_t i = 0; i < ports; i++) {
        set_flow(bed, i, map[i]);
    }
    free(map);
}

// All of a leaf to the next leaf.
static void ring_traffic(struct bed *bed) {
    uint32_t ports = bed->fixture.fabric->port_count;
    for (uint32_t i = 0; i < ports; i++) {
        set_flow(bed, i, (i + bed->hosts_per_leaf) % ports);
    }
}

// Some hosts send to any host of another leaf.
static void uneven_traffic(struct bed *bed) {
    uint32_t ports = bed->fixture.fabric->port_count;
    for (uint32_t i = 0; i < ports; i++) {
        uint32_t dst = (uint32_t)rng_below(&bed->rng, ports);
        if (leaf_of(bed, dst) != leaf_of(bed, i)) {
            set_flow(bed, i, dst);
        }
    }
}

static void unequal_sizes(struct bed *bed) {
    for (uint32_t i = 0; i < bed->input.flow_count; i++) {
        bed->flows[i].bytes = rng_below(&bed->rng, 64) * MIB / 7;
    }
}

// ---- faults

// So many in a thousand cables between switches: dead or half, one direction or both. Returns how
// many directions.
static uint32_t break_links(struct bed *bed, uint32_t per_mille) {
    uint32_t broken = 0;
    for (uint32_t i = 0; i < bed->link_count; i += 2) {
        if (!fabric_link_is_internal(bed->fixture.fabric, (link_id){i}) ||
            rng_below(&bed->rng, 1000) >= per_mille) {
            continue;
        }
        bool dead = rng_below(&bed->rng, 2) == 0;
        uint64_t which = rng_below(&bed->rng, 4);
        for (uint32_t j = 0; j < 2; j++) {
            if (which >= 2 || which == j) {
                bed->rate[i + j] = dead ? 0 : bed->nominal[i + j] / 2;
                broken++;
            }
        }
    }
    return broken;
}

// ---- looking at the answer

static void place(struct bed *bed) {
    sparse_placement_fini(&bed->placement);
    assert_int_equal(sparse_place(&bed->input, &bed->placement), 0);
}

static struct path path_of(const struct bed *bed, uint32_t flow, uint32_t column) {
    struct path path;
    grid_path(bed->grid, bed->flows[flow].src, bed->flows[flow].dst, column, &path);
    return path;
}

static bool reachable(const struct bed *bed, uint32_t flow) {
    uint32_t src = leaf_of(bed, bed->flows[flow].src.i);
    uint32_t dst = leaf_of(bed, bed->flows[flow].dst.i);
    for (uint32_t i = 0; i < grid_between(bed->grid, src, dst)->column_count; i++) {
        if (grid_column_lives(bed->grid, bed->rate, src, dst, i)) {
            return true;
        }
    }
    return false;
}

struct outcome {
    double ratio; // of the most loaded link to the goal
    uint32_t splits, split_flows, moved_flows;
};

static double most_loaded_s(const struct bed *bed, const double *loads) {
    double most = 0;
    for (uint32_t i = 0; i < bed->link_count; i++) {
        double drain_s = loads[i] > 0 ? loads[i] * 8 / (double)bed->rate[i] : 0;
        most = drain_s > most ? drain_s : most;
    }
    return most;
}

static void count_parts(const struct bed *bed, struct outcome *outcome) {
    const struct sparse_part *parts = bed->placement.parts;
    for (uint32_t first = 0, end; first < bed->placement.part_count; first = end) {
        for (end = first + 1;
             end < bed->placement.part_count && parts[end].flow == parts[first].flow; end++) {
        }
        outcome->splits += end - first - 1;
        outcome->split_flows += end - first > 1;
        outcome->moved_flows +=
            end - first > 1 || parts[first].column != bed->placement.base_column[parts[first].flow];
    }
}

static void check_part(const struct bed *bed, uint32_t index, double *loads) {
    const struct sparse_part *part = &bed->placement.parts[index];
    assert_true(index == 0 || part[-1].flow < part->flow ||
                (part[-1].flow == part->flow && part[-1].column < part->column));
    struct path path = path_of(bed, part->flow, part->column);
    for (uint32_t i = 1; i + 1 < path.link_count; i++) {
        assert_true(bed->rate[path.links[i].i] > 0);
        loads[path.links[i].i] += (double)part->bytes;
    }
}

// Every byte once, nothing over a dead link, no flow in too many parts.
static struct outcome check(const struct bed *bed) {
    struct outcome outcome = {0};
    double *loads = calloc(bed->link_count, sizeof loads[0]);
    uint64_t *bytes = calloc(bed->input.flow_count + 1, sizeof bytes[0]);
    uint32_t *parts = calloc(bed->input.flow_count + 1, sizeof parts[0]);
    assert_true(loads && bytes && parts);
    memcpy(loads, bed->occupied, bed->link_count * sizeof loads[0]);
    for (uint32_t i = 0; i < bed->placement.part_count; i++) {
        check_part(bed, i, loads);
        bytes[bed->placement.parts[i].flow] += bed->placement.parts[i].bytes;
        parts[bed->placement.parts[i].flow]++;
    }
    for (uint32_t i = 0; i < bed->input.flow_count; i++) {
        bool served = reachable(bed, i);
        assert_int_equal(bytes[i], served ? bed->flows[i].bytes : 0);
        assert_in_range(parts[i], served, served ? bed->input.parts_max : 0);
    }
    count_parts(bed, &outcome);
    double goal_s = bed->placement.goal_s;
    outcome.ratio = goal_s > 0 ? most_loaded_s(bed, loads) / goal_s : 1;
    free(loads);
    free(bytes);
    free(parts);
    return outcome;
}

// Flows whose baseline column lost something.
static uint32_t count_hit(const struct bed *bed) {
    uint32_t hit = 0;
    for (uint32_t i = 0; i < bed->input.flow_count; i++) {
        struct path path = path_of(bed, i, bed->placement.base_column[i]);
        bool lost = false;
        for (uint32_t j = 1; j + 1 < path.link_count; j++) {
            lost = lost || bed->rate[path.links[j].i] < bed->nominal[path.links[j].i];
        }
        hit += lost;
    }
    return hit;
}

// ---- properties

static void even_traffic_needs_no_split_on_a_whole_fabric(void **state) {
    (void)state;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        const struct shape *shape = &shapes[round % SHAPE_COUNT];
        struct bed bed;
        bed_open(&bed, shape, base_seed + round);
        (round % 2 == 0 ? even_traffic : ring_traffic)(&bed);
        place(&bed);
        struct outcome outcome = check(&bed);
        uint32_t columns = shape->spines * shape->cables;
        double whole = (double)((shape->hosts + columns - 1) / columns);
        assert_true(outcome.ratio <= whole * columns / shape->hosts * (1 + 1e-12));
        assert_int_equal(outcome.moved_flows, 0);
        bed_close(&bed);
    }
}

// ceil(most flows that a leaf sends or receives / columns)
static uint32_t unsplit_optimum(const struct bed *bed) {
    uint32_t degrees[2][64] = {{0}};
    uint32_t most = 0;
    for (uint32_t i = 0; i < bed->input.flow_count; i++) {
        uint32_t sent = ++degrees[0][leaf_of(bed, bed->flows[i].src.i)];
        uint32_t received = ++degrees[1][leaf_of(bed, bed->flows[i].dst.i)];
        most = sent > most ? sent : most;
        most = received > most ? received : most;
    }
    uint32_t columns = bed->grid->near.column_count;
    return (most + columns - 1) / columns;
}

static void uneven_traffic_has_the_unsplit_optimum_on_a_whole_fabric(void **state) {
    (void)state;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        struct bed bed;
        bed_open(&bed, &shapes[round % SHAPE_COUNT], base_seed + round);
        uneven_traffic(&bed);
        place(&bed);
        struct outcome outcome = check(&bed);
        assert_int_equal(outcome.moved_flows, 0);
        double most_s = outcome.ratio * bed.placement.goal_s;
        double flow_s = (double)MIB * 8 / (400e9);
        assert_true(most_s <= unsplit_optimum(&bed) * flow_s * (1 + 1e-12));
        bed_close(&bed);
    }
}

static void equal_flows_reach_the_goal_on_broken_fabrics(void **state) {
    (void)state;
    static const uint32_t per_mille[] = {10, 30, 60, 100};
    for (uint32_t i = 0; i < 4; i++) {
        double most = 1;
        struct outcome sum = {0};
        uint32_t hit = 0;
        uint32_t ethereal = 0;
        for (uint32_t round = 0; round < ROUNDS; round++) {
            const struct shape *shape = &shapes[round % 4];
            struct bed bed;
            bed_open(&bed, shape, base_seed + round * 4 + i);
            (round % 2 == 0 ? even_traffic : ring_traffic)(&bed);
            break_links(&bed, per_mille[i]);
            place(&bed);
            struct outcome outcome = check(&bed);
            assert_true(outcome.ratio <= 1.01);
            most = outcome.ratio > most ? outcome.ratio : most;
            sum.splits += outcome.splits;
            sum.split_flows += outcome.split_flows;
            sum.moved_flows += outcome.moved_flows;
            hit += count_hit(&bed);
            // One flow from each host to a leaf: n + r (s / gcd - 1) with n = r = 1.
            ethereal += bed.input.flow_count * (bed.grid->near.column_count - 1);
            bed_close(&bed);
        }
        assert_true(sum.splits * 4 < ethereal);
        printf("%2u%% broken: at most %.4f of the goal; %u flows hit, %u moved, %u of them split, "
               "%u splits (Ethereal %u)\n",
               per_mille[i] / 10, most, hit, sum.moved_flows, sum.split_flows, sum.splits,
               ethereal);
    }
}

static void one_lost_link_moves_few_flows(void **state) {
    (void)state;
    uint32_t moved = 0;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        struct bed bed;
        bed_open(&bed, &shapes[2], base_seed + round); // one flow on every link
        even_traffic(&bed);
        uint32_t leaf = (uint32_t)rng_below(&bed.rng, 64);
        const struct grid_route *route = grid_route(&bed.grid->near, leaf, round % 16);
        bed.rate[route->links[0].i] = 0;
        place(&bed);
        struct outcome outcome = check(&bed);
        assert_true(outcome.ratio <= 1.0011);
        assert_in_range(outcome.moved_flows, 1, 3);
        moved += outcome.moved_flows;
        bed_close(&bed);
    }
    printf("%u flows moved for %u links\n", moved, ROUNDS);
}

static void anything_is_placed_wholly_on_whatever_lives(void **state) {
    (void)state;
    for (uint32_t round = 0; round < 4 * ROUNDS; round++) {
        struct bed bed;
        if (round % 4 == 3) {
            bed_open_three_tier(&bed, base_seed + round);
        } else {
            bed_open(&bed, &shapes[round % SHAPE_COUNT], base_seed + round);
        }
        uneven_traffic(&bed);
        unequal_sizes(&bed);
        break_links(&bed, (uint32_t)rng_below(&bed.rng, 900));
        for (uint32_t i = 0; round % 3 == 0 && i < bed.link_count; i++) {
            bool used =
                bed.rate[i] > 0 && fabric_link_is_internal(bed.fixture.fabric, (link_id){i});
            bed.occupied[i] = used ? (double)rng_below(&bed.rng, 100 * MIB) : 0;
        }
        bed.input.parts_max = 1 + (uint32_t)rng_below(&bed.rng, RULE_PATHS_MAX);
        place(&bed);
        check(&bed);
        bed_close(&bed);
    }
}

static void occupied_links_get_less(void **state) {
    (void)state;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        struct bed bed;
        bed_open(&bed, &shapes[round % 4], base_seed + round);
        even_traffic(&bed);
        double *before = calloc(bed.link_count, sizeof before[0]);
        assert_non_null(before);
        bed.input.occupied_base_bytes = before;
        // Dense traffic took half a flow from one column of a leaf, and gave it to another.
        const struct grid_route *route = grid_route(&bed.grid->near, round % 8, 0);
        bed.occupied[route->links[0].i] = (double)MIB / 2;
        place(&bed);
        struct outcome outcome = check(&bed);
        assert_true(outcome.ratio <= 1.01);
        free(before);
        bed_close(&bed);
    }
}

// The cut is below the optimum where faults of both tiers meet; 1.05 of the optimum in all cases is
// what tests with a linear program judge.
static void three_tiers_come_near_the_cut(void **state) {
    (void)state;
    for (uint32_t percent = 0; percent <= 10; percent += 5) {
        double most = 1;
        uint32_t near = 0;
        struct outcome sum = {0};
        for (uint32_t round = 0; round < ROUNDS; round++) {
            struct bed bed;
            bed_open_three_tier(&bed, base_seed + round + percent * 1000);
            even_traffic(&bed);
            break_links(&bed, percent * 10);
            place(&bed);
            struct outcome outcome = check(&bed);
            most = outcome.ratio > most ? outcome.ratio : most;
            near += outcome.ratio <= 1.05;
            sum.splits += outcome.splits;
            sum.split_flows += outcome.split_flows;
            bed_close(&bed);
        }
        assert_true(near >= ROUNDS * 9 / 10);
        printf("three tiers, %u%% broken: at most %.4f of the cut, %u flows split, %u splits\n",
               percent, most, sum.split_flows, sum.splits);
    }
}

// Seeds (fixed) where chains of flows that give way end a fifth above the cut.
static void three_tiers_come_near_the_cut_where_all_chains_are_blocked(void **state) {
    (void)state;
    static const uint64_t seeds[] = {611, 669, 1123, 722};
    for (size_t i = 0; i < sizeof seeds / sizeof seeds[0]; i++) {
        struct bed bed;
        bed_open_three_tier(&bed, seeds[i]);
        even_traffic(&bed);
        break_links(&bed, 10);
        place(&bed);
        assert_true(check(&bed).ratio <= 1.05);
        bed_close(&bed);
    }
}

static void assert_same(const struct sparse_placement *a, const struct sparse_placement *b) {
    assert_int_equal(a->part_count, b->part_count);
    for (uint32_t i = 0; i < a->part_count; i++) {
        assert_int_equal(a->parts[i].flow, b->parts[i].flow);
        assert_int_equal(a->parts[i].column, b->parts[i].column);
        assert_int_equal(a->parts[i].bytes, b->parts[i].bytes);
    }
}

static void a_kept_baseline_changes_nothing(void **state) {
    (void)state;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        struct bed bed;
        bed_open(&bed, &shapes[round % SHAPE_COUNT], base_seed + round);
        uneven_traffic(&bed);
        unequal_sizes(&bed);
        break_links(&bed, 50);
        place(&bed);
        struct sparse_baseline *baseline;
        assert_int_equal(sparse_baseline_open(bed.grid, bed.flows, bed.input.flow_count, &baseline),
                         0);
        bed.input.baseline = baseline;
        for (uint32_t i = 0; i < 2; i++) {
            struct sparse_placement again;
            assert_int_equal(sparse_place(&bed.input, &again), 0);
            assert_same(&again, &bed.placement);
            sparse_placement_fini(&again);
        }
        sparse_baseline_close(baseline);
        bed_close(&bed);
    }
}

int main(void) {
    const char *seed = getenv("SEED");
    base_seed = seed != NULL ? strtoull(seed, NULL, 0) : (uint64_t)time(NULL) << 16;
    printf("SEED=%" PRIu64 "\n", base_seed);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(even_traffic_needs_no_split_on_a_whole_fabric),
        cmocka_unit_test(uneven_traffic_has_the_unsplit_optimum_on_a_whole_fabric),
        cmocka_unit_test(equal_flows_reach_the_goal_on_broken_fabrics),
        cmocka_unit_test(one_lost_link_moves_few_flows),
        cmocka_unit_test(anything_is_placed_wholly_on_whatever_lives),
        cmocka_unit_test(occupied_links_get_less),
        cmocka_unit_test(three_tiers_come_near_the_cut),
        cmocka_unit_test(three_tiers_come_near_the_cut_where_all_chains_are_blocked),
        cmocka_unit_test(a_kept_baseline_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
