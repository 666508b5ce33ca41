// SPDX-License-Identifier: Apache-2.0
// Invariants of what jobs send over random fabrics: rank maps, demands, trees.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "model/job.h"
#include "random_fabric.h"

static uint64_t seed;
static struct rng rng;

static uint32_t draw(uint32_t low, uint32_t high) {
    return random_between(&rng, low, high);
}

// ---- rank maps

// What a hop is to leave: the leaf of the host's first port or, where all ranks have one, the host.
struct homes {
    uint32_t of[256], largest;
    bool by_host;
};

static void measure_homes(const struct fabric *fabric, const port_id *ranks, uint32_t count,
                          struct homes *homes) {
    *homes = (struct homes){.by_host = true};
    bool several = false;
    for (uint32_t i = 0; i < count; i++) {
        const struct fabric_node *host = &fabric->nodes[fabric->ports[ranks[i].i].host.i];
        homes->of[i] = fabric->ports[host->first_port].leaf.i;
        homes->by_host = homes->by_host && homes->of[i] == homes->of[0];
        several = several || host->port_count > 1;
    }
    homes->by_host = homes->by_host && several;
    for (uint32_t i = 0; i < count && homes->by_host; i++) {
        homes->of[i] = fabric->ports[ranks[i].i].host.i;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t same = 0;
        for (uint32_t k = 0; k < count; k++) {
            same += homes->of[k] == homes->of[i];
        }
        homes->largest = same > homes->largest ? same : homes->largest;
    }
}

static bool planes_are_apart(const struct fabric *fabric, const port_id *ranks, uint32_t count) {
    uint32_t in_plane[2] = {0};
    for (uint32_t i = 0; i < count; i++) {
        in_plane[fabric_port_plane(fabric, ranks[i])]++;
    }
    return in_plane[0] > 1 && in_plane[1] > 1;
}

static void expect_map(const struct fabric *fabric, const port_id *ranks, uint32_t count,
                       bool ring) {
    struct job job = {.name = "x", .collective_count = 1};
    uint32_t map[256], received[256] = {0}, crossing = 0;
    job.collectives[0].type = ring ? COLLECTIVE_RING : COLLECTIVE_PERMUTATION;
    job.collectives[0].seed = rng_next(&rng);
    assert_true(count <= 256);
    assert_int_equal(job_permutation(&job, 0, fabric, ranks, count, map), 0);
    struct homes homes;
    measure_homes(fabric, ranks, count, &homes);
    bool apart = !ring && planes_are_apart(fabric, ranks, count);
    for (uint32_t i = 0; i < count; i++) {
        assert_true(map[i] < count && map[i] != i);
        assert_int_equal(++received[map[i]], 1);
        crossing += homes.of[i] != homes.of[map[i]];
        assert_true(!apart || fabric_port_plane(fabric, ranks[i]) ==
                                  fabric_port_plane(fabric, ranks[map[i]]));
    }
    if (!apart && 2 * homes.largest <= count) {
        assert_int_equal(crossing, count);
    } else if (!apart && !ring) {
        assert_int_equal(crossing, 2 * (count - homes.largest));
    }
    uint32_t steps = 1;
    for (uint32_t at = map[0]; at != 0; at = map[at]) {
        steps++;
    }
    assert_true(!ring || steps == count);
}

static void maps_cross_leaves_wherever_they_can(void **state) {
    (void)state;
    for (int round = 0; round < 2000; round++) {
        struct fabric *fabric = random_fabric(&rng);
        port_id ranks[256];
        uint32_t count = 0, keep = draw(1, 4);
        for (uint32_t i = 0; i < fabric->port_count && count < 256; i++) {
            if (keep == 4 || draw(0, keep) > 0) {
                ranks[count++].i = i;
            }
        }
        if (count > 1) {
            expect_map(fabric, ranks, count, draw(0, 1) == 0);
        }
        fabric_close(fabric);
    }
}

// Rank after rank of a whole dual-plane fabric: every hop leaves its leaf, in its plane.
static void permutations_cross_leaves_in_both_planes(void **state) {
    (void)state;
    for (int round = 0; round < 300; round++) {
        struct fabric *fabric = random_dual_plane(&rng);
        struct job job = {.name = "x", .all_ranks = true, .collective_count = 1};
        port_id ranks[64];
        uint32_t map[64], count = fabric->port_count;
        job.collectives[0] =
            (struct collective){.type = COLLECTIVE_PERMUTATION, .seed = rng_next(&rng)};
        job_resolve(&job, fabric, ranks);
        assert_int_equal(job_permutation(&job, 0, fabric, ranks, count, map), 0);
        bool one_leaf = fabric->nodes[fabric->host_count].adjacency_count == 0 ||
                        fabric->ports[0].leaf.i == fabric->ports[count - 2].leaf.i;
        for (uint32_t i = 0; i < count && !one_leaf; i++) {
            const struct fabric_port *from = &fabric->ports[i], *to = &fabric->ports[map[i]];
            assert_int_not_equal(from->leaf.i, to->leaf.i);
            assert_int_equal(fabric_port_plane(fabric, (port_id){i}),
                             fabric_port_plane(fabric, (port_id){map[i]}));
        }
        fabric_close(fabric);
    }
}

// ---- demands

#define MATRIX_MAX 64

struct sums {
    const struct fabric *fabric;
    const port_id *ranks;
    uint32_t count, src_rank, last;
    uint64_t (*bytes)[MATRIX_MAX]; // by source and destination rank
};

static void add_demand(void *context, const struct demand *demand) {
    struct sums *sums = context;
    const struct fabric *fabric = sums->fabric;
    uint32_t dst = 0;
    while (sums->ranks[dst].i != demand->dst.i) {
        dst++;
    }
    assert_true(dst > sums->last || sums->last == ID_NONE); // in order, each once
    sums->last = dst;
    assert_int_equal(fabric->ports[demand->src.i].host.i,
                     fabric->ports[sums->ranks[sums->src_rank].i].host.i);
    assert_int_equal(fabric_port_plane(fabric, demand->src),
                     fabric_port_plane(fabric, demand->dst));
    assert_true(demand->bytes > 0);
    sums->bytes[sums->src_rank][dst] = demand->bytes;
}

// All that is sent, by ranks. The job has one rank for each port.
static void collect_demands(const struct job *job, const struct fabric *fabric,
                            const port_id *ranks, uint64_t bytes[MATRIX_MAX][MATRIX_MAX]) {
    memset(bytes, 0, sizeof bytes[0] * MATRIX_MAX);
    for (uint32_t i = 0; i < fabric->port_count; i++) {
        struct sums sums = {fabric, ranks, fabric->port_count, i, ID_NONE, bytes};
        job_demands(job, fabric, ranks, fabric->port_count, i, NULL, add_demand, &sums);
    }
}

static struct fabric *small_fabric(void) {
    for (;;) {
        struct fabric *fabric = random_fabric(&rng);
        if (fabric->port_count <= MATRIX_MAX) {
            return fabric;
        }
        fabric_close(fabric);
    }
}

static bool same_host(const struct fabric *fabric, uint32_t a, uint32_t b) {
    return fabric->ports[a].host.i == fabric->ports[b].host.i;
}

static void set_matrix(struct collective *collective, uint32_t count) {
    collective->matrix_ranks = count;
    collective->matrix = calloc((size_t)count * count, sizeof collective->matrix[0]);
    assert_non_null(collective->matrix);
    for (uint32_t i = 0; i < count * count; i++) {
        collective->matrix[i] = draw(0, 2) == 0 ? 0 : rng_below(&rng, UINT64_C(1) << 50);
    }
}

static void set_weights(struct collective *collective, uint32_t count) {
    collective->bytes = 1 + rng_below(&rng, UINT64_C(1) << 30);
    collective->weight_count = count;
    collective->weights = calloc(count, sizeof collective->weights[0]);
    assert_non_null(collective->weights);
    for (uint32_t i = 0; i < count; i++) {
        collective->weights[i] = draw(0, 1000);
    }
    collective->weights[draw(0, count - 1)] = 7; // not all are 0
}

static uint64_t wanted_bytes(const struct collective *collective, uint32_t src, uint32_t dst) {
    if (collective->matrix_ranks > 0) {
        return collective->matrix[src * collective->matrix_ranks + dst];
    }
    uint64_t sum = 0;
    for (uint32_t i = 0; i < collective->weight_count; i++) {
        sum += collective->weights[i];
    }
    return collective->bytes * collective->weights[dst] / sum;
}

static void an_alltoallv_sends_its_matrix_or_by_its_weights(void **state) {
    (void)state;
    static uint64_t bytes[MATRIX_MAX][MATRIX_MAX];
    for (int round = 0; round < 300; round++) {
        struct fabric *fabric = small_fabric();
        struct job job = {.name = "x", .all_ranks = true, .collective_count = 1};
        struct collective *collective = &job.collectives[0];
        port_id ranks[MATRIX_MAX];
        uint32_t count = fabric->port_count;
        collective->type = COLLECTIVE_ALLTOALLV;
        draw(0, 1) == 0 ? set_matrix(collective, count) : set_weights(collective, count);
        job_resolve(&job, fabric, ranks);
        collect_demands(&job, fabric, ranks, bytes);
        for (uint32_t i = 0; i < count; i++) {
            uint64_t sent = 0;
            for (uint32_t k = 0; k < count; k++) {
                uint64_t wanted = same_host(fabric, i, k) ? 0 : wanted_bytes(collective, i, k);
                assert_int_equal(bytes[i][k], wanted);
                sent += wanted;
            }
            assert_true(collective->matrix_ranks > 0 || sent <= collective->bytes);
        }
        job_fini(&job);
        fabric_close(fabric);
    }
}

// ---- trees

static uint32_t tree_depth(uint32_t count, uint32_t rank, unsigned tree) {
    uint32_t depth = 0;
    for (uint32_t at = rank; at != ID_NONE; depth++) {
        assert_true(depth <= count);
        at = collective_tree_place(count, at, tree).parent;
    }
    return depth;
}

static void expect_tree(uint32_t count, unsigned tree) {
    uint32_t roots = 0, children = 0, levels = 1;
    while ((1U << levels) < count) {
        levels++;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct tree_place place = collective_tree_place(count, i, tree);
        roots += place.parent == ID_NONE;
        for (unsigned k = 0; k < 2; k++) {
            if (place.child[k] != ID_NONE) {
                assert_true(place.child[k] < count && place.child[0] != place.child[1]);
                assert_int_equal(collective_tree_place(count, place.child[k], tree).parent, i);
                children++;
            }
        }
        assert_true(tree_depth(count, i, tree) <= levels + 1);
    }
    assert_int_equal(roots, 1);
    assert_int_equal(children, count - 1);
}

static bool is_inner(uint32_t count, uint32_t rank, unsigned tree) {
    struct tree_place place = collective_tree_place(count, rank, tree);
    return place.child[0] != ID_NONE || place.child[1] != ID_NONE;
}

static void trees_are_binary_and_who_forwards_in_one_is_a_leaf_of_the_other(void **state) {
    (void)state;
    for (uint32_t count = 1; count < 600; count++) {
        expect_tree(count, 0);
        expect_tree(count, 1);
        for (uint32_t i = 0; i < count; i++) {
            // Odd counts are shifted, which puts rank 0, the root of the one, anywhere in the
            // other.
            bool both = is_inner(count, i, 0) && is_inner(count, i, 1);
            assert_true(!both || (count % 2 == 1 && i == 0));
        }
    }
}

static void every_edge_of_the_trees_carries_its_half_both_ways(void **state) {
    (void)state;
    static uint64_t bytes[MATRIX_MAX][MATRIX_MAX], wanted[MATRIX_MAX][MATRIX_MAX];
    for (int round = 0; round < 300; round++) {
        struct fabric *fabric = small_fabric();
        struct job job = {.name = "x", .all_ranks = true, .collective_count = 1};
        port_id ranks[MATRIX_MAX];
        uint32_t count = fabric->port_count;
        uint64_t size = 2 + rng_below(&rng, 1 << 20);
        job.collectives[0] = (struct collective){.type = COLLECTIVE_TREE, .bytes = size};
        job_resolve(&job, fabric, ranks);
        collect_demands(&job, fabric, ranks, bytes);
        memset(wanted, 0, sizeof wanted);
        for (unsigned tree = 0; tree < 2; tree++) {
            for (uint32_t i = 0; i < count; i++) {
                uint32_t parent = collective_tree_place(count, i, tree).parent;
                if (parent != ID_NONE && !same_host(fabric, i, parent)) {
                    wanted[i][parent] += tree == 0 ? size - size / 2 : size / 2;
                    wanted[parent][i] += tree == 0 ? size - size / 2 : size / 2;
                }
            }
        }
        assert_memory_equal(bytes, wanted, sizeof wanted);
        fabric_close(fabric);
    }
}

static int seed_rng(void **state) {
    (void)state;
    rng_init(&rng, seed);
    return 0;
}

int main(void) {
    const char *text = getenv("SEED");
    seed = text != NULL ? strtoull(text, NULL, 10) : 1;
    printf("SEED=%llu\n", (unsigned long long)seed);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(maps_cross_leaves_wherever_they_can, seed_rng),
        cmocka_unit_test_setup(permutations_cross_leaves_in_both_planes, seed_rng),
        cmocka_unit_test_setup(an_alltoallv_sends_its_matrix_or_by_its_weights, seed_rng),
        cmocka_unit_test_setup(trees_are_binary_and_who_forwards_in_one_is_a_leaf_of_the_other,
                               seed_rng),
        cmocka_unit_test_setup(every_edge_of_the_trees_carries_its_half_both_ways, seed_rng),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
