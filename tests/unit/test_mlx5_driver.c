// SPDX-License-Identifier: Apache-2.0
// The driver mlx5 over the real library and an emulated card: what a set of rules makes of it, how
// little a change touches, and that nothing is left.
#include "nic_rules.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "fakecx_bed.h"
#include "nicdrv_mlx5/mlx5.h"

struct bench {
    struct nic *nic;
    struct rule_set wanted;
    struct error error;
};

static int open_nic(struct bench *bench) {
    struct nic_options options = {.device = "lo",
                                  .eswitch = {.vport = 1,
                                              .vport_mac = {2, 0, 0, 0, 0, 1},
                                              .gateway_mac = {2, 0, 0, 0, 0, 2}}};
    return nic_driver_mlx5_direct.open(&options, &bench->nic, &bench->error);
}

static int setup(void **state) {
    static struct bench bench;
    bench = (struct bench){0};
    fakecx_bed_fault(NULL);
    rule_set_init(&bench.wanted);
    if (open_nic(&bench) != 0) {
        print_error("%s\n", bench.error.text);
        return -1;
    }
    *state = &bench;
    return 0;
}

static int teardown(void **state) {
    struct bench *bench = *state;
    nic_close(bench->nic, true);
    rule_set_fini(&bench->wanted);
    assert_int_equal(fakecx_count(NULL), 0);
    assert_int_equal(fakecx_icm_bytes(), 0);
    return 0;
}

static void apply(struct bench *bench) {
    seal(&bench->wanted);
    if (nic_apply(bench->nic, &bench->wanted, &bench->error) != 0) {
        fail_msg("%s", bench->error.text);
    }
    assert_true(rule_set_equal(&bench->wanted, &bench->nic->applied));
}

static void an_empty_set_steers_nothing(void **state) {
    struct bench *bench = *state;
    apply(bench);
    assert_int_equal(fakecx_count("flow"), 0);
    assert_int_equal(fakecx_count("reformat"), 0);
}

static void a_path_is_a_reformat_for_each_class(void **state) {
    struct bench *bench = *state;
    add_rule(&bench->wanted, match_to(1, RULE_KEY_DEFAULT, 0), RULE_SINGLE, 7, 0);
    apply(bench);
    assert_int_equal(fakecx_count("flow"), 1);
    assert_int_equal(fakecx_count("reformat"), 4);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_empty_set_steers_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_path_is_a_reformat_for_each_class, setup, teardown),
    };
    fakecx_bed_begin();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
