// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmocka_all.h"
#include "mlx5_layout.h"

struct holding { // what a NIC holds, and what led to it
    struct mlx5_layout layout;
    struct mlx5_changes changes;
};

static struct rule_match match_of(uint32_t destination, enum rule_key kind, uint32_t key) {
    struct rule_match match = {.destination = {0xfd}, .key_kind = (uint8_t)kind, .key = key};
    match.destination[14] = (uint8_t)(destination >> 8);
    match.destination[15] = (uint8_t)destination;
    return match;
}

// A rule over `paths` paths numbered from `first`; buckets take them in turn.
static void add(struct rule_set *set, struct rule_match match, enum rule_select select,
                uint32_t first, uint32_t paths) {
    struct rule rule = {.match = match, .select = (uint8_t)select, .path_count = (uint8_t)paths};
    for (uint32_t p = 0; p < paths; p++) {
        struct encap encap = {.sids = {.count = 1}};
        encap.sids.sids[0] = (struct sid){{0xfc, 0, 0, (uint8_t)((first + p) >> 16),
                                           (uint8_t)((first + p) >> 8), (uint8_t)(first + p)}};
        assert_int_equal(rule_set_intern(set, &encap, &rule.encap[p]), 0);
    }
    for (uint32_t b = 0; b < RULE_BUCKETS && select != RULE_SINGLE && select != RULE_SPRAY; b++) {
        rule.bucket[b] = (uint8_t)(b % paths);
    }
    assert_int_equal(rule_set_add(set, &rule), 0);
}

static void add_sport(struct rule_set *set, uint32_t sport, uint32_t path) {
    add(set, match_of(1, RULE_KEY_SPORT, sport), RULE_SINGLE, path, 1);
}

// Seals and ends the set.
static void go_to(struct holding *holding, struct rule_set *set) {
    struct mlx5_layout next;
    struct error error = {0};
    assert_int_equal(rule_set_seal(set, &error), 0);
    mlx5_changes_fini(&holding->changes);
    assert_int_equal(mlx5_layout_next(&holding->layout, set, true, &next, &holding->changes,
                                      &error),
                     0);
    mlx5_layout_fini(&holding->layout);
    holding->layout = next;
    rule_set_fini(set);
}

static void end(struct holding *holding) {
    mlx5_layout_fini(&holding->layout);
    mlx5_changes_fini(&holding->changes);
}

static uint32_t count(const struct holding *holding, enum mlx5_change_kind kind) {
    uint32_t found = 0;
    for (uint32_t c = 0; c < holding->changes.count; c++) {
        found += holding->changes.items[c].kind == kind ? 1 : 0;
    }
    return found;
}

static void check_counts(const struct holding *holding, uint32_t path_adds, uint32_t flow_changes,
                         uint32_t path_replaces, uint32_t flow_removes, uint32_t path_removes) {
    assert_int_equal(count(holding, MLX5_PATH_ADD), path_adds);
    assert_int_equal(count(holding, MLX5_FLOW_ADD) + count(holding, MLX5_FLOW_REPLACE),
                     flow_changes);
    assert_int_equal(count(holding, MLX5_PATH_REPLACE), path_replaces);
    assert_int_equal(count(holding, MLX5_FLOW_REMOVE), flow_removes);
    assert_int_equal(count(holding, MLX5_PATH_REMOVE), path_removes);
}

static void moving_a_path_is_one_change_for_any_number_of_flows(void **state) {
    (void)state;
    for (uint32_t flows = 1; flows <= 10000; flows *= 10) {
        struct holding holding = {0};
        for (uint32_t path = 1; path <= 3; path++) {
            struct rule_set set = {0};
            for (uint32_t f = 0; f < flows; f++) {
                add_sport(&set, f, path);
            }
            add(&set, match_of(2, RULE_KEY_DEFAULT, 0), RULE_BUCKET_SPORT, 90, 2);
            go_to(&holding, &set);
            if (path > 1) {
                assert_int_equal(holding.changes.count, 1);
                assert_int_equal(holding.changes.items[0].kind, MLX5_PATH_REPLACE);
            }
        }
        assert_int_equal(holding.layout.flow_count, flows + RULE_BUCKETS);
        assert_int_equal(holding.layout.path_count, 3);
        end(&holding);
    }
}

static void an_unchanged_set_is_no_change(void **state) {
    (void)state;
    struct holding holding = {0};
    for (uint32_t round = 0; round < 2; round++) {
        struct rule_set set = {.local_sids = {{{0xfc, 1}}, {{0xfc, 1}}, {{0xfc, 2}}},
                               .local_sid_count = 3};
        add_sport(&set, 7, 1);
        add_sport(&set, 8, 2);
        add(&set, match_of(1, RULE_KEY_QP, 7), RULE_SINGLE, 2, 1);
        add(&set, match_of(1, RULE_KEY_DEFAULT, 0), RULE_BUCKET_QP, 1, 4);
        go_to(&holding, &set);
        assert_int_equal(holding.changes.count, round == 0 ? 2 + 4 + 67 : 0);
        assert_int_equal(holding.layout.sid_count, 2);
    }
    end(&holding);
}

static void entries_are_laid_narrow_before_wide_and_removed_wide_before_narrow(void **state) {
    (void)state;
    static const uint8_t order[] = {MLX5_FLOW_QP, MLX5_FLOW_SPORT, MLX5_FLOW_ANY};
    struct holding holding = {0};
    struct rule_set set = {0}, none = {0};
    add(&set, match_of(1, RULE_KEY_DEFAULT, 0), RULE_SINGLE, 1, 1);
    add_sport(&set, 7, 2);
    add(&set, match_of(1, RULE_KEY_QP, 9), RULE_SINGLE, 3, 1);
    go_to(&holding, &set);
    check_counts(&holding, 3, 3, 0, 0, 0);
    for (uint32_t i = 0; i < 3; i++) {
        const struct mlx5_flow *flow = &holding.layout.flows[holding.changes.items[3 + i].after];
        assert_int_equal(flow->kind, order[i]);
        assert_int_equal(flow->kind, holding.layout.flows[i].kind);
    }
    struct mlx5_layout full = holding.layout;
    holding.layout = (struct mlx5_layout){0};
    struct mlx5_layout empty;
    struct mlx5_changes changes;
    assert_int_equal(mlx5_layout_next(&full, &none, true, &empty, &changes, NULL), 0);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(changes.items[i].kind, MLX5_FLOW_REMOVE);
        assert_int_equal(full.flows[changes.items[i].before].kind, order[2 - i]);
        assert_int_equal(changes.items[3 + i].kind, MLX5_PATH_REMOVE);
    }
    assert_int_equal(changes.count, 6);
    mlx5_layout_fini(&full);
    mlx5_layout_fini(&empty);
    mlx5_changes_fini(&changes);
    end(&holding);
}

static void the_many_take_their_id_along_and_the_few_leave_it(void **state) {
    (void)state;
    for (uint32_t few = 0; few < 10; few += 9) { // the first flow and the last
        struct holding holding = {0};
        for (uint32_t round = 0; round < 2; round++) {
            struct rule_set set = {0};
            for (uint32_t f = 0; f < 1000; f++) {
                add_sport(&set, f, round == 0 ? 1 : f % 10 == few ? 3 : 2);
            }
            go_to(&holding, &set);
        }
        check_counts(&holding, 1, 100, 1, 0, 0);
        assert_int_equal(holding.layout.path_count, 2);
        assert_int_equal(holding.layout.paths[0].users, 900);
        end(&holding);
    }
}

static void where_as_many_stay_as_go_the_id_stays(void **state) {
    (void)state;
    for (uint32_t stays = 1; stays <= 2; stays++) { // who goes may be asked first
        struct holding holding = {0};
        for (uint32_t round = 0; round < 2; round++) {
            struct rule_set set = {0};
            add_sport(&set, stays, 2);
            add_sport(&set, 3 - stays, round == 0 ? 2 : 3);
            go_to(&holding, &set);
        }
        check_counts(&holding, 1, 1, 0, 0, 0);
        end(&holding);
    }
}

static void flows_that_come_take_an_id_that_stands(void **state) {
    (void)state;
    struct holding holding = {0};
    for (uint32_t round = 0; round < 2; round++) {
        struct rule_set set = {0};
        add_sport(&set, 1, 1);
        add_sport(&set, 2, 2);
        for (uint32_t f = 0; round == 1 && f < 10; f++) {
            add_sport(&set, 10 + f, 1 + f % 2);
        }
        go_to(&holding, &set);
    }
    check_counts(&holding, 0, 10, 0, 0, 0);
    end(&holding);
}

// Its packets would meet the new path before they fall to the default's.
static void an_entry_that_goes_away_holds_its_id(void **state) {
    (void)state;
    for (uint32_t fallback = 2; fallback <= 3; fallback++) {
        struct holding holding = {0};
        for (uint32_t round = 0; round < 2; round++) {
            struct rule_set set = {0};
            add(&set, match_of(1, RULE_KEY_DEFAULT, 0), RULE_SINGLE, fallback, 1);
            for (uint32_t f = round; f < 100; f++) {
                add_sport(&set, f, 1 + round);
            }
            go_to(&holding, &set);
        }
        if (fallback == 2) { // where the others go too
            check_counts(&holding, 0, 0, 1, 1, 0);
        } else {
            check_counts(&holding, 1, 99, 0, 1, 1);
        }
        end(&holding);
    }
}

static void an_entry_with_nothing_to_fall_to_holds_none(void **state) {
    (void)state;
    struct holding holding = {0};
    for (uint32_t round = 0; round < 2; round++) {
        struct rule_set set = {0};
        for (uint32_t f = 50 * round; f < 100; f++) {
            add_sport(&set, f, 1 + round);
        }
        go_to(&holding, &set);
    }
    check_counts(&holding, 0, 0, 1, 50, 0);
    end(&holding);
}

static void buckets_of_one_path_take_one_entry_of_any_key(void **state) {
    (void)state;
    struct rule_set set = {0};
    struct mlx5_layout next;
    struct mlx5_changes changes;
    add(&set, match_of(1, RULE_KEY_DEFAULT, 0), RULE_BUCKET_QP, 1, 1);
    add(&set, match_of(1, RULE_KEY_SPORT, 5), RULE_BUCKET_QP, 1, 1);
    add(&set, match_of(2, RULE_KEY_SPORT, 5), RULE_BUCKET_SPORT, 1, 4);
    assert_int_equal(rule_set_seal(&set, NULL), 0);
    assert_int_equal(mlx5_layout_next(&(struct mlx5_layout){0}, &set, false, &next, &changes, NULL),
                     0);
    assert_int_equal(next.flow_count, 3);
    assert_int_equal(next.flows[0].kind, MLX5_FLOW_SPORT);
    assert_int_equal(next.flows[1].kind, MLX5_FLOW_ANY);
    assert_int_equal(next.flows[2].path, 5 % 4);
    rule_set_fini(&set);
    mlx5_layout_fini(&next);
    mlx5_changes_fini(&changes);
}

// Ten ids meet on one path; that costs ten changes and merges nothing. Steps with flow entries of
// their own then merge about as many others, until at most half of the ids are doubles.
static void doubles_are_merged_by_steps_that_change_flow_entries_anyway(void **state) {
    (void)state;
    struct holding holding = {0};
    for (uint32_t round = 0; round < 40; round++) {
        struct rule_set set = {0};
        for (uint32_t f = 0; f < 100; f++) {
            add_sport(&set, f, round == 0 ? 1 + f % 10 : round == 3 ? 12 : 11);
        }
        for (uint32_t f = 0; round >= 4 && f < 5; f++) {
            add_sport(&set, 1000 + 5 * round + f, 11);
        }
        go_to(&holding, &set);
        if (round >= 1 && round <= 3) {
            check_counts(&holding, 0, 0, round == 2 ? 0 : 10, 0, 0);
        }
        assert_true(count(&holding, MLX5_FLOW_REPLACE) <= 10);
    }
    assert_in_range(holding.layout.path_count, 1, 2);
    end(&holding);
}

// Flow f from 0 to 99 is on path `first` when below 90, on `second` when below 99, else on `third`.
static void add_three_groups(struct rule_set *set, uint32_t first, uint32_t second,
                             uint32_t third) {
    for (uint32_t f = 0; f < 100; f++) {
        add_sport(set, f, f < 90 ? first : f < 99 ? second : third);
    }
}

static void the_smallest_double_is_merged_first_and_as_many_may_stay_as_paths(void **state) {
    (void)state;
    static const uint32_t adds[] = {100, 0, 2, 1};
    struct holding holding = {0};
    for (uint32_t round = 0; round < 4; round++) {
        struct rule_set set = {0};
        uint32_t first = 1, second = round == 0 ? 2 : 1, third = round == 0 ? 3 : 1;
        add_three_groups(&set, first, second, third);
        for (uint32_t f = 0; round >= 2 && f < round - 1; f++) {
            add_sport(&set, 1000 + f, 1);
        }
        go_to(&holding, &set);
        // Three ids of one path are one too many, and one change pays for one more.
        check_counts(&holding, round == 0 ? 3 : 0, adds[round], round == 1 ? 2 : 0, 0,
                     round == 2 ? 1 : 0);
    }
    end(&holding);
}

static void check_refused(struct rule_match match, enum rule_select select, bool per_qp,
                          const char *reason) {
    struct rule_set set = {0};
    struct mlx5_layout next, next_before;
    struct mlx5_changes changes, changes_before;
    struct error error = {0};
    add(&set, match_of(9, RULE_KEY_DEFAULT, 0), RULE_SINGLE, 1, 1);
    add(&set, match, select, 1, 2);
    memset(&next, 0xee, sizeof next);
    memset(&changes, 0xee, sizeof changes);
    memcpy(&next_before, &next, sizeof next);
    memcpy(&changes_before, &changes, sizeof changes);
    assert_int_equal(rule_set_seal(&set, NULL), 0);
    assert_int_equal(mlx5_layout_next(&(struct mlx5_layout){0}, &set, per_qp, &next, &changes,
                                      &error),
                     -EOPNOTSUPP);
    assert_non_null(strstr(error.text, reason));
    assert_memory_equal(&next, &next_before, sizeof next);
    assert_memory_equal(&changes, &changes_before, sizeof changes);
    rule_set_fini(&set);
}

static void what_the_tables_cannot_say_is_refused(void **state) {
    (void)state;
    check_refused(match_of(1, RULE_KEY_DEFAULT, 0), RULE_SPRAY, true, "rule 0: spray");
    check_refused(match_of(1, RULE_KEY_DEFAULT, 0), RULE_BUCKET_QP, false, "rule 0: keyed by QP");
    check_refused(match_of(10, RULE_KEY_QP, 3), RULE_BUCKET_QP, false, "rule 1: keyed by QP");
    check_refused(match_of(1, RULE_KEY_QP, 3), RULE_BUCKET_SPORT, true, "another key");
    check_refused(match_of(1, RULE_KEY_SPORT, 3), RULE_BUCKET_QP, true, "another key");
}

static void more_paths_than_ids_are_refused(void **state) {
    (void)state;
    for (uint32_t paths = MLX5_PATHS_MAX; paths <= MLX5_PATHS_MAX + 1; paths++) {
        struct rule_set set = {0};
        struct mlx5_layout next = {0};
        struct mlx5_changes changes = {0};
        struct error error = {0};
        for (uint32_t r = 0; r < paths; r++) {
            add(&set, match_of(r, RULE_KEY_DEFAULT, 0), RULE_SINGLE, r, 1);
        }
        assert_int_equal(rule_set_seal(&set, NULL), 0);
        int rc = mlx5_layout_next(&(struct mlx5_layout){0}, &set, false, &next, &changes, &error);
        assert_int_equal(rc, paths <= MLX5_PATHS_MAX ? 0 : -ENOSPC);
        assert_int_equal(next.path_count, rc == 0 ? MLX5_PATHS_MAX : 0);
        assert_true(rc == 0 || strstr(error.text, "65535 paths") != NULL);
        rule_set_fini(&set);
        mlx5_layout_fini(&next);
        mlx5_changes_fini(&changes);
    }
}

// The time limit of this test is the judge: what were quadratic would take minutes.
static void the_largest_set_is_laid_out_and_moved(void **state) {
    (void)state;
    struct holding holding = {0};
    for (uint32_t round = 0; round < 3; round++) {
        struct rule_set set = {0};
        for (uint32_t r = 0; r < RULES_MAX; r++) {
            uint32_t path = r * 7 % 1000;
            add(&set, match_of(r % 1024, RULE_KEY_SPORT, r / 1024), RULE_SINGLE,
                round == 0 ? path : 1000 + path / round, 1);
        }
        go_to(&holding, &set);
    }
    assert_int_equal(holding.layout.flow_count, RULES_MAX);
    check_counts(&holding, 0, 0, 999, 0, 0); // 0 / 2 is where it was
    end(&holding);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moving_a_path_is_one_change_for_any_number_of_flows),
        cmocka_unit_test(an_unchanged_set_is_no_change),
        cmocka_unit_test(entries_are_laid_narrow_before_wide_and_removed_wide_before_narrow),
        cmocka_unit_test(the_many_take_their_id_along_and_the_few_leave_it),
        cmocka_unit_test(where_as_many_stay_as_go_the_id_stays),
        cmocka_unit_test(flows_that_come_take_an_id_that_stands),
        cmocka_unit_test(an_entry_that_goes_away_holds_its_id),
        cmocka_unit_test(an_entry_with_nothing_to_fall_to_holds_none),
        cmocka_unit_test(buckets_of_one_path_take_one_entry_of_any_key),
        cmocka_unit_test(doubles_are_merged_by_steps_that_change_flow_entries_anyway),
        cmocka_unit_test(the_smallest_double_is_merged_first_and_as_many_may_stay_as_paths),
        cmocka_unit_test(what_the_tables_cannot_say_is_refused),
        cmocka_unit_test(more_paths_than_ids_are_refused),
        cmocka_unit_test(the_largest_set_is_laid_out_and_moved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
