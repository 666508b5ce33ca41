// SPDX-License-Identifier: Apache-2.0
#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "colouring.h"
#include "model/rng.h"

#define VERTICES_MAX 512
#define EDGES_MAX 16384

static struct edge edges[EDGES_MAX];
static uint16_t colours_of[EDGES_MAX];

// Edges of each vertex, and those of them with one colour.
static uint32_t degree[2][VERTICES_MAX];
static uint32_t coloured[2][VERTICES_MAX];

static void count_colour(uint32_t count, uint32_t colour) {
    memset(degree, 0, sizeof degree);
    memset(coloured, 0, sizeof coloured);
    for (uint32_t i = 0; i < count; i++) {
        degree[0][edges[i].left]++;
        degree[1][edges[i].right]++;
        coloured[0][edges[i].left] += colours_of[i] == colour;
        coloured[1][edges[i].right] += colours_of[i] == colour;
    }
}

static void assert_equitable(uint32_t count, uint32_t colours) {
    for (uint32_t i = 0; i < count; i++) {
        assert_true(colours_of[i] < colours);
    }
    for (uint32_t colour = 0; colour < colours; colour++) {
        count_colour(count, colour);
        for (uint32_t i = 0; i < 2 * VERTICES_MAX; i++) {
            uint32_t all = degree[i % 2][i / 2];
            assert_in_range(coloured[i % 2][i / 2], all / colours, (all + colours - 1) / colours);
        }
    }
}

static void random_edges(uint64_t seed, uint32_t count, uint32_t vertices) {
    struct rng rng;
    rng_init(&rng, seed);
    for (uint32_t i = 0; i < count; i++) {
        edges[i] =
            (struct edge){(uint32_t)rng_below(&rng, vertices), (uint32_t)rng_below(&rng, vertices)};
    }
}

// Each vertex has `degree` edges on either side: the union of as many random permutations.
static uint32_t regular_edges(uint64_t seed, uint32_t vertices, uint32_t each) {
    struct rng rng;
    rng_init(&rng, seed);
    uint32_t map[VERTICES_MAX];
    for (uint32_t i = 0; i < each; i++) {
        for (uint32_t j = 0; j < vertices; j++) {
            uint32_t other = (uint32_t)rng_below(&rng, j + 1);
            map[j] = map[other];
            map[other] = j;
        }
        for (uint32_t j = 0; j < vertices; j++) {
            edges[j * each + i] = (struct edge){j, map[j]};
        }
    }
    return vertices * each;
}

static void colours_a_regular_graph_with_as_many_colours_as_its_degree(void **state) {
    (void)state;
    for (uint32_t each = 1; each <= 70; each++) {
        uint32_t count = regular_edges(each, 40, each);
        assert_int_equal(colour_edges(edges, count, 40, 40, each, colours_of), 0);
        assert_equitable(count, each);
    }
}

static void colours_any_graph_as_evenly_as_whole_edges_allow(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 200; seed++) {
        uint32_t vertices = 1 + (uint32_t)(seed * 7 % 30);
        uint32_t count = (uint32_t)(hash_u64(seed) % 600);
        uint32_t colours = 1 + (uint32_t)(hash_u64(seed + 1000) % 140);
        random_edges(seed, count, vertices);
        assert_int_equal(colour_edges(edges, count, vertices, vertices, colours, colours_of), 0);
        assert_equitable(count, colours);
    }
}

static void colours_parallel_edges_differently(void **state) {
    (void)state;
    for (uint32_t i = 0; i < 65; i++) {
        edges[i] = (struct edge){0, 0};
    }
    assert_int_equal(colour_edges(edges, 65, 1, 1, 65, colours_of), 0);
    assert_equitable(65, 65);
}

static void spreads_the_heaviest_edges_of_a_vertex_first(void **state) {
    (void)state;
    // A vertex with 8 edges and 4 colours: the first 4 have 4 colours, and so have the last 4.
    for (uint32_t i = 0; i < 8; i++) {
        edges[i] = (struct edge){0, i};
    }
    assert_int_equal(colour_edges(edges, 8, 1, 8, 4, colours_of), 0);
    for (uint32_t first = 0; first < 8; first += 4) {
        uint32_t seen = 0;
        for (uint32_t i = first; i < first + 4; i++) {
            seen |= 1U << colours_of[i];
        }
        assert_int_equal(seen, 15);
    }
}

static void gives_the_same_colours_again(void **state) {
    (void)state;
    uint16_t again[EDGES_MAX];
    uint32_t count = regular_edges(7, 64, 16);
    assert_int_equal(colour_edges(edges, count, 64, 64, 16, colours_of), 0);
    assert_int_equal(colour_edges(edges, count, 64, 64, 16, again), 0);
    assert_memory_equal(colours_of, again, count * sizeof again[0]);
}

static void colours_no_edge_at_all(void **state) {
    (void)state;
    assert_int_equal(colour_edges(edges, 0, 0, 0, 1, colours_of), 0);
}

static double cpu_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

// Printed, not judged.
static void tells_how_long_it_takes(void **state) {
    (void)state;
    static const uint32_t cases[][3] = {{64, 16, 16}, {256, 64, 64}, {512, 32, 64}, {512, 32, 32}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint32_t count = regular_edges(i, cases[i][0], cases[i][1]);
        double before = cpu_ms();
        assert_int_equal(colour_edges(edges, count, cases[i][0], cases[i][0], cases[i][2],
                                      colours_of),
                         0);
        printf("%u edges, %u vertices, %u colours: %.2f ms\n", count, cases[i][0], cases[i][2],
               cpu_ms() - before);
        assert_equitable(count, cases[i][2]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(colours_a_regular_graph_with_as_many_colours_as_its_degree),
        cmocka_unit_test(colours_any_graph_as_evenly_as_whole_edges_allow),
        cmocka_unit_test(colours_parallel_edges_differently),
        cmocka_unit_test(spreads_the_heaviest_edges_of_a_vertex_first),
        cmocka_unit_test(gives_the_same_colours_again),
        cmocka_unit_test(colours_no_edge_at_all),
        cmocka_unit_test(tells_how_long_it_takes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
