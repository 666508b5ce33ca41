// SPDX-License-Identifier: Apache-2.0
// The messages between agent and holder: there and back, and what is refused.
#include "nic_rules.h"

#include <errno.h>
#include <stdlib.h>

#include "holder_wire.h"

struct bench {
    struct mp_writer writer;
    struct holder_message read;
    struct rule_set set;
    struct error error;
};

static int setup(void **state) {
    static struct bench bench;
    bench = (struct bench){0};
    mp_write_growing(&bench.writer);
    rule_set_init(&bench.set);
    *state = &bench;
    return 0;
}

static int teardown(void **state) {
    struct bench *bench = *state;
    free(bench->writer.bytes);
    holder_message_fini(&bench->read);
    rule_set_fini(&bench->set);
    return 0;
}

static int decode(struct bench *bench) {
    assert_false(bench->writer.failed);
    return holder_decode(bench->writer.bytes, bench->writer.size, &bench->read, &bench->error);
}

static void read_back(struct bench *bench) {
    if (decode(bench) != 0) {
        fail_msg("%s", bench->error.text);
    }
}

// Rules of every kind, with SRHs and own SIDs.
static void fill(struct rule_set *set) {
    add_rule(set, match_to(1, RULE_KEY_DEFAULT, 0), RULE_BUCKET_QP, 7, 8, 9, 0);
    add_rule(set, match_to(1, RULE_KEY_QP, 0xffffff), RULE_SINGLE, 9, 0);
    add_rule(set, match_to(2, RULE_KEY_SPORT, 49152), RULE_SINGLE, 10, 0);
    add_rule(set, match_to(3, RULE_KEY_DEFAULT, 0), RULE_SPRAY, 7, 11, 0);
    add_rule(set, match_to(4, RULE_KEY_DEFAULT, 0), RULE_BUCKET_SPORT, 8, 12, 0);
    set->encaps[0].sids.count = SID_LIST_MAX;
    for (uint8_t i = 1; i < SID_LIST_MAX; i++) {
        set->encaps[0].sids.sids[i].bytes[15] = i;
    }
    set->local_sid_count = 2;
    set->local_sids[0].bytes[5] = 2;
    set->local_sids[1].bytes[5] = 1;
    add_spare(set, 20);
    add_spare(set, 21);
    seal(set);
}

static void a_set_arrives_as_it_was(void **state) {
    struct bench *bench = *state;
    fill(&bench->set);
    holder_put_apply(&bench->writer, &bench->set);
    read_back(bench);
    assert_int_equal(bench->read.kind, HOLDER_APPLY);
    assert_true(bench->read.has_set);
    assert_true(rule_set_equal(&bench->read.set, &bench->set));
}

static void a_set_of_the_first_release_has_no_spares(void **state) {
    struct bench *bench = *state;
    mp_write_array(&bench->writer, 2);
    mp_write_uint(&bench->writer, HOLDER_APPLY);
    mp_write_array(&bench->writer, 3);
    for (int i = 0; i < 3; i++) {
        mp_write_array(&bench->writer, 0);
    }
    read_back(bench);
    assert_true(bench->read.has_set);
    assert_int_equal(bench->read.set.spare_count, 0);
}

static void an_empty_set_is_one(void **state) {
    struct bench *bench = *state;
    seal(&bench->set);
    holder_put_apply(&bench->writer, &bench->set);
    read_back(bench);
    assert_true(bench->read.has_set);
    assert_int_equal(bench->read.set.rule_count, 0);
}

static void the_largest_set_fits_a_message(void **state) {
    struct bench *bench = *state;
    struct rule rule = {.path_count = RULE_PATHS_MAX, .select = RULE_BUCKET_QP};
    for (uint32_t i = 0; i < ENCAPS_MAX; i++) {
        struct encap encap = {.sids.count = SID_LIST_MAX};
        uint32_t index;
        memcpy(encap.sids.sids[0].bytes, &i, sizeof i);
        encap.sids.sids[0].bytes[15] = 1;
        assert_int_equal(rule_set_intern(&bench->set, &encap, &index), 0);
    }
    for (uint32_t i = 0; i < RULES_MAX; i++) {
        rule.match = match_to(1, RULE_KEY_QP, i);
        rule.bucket[63] = 63;
        for (uint32_t k = 0; k < RULE_PATHS_MAX; k++) {
            rule.encap[k] = (i + k * 1021) % ENCAPS_MAX;
        }
        assert_int_equal(rule_set_add(&bench->set, &rule), 0);
    }
    seal(&bench->set);
    holder_put_apply(&bench->writer, &bench->set);
    assert_true(bench->writer.size <= HOLDER_MESSAGE_MAX);
    assert_true(bench->writer.size > HOLDER_MESSAGE_MAX / 2); // or the bound says nothing
    read_back(bench);
    assert_true(rule_set_equal(&bench->read.set, &bench->set));
}

static void opening_carries_device_and_options(void **state) {
    struct bench *bench = *state;
    struct nic_eswitch_options options = {.vport = 0xfffe,
                                          .vport_mac = {2, 0, 0, 0, 0, 1},
                                          .gateway_mac = {2, 0, 0, 0, 0, 2},
                                          .traffic_classes = {0x6a, 0xc0},
                                          .class_count = 2};
    holder_put_open(&bench->writer, "enp1s0f0np0_long", &options);
    assert_int_equal(decode(bench), -EPROTO); // a device's name has 15 characters
    bench->writer.size = 0;
    holder_put_open(&bench->writer, "enp1s0f0np0_lon", &options);
    read_back(bench);
    assert_string_equal(bench->read.device, "enp1s0f0np0_lon");
    assert_memory_equal(&bench->read.eswitch, &options, sizeof options);
}

static void opened_carries_capabilities_and_what_stands(void **state) {
    struct bench *bench = *state;
    struct nic_capabilities capabilities = {.srh = true,
                                            .spares = true,
                                            .rules_max = 5,
                                            .encap_bytes_max = 104};
    fill(&bench->set);
    holder_put_opened(&bench->writer, &capabilities, "fdb", true, &bench->set);
    read_back(bench);
    assert_true(bench->read.capabilities.srh && !bench->read.capabilities.spray);
    assert_true(bench->read.capabilities.spares);
    assert_int_equal(bench->read.capabilities.encap_bytes_max, 104);
    assert_string_equal(bench->read.attachment, "fdb");
    assert_true(bench->read.unsettled);
    assert_true(rule_set_equal(&bench->read.set, &bench->set));
}

static void a_refusal_carries_its_sentence_cleaned(void **state) {
    struct bench *bench = *state;
    struct error error = {-ENOSPC, "no room\n for \xc3\xa9"};
    holder_put_outcome(&bench->writer, HOLDER_FAILED, &error, true, NULL);
    read_back(bench);
    assert_int_equal(bench->read.error.code, -ENOSPC);
    assert_string_equal(bench->read.error.text, "no room? for ??");
    assert_false(bench->read.has_set);
}

static void success_has_no_errno_and_a_refusal_has_one(void **state) {
    struct bench *bench = *state;
    struct error none = {0}, some = {-EIO, "x"};
    holder_put_outcome(&bench->writer, HOLDER_DONE, &some, false, NULL);
    assert_int_equal(decode(bench), -EPROTO);
    bench->writer.size = 0;
    holder_put_outcome(&bench->writer, HOLDER_FAILED, &none, false, NULL);
    assert_int_equal(decode(bench), -EPROTO);
    bench->writer.size = 0;
    holder_put_outcome(&bench->writer, HOLDER_DONE, &none, false, NULL);
    read_back(bench);
}

static void answers_carry_counters_qps_and_totals(void **state) {
    struct bench *bench = *state;
    struct holder_counter counter = {RULES_MAX - 1, RULE_PATHS_MAX - 1, UINT64_MAX, 7}, got;
    struct nic_qp qp = {.qp = 0xffffff, .sport = 65535, .packets = 1, .bytes = UINT64_MAX}, got_qp;
    size_t header = holder_begin_items(&bench->writer, HOLDER_COUNTERS);
    holder_put_counter(&bench->writer, &counter);
    mp_array_close(&bench->writer, header, 1);
    read_back(bench);
    assert_true(bench->read.is_answer);
    assert_int_equal(bench->read.item_count, 1);
    holder_next_counter(&bench->read.items, &got);
    assert_memory_equal(&got, &counter, sizeof got);
    bench->writer.size = 0;
    header = holder_begin_items(&bench->writer, HOLDER_QPS);
    holder_put_qp(&bench->writer, &qp);
    mp_array_close(&bench->writer, header, 1);
    read_back(bench);
    holder_next_qp(&bench->read.items, &got_qp);
    assert_memory_equal(&got_qp, &qp, sizeof qp);
    bench->writer.size = 0;
    holder_put_totals(&bench->writer, 1, 2, UINT64_MAX);
    read_back(bench);
    assert_true(bench->read.plain == UINT64_MAX && bench->read.decapsulated == 2);
}

// What a later version adds at the end of an array.
static void further_elements_are_ignored(void **state) {
    struct bench *bench = *state;
    mp_write_array(&bench->writer, 5);
    mp_write_uint(&bench->writer, HOLDER_HELLO);
    mp_write_uint(&bench->writer, 1);
    mp_write_uint(&bench->writer, 9);
    mp_write_array(&bench->writer, 1);
    mp_write_nil(&bench->writer);
    mp_write_str(&bench->writer, "new", 3);
    read_back(bench);
    assert_int_equal(bench->read.highest, 9);
}

static void expect_refused(struct bench *bench) {
    assert_int_equal(decode(bench), -EPROTO);
    assert_false(bench->read.has_set);
    assert_true(bench->error.text[0] != '\0');
}

static void a_cut_message_is_refused_wherever_it_is_cut(void **state) {
    struct bench *bench = *state;
    fill(&bench->set);
    holder_put_apply(&bench->writer, &bench->set);
    size_t whole = bench->writer.size;
    for (size_t size = 0; size < whole; size++) {
        uint8_t *exact = malloc(size + 1); // so that a read past the end is seen
        memcpy(exact, bench->writer.bytes, size);
        assert_int_equal(holder_decode(exact, size, &bench->read, &bench->error), -EPROTO);
        free(exact);
    }
    mp_write_nil(&bench->writer); // and one that goes on
    expect_refused(bench);
}

static void a_set_that_is_none_is_refused(void **state) {
    struct bench *bench = *state;
    add_rule(&bench->set, match_to(1, RULE_KEY_DEFAULT, 0), RULE_SINGLE, 7, 0);
    bench->set.rules[0].encap[0] = 1; // there is one
    holder_put_apply(&bench->writer, &bench->set);
    expect_refused(bench);
    bench->writer.size = 0;
    bench->set.rules[0].encap[0] = 0;
    add_rule(&bench->set, match_to(1, RULE_KEY_DEFAULT, 0), RULE_SINGLE, 7, 0);
    holder_put_apply(&bench->writer, &bench->set);
    expect_refused(bench);
    assert_non_null(strstr(bench->error.text, "two rules"));
}

static void a_kind_that_is_none_is_refused(void **state) {
    struct bench *bench = *state;
    mp_write_array(&bench->writer, 1);
    mp_write_uint(&bench->writer, 200);
    expect_refused(bench);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_set_arrives_as_it_was),
        TEST(an_empty_set_is_one),
        TEST(a_set_of_the_first_release_has_no_spares),
        TEST(the_largest_set_fits_a_message),
        TEST(opening_carries_device_and_options),
        TEST(opened_carries_capabilities_and_what_stands),
        TEST(a_refusal_carries_its_sentence_cleaned),
        TEST(success_has_no_errno_and_a_refusal_has_one),
        TEST(answers_carry_counters_qps_and_totals),
        TEST(further_elements_are_ignored),
        TEST(a_cut_message_is_refused_wherever_it_is_cut),
        TEST(a_set_that_is_none_is_refused),
        TEST(a_kind_that_is_none_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
