// SPDX-License-Identifier: Apache-2.0
// What hosts say of how they are set up, and who of them is odd.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmocka_all.h"
#include "model/host_facts.h"
#include "model/rng.h"

#define HOSTS_MAX 24

static struct host_facts facts[HOSTS_MAX];
static struct audit_host hosts[HOSTS_MAX];
static struct audit_setting judged[HOST_SETTINGS];
static char odd_ones[512];

static int clear(void **state) {
    (void)state;
    memset(facts, 0, sizeof facts);
    return 0;
}

static void on_odd(void *context, enum host_setting setting, uint32_t host, uint32_t ports,
                   const char *value) {
    size_t used = strlen(odd_ones);
    (void)context;
    snprintf(odd_ones + used, sizeof odd_ones - used, "%s %u/%x %s;", host_setting_name(setting),
             host, ports, value);
}

static const char *audit(uint32_t count, uint32_t ports) {
    for (uint32_t i = 0; i < count; i++) {
        hosts[i] = (struct audit_host){ports, facts[i].count, facts[i].facts};
    }
    odd_ones[0] = '\0';
    assert_int_equal(host_audit(hosts, count, judged, on_odd, NULL), 0);
    return odd_ones;
}

static void ports_of_equal_values_share_a_fact(void **state) {
    (void)state;
    assert_true(host_facts_add(&facts[0], HOST_MTU, 0, "9000"));
    assert_true(host_facts_add(&facts[0], HOST_MTU, 3, "9000"));
    assert_true(host_facts_add(&facts[0], HOST_MTU, 1, "1500"));
    assert_int_equal(facts[0].count, 2);
    assert_string_equal(host_facts_find(&facts[0], HOST_MTU, 3), "9000");
    assert_string_equal(host_facts_find(&facts[0], HOST_MTU, 1), "1500");
    assert_null(host_facts_find(&facts[0], HOST_MTU, 2));
}

static void what_is_no_value_is_not_added(void **state) {
    (void)state;
    char text[HOST_VALUE_SIZE + 1];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    assert_false(host_facts_add(&facts[0], HOST_FIRMWARE, 0, text)); // one too long
    assert_false(host_facts_add(&facts[0], HOST_FIRMWARE, 0, ""));
    assert_false(host_facts_add(&facts[0], HOST_FIRMWARE, 0, "a\nb"));
    assert_false(host_facts_add(&facts[0], HOST_KERNEL, 0, "6.1"));
    assert_false(host_facts_add(&facts[0], HOST_MTU, HOST_WIDE, "9000"));
    assert_false(host_facts_add(&facts[0], HOST_MTU, HOST_PORTS_MAX, "9000"));
    assert_int_equal(facts[0].count, 0);
    text[HOST_VALUE_SIZE - 1] = '\0';
    assert_true(host_facts_add(&facts[0], HOST_FIRMWARE, 0, text));
    assert_false(host_facts_add(&facts[0], HOST_FIRMWARE, 0, "another")); // it has one
}

static void the_odd_one_out_is_named_with_what_the_others_have(void **state) {
    (void)state;
    for (uint32_t i = 0; i < 5; i++) {
        host_facts_add(&facts[i], HOST_MTU, 0, i == 3 ? "1500" : "9000");
        host_facts_add(&facts[i], HOST_KERNEL, HOST_WIDE, "6.1");
    }
    assert_string_equal(audit(5, 1), "mtu_bytes 3/1 1500;");
    assert_int_equal(judged[HOST_MTU].verdict, AUDIT_ODD);
    assert_string_equal(judged[HOST_MTU].common, "9000");
    assert_int_equal(judged[HOST_MTU].common_count, 4);
    assert_int_equal(judged[HOST_KERNEL].verdict, AUDIT_AGREED);
    assert_int_equal(judged[HOST_PFC].verdict, AUDIT_UNKNOWN);
    assert_int_equal(judged[HOST_PFC].unknown, 5);
}

static void unknown_values_do_not_vote(void **state) {
    (void)state;
    host_facts_add(&facts[0], HOST_PFC, 0, "3");
    host_facts_add(&facts[1], HOST_PFC, 0, "3");
    assert_string_equal(audit(8, 1), "");
    assert_int_equal(judged[HOST_PFC].verdict, AUDIT_AGREED);
    assert_int_equal(judged[HOST_PFC].known, 2);
    assert_int_equal(judged[HOST_PFC].unknown, 6);
}

static void half_is_no_majority_and_one_more_is(void **state) {
    (void)state;
    for (uint32_t i = 0; i < 4; i++) {
        host_facts_add(&facts[i], HOST_PFC, 0, i < 2 ? "3" : "4");
    }
    assert_string_equal(audit(4, 1), "");
    assert_int_equal(judged[HOST_PFC].verdict, AUDIT_SPLIT);
    assert_int_equal(judged[HOST_PFC].value_count, 2);
    host_facts_add(&facts[4], HOST_PFC, 0, "4");
    assert_string_equal(audit(5, 1), "pfc 0/1 3;pfc 1/1 3;");
    assert_int_equal(judged[HOST_PFC].verdict, AUDIT_ODD);
}

static void the_most_frequent_of_three_values_is_no_majority(void **state) {
    (void)state;
    static const char *const values[] = {"1", "1", "2", "3"};
    for (uint32_t i = 0; i < 4; i++) {
        host_facts_add(&facts[i], HOST_ROCE_TOS, 0, values[i]);
    }
    assert_string_equal(audit(4, 1), "");
    assert_int_equal(judged[HOST_ROCE_TOS].verdict, AUDIT_SPLIT);
}

static void ports_vote_one_by_one_and_only_those_that_the_host_has(void **state) {
    (void)state;
    for (uint32_t port = 0; port < HOST_PORTS_MAX; port++) {
        host_facts_add(&facts[0], HOST_MTU, port, port == 1 ? "9000" : "1500"); // claims 16 ports
    }
    host_facts_add(&facts[1], HOST_MTU, 0, "9000");
    host_facts_add(&facts[1], HOST_MTU, 1, "9000");
    assert_string_equal(audit(2, 2), "mtu_bytes 0/1 1500;");
    assert_int_equal(judged[HOST_MTU].known, 4);
    assert_int_equal(judged[HOST_MTU].common_count, 3);
}

// Against counting each voter by hand, on random facts.
static void verdicts_are_those_of_a_count_by_hand(void **state) {
    (void)state;
    struct rng rng;
    rng_init(&rng, 7);
    for (int round = 0; round < 2000; round++) {
        uint32_t count = 1 + (uint32_t)rng_below(&rng, HOSTS_MAX), votes[3] = {0}, best = 0;
        uint32_t known = 0, values = 0, odd = 0, wrong = 0;
        memset(facts, 0, sizeof facts);
        for (uint32_t i = 0; i < count; i++) {
            uint32_t value = (uint32_t)rng_below(&rng, 4);
            if (value < 3) {
                static const char *const texts[] = {"a", "b", "c"};
                host_facts_add(&facts[i], HOST_TRUST, 0, texts[value]);
                votes[value]++;
                known++;
            }
        }
        for (int i = 0; i < 3; i++) {
            values += votes[i] > 0;
            best = votes[i] > best ? votes[i] : best;
        }
        for (const char *at = audit(count, 1); (at = strchr(at, ';')) != NULL; at++) {
            odd++;
        }
        enum audit_verdict verdict = values == 0        ? AUDIT_UNKNOWN
                                     : values == 1      ? AUDIT_AGREED
                                     : best * 2 > known ? AUDIT_ODD
                                                        : AUDIT_SPLIT;
        wrong += judged[HOST_TRUST].verdict != verdict || judged[HOST_TRUST].known != known;
        wrong += odd != (verdict == AUDIT_ODD ? known - best : 0);
        assert_int_equal(wrong, 0);
    }
}

#define TEST(name) cmocka_unit_test_setup(name, clear)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(ports_of_equal_values_share_a_fact),
        TEST(what_is_no_value_is_not_added),
        TEST(the_odd_one_out_is_named_with_what_the_others_have),
        TEST(unknown_values_do_not_vote),
        TEST(half_is_no_majority_and_one_more_is),
        TEST(the_most_frequent_of_three_values_is_no_majority),
        TEST(ports_vote_one_by_one_and_only_those_that_the_host_has),
        TEST(verdicts_are_those_of_a_count_by_hand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
