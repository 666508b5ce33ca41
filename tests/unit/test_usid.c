// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "model/usid.h"

static const struct usid_block block = {{0xfc, 0xbb, 0xbb, 0x00}};

static struct usid_list numbers(unsigned count) {
    struct usid_list list = {0};
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(usid_list_append(&list, (uint16_t)(i + 1)), 0);
    }
    return list;
}

static void six_usids_fit_one_carrier_and_seven_take_two(void **state) {
    (void)state;
    struct sid_list sids;
    char text[SID_TEXT_SIZE];
    struct usid_list six = numbers(6), seven = numbers(7);
    assert_int_equal(sid_list_pack(block, &six, &sids), 0);
    assert_int_equal(sids.count, 1);
    sid_format(&sids.sids[0], text);
    assert_string_equal(text, "fcbb:bb00:1:2:3:4:5:6");
    assert_int_equal(sid_list_pack(block, &seven, &sids), 0);
    assert_int_equal(sids.count, 2);
    sid_format(&sids.sids[1], text);
    assert_string_equal(text, "fcbb:bb00:7::");
}

static void the_list_is_full_at_thirty(void **state) {
    (void)state;
    struct usid_list list = numbers(USID_LIST_MAX);
    struct sid_list sids;
    assert_int_equal(usid_list_append(&list, 1), -ENOSPC);
    assert_int_equal(list.count, USID_LIST_MAX);
    assert_int_equal(sid_list_pack(block, &list, &sids), 0);
    assert_int_equal(sids.count, SID_LIST_MAX);
    list.count = USID_LIST_MAX - 1;
    assert_int_equal(usid_list_append(&list, 9), 0);
}

static void zero_is_no_usid(void **state) {
    (void)state;
    struct usid_list list = numbers(2);
    struct sid_list sids = {.count = 3};
    assert_int_equal(usid_list_append(&list, 0), -EINVAL);
    list.usids[1] = 0;
    assert_int_equal(sid_list_pack(block, &list, &sids), -EINVAL);
    list.count = 0;
    assert_int_equal(sid_list_pack(block, &list, &sids), -EINVAL);
    assert_int_equal(sids.count, 3);
}

static void unpacking_refuses_gaps_empty_carriers_and_other_blocks(void **state) {
    (void)state;
    static const char *const bad[] = {"fcbb:bb00::", "fcbb:bb00:1:0:2::", "fcbb:bb01:1::"};
    for (size_t i = 0; i < 3; i++) {
        struct sid_list sids = {.count = 1};
        struct usid_list list = {.count = 7};
        assert_int_equal(sid_parse(bad[i], &sids.sids[0]), 0);
        assert_int_equal(sid_list_unpack(block, &sids, &list), -EINVAL);
        assert_int_equal(list.count, 7);
    }
    struct sid_list many = {.count = SID_LIST_MAX + 1};
    struct usid_list list;
    assert_int_equal(sid_list_unpack(block, &many, &list), -EINVAL);
}

static void shifting_drops_the_first_and_stops_at_the_last(void **state) {
    (void)state;
    struct sid_list sids;
    struct usid_list six = numbers(6);
    assert_int_equal(sid_list_pack(block, &six, &sids), 0);
    struct sid sid = sids.sids[0];
    for (uint16_t expected = 2; expected <= 6; expected++) {
        assert_true(sid_shift(&sid));
        assert_int_equal(sid_first_usid(&sid), expected);
    }
    struct sid last = sid_of(block, 6);
    assert_memory_equal(&sid, &last, sizeof sid);
    assert_false(sid_shift(&sid));
    assert_memory_equal(&sid, &last, sizeof sid);
}

static void overhead_is_that_of_reduced_encapsulation(void **state) {
    (void)state;
    static const size_t expected[] = {0, 40, 64, 80, 96, 112};
    for (uint8_t count = 0; count <= SID_LIST_MAX; count++) {
        struct sid_list sids = {.count = count};
        assert_int_equal(sid_list_overhead_bytes(&sids), expected[count]);
    }
    assert_true(14 + expected[SID_LIST_MAX] <= 128);
}

static void lists_are_equal_by_their_used_part(void **state) {
    (void)state;
    struct sid_list a = {.count = 1}, b = {.count = 1};
    a.sids[0] = b.sids[0] = sid_of(block, 1);
    b.sids[1] = sid_of(block, 9);
    assert_true(sid_list_equal(&a, &b));
    b.sids[0] = sid_of(block, 2);
    assert_false(sid_list_equal(&a, &b));
    b.sids[0] = a.sids[0];
    b.count = 2;
    assert_false(sid_list_equal(&a, &b));
}

static void a_block_is_a_slash_32_without_host_bits(void **state) {
    (void)state;
    static const char *const bad[] = {"fcbb:bb00::/48",
                                      "fcbb:bb00::/032",
                                      "fcbb:bb00::",
                                      "fcbb:bb00:1::/32",
                                      "fcbb/32",
                                      "/32",
                                      ""};
    struct usid_block out = {{1, 2, 3, 4}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(usid_block_parse(bad[i], &out), -EINVAL);
    }
    assert_int_equal(out.bytes[0], 1);
    assert_int_equal(usid_block_parse("fcbb:bb00::/32", &out), 0);
    assert_memory_equal(out.bytes, block.bytes, 4);
    struct sid sid;
    assert_int_equal(sid_parse("fcbb:bb00:g::", &sid), -EINVAL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(six_usids_fit_one_carrier_and_seven_take_two),
        cmocka_unit_test(the_list_is_full_at_thirty),
        cmocka_unit_test(zero_is_no_usid),
        cmocka_unit_test(unpacking_refuses_gaps_empty_carriers_and_other_blocks),
        cmocka_unit_test(shifting_drops_the_first_and_stops_at_the_last),
        cmocka_unit_test(overhead_is_that_of_reduced_encapsulation),
        cmocka_unit_test(lists_are_equal_by_their_used_part),
        cmocka_unit_test(a_block_is_a_slash_32_without_host_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
