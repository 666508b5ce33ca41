// SPDX-License-Identifier: Apache-2.0
#include "cmocka_all.h"

#include <math.h>
#include <stdio.h>

#include "coverage.h"

#define PROBABILITIES 5
static const double probabilities[PROBABILITIES] = {0.5, 0.9, 0.95, 0.99, 0.999};

static void it_is_the_coupon_collector_s_distribution(void **state) {
    (void)state;
    static const struct {
        uint32_t paths;
        uint64_t probes[PROBABILITIES];
    } rows[] = {
        {4, {7, 13, 16, 21, 29}},
        {8, {20, 33, 38, 51, 68}},
        {16, {51, 79, 90, 115, 150}},
        {32, {123, 181, 203, 255, 327}},
        {64, {290, 408, 453, 557, 703}},
        {128, {668, 906, 998, 1206, 1500}},
        {256, {1513, 1993, 2176, 2593, 3182}},
        {512, {3382, 4343, 4711, 5544, 6724}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint64_t probes[PROBABILITIES];
        assert_int_equal(coverage_probes(rows[i].paths, probabilities, PROBABILITIES, probes), 0);
        for (unsigned j = 0; j < PROBABILITIES; j++) {
            assert_int_equal(probes[j], rows[i].probes[j]);
        }
    }
}

// P(m, n) = sum over j of (-1)^j C(n, j) (1 - j / n)^m, where it still fits a double.
static double closed_form(uint32_t paths, uint64_t probes) {
    double sum = 0, choose = 1;
    for (uint32_t j = 0; j <= paths; j++) {
        sum += (j % 2 == 0 ? 1 : -1) * choose * pow(1 - (double)j / paths, (double)probes);
        choose = choose * (paths - j) / (j + 1);
    }
    return sum;
}

static void it_is_the_fewest_that_the_closed_form_allows(void **state) {
    (void)state;
    for (uint32_t paths = 2; paths <= 20; paths++) {
        uint64_t probes[PROBABILITIES];
        assert_int_equal(coverage_probes(paths, probabilities, PROBABILITIES, probes), 0);
        for (unsigned i = 0; i < PROBABILITIES; i++) {
            assert_true(closed_form(paths, probes[i]) >= probabilities[i] - 1e-9);
            assert_true(closed_form(paths, probes[i] - 1) < probabilities[i] + 1e-9);
        }
    }
}

static void one_path_takes_one_probe(void **state) {
    (void)state;
    uint64_t probes[PROBABILITIES];
    assert_int_equal(coverage_probes(1, probabilities, PROBABILITIES, probes), 0);
    assert_int_equal(probes[0], 1);
    assert_int_equal(probes[PROBABILITIES - 1], 1);
}

static void drawing_comes_within_a_few_percent_and_repeats_with_its_seed(void **state) {
    (void)state;
    for (uint32_t paths = 4; paths <= 64; paths *= 2) {
        uint64_t exact[PROBABILITIES], drawn[PROBABILITIES], again[PROBABILITIES];
        struct rng rng;
        rng_init(&rng, paths);
        assert_int_equal(coverage_probes(paths, probabilities, PROBABILITIES, exact), 0);
        assert_int_equal(coverage_draw(paths, probabilities, PROBABILITIES, 100000, &rng, drawn),
                         0);
        rng_init(&rng, paths);
        assert_int_equal(coverage_draw(paths, probabilities, PROBABILITIES, 100000, &rng, again),
                         0);
        for (unsigned i = 0; i < PROBABILITIES; i++) {
            double off = fabs((double)drawn[i] / (double)exact[i] - 1);
            assert_true(off < 0.01 || (i == PROBABILITIES - 1 && off < 0.03) ||
                        fabs((double)drawn[i] - (double)exact[i]) <= 1);
            assert_int_equal(drawn[i], again[i]);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_the_coupon_collector_s_distribution),
        cmocka_unit_test(it_is_the_fewest_that_the_closed_form_allows),
        cmocka_unit_test(one_path_takes_one_probe),
        cmocka_unit_test(drawing_comes_within_a_few_percent_and_repeats_with_its_seed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
