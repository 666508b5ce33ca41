// SPDX-License-Identifier: Apache-2.0
#include "cmocka_all.h"

#include "batch_fixture.h"
#include "spread.h"

static void keeps_the_order_where_uplinks_have_one_path(void **state) {
    (void)state;
    struct batch_fixture *fixture = batch_open(1, 1, 8, 1);
    uint16_t order[8];
    spread_order(fixture->candidates, 8, order);
    for (uint16_t i = 0; i < 8; i++) {
        assert_int_equal(order[i], i);
    }
    free(fixture);
}

static void visits_every_uplink_before_any_twice(void **state) {
    (void)state;
    struct batch_fixture *fixture = batch_open(1, 1, 3, 4);
    uint16_t order[11]; // the last uplink has lost one of its four paths
    spread_order(fixture->candidates, 11, order);
    const uint16_t expected[11] = {0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7};
    assert_memory_equal(order, expected, sizeof order);
    free(fixture);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_the_order_where_uplinks_have_one_path),
        cmocka_unit_test(visits_every_uplink_before_any_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
