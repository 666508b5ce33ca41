// SPDX-License-Identifier: Apache-2.0
// Jobs beyond their files: who sends by which port, trees by their numbers, sums and limits.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "fabric_fixture.h"
#include "model/job.h"

static struct fabric *dual_plane(void) {
    struct fabric_clos_desc clos = {.kind = "dual-plane",
                                    .leaves = 2,
                                    .spines = 2,
                                    .hosts_per_leaf = 2,
                                    .host_bps = 200000000000,
                                    .fabric_bps = 400000000000};
    return fixture_clos(&clos);
}

static uint32_t port_named(const struct fabric *fabric, const char *name) {
    port_id port = {ID_NONE};
    assert_true(fabric_find_port(fabric, name, &port));
    return port.i;
}

static void expect_sender(const struct fabric *fabric, const char *src, const char *dst,
                          const char *sender) {
    port_id out = {12345};
    bool sends = job_sender(fabric, (port_id){port_named(fabric, src)},
                            (port_id){port_named(fabric, dst)}, &out);
    assert_int_equal(sends, sender != NULL);
    assert_int_equal(out.i, sender != NULL ? port_named(fabric, sender) : 12345);
}

static void what_is_for_the_other_plane_leaves_by_the_port_there(void **state) {
    (void)state;
    struct fabric *fabric = dual_plane();
    expect_sender(fabric, "h0.0", "h2.0", "h0.0");
    expect_sender(fabric, "h0.0", "h2.1", "h0.1");
    expect_sender(fabric, "h0.1", "h1.0", "h0.0");
    expect_sender(fabric, "h0.0", "h0.1", NULL); // inside the host
    fabric_close(fabric);
}

#define HOST(text)                                                                                 \
    { .name = text, .kind = NODE_HOST }
#define LEAF(text)                                                                                 \
    { .name = text, .kind = NODE_LEAF }
#define CABLES(x, y, count)                                                                        \
    { .a = x, .b = y, .cables = count, .rate_bps = 1 }

// h0 has two ports in each plane, h1 one in each, h2 none in plane 1.
static struct fabric *uneven_planes(void) {
    static const struct fabric_node_desc nodes[] = {HOST("h0"), HOST("h1"), HOST("h2"),
                                                    LEAF("left"), LEAF("right")};
    static const struct fabric_link_desc links[] = {CABLES("h0", "left", 2),
                                                    CABLES("h0", "right", 2),
                                                    CABLES("h1", "left", 1),
                                                    CABLES("h1", "right", 1),
                                                    CABLES("h2", "left", 1)};
    struct fabric_desc desc = {.source = "test",
                               .version = 1,
                               .generation = 1,
                               .name = "uneven",
                               .block = "fcbb:bb00::/32",
                               .nodes = nodes,
                               .node_count = 5,
                               .links = links,
                               .link_count = 5};
    struct fabric *fabric = fabric_open(&desc, complain_aloud, NULL);
    assert_non_null(fabric);
    return fabric;
}

static void several_ports_in_a_plane_share_what_comes_from_the_other(void **state) {
    (void)state;
    struct fabric *fabric = uneven_planes();
    assert_int_equal(fabric->plane_count, 2);
    expect_sender(fabric, "h0.0", "h1.1", "h0.2");
    expect_sender(fabric, "h0.1", "h1.1", "h0.3");
    expect_sender(fabric, "h0.3", "h1.0", "h0.1");
    expect_sender(fabric, "h1.1", "h0.0", "h1.0");
    expect_sender(fabric, "h2", "h0.1", "h2");
    expect_sender(fabric, "h2", "h0.2", NULL); // no port of h2 in that plane
    fabric_close(fabric);
}

static void expect_place(uint32_t count, uint32_t rank, unsigned tree,
                         const struct tree_place *wanted) {
    struct tree_place place = collective_tree_place(count, rank, tree);
    assert_int_equal(place.parent, wanted->parent);
    assert_int_equal(place.child[0], wanted->child[0]);
    assert_int_equal(place.child[1], wanted->child[1]);
}

#define NO ID_NONE // short, so that a row is a line

static void the_trees_of_eight_and_of_five_ranks(void **state) {
    (void)state;
    static const struct tree_place first[8] = {
        {NO, {4, NO}}, {2, {NO, NO}}, {4, {1, 3}}, {2, {NO, NO}},
        {0, {2, 6}},   {6, {NO, NO}}, {4, {5, 7}}, {6, {NO, NO}},
    };
    static const struct tree_place mirrored[8] = {
        {1, {NO, NO}}, {3, {2, 0}}, {1, {NO, NO}}, {7, {5, 1}},
        {5, {NO, NO}}, {3, {6, 4}}, {5, {NO, NO}}, {NO, {3, NO}},
    };
    static const struct tree_place five[5] = {
        {NO, {4, NO}}, {2, {NO, NO}}, {4, {1, 3}}, {2, {NO, NO}}, {0, {2, NO}},
    };
    static const struct tree_place shifted[5] = {
        {1, {3, NO}}, {NO, {0, NO}}, {3, {NO, NO}}, {0, {2, 4}}, {3, {NO, NO}},
    };
    for (uint32_t i = 0; i < 8; i++) {
        expect_place(8, i, 0, &first[i]);
        expect_place(8, i, 1, &mirrored[i]);
    }
    for (uint32_t i = 0; i < 5; i++) {
        expect_place(5, i, 0, &five[i]);
        expect_place(5, i, 1, &shifted[i]);
    }
    const struct tree_place alone = {NO, {NO, NO}};
    expect_place(1, 0, 0, &alone);
    expect_place(1, 0, 1, &alone);
}

struct sent {
    unsigned count;
    struct demand demands[8];
};

static void on_demand(void *context, const struct demand *demand) {
    struct sent *sent = context;
    assert_true(sent->count < 8);
    sent->demands[sent->count++] = *demand;
}

// Of two ranks, each is the other's neighbour in both trees.
static void a_neighbour_in_both_trees_gets_one_demand(void **state) {
    (void)state;
    struct fabric *fabric = fixture_leaf_spine(2, 1, 1, 1, 1);
    struct job job = {.name = "x", .all_ranks = true, .collective_count = 1};
    job.collectives[0] = (struct collective){.type = COLLECTIVE_TREE, .bytes = 101};
    const port_id ranks[2] = {{0}, {1}};
    struct sent sent = {0};
    job_demands(&job, fabric, ranks, 2, 0, NULL, on_demand, &sent);
    assert_int_equal(sent.count, 1);
    assert_int_equal(sent.demands[0].dst.i, 1);
    assert_int_equal(sent.demands[0].bytes, 101);
    const port_id lonely[2] = {{0}, {ID_NONE}};
    job_demands(&job, fabric, lonely, 2, 0, NULL, on_demand, &sent);
    assert_int_equal(sent.count, 1);
    fabric_close(fabric);
}

static void expect_refusal(const struct job *job, const char *text) {
    struct error error = {0};
    assert_int_equal(job_check(job, &error), -EINVAL);
    assert_string_equal(error.text, text);
}

static void sums_of_bytes_stay_within_62_bits(void **state) {
    (void)state;
    struct job job = {.name = "x", .all_ranks = true, .collective_count = 1};
    struct collective *collective = &job.collectives[0];
    // 65,536 ranks at most: 2^46 bytes each.
    *collective = (struct collective){.type = COLLECTIVE_RING, .bytes = UINT64_C(1) << 46};
    assert_int_equal(job_check(&job, NULL), 0);
    collective->bytes++;
    expect_refusal(&job, "x: collective 0: all ranks together send above 2^62 bytes");
    *collective = (struct collective){.type = COLLECTIVE_TREE, .bytes = UINT64_C(1) << 45};
    assert_int_equal(job_check(&job, NULL), 0);
    collective->bytes++;
    expect_refusal(&job, "x: collective 0: all ranks together send above 2^62 bytes");
    uint64_t matrix[] = {5, JOB_BYTES_MAX - 10, 5, 0};
    *collective =
        (struct collective){.type = COLLECTIVE_ALLTOALLV, .matrix = matrix, .matrix_ranks = 2};
    assert_int_equal(job_check(&job, NULL), 0);
    job.collective_count = 2;
    job.collectives[1] = (struct collective){.type = COLLECTIVE_RING, .bytes = 1};
    expect_refusal(&job, "x: collective 1: all ranks together send above 2^62 bytes");
    job.collective_count = 1;
    matrix[3]++;
    expect_refusal(&job, "x: collective 0: all ranks together send above 2^62 bytes");
    matrix[1] = UINT64_MAX;
    expect_refusal(&job, "x: collective 0: all ranks together send above 2^62 bytes");
    matrix[1] = matrix[2] = 0;
    expect_refusal(&job, "x: collective 0: matrix: nobody sends anything");
}

static void bytes_times_weights_stay_within_62_bits(void **state) {
    (void)state;
    uint32_t weights[] = {UINT32_MAX, 1};
    struct job job = {.name = "x", .all_ranks = true, .collective_count = 1};
    job.collectives[0] = (struct collective){.type = COLLECTIVE_ALLTOALLV,
                                             .bytes = UINT64_C(1) << 30,
                                             .weights = weights,
                                             .weight_count = 2};
    assert_int_equal(job_check(&job, NULL), 0);
    job.collectives[0].bytes++;
    expect_refusal(&job, "x: collective 0: bytes times the sum of weights, 1073741825 x "
                         "4294967296: above 2^62");
    weights[0] = weights[1] = 0;
    expect_refusal(&job, "x: collective 0: weights: all are 0");
}

static void lists_belong_to_their_type(void **state) {
    (void)state;
    uint64_t matrix[] = {0, 1, 1, 0};
    uint32_t weights[] = {1, 1};
    char ranks[3][NAME_SIZE] = {"h0", "h1", "h2"};
    struct job job = {.name = "x", .all_ranks = true, .collective_count = 1};
    struct collective *collective = &job.collectives[0];
    *collective = (struct collective){.type = COLLECTIVE_ALLTOALLV, .bytes = 1};
    expect_refusal(&job, "x: collective 0: alltoallv needs a matrix or weights, not both");
    collective->weights = weights;
    collective->weight_count = 2;
    assert_int_equal(job_check(&job, NULL), 0);
    collective->type = COLLECTIVE_TREE;
    expect_refusal(&job, "x: collective 0: weights: not with type tree");
    collective->type = COLLECTIVE_ALLTOALLV;
    collective->matrix = matrix;
    collective->matrix_ranks = 2;
    expect_refusal(&job, "x: collective 0: alltoallv needs a matrix or weights, not both");
    collective->weight_count = 0;
    expect_refusal(&job, "x: collective 0: bytes: not with a matrix");
    collective->bytes = 0;
    assert_int_equal(job_check(&job, NULL), 0);
    job.all_ranks = false;
    job.ranks = ranks;
    job.rank_count = 3;
    expect_refusal(&job, "x: collective 0: matrix of 2 ranks, the job has 3");
    collective->matrix_ranks = 1025;
    expect_refusal(&job, "x: collective 0: matrix of 1025 ranks: at most 1048576 numbers");
    collective->matrix_ranks = 2;
    job.rank_count = 2;
    job.reserved_bps = JOB_RESERVED_BPS_MAX;
    assert_int_equal(job_check(&job, NULL), 0);
    job.reserved_bps++;
    expect_refusal(&job, "x: 1000000000000001 bit/s reserved: at most 1000000000000000 a rank");
}

static void lists_for_other_ranks_than_the_fabric_has_are_told(void **state) {
    (void)state;
    struct fabric *fabric = fixture_leaf_spine(2, 1, 1, 1, 1);
    uint32_t weights[] = {1, 1, 1};
    struct error error;
    struct job job = {.name = "x", .all_ranks = true, .collective_count = 1};
    job.collectives[0] = (struct collective){.type = COLLECTIVE_ALLTOALLV,
                                             .bytes = 90,
                                             .weights = weights,
                                             .weight_count = 2};
    assert_int_equal(job_check_fabric(&job, fabric, &error), 0);
    job.collectives[0].weight_count = 3;
    assert_int_equal(job_check_fabric(&job, fabric, &error), -EINVAL);
    assert_string_equal(error.text, "x: collective 0: weights for 3 ranks, fixture has 2 ports");
    // The share of a rank that is not there is not sent.
    port_id ranks[2];
    struct sent sent = {0};
    job_resolve(&job, fabric, ranks);
    job_demands(&job, fabric, ranks, 2, 0, NULL, on_demand, &sent);
    assert_int_equal(sent.count, 1);
    assert_int_equal(sent.demands[0].bytes, 30);
    fabric_close(fabric);
}

static void a_copy_has_its_own_lists(void **state) {
    (void)state;
    uint64_t matrix[] = {0, 1, 2, 3};
    uint32_t weights[] = {4, 5};
    struct job copy, job = {.name = "x", .collective_count = 2};
    job.collectives[0] = (struct collective){.matrix = matrix, .matrix_ranks = 2};
    job.collectives[1] = (struct collective){.weights = weights, .weight_count = 2};
    assert_int_equal(job_copy(&job, &copy), 0);
    assert_ptr_not_equal(copy.collectives[0].matrix, matrix);
    assert_memory_equal(copy.collectives[0].matrix, matrix, sizeof matrix);
    assert_ptr_not_equal(copy.collectives[1].weights, weights);
    assert_memory_equal(copy.collectives[1].weights, weights, sizeof weights);
    assert_int_equal(collective_matrix_bytes(&copy.collectives[0]), 3);
    job_fini(&copy);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_for_the_other_plane_leaves_by_the_port_there),
        cmocka_unit_test(several_ports_in_a_plane_share_what_comes_from_the_other),
        cmocka_unit_test(the_trees_of_eight_and_of_five_ranks),
        cmocka_unit_test(a_neighbour_in_both_trees_gets_one_demand),
        cmocka_unit_test(sums_of_bytes_stay_within_62_bits),
        cmocka_unit_test(bytes_times_weights_stay_within_62_bits),
        cmocka_unit_test(lists_belong_to_their_type),
        cmocka_unit_test(lists_for_other_ranks_than_the_fabric_has_are_told),
        cmocka_unit_test(a_copy_has_its_own_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
