// SPDX-License-Identifier: Apache-2.0
#include "cmocka_all.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "lp.h"

static void expect_optimum(struct lp *lp, double optimum, uint32_t column_class_count) {
    struct lp_result result;
    struct error error;
    assert_int_equal(lp_solve(lp, &result, &error), 0);
    assert_true(fabs(result.optimum - optimum) < 1e-9);
    assert_int_equal(result.column_class_count, column_class_count);
    lp_close(lp);
}

// x + 2y >= 4, 3x + y >= 6, least 2x + 3y: both rows bind, x = 1.6, y = 1.2.
static void a_program_without_symmetry_is_solved_as_it_is(void **state) {
    (void)state;
    struct lp *lp = lp_open();
    uint32_t a = lp_row(lp, 4, LP_FREE), b = lp_row(lp, 6, LP_FREE);
    lp_column(lp, 2);
    lp_entry(lp, a, 1);
    lp_entry(lp, b, 3);
    lp_column(lp, 3);
    lp_entry(lp, a, 2);
    lp_entry(lp, b, 1);
    expect_optimum(lp, 6.8, 2);
}

// `count` things of 1 each go to any of `count` bins; the fullest bin is to be as empty as it can.
static struct lp *bins(uint32_t count, double last_capacity) {
    struct lp *lp = lp_open();
    uint32_t first_bin = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t row = lp_row(lp, -LP_FREE, 0);
        first_bin = i == 0 ? row : first_bin;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t thing = lp_row(lp, 1, 1);
        for (uint32_t bin = 0; bin < count; bin++) {
            lp_column(lp, 0);
            lp_entry(lp, thing, 1);
            lp_entry(lp, first_bin + bin, 1);
        }
    }
    lp_column(lp, 1);
    for (uint32_t bin = 0; bin < count; bin++) {
        lp_entry(lp, first_bin + bin, bin + 1 == count ? -last_capacity : -1);
    }
    return lp;
}

static void what_is_alike_becomes_one_and_the_optimum_stays(void **state) {
    (void)state;
    expect_optimum(bins(20, 1), 1, 2);           // all variables alike, and the fullest bin
    expect_optimum(bins(20, 0.5), 20 / 19.5, 3); // those of the small bin are others
}

static void what_cannot_be_is_said(void **state) {
    (void)state;
    struct lp *lp = lp_open();
    uint32_t row = lp_row(lp, 1, 1);
    lp_row(lp, 5, 6); // no variable is in it
    lp_column(lp, 1);
    lp_entry(lp, row, 1);
    struct lp_result result;
    struct error error;
    assert_int_equal(lp_solve(lp, &result, &error), -EIO);
    assert_non_null(strstr(error.text, "no optimum"));
    lp_close(lp);
}

static void a_program_beyond_the_limit_is_refused_with_its_size(void **state) {
    (void)state;
    struct lp *lp = lp_open();
    uint32_t row = lp_row(lp, 1, LP_FREE);
    for (uint32_t i = 0; i <= LP_CLASSES_MAX; i++) {
        lp_column(lp, 1 + i);
        lp_entry(lp, row, 1);
    }
    struct lp_result result;
    struct error error;
    assert_int_equal(lp_solve(lp, &result, &error), -E2BIG);
    assert_non_null(strstr(error.text, "too large"));
    lp_close(lp);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_program_without_symmetry_is_solved_as_it_is),
        cmocka_unit_test(what_is_alike_becomes_one_and_the_optimum_stays),
        cmocka_unit_test(what_cannot_be_is_said),
        cmocka_unit_test(a_program_beyond_the_limit_is_refused_with_its_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
