// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>

#include "nic_rules.h"

struct sets {
    struct rule_set before, after;
};

static int setup(void **state) {
    static struct sets sets;
    rule_set_init(&sets.before);
    rule_set_init(&sets.after);
    *state = &sets;
    return 0;
}

static int teardown(void **state) {
    struct sets *sets = *state;
    rule_set_fini(&sets->before);
    rule_set_fini(&sets->after);
    return 0;
}

static struct rule_diff diff_of(struct sets *sets) {
    struct rule_diff diff;
    seal(&sets->before);
    seal(&sets->after);
    assert_int_equal(rule_diff_make(&sets->before, &sets->after, &diff), 0);
    return diff;
}

static void equal_sets_need_no_change(void **state) {
    struct sets *sets = *state;
    add_rule(&sets->before, match_to(1, RULE_KEY_DEFAULT, 0), RULE_SINGLE, 7, 0);
    add_rule(&sets->after, match_to(1, RULE_KEY_DEFAULT, 0), RULE_SINGLE, 7, 0);
    struct rule_diff diff = diff_of(sets);
    assert_int_equal(diff.count, 0);
    rule_diff_fini(&diff);
}

static void an_index_that_moved_is_no_change(void **state) {
    struct sets *sets = *state;
    add_rule(&sets->before, match_to(2, RULE_KEY_DEFAULT, 0), RULE_BUCKET_SPORT, 7, 8, 0);
    // Path 3 sorts before 7 and 8 and moves their indices.
    add_rule(&sets->after, match_to(1, RULE_KEY_DEFAULT, 0), RULE_SINGLE, 3, 0);
    add_rule(&sets->after, match_to(2, RULE_KEY_DEFAULT, 0), RULE_BUCKET_SPORT, 7, 8, 0);
    struct rule_diff diff = diff_of(sets);
    assert_int_equal(diff.count, 1);
    assert_int_equal(diff.changes[0].kind, RULE_CHANGE_ADD);
    assert_int_equal(diff.changes[0].after, 0);
    assert_int_equal(diff.changes[0].before, RULE_NONE);
    rule_diff_fini(&diff);
}

static void another_path_select_or_bucket_is_a_replacement(void **state) {
    struct sets *sets = *state;
    add_rule(&sets->before, match_to(1, RULE_KEY_DEFAULT, 0), RULE_SINGLE, 7, 0);
    add_rule(&sets->after, match_to(1, RULE_KEY_DEFAULT, 0), RULE_SINGLE, 8, 0);
    add_rule(&sets->before, match_to(2, RULE_KEY_DEFAULT, 0), RULE_BUCKET_SPORT, 7, 8, 0);
    add_rule(&sets->after, match_to(2, RULE_KEY_DEFAULT, 0), RULE_BUCKET_QP, 7, 8, 0);
    add_rule(&sets->before, match_to(3, RULE_KEY_DEFAULT, 0), RULE_BUCKET_QP, 7, 8, 0);
    add_rule(&sets->after, match_to(3, RULE_KEY_DEFAULT, 0), RULE_BUCKET_QP, 7, 8, 0);
    sets->after.rules[2].bucket[63] = 0;
    struct rule_diff diff = diff_of(sets);
    assert_int_equal(diff.count, 3);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(diff.changes[i].kind, RULE_CHANGE_REPLACE);
        assert_int_equal(diff.changes[i].before, i);
        assert_int_equal(diff.changes[i].after, i);
    }
    rule_diff_fini(&diff);
}

static void narrow_rules_stand_before_wide_ones_move_and_go_after(void **state) {
    struct sets *sets = *state;
    add_rule(&sets->before, match_to(1, RULE_KEY_DEFAULT, 0), RULE_SINGLE, 7, 0);
    add_rule(&sets->before, match_to(1, RULE_KEY_QP, 5), RULE_SINGLE, 8, 0);
    add_rule(&sets->before, match_to(2, RULE_KEY_DEFAULT, 0), RULE_SINGLE, 7, 0);
    add_rule(&sets->after, match_to(1, RULE_KEY_DEFAULT, 0), RULE_SINGLE, 9, 0);
    add_rule(&sets->after, match_to(1, RULE_KEY_SPORT, 5), RULE_SINGLE, 8, 0);
    add_rule(&sets->after, match_to(3, RULE_KEY_QP, 6), RULE_SINGLE, 8, 0);
    struct rule_diff diff = diff_of(sets);
    static const struct {
        enum rule_change_kind kind;
        enum rule_key key;
    } expected[] = {{RULE_CHANGE_ADD, RULE_KEY_SPORT},
                    {RULE_CHANGE_ADD, RULE_KEY_QP},
                    {RULE_CHANGE_REPLACE, RULE_KEY_DEFAULT},
                    {RULE_CHANGE_REMOVE, RULE_KEY_DEFAULT},
                    {RULE_CHANGE_REMOVE, RULE_KEY_QP}};
    assert_int_equal(diff.count, 5);
    for (uint32_t i = 0; i < 5; i++) {
        const struct rule_change *change = &diff.changes[i];
        const struct rule *rule = change->kind == RULE_CHANGE_REMOVE
                                      ? &sets->before.rules[change->before]
                                      : &sets->after.rules[change->after];
        assert_int_equal(change->kind, expected[i].kind);
        assert_int_equal(rule->match.key_kind, expected[i].key);
    }
    rule_diff_fini(&diff);
}

static void paths_that_stay_keep_their_number_wherever_they_stand(void **state) {
    struct sets *sets = *state;
    uint32_t origin[RULE_PATHS_MAX];
    add_rule(&sets->before, match_to(1, RULE_KEY_DEFAULT, 0), RULE_SPRAY, 7, 8, 8, 0);
    add_rule(&sets->after, match_to(1, RULE_KEY_DEFAULT, 0), RULE_SPRAY, 8, 9, 8, 8, 7, 0);
    seal(&sets->before);
    seal(&sets->after);
    rule_path_origins(&sets->before, 0, &sets->after, 0, origin);
    assert_int_equal(origin[0], 1);
    assert_int_equal(origin[1], RULE_NONE);
    assert_int_equal(origin[2], 2);
    assert_int_equal(origin[3], RULE_NONE); // both old ones are taken
    assert_int_equal(origin[4], 0);
    rule_path_origins(&sets->before, RULE_NONE, &sets->after, 0, origin);
    assert_int_equal(origin[0], RULE_NONE);
}

static void paths_are_numbered_through(void **state) {
    struct sets *sets = *state;
    uint32_t *first;
    add_rule(&sets->after, match_to(1, RULE_KEY_DEFAULT, 0), RULE_SPRAY, 7, 8, 0);
    add_rule(&sets->after, match_to(2, RULE_KEY_DEFAULT, 0), RULE_SINGLE, 7, 0);
    seal(&sets->after);
    assert_int_equal(rule_path_numbers(&sets->after, &first), 0);
    assert_int_equal(first[0], 0);
    assert_int_equal(first[1], 2);
    assert_int_equal(first[2], 3);
    free(first);
}

static void a_packet_meets_the_narrowest_rule(void **state) {
    struct rule_set *set = &((struct sets *)*state)->after;
    add_rule(set, match_to(1, RULE_KEY_DEFAULT, 0), RULE_SINGLE, 7, 0);
    add_rule(set, match_to(1, RULE_KEY_QP, 5), RULE_SINGLE, 8, 0);
    add_rule(set, match_to(1, RULE_KEY_SPORT, 6), RULE_SINGLE, 9, 0);
    seal(set);
    struct rule_packet both = packet_to(1, 5, 6), port = packet_to(1, 4, 6),
                       other = packet_to(1, 6, 5), elsewhere = packet_to(2, 5, 6);
    assert_int_equal(set->rules[rule_set_lookup(set, &both)].match.key_kind, RULE_KEY_QP);
    assert_int_equal(set->rules[rule_set_lookup(set, &port)].match.key_kind, RULE_KEY_SPORT);
    assert_int_equal(set->rules[rule_set_lookup(set, &other)].match.key_kind, RULE_KEY_DEFAULT);
    assert_int_equal(rule_set_lookup(set, &elsewhere), RULE_NONE);
}

static void a_rule_selects_by_low_bits_or_at_random(void **state) {
    struct rule_set *set = &((struct sets *)*state)->after;
    add_rule(set, match_to(1, RULE_KEY_DEFAULT, 0), RULE_BUCKET_QP, 7, 8, 9, 0);
    struct rule rule = set->rules[0];
    struct rule_packet packet = packet_to(1, 64 + 2, 63);
    assert_int_equal(rule_select_path(&rule, &packet, 0), 2);
    rule.select = RULE_BUCKET_SPORT;
    assert_int_equal(rule_select_path(&rule, &packet, 0), 63 % 3);
    rule.select = RULE_SPRAY;
    assert_int_equal(rule_select_path(&rule, &packet, 0), 0);
    assert_int_equal(rule_select_path(&rule, &packet, UINT32_MAX / 2), 1);
    assert_int_equal(rule_select_path(&rule, &packet, UINT32_MAX), 2);
    rule.select = RULE_SINGLE;
    assert_int_equal(rule_select_path(&rule, &packet, UINT32_MAX), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(equal_sets_need_no_change),
        TEST(an_index_that_moved_is_no_change),
        TEST(another_path_select_or_bucket_is_a_replacement),
        TEST(narrow_rules_stand_before_wide_ones_move_and_go_after),
        TEST(paths_that_stay_keep_their_number_wherever_they_stand),
        TEST(paths_are_numbered_through),
        TEST(a_packet_meets_the_narrowest_rule),
        TEST(a_rule_selects_by_low_bits_or_at_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
