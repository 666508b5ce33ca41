// SPDX-License-Identifier: Apache-2.0
#include "cmocka_all.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fail.h"
#include "path_fixture.h"

static struct path_fixture fixture;

static int open_fixture(void **state) {
    (void)state;
    fixture_leaf_spine(&fixture, 2, 2, 2, 2); // leaf0-spine1 is two cables
    return 0;
}

static int close_fixture(void **state) {
    (void)state;
    fixture_close(&fixture);
    return 0;
}

// Applies one option to a healthy fabric and returns how many directed links it touched.
static uint32_t touched(const char *option, struct link_belief *beliefs) {
    struct error error;
    assert_int_equal(fail_apply(fixture.fabric, option, beliefs, &error), 0);
    uint32_t count = 0;
    for (uint32_t i = 0; i < fabric_link_count(fixture.fabric); i++) {
        count += beliefs[i].down || beliefs[i].capacity_ppm != CAPACITY_FULL_PPM;
    }
    return count;
}

static void expect_touched(const char *option, const char *const *links, uint32_t count,
                           uint32_t capacity_ppm) {
    struct link_belief *beliefs = beliefs_healthy(fixture.fabric);
    assert_int_equal(touched(option, beliefs), count);
    for (uint32_t i = 0; i < count; i++) {
        const struct link_belief *belief = &beliefs[fixture_link(&fixture, links[i]).i];
        assert_int_equal(belief->capacity_ppm, capacity_ppm);
        assert_int_equal(belief->down, capacity_ppm == 0);
    }
    free(beliefs);
}

static void a_cable_name_means_both_directions_of_all_parallel_cables(void **state) {
    (void)state;
    const char *const links[] = {"leaf0>spine1.0", "leaf0>spine1.1", "spine1>leaf0.0",
                                 "spine1>leaf0.1"};
    expect_touched("leaf0-spine1", links, 4, 0);
}

static void a_number_means_one_cable(void **state) {
    (void)state;
    const char *const links[] = {"leaf0>spine1.1", "spine1>leaf0.1"};
    expect_touched("leaf0-spine1.1", links, 2, 0);
}

static void an_arrow_means_one_direction_either_way(void **state) {
    (void)state;
    const char *const up[] = {"leaf0>spine1.0", "leaf0>spine1.1"};
    const char *const down[] = {"spine1>leaf0.0", "spine1>leaf0.1"};
    const char *const one[] = {"spine1>leaf0.1"};
    expect_touched("leaf0>spine1", up, 2, 0);
    expect_touched("spine1>leaf0", down, 2, 0);
    expect_touched("spine1>leaf0.1", one, 1, 0);
}

static void a_fraction_is_what_is_left(void **state) {
    (void)state;
    const char *const links[] = {"spine1>leaf0.1"};
    expect_touched("spine1>leaf0.1=0.25", links, 1, CAPACITY_FULL_PPM / 4);
    expect_touched("spine1>leaf0.1=0", links, 1, 0);
    struct link_belief *beliefs = beliefs_healthy(fixture.fabric);
    assert_int_equal(touched("leaf0-spine1=1", beliefs), 0);
    free(beliefs);
}

static void the_last_word_on_a_link_counts(void **state) {
    (void)state;
    struct link_belief *beliefs = beliefs_healthy(fixture.fabric);
    assert_int_equal(touched("leaf0-spine1", beliefs), 4);
    assert_int_equal(touched("leaf0-spine1=1", beliefs), 0);
    free(beliefs);
}

static void host_cables_can_fail_too(void **state) {
    (void)state;
    const char *const links[] = {"h0>leaf0", "leaf0>h0"};
    expect_touched("h0-leaf0", links, 2, 0);
}

static void refuses(const char *option, int code, const char *text) {
    struct link_belief *beliefs = beliefs_healthy(fixture.fabric);
    struct link_belief *before = beliefs_healthy(fixture.fabric);
    struct error error;
    assert_int_equal(fail_apply(fixture.fabric, option, beliefs, &error), code);
    assert_non_null(strstr(error.text, text));
    assert_memory_equal(beliefs, before, fabric_link_count(fixture.fabric) * sizeof beliefs[0]);
    free(beliefs);
    free(before);
}

static void refuses_links_that_are_not_there(void **state) {
    (void)state;
    refuses("leaf0-spine9", -ENOENT, "leaf0-spine9");
    refuses("leaf0-leaf1", -ENOENT, "leaf0-leaf1");
    refuses("leaf0>spine1.2", -ENOENT, "leaf0>spine1.2");
    refuses("spine9>leaf0=0.5", -ENOENT, "spine9>leaf0");
    refuses(">leaf0", -ENOENT, ">leaf0");
    refuses("", -ENOENT, "");
    char name[300];
    memset(name, 'x', sizeof name);
    name[sizeof name - 1] = '\0';
    refuses(name, -ENOENT, "xxx");
}

static void refuses_what_is_no_fraction(void **state) {
    (void)state;
    const char *const options[] = {"leaf0-spine1=",     "leaf0-spine1=half", "leaf0-spine1=-0.1",
                                   "leaf0-spine1=1.01", "leaf0-spine1=nan",  "leaf0-spine1=0.5x",
                                   "leaf0-spine1= 0.5", "leaf0-spine1=e"};
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        refuses(options[i], -EINVAL, "fraction");
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cable_name_means_both_directions_of_all_parallel_cables),
        cmocka_unit_test(a_number_means_one_cable),
        cmocka_unit_test(an_arrow_means_one_direction_either_way),
        cmocka_unit_test(a_fraction_is_what_is_left),
        cmocka_unit_test(the_last_word_on_a_link_counts),
        cmocka_unit_test(host_cables_can_fail_too),
        cmocka_unit_test(refuses_links_that_are_not_there),
        cmocka_unit_test(refuses_what_is_no_fraction),
    };
    return cmocka_run_group_tests(tests, open_fixture, close_fixture);
}
