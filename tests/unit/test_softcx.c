// SPDX-License-Identifier: Apache-2.0
// The software eSwitch: what its tables, matchers and rules decide, and what its actions do to the
// bytes of a packet. Match parameters are written byte by byte here, by their offsets in the PRM.
#include "cmocka_all.h"
#include "softcx_bed.h"

// ---- order ------------------------------------------------------------------------------------

static void without_rules_all_is_slow_path(void **state) {
    struct bed *bed = *state;
    struct softcx_result result = bed_send(bed, 1, &bed->roce4);
    assert_int_equal(result.verdict, VERDICT_SLOW);
    assert_false(result.steered || result.changed);
    bed_expect_frame(bed, &bed->roce4);
}

static void a_table_that_nothing_jumps_to_sees_nothing(void **state) {
    struct bed *bed = *state;
    assert_int_equal(softcx_add_table(bed->card, 1, 1), 0);
    bed_rule_all(bed, 1, 0, 10, (uint64_t[]){bed->to_uplink}, 1);
    assert_int_equal(bed_send(bed, 1, &bed->roce4).verdict, VERDICT_SLOW);
}

static void the_matcher_with_the_smallest_priority_is_first(void **state) {
    struct bed *bed = *state;
    bed_root(bed, 1);
    bed_rule_all(bed, 1, 5, 10, (uint64_t[]){bed->to_uplink}, 1);
    bed_rule_all(bed, 1, 4, 20, (uint64_t[]){bed->to_vport2}, 1);
    bed_rule_all(bed, 1, 6, 30, (uint64_t[]){bed->drop}, 1);
    assert_int_equal(bed_send(bed, 1, &bed->roce4).vport, 2);
}

static void of_equal_priority_the_newest_matcher_is_first(void **state) {
    struct bed *bed = *state;
    bed_root(bed, 1);
    bed_rule_all(bed, 1, 5, 10, (uint64_t[]){bed->to_uplink}, 1);
    bed_rule_all(bed, 1, 5, 20, (uint64_t[]){bed->to_vport2}, 1);
    assert_int_equal(bed_send(bed, 1, &bed->roce4).vport, 2);
}

static void in_the_root_the_oldest_of_equal_priority_is_first(void **state) {
    struct bed *bed = *state;
    bed_rule_all(bed, BED_ROOT, 5, 10, (uint64_t[]){bed->to_uplink}, 1);
    bed_rule_all(bed, BED_ROOT, 5, 20, (uint64_t[]){bed->to_vport2}, 1);
    assert_int_equal(bed_send(bed, 1, &bed->roce4).vport, SOFTCX_UPLINK);
    bed_rule_all(bed, BED_ROOT, 4, 30, (uint64_t[]){bed->drop}, 1);
    assert_int_equal(bed_send(bed, 1, &bed->roce4).verdict, VERDICT_DROP);
}

static void the_older_of_equal_rules_works_until_it_goes(void **state) {
    struct bed *bed = *state;
    uint64_t *uplink = (uint64_t[]){bed->to_uplink}, *vport = (uint64_t[]){bed->to_vport2};
    bed_root(bed, 1);
    bed_rule_all(bed, 1, 0, 10, uplink, 1);
    struct softcx_key any = {{0}};
    assert_int_equal(softcx_add_rule(bed->card, 12, 10, &any, vport, 1), 0);
    assert_int_equal(softcx_add_rule(bed->card, 13, 10, &any, &bed->drop, 1), 0);
    assert_int_equal(bed_send(bed, 1, &bed->roce4).vport, SOFTCX_UPLINK);
    assert_int_equal(softcx_remove(bed->card, 11), 0);
    assert_int_equal(bed_send(bed, 1, &bed->roce4).vport, 2);
    assert_int_equal(softcx_remove(bed->card, 13), 0); // one that waited
    assert_int_equal(bed_send(bed, 1, &bed->roce4).vport, 2);
    assert_int_equal(softcx_remove(bed->card, 12), 0);
    assert_int_equal(bed_send(bed, 1, &bed->roce4).verdict, VERDICT_SLOW);
}

static void a_rule_that_waits_between_others_may_go(void **state) {
    struct bed *bed = *state;
    struct softcx_key any = {{0}};
    bed_root(bed, 1);
    bed_rule_all(bed, 1, 0, 10, &bed->to_uplink, 1);
    assert_int_equal(softcx_add_rule(bed->card, 12, 10, &any, &bed->drop, 1), 0);
    assert_int_equal(softcx_add_rule(bed->card, 13, 10, &any, &bed->to_vport2, 1), 0);
    assert_int_equal(softcx_remove(bed->card, 12), 0);
    assert_int_equal(bed_send(bed, 1, &bed->roce4).vport, SOFTCX_UPLINK);
    assert_int_equal(softcx_remove(bed->card, 11), 0);
    assert_int_equal(bed_send(bed, 1, &bed->roce4).vport, 2);
}

static void removing_a_rule_leaves_its_neighbours_in_the_bucket(void **state) {
    struct bed *bed = *state;
    struct bed_match match = {0};
    bed_root(bed, 1);
    match.bytes[BED_UDP_SOURCE] = match.bytes[BED_UDP_SOURCE + 1] = 0xff;
    bed_matcher(bed, 10, 1, 0, SOFTCX_OUTER, &match);
    for (uint32_t i = 0; i < 40000; i++) { // more than buckets
        match.bytes[BED_UDP_SOURCE] = (uint8_t)(i >> 8);
        match.bytes[BED_UDP_SOURCE + 1] = (uint8_t)i;
        bed_rule(bed, 100000 + i, 10, &match, &bed->to_uplink, 1);
        bed_rule(bed, 200000 + i, 10, &match, &bed->to_vport2, 1);
    }
    for (uint32_t i = 0; i < 40000; i += 2) {
        assert_int_equal(softcx_remove(bed->card, 100000 + i), 0);
    }
    for (uint32_t i = 0; i < 40000; i += 777) {
        struct bed_frame frame = bed->roce4;
        frame.bytes[34] = (uint8_t)(i >> 8);
        frame.bytes[35] = (uint8_t)i;
        assert_int_equal(bed_send(bed, 1, &frame).vport, i % 2 == 0 ? 2 : SOFTCX_UPLINK);
    }
}

static void equal_rules_in_the_root_are_refused(void **state) {
    struct bed *bed = *state;
    struct softcx_key any = {{0}};
    bed_rule_all(bed, BED_ROOT, 0, 10, &bed->to_uplink, 1);
    assert_int_equal(softcx_add_rule(bed->card, 12, 10, &any, &bed->drop, 1), -EEXIST);
    assert_int_equal(softcx_remove(bed->card, 12), -ENOENT);
}

static void a_miss_in_a_later_table_is_slow_path(void **state) {
    struct bed *bed = *state;
    bed_root(bed, 1);
    struct softcx_result result = bed_send(bed, 1, &bed->roce4);
    assert_int_equal(result.verdict, VERDICT_SLOW);
    assert_true(result.steered);
}

static void default_miss_and_no_destination_are_slow_path(void **state) {
    struct bed *bed = *state;
    uint64_t miss = bed_action(bed, ACTION_DEFAULT_MISS, 0, NULL, 0);
    bed_rule_all(bed, BED_ROOT, 0, 10, &miss, 1);
    assert_int_equal(bed_send(bed, 1, &bed->roce4).verdict, VERDICT_SLOW);
    assert_int_equal(softcx_remove(bed->card, 11), 0);
    struct softcx_key any = {{0}};
    assert_int_equal(softcx_add_rule(bed->card, 12, 10, &any, NULL, 0), 0);
    assert_int_equal(bed_send(bed, 1, &bed->roce4).verdict, VERDICT_SLOW);
}

static void tables_in_a_circle_end_in_a_drop(void **state) {
    struct bed *bed = *state;
    bed_root(bed, 1);
    uint64_t jump = bed_action(bed, ACTION_TABLE, 1, NULL, 0);
    bed_rule_all(bed, 1, 0, 10, &jump, 1);
    struct softcx_result result = bed_send(bed, 1, &bed->roce4);
    assert_int_equal(result.verdict, VERDICT_DROP);
    assert_int_equal(result.drop, DROP_LOOP);
}

// ---- objects ----------------------------------------------------------------------------------

static void what_is_used_cannot_go(void **state) {
    struct bed *bed = *state;
    uint32_t slot;
    bed_root(bed, 1);
    assert_int_equal(softcx_add_counters(bed->card, 500, 4, &slot), 0);
    uint64_t count = bed_action(bed, ACTION_COUNTER, 503, NULL, 0);
    bed_rule_all(bed, 1, 0, 10, (uint64_t[]){count, bed->to_uplink}, 2);
    assert_int_equal(softcx_remove_counters(bed->card, 500), -EBUSY);
    assert_int_equal(softcx_remove(bed->card, count), -EBUSY);
    assert_int_equal(softcx_remove(bed->card, 10), -EBUSY);
    assert_int_equal(softcx_remove(bed->card, 1), -EBUSY);
    assert_int_equal(softcx_remove(bed->card, 11), 0);
    assert_int_equal(softcx_remove(bed->card, 10), 0);
    assert_int_equal(softcx_remove(bed->card, count), 0);
    assert_int_equal(softcx_remove_counters(bed->card, 500), 0);
    assert_int_equal(softcx_remove(bed->card, 1), -EBUSY); // the root's jump
}

static void what_is_not_there_is_said(void **state) {
    struct bed *bed = *state;
    struct softcx_key any = {{0}};
    assert_int_equal(softcx_add_matcher(bed->card, 10, 99, 0, &any), -ENOENT);
    assert_int_equal(softcx_add_rule(bed->card, 11, 10, &any, NULL, 0), -ENOENT);
    assert_int_equal(softcx_add_action(bed->card, 12, ACTION_TABLE, 99, NULL, 0), -ENOENT);
    assert_int_equal(softcx_add_action(bed->card, 12, ACTION_COUNTER, 99, NULL, 0), -ENOENT);
    assert_int_equal(softcx_add_table(bed->card, BED_ROOT, 1), -EEXIST);
    assert_int_equal(softcx_add_table(bed->card, 0, 1), -EINVAL);
    bed_rule_all(bed, BED_ROOT, 0, 10, NULL, 0);
    assert_int_equal(softcx_add_rule(bed->card, 13, 10, &any, (uint64_t[]){99}, 1), -EOPNOTSUPP);
    assert_int_equal(softcx_remove(bed->card, 13), -ENOENT);
}

static void counters_lie_in_gaps_and_begin_at_zero(void **state) {
    struct bed *bed = *state;
    uint32_t a, b, c, d;
    assert_int_equal(softcx_add_counters(bed->card, 100, 128, &a), 0);
    assert_int_equal(softcx_add_counters(bed->card, 300, 128, &b), 0);
    assert_int_equal(softcx_add_counters(bed->card, 227, 1, &c), -EEXIST);
    assert_int_equal(softcx_add_counters(bed->card, 90, 11, &c), -EEXIST);
    bed->counts[a + 5].packets = 7;
    assert_int_equal(softcx_remove_counters(bed->card, 100), 0);
    assert_int_equal(softcx_add_counters(bed->card, 1000, 129, &c), 0);
    assert_int_equal(softcx_add_counters(bed->card, 2000, 127, &d), 0);
    assert_int_equal(a, 0);
    assert_int_equal(b, 128);
    assert_int_equal(c, 256);
    assert_int_equal(d, 0);
    assert_int_equal(bed->counts[5].packets, 0);
    assert_int_equal(softcx_add_counters(bed->card, 5000, SOFTCX_COUNTERS_MAX, &d), -ENOSPC);
}

static void clearing_removes_everything(void **state) {
    struct bed *bed = *state;
    uint32_t slot;
    bed_root(bed, 1);
    assert_int_equal(softcx_add_counters(bed->card, 100, 128, &slot), 0);
    softcx_clear(bed->card);
    assert_int_equal(softcx_object_count(bed->card), 0);
    assert_int_equal(bed_send(bed, 1, &bed->roce4).steered, false);
    assert_int_equal(softcx_add_table(bed->card, BED_ROOT, 0), 0);
    assert_int_equal(softcx_add_counters(bed->card, 100, 128, &slot), 0);
}

static void counters_count_the_packet_that_came_in(void **state) {
    struct bed *bed = *state;
    uint32_t slot;
    assert_int_equal(softcx_add_counters(bed->card, 100, 2, &slot), 0);
    uint64_t encap = bed_action(bed, ACTION_ENCAP, 0, bed_outer, sizeof bed_outer);
    uint64_t before = bed_action(bed, ACTION_COUNTER, 100, NULL, 0);
    uint64_t after = bed_action(bed, ACTION_COUNTER, 101, NULL, 0);
    bed_rule_all(bed, BED_ROOT, 0, 10, (uint64_t[]){before, encap, after, bed->to_uplink}, 4);
    bed_send(bed, 1, &bed->roce4);
    bed_send(bed, 1, &bed->roce6);
    for (uint32_t i = slot; i < slot + 2; i++) {
        assert_int_equal(bed->counts[i].packets, 2);
        assert_int_equal(bed->counts[i].bytes, bed->roce4.size + bed->roce6.size);
    }
}

struct seen_rules {
    uint32_t count, shadowed;
    uint64_t packets;
};

static void see_rule(void *context, const struct softcx_rule_view *rule) {
    struct seen_rules *seen = context;
    seen->count++;
    seen->shadowed += rule->shadowed;
    seen->packets += rule->count.packets;
    assert_int_equal(rule->actions[0], rule->id == 12 ? ACTION_DROP : ACTION_VPORT);
}

static void rules_say_what_they_did(void **state) {
    struct bed *bed = *state;
    struct seen_rules seen = {0};
    struct softcx_key any = {{0}};
    assert_int_equal(softcx_add_table(bed->card, 1, 1), 0);
    bed_rule_all(bed, 1, 0, 10, &bed->to_uplink, 1);
    assert_int_equal(softcx_add_rule(bed->card, 12, 10, &any, &bed->drop, 1), 0);
    softcx_each_rule(bed->card, see_rule, &seen);
    assert_int_equal(seen.count, 2);
    assert_int_equal(seen.shadowed, 1);
    assert_int_equal(seen.packets, 0);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, bed_setup, bed_teardown)
    const struct CMUnitTest tests[] = {
        TEST(without_rules_all_is_slow_path),
        TEST(a_table_that_nothing_jumps_to_sees_nothing),
        TEST(the_matcher_with_the_smallest_priority_is_first),
        TEST(of_equal_priority_the_newest_matcher_is_first),
        TEST(in_the_root_the_oldest_of_equal_priority_is_first),
        TEST(the_older_of_equal_rules_works_until_it_goes),
        TEST(a_rule_that_waits_between_others_may_go),
        TEST(removing_a_rule_leaves_its_neighbours_in_the_bucket),
        TEST(equal_rules_in_the_root_are_refused),
        TEST(a_miss_in_a_later_table_is_slow_path),
        TEST(default_miss_and_no_destination_are_slow_path),
        TEST(tables_in_a_circle_end_in_a_drop),
        TEST(what_is_used_cannot_go),
        TEST(what_is_not_there_is_said),
        TEST(counters_lie_in_gaps_and_begin_at_zero),
        TEST(clearing_removes_everything),
        TEST(counters_count_the_packet_that_came_in),
        TEST(rules_say_what_they_did),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
