// SPDX-License-Identifier: Apache-2.0
#include "cmocka_all.h"

#include <string.h>

#include "pathalg/algorithm.h"

static void finds_algorithms_by_name(void **state) {
    (void)state;
    assert_ptr_equal(algorithm_find("ecmp"), &algorithm_ecmp);
    assert_ptr_equal(algorithm_find("ethereal"), &algorithm_ethereal);
    assert_ptr_equal(algorithm_find("spray"), &algorithm_spray);
}

static void shared_is_the_default(void **state) {
    (void)state;
    assert_ptr_equal(algorithm_find(""), &algorithm_shared);
    assert_ptr_equal(algorithm_find_version("", 2), &algorithm_shared);
}

static void plans_of_version_1_know_what_version_1_knew(void **state) {
    (void)state;
    assert_ptr_equal(algorithm_find_version("", 1), &algorithm_ethereal);
    assert_ptr_equal(algorithm_find_version("ecmp", 1), &algorithm_ecmp);
    assert_ptr_equal(algorithm_find_version("spray", 1), &algorithm_spray);
    assert_null(algorithm_find_version("shared", 1));
}

static void does_not_guess_unknown_names(void **state) {
    (void)state;
    assert_null(algorithm_find("ecm"));
    assert_null(algorithm_find("ECMP"));
    assert_null(algorithm_find("ecmp "));
}

static void every_name_in_the_list_is_found(void **state) {
    (void)state;
    char names[256];
    assert_true(strlen(algorithm_names()) < sizeof names);
    strcpy(names, algorithm_names());
    unsigned count = 0;
    for (char *rest = names, *name; (name = strtok_r(rest, ", ", &rest)) != NULL; count++) {
        assert_non_null(algorithm_find(name));
        assert_string_equal(algorithm_find(name)->name, name);
    }
    assert_true(count >= 4);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_algorithms_by_name),
        cmocka_unit_test(shared_is_the_default),
        cmocka_unit_test(plans_of_version_1_know_what_version_1_knew),
        cmocka_unit_test(does_not_guess_unknown_names),
        cmocka_unit_test(every_name_in_the_list_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
