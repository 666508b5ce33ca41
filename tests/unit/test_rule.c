// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "model/rule.h"

static struct encap encap_to(uint8_t number) {
    struct encap encap;
    memset(&encap, 0xaa, sizeof encap); // unused bytes must not count
    memset(encap.source, 0, sizeof encap.source);
    encap.sids.count = 1;
    encap.sids.sids[0] = sid_of((struct usid_block){{0xfc}}, number);
    return encap;
}

static struct rule rule_to(uint8_t destination, enum rule_key kind, uint32_t key, uint32_t encap) {
    struct rule rule;
    memset(&rule, 0x55, sizeof rule);
    memset(rule.match.destination, destination, sizeof rule.match.destination);
    rule.match.key_kind = (uint8_t)kind;
    rule.match.key = key;
    rule.select = RULE_SINGLE;
    rule.path_count = 1;
    rule.encap[0] = encap;
    return rule;
}

static void add(struct rule_set *set, uint8_t destination, uint32_t qp, uint8_t encap_number) {
    struct encap encap = encap_to(encap_number);
    uint32_t index;
    assert_int_equal(rule_set_intern(set, &encap, &index), 0);
    struct rule rule = rule_to(destination, RULE_KEY_QP, qp, index);
    assert_int_equal(rule_set_add(set, &rule), 0);
}

static void equal_encaps_are_kept_once(void **state) {
    (void)state;
    struct rule_set set;
    rule_set_init(&set);
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < 200; i++) {
            struct encap encap = encap_to((uint8_t)(i + 1));
            uint32_t index;
            assert_int_equal(rule_set_intern(&set, &encap, &index), 0);
            assert_int_equal(index, i);
        }
    }
    assert_int_equal(set.encap_count, 200);
    rule_set_fini(&set);
}

static void unused_bytes_of_an_encap_do_not_count(void **state) {
    (void)state;
    struct rule_set set;
    struct encap a = encap_to(1), b = encap_to(1);
    uint32_t first, second;
    b.sids.sids[1] = b.sids.sids[0];
    rule_set_init(&set);
    assert_int_equal(rule_set_intern(&set, &a, &first), 0);
    assert_int_equal(rule_set_intern(&set, &b, &second), 0);
    assert_int_equal(first, second);
    rule_set_fini(&set);
}

static void sealing_merges_encaps_that_were_not_interned(void **state) {
    (void)state;
    struct rule_set set;
    rule_set_init(&set);
    add(&set, 1, 10, 1);
    add(&set, 1, 11, 2);
    set.encaps[1] = set.encaps[0];
    assert_int_equal(rule_set_seal(&set, NULL), 0);
    assert_int_equal(set.encap_count, 1);
    assert_int_equal(set.rules[1].encap[0], 0);
    rule_set_fini(&set);
}

static void equal_contents_are_equal_after_sealing(void **state) {
    (void)state;
    struct rule_set a, b, c;
    rule_set_init(&a);
    rule_set_init(&b);
    rule_set_init(&c);
    add(&a, 1, 10, 3);
    add(&a, 1, 11, 2);
    add(&a, 2, 10, 3);
    struct encap unused = encap_to(77);
    uint32_t index;
    assert_int_equal(rule_set_intern(&b, &unused, &index), 0);
    add(&b, 2, 10, 3);
    add(&b, 1, 11, 2);
    add(&b, 1, 10, 3);
    assert_int_equal(rule_set_seal(&a, NULL), 0);
    assert_int_equal(rule_set_seal(&b, NULL), 0);
    assert_true(rule_set_equal(&a, &b));
    assert_int_equal(b.encap_count, 2);
    assert_int_equal(rule_set_copy(&a, &c), 0);
    assert_true(rule_set_equal(&a, &c));
    assert_int_equal(rule_set_seal(&c, NULL), 0); // sealing twice changes nothing
    assert_true(rule_set_equal(&a, &c));
    add(&c, 3, 1, 3); // the index is rebuilt after a copy
    assert_int_equal(c.encap_count, 2);
    assert_int_equal(rule_set_seal(&c, NULL), 0);
    assert_false(rule_set_equal(&a, &c));
    rule_set_clear(&c);
    assert_int_equal(c.rule_count + c.encap_count, 0);
    rule_set_fini(&a);
    rule_set_fini(&b);
    rule_set_fini(&c);
}

static void expect_refused(struct rule rule, uint8_t sids, const char *text) {
    struct rule_set set;
    struct error error = {0};
    struct encap encap = encap_to(1);
    uint32_t index;
    rule_set_init(&set);
    encap.sids.count = sids;
    assert_int_equal(rule_set_intern(&set, &encap, &index), 0);
    assert_int_equal(rule_set_add(&set, &rule), 0);
    assert_int_equal(rule_set_seal(&set, &error), -EINVAL);
    assert_string_equal(error.text, text);
    rule_set_fini(&set);
}

static void faulty_rules_are_refused_with_the_reason(void **state) {
    (void)state;
    struct rule good = rule_to(1, RULE_KEY_DEFAULT, 0, 0), rule;
    rule = good;
    rule.encap[0] = 1;
    expect_refused(rule, 1, "rule 0: path 0: encap 1 of 1");
    expect_refused(good, 0, "rule 0: path 0: 0 SIDs: 1 to 5");
    rule = good;
    rule.path_count = 0;
    expect_refused(rule, 1, "rule 0: 0 paths: a single rule has 1");
    rule = good;
    rule.match.key = 1;
    expect_refused(rule, 1, "rule 0: key 0x1: at most 0x0");
    expect_refused(rule_to(1, RULE_KEY_QP, 0x1000000, 0), 1,
                   "rule 0: key 0x1000000: at most 0xffffff");
    expect_refused(rule_to(1, RULE_KEY_SPORT, 0x10000, 0), 1,
                   "rule 0: key 0x10000: at most 0xffff");
    rule = good;
    rule.select = RULE_BUCKET_QP;
    memset(rule.bucket, 0, sizeof rule.bucket);
    rule.bucket[63] = 1;
    expect_refused(rule, 1, "rule 0: bucket 63: path 1 of 1");
    rule = good;
    rule.select = RULE_SPRAY;
    rule.path_count = 65;
    expect_refused(rule, 1, "rule 0: 65 paths: 1 to 64");
}

static void two_rules_of_one_match_are_refused(void **state) {
    (void)state;
    struct rule_set set;
    struct error error;
    rule_set_init(&set);
    add(&set, 1, 10, 1);
    add(&set, 2, 10, 1);
    add(&set, 1, 10, 2);
    assert_int_equal(rule_set_seal(&set, &error), -EINVAL);
    assert_string_equal(error.text, "two rules of one match: key kind 1, key 0xa");
    rule_set_fini(&set);
}

static void spares_are_sorted_each_once_and_none_that_a_rule_uses(void **state) {
    (void)state;
    struct rule_set set, copy;
    rule_set_init(&set);
    rule_set_init(&copy);
    add(&set, 1, 1, 5);
    for (unsigned i = 0; i < 2; i++) {
        for (uint8_t number = 9; number >= 3; number -= 2) {
            struct encap encap = encap_to(number);
            assert_int_equal(rule_set_add_spare(&set, &encap), 0);
        }
    }
    assert_int_equal(rule_set_seal(&set, NULL), 0);
    assert_int_equal(set.spare_count, 3);
    assert_int_equal(sid_first_usid(&set.spares[0].sids.sids[0]), 3);
    assert_int_equal(sid_first_usid(&set.spares[1].sids.sids[0]), 7);
    assert_int_equal(sid_first_usid(&set.spares[2].sids.sids[0]), 9);
    assert_int_equal(rule_set_copy(&set, &copy), 0);
    assert_true(rule_set_equal(&set, &copy));
    copy.spare_count--;
    assert_false(rule_set_equal(&set, &copy));
    rule_set_clear(&set);
    assert_int_equal(set.spare_count, 0);
    rule_set_fini(&set);
    rule_set_fini(&copy);
}

static void a_set_holds_65536_rules(void **state) {
    (void)state;
    struct rule_set set;
    struct rule rule = rule_to(1, RULE_KEY_QP, 0, 0);
    rule_set_init(&set);
    for (uint32_t i = 0; i < RULES_MAX; i++) {
        rule.match.key = i;
        assert_int_equal(rule_set_add(&set, &rule), 0);
    }
    assert_int_equal(rule_set_add(&set, &rule), -ENOSPC);
    rule_set_fini(&set);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_encaps_are_kept_once),
        cmocka_unit_test(unused_bytes_of_an_encap_do_not_count),
        cmocka_unit_test(sealing_merges_encaps_that_were_not_interned),
        cmocka_unit_test(equal_contents_are_equal_after_sealing),
        cmocka_unit_test(faulty_rules_are_refused_with_the_reason),
        cmocka_unit_test(two_rules_of_one_match_are_refused),
        cmocka_unit_test(spares_are_sorted_each_once_and_none_that_a_rule_uses),
        cmocka_unit_test(a_set_holds_65536_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
