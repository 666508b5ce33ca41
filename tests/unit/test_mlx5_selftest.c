// SPDX-License-Identifier: Apache-2.0
// The self test's table of probes: complete, and what it expects of which device and library.
#include "cmocka_all.h"

#include <string.h>

#include "selftest_probes.h"

static const struct selftest_probe *find(const char *name) {
    for (uint32_t i = 0; i < selftest_probe_count; i++) {
        if (strcmp(selftest_probes[i].name, name) == 0) {
            return &selftest_probes[i];
        }
    }
    fail_msg("no probe is called %s", name);
    return NULL;
}

static enum selftest_expectation expected(const char *name, uint32_t format, uint32_t rdma_core) {
    struct selftest_kind kind = {.format = format, .rdma_core = rdma_core};
    return selftest_expected(find(name), &kind);
}

static void each_probe_has_a_name_of_its_own_and_words(void **state) {
    (void)state;
    for (uint32_t i = 0; i < selftest_probe_count; i++) {
        const struct selftest_probe *probe = &selftest_probes[i];
        assert_ptr_equal(find(probe->name), probe);
        assert_non_null(probe->what);
        assert_true(strlen(probe->what) > 0);
    }
}

static void what_may_be_refused_has_a_reason(void **state) {
    (void)state;
    for (uint32_t i = 0; i < selftest_probe_count; i++) {
        const struct selftest_probe *probe = &selftest_probes[i];
        bool may_be_refused = probe->expected != EXPECT_ACCEPT || probe->since > 0;
        if (may_be_refused && probe->reason == NULL) {
            fail_msg("%s: no reason", probe->name);
        }
    }
}

static void what_the_driver_must_have_is_expected_of_all(void **state) {
    (void)state;
    uint32_t count = 0;
    for (uint32_t i = 0; i < selftest_probe_count; i++) {
        const struct selftest_probe *probe = &selftest_probes[i];
        if (probe->need == SELFTEST_MUST) {
            count++;
            for (uint32_t format = 0; format <= FORMAT_COUNT; format++) {
                assert_int_equal(expected(probe->name, format, 0), SELFTEST_ACCEPT);
            }
        }
    }
    assert_true(count > 0);
}

static void a_qp_is_matched_from_a_version_and_a_card_on(void **state) {
    (void)state;
    assert_int_equal(expected("match-qp", FORMAT_CX6DX, 45), SELFTEST_REFUSE);
    assert_int_equal(expected("match-qp", FORMAT_CX6DX, 46), SELFTEST_ACCEPT);
    assert_int_equal(expected("match-qp", FORMAT_CX7, 56), SELFTEST_ACCEPT);
    assert_int_equal(expected("match-qp", FORMAT_CX5, 46), SELFTEST_REFUSE);
    assert_int_equal(expected("match-qp", FORMAT_COUNT, 45), SELFTEST_REFUSE);
}

static void only_the_first_format_minds_where_a_packet_comes_from(void **state) {
    (void)state;
    assert_int_equal(expected("encap-any-vport", FORMAT_CX5, 44), SELFTEST_REFUSE);
    assert_int_equal(expected("encap-any-vport", FORMAT_CX6DX, 44), SELFTEST_ACCEPT);
    assert_int_equal(expected("encap-any-vport", FORMAT_CX7, 44), SELFTEST_ACCEPT);
}

static void nothing_is_expected_of_the_unknown(void **state) {
    (void)state;
    assert_int_equal(expected("match-qp", FORMAT_COUNT, 46), SELFTEST_EITHER);
    assert_int_equal(expected("match-qp", FORMAT_CX7, 0), SELFTEST_EITHER);
    assert_int_equal(expected("encap-any-vport", UINT32_MAX, 44), SELFTEST_EITHER);
    assert_int_equal(expected("sample", FORMAT_CX7, 44), SELFTEST_EITHER);
    assert_int_equal(expected("match-large", FORMAT_CX7, 64), SELFTEST_REFUSE);
    assert_int_equal(expected("match-large", FORMAT_CX7, 65), SELFTEST_EITHER);
    assert_int_equal(expected("encap-twice", UINT32_MAX, 0), SELFTEST_REFUSE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_probe_has_a_name_of_its_own_and_words),
        cmocka_unit_test(what_may_be_refused_has_a_reason),
        cmocka_unit_test(what_the_driver_must_have_is_expected_of_all),
        cmocka_unit_test(a_qp_is_matched_from_a_version_and_a_card_on),
        cmocka_unit_test(only_the_first_format_minds_where_a_packet_comes_from),
        cmocka_unit_test(nothing_is_expected_of_the_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
