// SPDX-License-Identifier: Apache-2.0
#include "cmocka_all.h"

#include <string.h>

#include "state.h"

static void unassigned(uint8_t bucket[RULE_BUCKETS]) {
    memset(bucket, 0xff, RULE_BUCKETS);
}

static unsigned count_of(const uint8_t bucket[RULE_BUCKETS], uint8_t slot) {
    unsigned count = 0;
    for (unsigned i = 0; i < RULE_BUCKETS; i++) {
        count += bucket[i] == slot;
    }
    return count;
}

static void equal_shares_alternate_so_that_consecutive_qps_spread(void **state) {
    (void)state;
    const uint64_t weights[] = {500, 500};
    const uint32_t qps[RULE_BUCKETS] = {0};
    uint8_t bucket[RULE_BUCKETS];
    unassigned(bucket);
    buckets_assign(weights, 2, qps, bucket);
    for (unsigned i = 0; i < RULE_BUCKETS; i++) {
        assert_int_equal(bucket[i], i % 2);
    }
}

static void shares_of_one_to_three_get_buckets_one_to_three(void **state) {
    (void)state;
    const uint64_t weights[] = {1, 3};
    const uint32_t qps[RULE_BUCKETS] = {0};
    uint8_t bucket[RULE_BUCKETS];
    unassigned(bucket);
    buckets_assign(weights, 2, qps, bucket);
    assert_int_equal(count_of(bucket, 0), 16);
    assert_int_equal(count_of(bucket, 1), 48);
}

static void huge_byte_counts_do_not_overflow(void **state) {
    (void)state;
    const uint64_t weights[] = {UINT64_MAX / 2, UINT64_MAX / 2};
    const uint32_t qps[RULE_BUCKETS] = {[0] = 1000, [2] = 1000};
    uint8_t bucket[RULE_BUCKETS];
    unassigned(bucket);
    buckets_assign(weights, 2, qps, bucket);
    assert_int_not_equal(bucket[0], bucket[2]);
}

static void qps_that_fell_on_one_path_are_spread(void **state) {
    (void)state;
    const uint64_t weights[] = {1, 1};
    const uint32_t qps[RULE_BUCKETS] = {[0] = 1, [2] = 1, [4] = 1, [6] = 1}; // all even
    uint8_t bucket[RULE_BUCKETS];
    unassigned(bucket);
    buckets_assign(weights, 2, qps, bucket);
    unsigned on_first = 0;
    for (unsigned i = 0; i < RULE_BUCKETS; i++) {
        on_first += qps[i] * (bucket[i] == 0);
    }
    assert_int_equal(on_first, 2);
}

static void balanced_qps_are_not_moved(void **state) {
    (void)state;
    const uint64_t weights[] = {1, 1};
    const uint32_t qps[RULE_BUCKETS] = {[0] = 1, [1] = 1, [2] = 1, [3] = 1};
    uint8_t bucket[RULE_BUCKETS], before[RULE_BUCKETS];
    unassigned(bucket);
    buckets_assign(weights, 2, qps, bucket);
    memcpy(before, bucket, sizeof before);
    buckets_assign(weights, 2, qps, bucket);
    assert_memory_equal(before, bucket, sizeof before);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_shares_alternate_so_that_consecutive_qps_spread),
        cmocka_unit_test(shares_of_one_to_three_get_buckets_one_to_three),
        cmocka_unit_test(huge_byte_counts_do_not_overflow),
        cmocka_unit_test(qps_that_fell_on_one_path_are_spread),
        cmocka_unit_test(balanced_qps_are_not_moved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
