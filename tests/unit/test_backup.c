// SPDX-License-Identifier: Apache-2.0
#include "cmocka_all.h"

#include "backup.h"
#include "path_fixture.h"

static struct path first_candidate(const struct path_fixture *fixture, port_id src, port_id dst) {
    struct path path = {0};
    candidates_find(fixture->fabric, fixture->beliefs, src, dst, &path, 1);
    return path;
}

static void a_backup_is_live_and_disjoint(void **state) {
    (void)state;
    struct path_fixture fixture;
    fixture_leaf_spine(&fixture, 4, 4, 2, 1);
    port_id src = fixture_port(&fixture, "h0"), dst = fixture_port(&fixture, "h7");
    struct path path = first_candidate(&fixture, src, dst), backup;
    fixture_cut(&fixture, "leaf0>spine1");
    fixture_cut(&fixture, "spine2>leaf3");
    for (uint64_t salt = 0; salt < 100; salt++) {
        backup_find(fixture.fabric, fixture.beliefs, src, dst, &path, salt, &backup);
        assert_int_equal(backup.link_count, 4);
        assert_true(path_is_live(fixture.fabric, fixture.beliefs, &backup));
        assert_false(path_shares_cable(fixture.fabric, &backup, &path));
    }
    fixture_close(&fixture);
}

static void there_is_none_when_nothing_else_is_left(void **state) {
    (void)state;
    struct path_fixture fixture;
    fixture_leaf_spine(&fixture, 2, 2, 2, 1);
    port_id src = fixture_port(&fixture, "h0"), dst = fixture_port(&fixture, "h2");
    fixture_cut(&fixture, "leaf0>spine1");
    struct path path = first_candidate(&fixture, src, dst), backup = {.link_count = 7};
    backup_find(fixture.fabric, fixture.beliefs, src, dst, &path, 1, &backup);
    assert_int_equal(backup.link_count, 0);
    fixture_close(&fixture);
}

static void within_a_leaf_there_is_none(void **state) {
    (void)state;
    struct path_fixture fixture;
    fixture_leaf_spine(&fixture, 2, 2, 2, 1);
    port_id src = fixture_port(&fixture, "h0"), dst = fixture_port(&fixture, "h1");
    struct path path = first_candidate(&fixture, src, dst), backup = {.link_count = 7};
    backup_find(fixture.fabric, fixture.beliefs, src, dst, &path, 1, &backup);
    assert_int_equal(backup.link_count, 0);
    fixture_close(&fixture);
}

static void salts_spread_over_what_there_is(void **state) {
    (void)state;
    struct path_fixture fixture;
    fixture_leaf_spine(&fixture, 2, 4, 2, 1);
    port_id src = fixture_port(&fixture, "h0"), dst = fixture_port(&fixture, "h2");
    struct path paths[4], backup;
    candidates_find(fixture.fabric, fixture.beliefs, src, dst, paths, 4);
    unsigned chosen[4] = {0};
    for (uint64_t salt = 0; salt < 300; salt++) {
        backup_find(fixture.fabric, fixture.beliefs, src, dst, &paths[0], salt, &backup);
        for (unsigned i = 0; i < 4; i++) {
            chosen[i] += path_equal(&paths[i], &backup);
        }
    }
    assert_int_equal(chosen[0], 0);
    for (unsigned i = 1; i < 4; i++) {
        assert_in_range(chosen[i], 60, 140); // 100 expected, deviation 8.2
    }
    fixture_close(&fixture);
}

static void turns_go_round_all_others(void **state) {
    (void)state;
    struct path_fixture fixture;
    fixture_leaf_spine(&fixture, 2, 8, 2, 1);
    struct path paths[8];
    candidates_find(fixture.fabric, NULL, fixture_port(&fixture, "h0"),
                    fixture_port(&fixture, "h2"), paths, 8);
    for (uint32_t primary = 0; primary < 8; primary++) {
        unsigned chosen[8] = {0};
        for (uint64_t turn = 0; turn < 70; turn++) {
            chosen[backup_rotate(fixture.fabric, paths, NULL, 8, primary, turn)]++;
        }
        for (uint32_t i = 0; i < 8; i++) {
            assert_int_equal(chosen[i], i == primary ? 0 : 10);
        }
    }
    assert_int_equal(backup_rotate(fixture.fabric, paths, NULL, 1, 0, 5), ID_NONE);
    fixture_close(&fixture);
}

static void turns_skip_what_shares_a_cable(void **state) {
    (void)state;
    struct path_fixture fixture;
    fixture_leaf_spine(&fixture, 2, 1, 2, 2); // the only way out is the other cable of each pair
    struct path paths[4];
    assert_int_equal(candidates_find(fixture.fabric, NULL, fixture_port(&fixture, "h0"),
                                     fixture_port(&fixture, "h2"), paths, 4),
                     4);
    for (uint64_t turn = 0; turn < 9; turn++) {
        assert_int_equal(backup_rotate(fixture.fabric, paths, NULL, 4, 0, turn), 3);
        assert_int_equal(backup_rotate(fixture.fabric, paths, NULL, 4, 1, turn), 2);
    }
    fixture_close(&fixture);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_backup_is_live_and_disjoint),
        cmocka_unit_test(there_is_none_when_nothing_else_is_left),
        cmocka_unit_test(within_a_leaf_there_is_none),
        cmocka_unit_test(salts_spread_over_what_there_is),
        cmocka_unit_test(turns_go_round_all_others),
        cmocka_unit_test(turns_skip_what_shares_a_cable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
