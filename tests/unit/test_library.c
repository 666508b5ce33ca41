// SPDX-License-Identifier: Apache-2.0
// Libraries that are loaded when they are needed: whole, or with a sentence.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "library.h"

#include <cmocka.h>

static void does_nothing(void) {}

static void what_is_there_is_called(void **state) {
    static const char *const names[] = {"strlen", "abs"};
    void (*calls[2])(void) = {0};
    struct error error = {0};
    assert_int_equal(library_load("libc.so.6", names, 2, calls, &error), 0);
    assert_int_equal(((__typeof__(strlen) *)calls[0])("four"), 4);
    assert_int_equal(((__typeof__(abs) *)calls[1])(-7), 7);
    (void)state;
}

static void a_library_that_is_missing_is_named(void **state) {
    static const char *const names[] = {"strlen"};
    void (*calls[1])(void) = {does_nothing};
    struct error error = {0};
    assert_int_equal(library_load("libnowhere.so.9", names, 1, calls, &error), -ENOTSUP);
    assert_non_null(strstr(error.text, "libnowhere.so.9"));
    assert_ptr_equal(calls[0], does_nothing);
    (void)state;
}

static void a_function_that_is_missing_is_named_and_none_is_taken(void **state) {
    static const char *const names[] = {"strlen", "no_such_function"};
    void (*calls[2])(void) = {does_nothing, does_nothing};
    struct error error = {0};
    assert_int_equal(library_load("libc.so.6", names, 2, calls, &error), -ENOTSUP);
    assert_string_equal(error.text,
                        "libc.so.6 has no no_such_function: another version is installed");
    assert_ptr_equal(calls[0], does_nothing);
    assert_ptr_equal(calls[1], does_nothing);
    (void)state;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_there_is_called),
        cmocka_unit_test(a_library_that_is_missing_is_named),
        cmocka_unit_test(a_function_that_is_missing_is_named_and_none_is_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
