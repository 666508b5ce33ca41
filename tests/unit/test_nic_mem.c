// SPDX-License-Identifier: Apache-2.0
// The driver mem, and what nic.c does for all drivers.
#include "nic_rules.h"

#include <errno.h>

#include "nicdrv/mem.h"

struct bench {
    struct nic *nic;
    struct rule_set wanted;
    struct error error;
};

static int setup(void **state) {
    static struct bench bench;
    bench = (struct bench){0};
    rule_set_init(&bench.wanted);
    assert_int_equal(nic_open("mem", &(struct nic_options){.device = "eth0"}, &bench.nic,
                              &bench.error),
                     0);
    *state = &bench;
    return 0;
}

static int teardown(void **state) {
    struct bench *bench = *state;
    nic_close(bench->nic, true);
    rule_set_fini(&bench->wanted);
    return 0;
}

static void apply(struct bench *bench) {
    seal(&bench->wanted);
    assert_int_equal(nic_apply(bench->nic, &bench->wanted, &bench->error), 0);
}

static int path_of(struct bench *bench, struct rule_packet packet) {
    const struct encap *encap = nic_mem_send(bench->nic, &packet, 100, 0);
    return encap == NULL ? 0 : encap->sids.sids[0].bytes[5];
}

static void keep_counter(void *context, const struct nic_counter *counter) {
    struct nic_counter *kept = context;
    kept[counter->path] = *counter;
}

static void an_unknown_driver_or_device_is_refused_with_its_name(void **state) {
    struct bench *bench = *state;
    struct nic *nic = NULL;
    assert_null(nic_driver_find("mlx9"));
    assert_int_equal(nic_open("mlx9", &(struct nic_options){.device = "eth0"}, &nic, &bench->error),
                     -EINVAL);
    assert_non_null(strstr(bench->error.text, "\"mlx9\""));
    assert_int_equal(nic_open("mem", &(struct nic_options){.device = ""}, &nic, &bench->error),
                     -EINVAL);
    assert_int_equal(nic_open("mem", &(struct nic_options){.device = "a-name-too-long0"}, &nic,
                              &bench->error),
                     -EINVAL);
    assert_int_equal(nic_open("mem", &(struct nic_options){.device = "a/b"}, &nic, &bench->error),
                     -EINVAL);
    assert_null(nic);
    nic_close(NULL, true);
}

static void packets_take_the_paths_of_the_rules(void **state) {
    struct bench *bench = *state;
    add_rule(&bench->wanted, match_to(1, RULE_KEY_DEFAULT, 0), RULE_BUCKET_QP, 7, 8, 0);
    add_rule(&bench->wanted, match_to(1, RULE_KEY_QP, 5), RULE_SINGLE, 9, 0);
    apply(bench);
    assert_int_equal(path_of(bench, packet_to(1, 4, 1)), 7);
    assert_int_equal(path_of(bench, packet_to(1, 3, 1)), 8);
    assert_int_equal(path_of(bench, packet_to(1, 5, 1)), 9);
    assert_int_equal(path_of(bench, packet_to(2, 5, 1)), 0);
    uint64_t encapsulated, decapsulated, plain;
    bench->nic->driver->totals(bench->nic, &encapsulated, &decapsulated, &plain);
    assert_int_equal(encapsulated, 3);
    assert_int_equal(plain, 1);
}

static void a_refused_apply_leaves_everything_as_it_was(void **state) {
    struct bench *bench = *state;
    add_rule(&bench->wanted, match_to(1, RULE_KEY_DEFAULT, 0), RULE_SINGLE, 7, 0);
    apply(bench);
    struct rule_set next;
    rule_set_init(&next);
    add_rule(&next, match_to(1, RULE_KEY_DEFAULT, 0), RULE_SINGLE, 8, 0);
    seal(&next);
    nic_mem_fail_next(bench->nic, -EIO);
    assert_int_equal(nic_apply(bench->nic, &next, &bench->error), -EIO);
    assert_true(rule_set_equal(&bench->nic->applied, &bench->wanted));
    assert_int_equal(path_of(bench, packet_to(1, 4, 1)), 7);
    assert_int_equal(nic_apply(bench->nic, &next, &bench->error), 0);
    assert_int_equal(path_of(bench, packet_to(1, 4, 1)), 8);
    rule_set_fini(&next);
}

static void an_equal_set_does_not_reach_the_driver_unless_it_is_unsettled(void **state) {
    struct bench *bench = *state;
    add_rule(&bench->wanted, match_to(1, RULE_KEY_DEFAULT, 0), RULE_SINGLE, 7, 0);
    apply(bench);
    nic_mem_fail_next(bench->nic, -EIO);
    assert_int_equal(nic_apply(bench->nic, &bench->wanted, &bench->error), 0);
    bench->nic->unsettled = true;
    assert_int_equal(nic_apply(bench->nic, &bench->wanted, &bench->error), -EIO);
}

static void a_path_that_stays_goes_on_counting_and_a_new_one_starts_at_zero(void **state) {
    struct bench *bench = *state;
    struct nic_counter kept[2];
    add_rule(&bench->wanted, match_to(1, RULE_KEY_DEFAULT, 0), RULE_BUCKET_QP, 7, 8, 0);
    apply(bench);
    path_of(bench, packet_to(1, 0, 1));
    path_of(bench, packet_to(1, 1, 1));
    path_of(bench, packet_to(1, 3, 1));
    rule_set_clear(&bench->wanted);
    add_rule(&bench->wanted, match_to(1, RULE_KEY_DEFAULT, 0), RULE_BUCKET_QP, 9, 8, 0);
    apply(bench);
    assert_int_equal(bench->nic->driver->counters(bench->nic, keep_counter, kept), 0);
    assert_int_equal(kept[0].packets, 0);
    assert_int_equal(kept[1].packets, 2);
    assert_int_equal(kept[1].bytes, 200);
}

static void keep_qp(void *context, const struct nic_qp *qp) {
    struct nic_qp **next = context;
    *(*next)++ = *qp;
}

static void qps_are_learnt_from_packets_and_reported_once(void **state) {
    struct bench *bench = *state;
    struct nic_qp seen[4], *next = seen;
    path_of(bench, packet_to(2, 9, 1));
    path_of(bench, packet_to(1, 9, 2));
    path_of(bench, packet_to(1, 8, 3));
    path_of(bench, packet_to(1, 9, 4));
    assert_int_equal(bench->nic->driver->qps(bench->nic, keep_qp, &next), 0);
    assert_int_equal(next - seen, 3);
    assert_int_equal(seen[1].qp, 9);
    assert_int_equal(seen[1].packets, 2);
    assert_int_equal(seen[1].bytes, 200);
    assert_int_equal(seen[1].sport, 4);
    next = seen;
    assert_int_equal(bench->nic->driver->qps(bench->nic, keep_qp, &next), 0);
    assert_ptr_equal(next, seen);
}

static void only_own_sids_are_decapsulated(void **state) {
    struct bench *bench = *state;
    uint8_t own[16] = {0xfc, [5] = 1}, other[16] = {0xfc, [5] = 2};
    bench->wanted.local_sid_count = 1;
    memcpy(bench->wanted.local_sids[0].bytes, own, sizeof own);
    apply(bench);
    assert_true(nic_mem_receive(bench->nic, own));
    assert_false(nic_mem_receive(bench->nic, other));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(an_unknown_driver_or_device_is_refused_with_its_name),
        TEST(packets_take_the_paths_of_the_rules),
        TEST(a_refused_apply_leaves_everything_as_it_was),
        TEST(an_equal_set_does_not_reach_the_driver_unless_it_is_unsettled),
        TEST(a_path_that_stays_goes_on_counting_and_a_new_one_starts_at_zero),
        TEST(qps_are_learnt_from_packets_and_reported_once),
        TEST(only_own_sids_are_decapsulated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
