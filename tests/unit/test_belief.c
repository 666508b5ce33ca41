// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "fabric_fixture.h"
#include "model/belief.h"

// 2 leaves, 2 spines, 3 hosts a leaf: h0, h1, h2 are one rack, h3, h4, h5 the other.
static struct link_belief believe(const struct link_evidence *evidence, uint32_t count) {
    struct fabric *fabric = fixture_leaf_spine(2, 2, 3, 1, 1);
    struct link_belief beliefs[64] = {0};
    assert_true(fabric_link_count(fabric) <= 64);
    belief_compute(fabric, evidence, count, beliefs);
    uint32_t link = count > 0 ? evidence[0].link.i : 0;
    for (uint32_t i = 0; i < fabric_link_count(fabric); i++) {
        assert_true(i == link || (!beliefs[i].down && beliefs[i].observer_count == 0 &&
                                  beliefs[i].capacity_ppm == CAPACITY_FULL_PPM));
    }
    fabric_close(fabric);
    return beliefs[link];
}

static struct link_evidence says(uint32_t host, enum link_verdict verdict, uint32_t ppm) {
    return (struct link_evidence){.link = {14},
                                  .observer = {host},
                                  .report = {.verdict = verdict, .capacity_ppm = ppm}};
}
#define UP(host) says(host, LINK_UP, CAPACITY_FULL_PPM)
#define DOWN(host) says(host, LINK_DOWN, CAPACITY_FULL_PPM)
#define BELIEVE(...)                                                                               \
    believe((const struct link_evidence[]){__VA_ARGS__},                                           \
            sizeof((const struct link_evidence[]){__VA_ARGS__}) / sizeof(struct link_evidence))

static void nothing_heard_is_up_and_full(void **state) {
    (void)state;
    struct link_belief belief = believe(NULL, 0);
    assert_false(belief.down);
    assert_int_equal(belief.capacity_ppm, CAPACITY_FULL_PPM);
}

static void a_single_observer_suffices_only_when_it_is_alone(void **state) {
    (void)state;
    assert_true(BELIEVE(DOWN(0)).down);
    assert_false(BELIEVE(UP(0)).down);
    assert_false(BELIEVE(DOWN(0), UP(1)).down);
    assert_false(BELIEVE(UP(0), DOWN(3)).down);
}

static void two_of_one_rack_suffice_only_without_observers_elsewhere(void **state) {
    (void)state;
    assert_true(BELIEVE(DOWN(0), DOWN(1)).down);
    assert_true(BELIEVE(DOWN(0), DOWN(1), UP(2)).down);
    assert_false(BELIEVE(DOWN(0), DOWN(1), UP(3)).down);
    assert_false(BELIEVE(DOWN(0), DOWN(1), DOWN(2), UP(3)).down);
}

static void two_racks_that_agree_are_believed(void **state) {
    (void)state;
    struct link_belief belief = BELIEVE(DOWN(0), UP(1), DOWN(3), UP(4));
    assert_true(belief.down);
    assert_int_equal(belief.down_votes, 2);
    assert_int_equal(belief.observer_count, 4);
}

static void capacity_is_what_two_agree_on(void **state) {
    (void)state;
    assert_int_equal(BELIEVE(says(0, LINK_UP, 400000)).capacity_ppm, 400000);
    assert_int_equal(BELIEVE(says(0, LINK_UP, 400000), UP(1)).capacity_ppm, CAPACITY_FULL_PPM);
    assert_int_equal(
        BELIEVE(says(0, LINK_UP, 400000), says(3, LINK_UP, 600000), UP(4)).capacity_ppm, 600000);
    assert_int_equal(
        BELIEVE(says(0, LINK_UP, 600000), says(3, LINK_UP, 400000), UP(4)).capacity_ppm, 600000);
}

static void drained_is_left_as_it_is(void **state) {
    (void)state;
    struct fabric *fabric = fixture_leaf_spine(2, 2, 3, 1, 1);
    struct link_belief beliefs[64] = {[15] = {.drained = true, .down = true}};
    belief_compute(fabric, NULL, 0, beliefs);
    assert_true(beliefs[15].drained);
    assert_false(beliefs[15].down);
    fabric_close(fabric);
}

static void a_plan_may_use_what_is_up_times_its_capacities(void **state) {
    (void)state;
    struct fabric *fabric = fixture_leaf_spine(2, 2, 3, 1, 1);
    link_id link = {14};
    struct link_belief belief = {.capacity_ppm = 500000};
    fabric->cables[7].capacity_ppm[0] = 250000;
    assert_int_equal(belief_rate_bps(fabric, &belief, link), 50000000000);
    belief.drained = true;
    assert_int_equal(belief_rate_bps(fabric, &belief, link), 0);
    belief = (struct link_belief){.capacity_ppm = 500000, .down = true};
    assert_int_equal(belief_rate_bps(fabric, &belief, link), 0);
    fabric_close(fabric);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_heard_is_up_and_full),
        cmocka_unit_test(a_single_observer_suffices_only_when_it_is_alone),
        cmocka_unit_test(two_of_one_rack_suffice_only_without_observers_elsewhere),
        cmocka_unit_test(two_racks_that_agree_are_believed),
        cmocka_unit_test(capacity_is_what_two_agree_on),
        cmocka_unit_test(drained_is_left_as_it_is),
        cmocka_unit_test(a_plan_may_use_what_is_up_times_its_capacities),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
