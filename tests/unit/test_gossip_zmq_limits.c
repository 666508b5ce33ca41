// SPDX-License-Identifier: Apache-2.0
#include "limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define BURST (2 * LIMIT_MESSAGES)
#define START_NS (5 * NS_PER_S)
#define MIB ((size_t)1 << 20)

static int setup(void **state) {
    *state = calloc(1, sizeof(struct limits));
    return *state == NULL;
}

static int teardown(void **state) {
    free(*state);
    return 0;
}

static uint64_t taken(struct limits *limits, uint64_t now_ns, const char *sender, size_t size,
                      unsigned tries) {
    uint64_t count = 0;
    for (unsigned i = 0; i < tries; i++) {
        count += limits_take(limits, now_ns, sender, size);
    }
    return count;
}

static void a_sender_may_say_two_seconds_worth_at_once_and_no_more(void **state) {
    assert_int_equal(taken(*state, START_NS, "h1", 100, BURST + 100), BURST);
}

static void a_sender_that_used_up_its_burst_may_go_on_at_its_rate(void **state) {
    struct limits *limits = *state;
    (void)taken(limits, START_NS, "h1", 100, BURST);
    uint64_t slot_ns = NS_PER_S / LIMIT_MESSAGES;
    assert_false(limits_take(limits, START_NS + slot_ns - 1, "h1", 100));
    assert_true(limits_take(limits, START_NS + slot_ns, "h1", 100));
    assert_false(limits_take(limits, START_NS + slot_ns, "h1", 100));
    assert_int_equal(taken(limits, START_NS + NS_PER_S, "h1", 100, BURST), LIMIT_MESSAGES - 1);
    assert_int_equal(taken(limits, START_NS + 60 * NS_PER_S, "h1", 100, 2 * BURST), BURST);
}

static void what_was_refused_is_not_paid_for(void **state) {
    struct limits *limits = *state;
    (void)taken(limits, START_NS, "h1", 100, 10 * BURST);
    assert_int_equal(taken(limits, START_NS + NS_PER_S, "h1", 100, BURST), LIMIT_MESSAGES);
}

static void bytes_are_limited_like_messages(void **state) {
    struct limits *limits = *state;
    assert_int_equal(taken(limits, START_NS, "h1", 4 * MIB, 100), 16);
    assert_false(limits_take(limits, START_NS + NS_PER_S / 8 - 1, "h1", 4 * MIB));
    assert_true(limits_take(limits, START_NS + NS_PER_S / 8, "h1", 4 * MIB));
}

static void one_senders_flood_takes_nothing_from_another(void **state) {
    struct limits *limits = *state;
    (void)taken(limits, START_NS, "h1", MIB, BURST);
    assert_false(limits_take(limits, START_NS, "h1", MIB));
    assert_int_equal(taken(limits, START_NS, "h2", 100, BURST + 1), BURST);
}

// Far more senders than are remembered, one of them all the time.
static void who_goes_on_speaking_is_not_forgotten(void **state) {
    struct limits *limits = *state;
    (void)taken(limits, START_NS, "h1", 100, BURST);
    for (unsigned i = 0; i < 20 * LIMITS_KEPT; i++) {
        char other[16];
        snprintf(other, sizeof other, "10.%u.%u.%u", i >> 16, i >> 8 & 255, i & 255);
        assert_true(limits_take(limits, START_NS + i, other, 100));
        assert_false(limits_take(limits, START_NS + i, "h1", 100));
    }
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(a_sender_may_say_two_seconds_worth_at_once_and_no_more),
        CASE(a_sender_that_used_up_its_burst_may_go_on_at_its_rate),
        CASE(what_was_refused_is_not_paid_for),
        CASE(bytes_are_limited_like_messages),
        CASE(one_senders_flood_takes_nothing_from_another),
        CASE(who_goes_on_speaking_is_not_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
