// SPDX-License-Identifier: Apache-2.0
#include "cmocka_all.h"

#include <math.h>

#include "dense_fixture.h"

struct bed {
    struct dense_fixture fixture;
    uint32_t *hosts; // by leaf
    uint32_t group_size;
    uint32_t row_count;
    struct dense_rows **rows; // by leaf; leaves of a group have the same
};

// group_size 0: as dense_group_of says.
static void bed_rows(struct bed *bed, uint32_t hosts_per_leaf, uint32_t group_size) {
    const struct grid *grid = bed->fixture.grid;
    bed->hosts = calloc(grid->leaf_count, sizeof bed->hosts[0]);
    bed->rows = calloc(grid->leaf_count, sizeof(struct dense_rows *));
    assert_true(bed->hosts != NULL && bed->rows != NULL);
    for (uint32_t i = 0; i < grid->leaf_count; i++) {
        bed->hosts[i] = hosts_per_leaf;
    }
    struct dense_ends ends = {.sources = bed->hosts, .destinations = bed->hosts};
    const struct dense_group all = {0, grid->leaf_count};
    for (uint32_t leaf = 0; leaf < grid->leaf_count;) {
        struct dense_group group = {leaf, group_size};
        if (group_size == 0) {
            group = dense_group_of(grid, leaf);
        }
        const uint32_t *base = &bed->fixture.base[dense_cell(grid, &all, leaf, 0)];
        struct dense_rows *rows = NULL;
        assert_int_equal(dense_rows_open(grid, &group, &ends, base, &rows), 0);
        for (uint32_t i = 0; i < group.leaf_count; i++) {
            bed->rows[leaf++] = rows;
        }
    }
}

static void bed_open(struct bed *bed, uint32_t leaves, uint32_t spines, uint32_t hosts_per_leaf) {
    *bed = (struct bed){0};
    fixture_leaf_spine(&bed->fixture.paths, leaves, spines, hosts_per_leaf, 1);
    dense_begin(&bed->fixture);
    bed_rows(bed, hosts_per_leaf, 0);
}

static void bed_close(struct bed *bed) {
    struct dense_rows *last = NULL;
    for (uint32_t i = 0; i < bed->fixture.grid->leaf_count; i++) {
        if (bed->rows[i] != last) {
            dense_rows_close(bed->rows[i]);
        }
        last = bed->rows[i];
    }
    free(bed->rows);
    free(bed->hosts);
    dense_end(&bed->fixture);
}

static void bed_repair(struct bed *bed, const uint32_t *now) {
    const struct grid *grid = bed->fixture.grid;
    const struct dense_group all = {0, grid->leaf_count};
    for (uint32_t i = 0; i < grid->leaf_count; i++) {
        if (i == 0 || bed->rows[i] != bed->rows[i - 1]) {
            dense_rows_repair(bed->rows[i], &now[dense_cell(grid, &all, i, 0)]);
        }
    }
}

// Loads by the shares and by the counts; asserts that each pair's flows are all placed.
static void bed_loads(struct bed *bed, const uint32_t *shares) {
    struct dense_fixture *fixture = &bed->fixture;
    const struct grid *grid = fixture->grid;
    const struct dense_group all = {0, grid->leaf_count};
    memset(fixture->fractional, 0, fixture->links * sizeof fixture->fractional[0]);
    memset(fixture->placed, 0, fixture->links * sizeof fixture->placed[0]);
    for (uint32_t l = 0; l < grid->leaf_count; l++) {
        for (uint32_t m = 0; m < grid->leaf_count; m++) {
            uint32_t flows = bed->hosts[l] * bed->hosts[m];
            uint32_t placed = 0;
            for (uint32_t c = 0; l != m && c < grid_between(grid, l, m)->column_count; c++) {
                const uint32_t leaves[2] = {l, m};
                double share = (double)shares[dense_cell(grid, &all, l, m) + c] / SHARE_ONE;
                uint32_t count = dense_rows_count(bed->rows[l], l, m, c);
                assert_true(share > 0 || count == 0);
                dense_load(grid, leaves, c, share * flows, fixture->fractional);
                dense_load(grid, leaves, c, count, fixture->placed);
                placed += count;
            }
            assert_true(l == m || placed == flows);
        }
    }
}

static double bed_error(const struct bed *bed) {
    double worst = 0;
    for (uint32_t i = 0; i < bed->fixture.links; i++) {
        double error = fabs(bed->fixture.placed[i] - bed->fixture.fractional[i]);
        worst = error > worst ? error : worst;
    }
    return worst;
}

static void divides_evenly_where_it_can(void **state) {
    (void)state;
    struct bed bed;
    bed_open(&bed, 8, 8, 16);
    for (uint32_t c = 0; c < 8; c++) {
        assert_int_equal(dense_rows_count(bed.rows[0], 0, 5, c), 32);
    }
    bed_close(&bed);
}

static void makes_a_latin_square_of_what_does_not_divide(void **state) {
    (void)state;
    // Whether leaves are one group or do not know of each other.
    for (uint32_t hosts = 1; hosts <= 9; hosts++) {
        struct bed bed;
        bed_open(&bed, 15, 7, hosts);
        bed_loads(&bed, bed.fixture.base);
        assert_true(bed_error(&bed) < 1);
        bed_close(&bed);
    }
}

static void comes_within_a_flow_or_two_of_random_shares(void **state) {
    (void)state;
    static const uint32_t sizes[][3] = {{8, 8, 16}, {16, 16, 16}, {64, 16, 16}, {32, 8, 5}};
    for (uint64_t seed = 0; seed < 12; seed++) {
        const uint32_t *size = sizes[seed % 4];
        struct bed bed;
        bed_open(&bed, size[0], size[1], size[2]);
        struct rng rng;
        rng_init(&rng, seed);
        dense_draw(&bed.fixture, &rng, 20 + 80 * (uint32_t)(seed / 4));
        bed_repair(&bed, bed.fixture.now);
        bed_loads(&bed, bed.fixture.now);
        assert_true(bed_error(&bed) < 3);
        assert_true(dense_worst(&bed.fixture) <= 1.02);
        bed_close(&bed);
    }
}

static void averages_out_where_groups_do_not_see_each_other(void **state) {
    (void)state;
    // One dead uplink of leaf 0 and the downlink beside it at half: all other leaves avoid the same
    // columns, each alone, and must not all round alike.
    struct bed bed = {0};
    fixture_leaf_spine(&bed.fixture.paths, 64, 16, 12, 1);
    dense_begin(&bed.fixture);
    bed_rows(&bed, 12, 1);
    double up[64 * 16];
    double down[64 * 16];
    for (uint32_t i = 0; i < 64 * 16; i++) {
        up[i] = down[i] = 1;
    }
    up[0] = 0;
    down[1] = 0.5;
    dense_shares(bed.fixture.grid, up, down, bed.fixture.now);
    bed.fixture.now[dense_cell(bed.fixture.grid, &(struct dense_group){0, 64}, 0, 1)] = 0;
    bed_repair(&bed, bed.fixture.now);
    bed_loads(&bed, bed.fixture.now);
    // Leaves that round alike are 45 flows off.
    assert_true(bed_error(&bed) < 20);
    bed_close(&bed);
}

static void counts_both_links_of_a_way_over_a_core(void **state) {
    (void)state;
    struct bed bed = {0};
    fixture_three_tier(&bed.fixture.paths, 4, 4, 4, 16, 9);
    dense_begin(&bed.fixture);
    bed_rows(&bed, 9, 0);
    struct rng rng;
    rng_init(&rng, 7);
    dense_draw(&bed.fixture, &rng, 100);
    bed_repair(&bed, bed.fixture.now);
    bed_loads(&bed, bed.fixture.now);
    assert_true(dense_worst(&bed.fixture) <= 1.03);
    bed_close(&bed);
}

// ---- flows

static uint32_t column_of(const struct bed *bed, uint32_t src, uint32_t dst, uint32_t i,
                          uint32_t j) {
    uint32_t column = ID_NONE;
    const uint32_t leaves[2] = {src, dst};
    bool found = dense_rows_column(bed->rows[src], leaves, i, j, &column);
    assert_int_equal(found, column != ID_NONE);
    return column;
}

static void gives_each_column_its_count_of_flows(void **state) {
    (void)state;
    struct bed bed;
    bed_open(&bed, 6, 7, 9);
    struct rng rng;
    rng_init(&rng, 3);
    dense_draw(&bed.fixture, &rng, 200);
    bed_repair(&bed, bed.fixture.now);
    for (uint32_t dst = 1; dst < 6; dst++) {
        uint32_t counts[7] = {0};
        for (uint32_t flow = 0; flow < 81; flow++) {
            counts[column_of(&bed, 0, dst, flow / 9, flow % 9)]++;
        }
        for (uint32_t c = 0; c < 7; c++) {
            assert_int_equal(counts[c], dense_rows_count(bed.rows[0], 0, dst, c));
        }
    }
    bed_close(&bed);
}

// The most and the least that one source (or destination) of the pair (0, 1) has on any column,
// less its even part of the column.
static double unevenness(const struct bed *bed, uint32_t hosts, uint32_t columns, bool of_source) {
    double worst = 0;
    for (uint32_t i = 0; i < hosts; i++) {
        uint32_t counts[64] = {0};
        for (uint32_t j = 0; j < hosts; j++) {
            counts[of_source ? column_of(bed, 0, 1, i, j) : column_of(bed, 0, 1, j, i)]++;
        }
        for (uint32_t c = 0; c < columns; c++) {
            double part = (double)dense_rows_count(bed->rows[0], 0, 1, c) / hosts;
            double error = fabs(counts[c] - part);
            worst = error > worst ? error : worst;
        }
    }
    return worst;
}

static void gives_every_source_and_destination_its_part_of_every_column(void **state) {
    (void)state;
    struct bed bed;
    bed_open(&bed, 4, 8, 16);
    assert_true(unevenness(&bed, 16, 8, true) < 0.001);
    assert_true(unevenness(&bed, 16, 8, false) <= 2);
    struct rng rng;
    rng_init(&rng, 5);
    dense_draw(&bed.fixture, &rng, 300);
    bed_repair(&bed, bed.fixture.now);
    assert_true(unevenness(&bed, 16, 8, true) <= 2);
    assert_true(unevenness(&bed, 16, 8, false) <= 3);
    bed_close(&bed);
}

// ---- repair

static void moves_nothing_where_shares_stay_and_little_where_they_change(void **state) {
    (void)state;
    struct bed bed;
    bed_open(&bed, 8, 8, 16);
    const struct grid *grid = bed.fixture.grid;
    const struct dense_group all = {0, 8};
    uint32_t before[256];
    uint32_t other[256];
    for (uint32_t flow = 0; flow < 256; flow++) {
        before[flow] = column_of(&bed, 0, 3, flow / 16, flow % 16);
        other[flow] = column_of(&bed, 0, 4, flow / 16, flow % 16);
    }
    // Column 2 between leaves 0 and 3 dies.
    uint32_t *pair = &bed.fixture.now[dense_cell(grid, &all, 0, 3)];
    pair[2] = 0;
    for (uint32_t c = 0, left = SHARE_ONE; c < 8; c++) {
        pair[c] = c == 2 ? 0 : c == 7 ? left : SHARE_ONE / 7;
        left -= pair[c];
    }
    bed_repair(&bed, bed.fixture.now);
    for (uint32_t flow = 0; flow < 256; flow++) {
        uint32_t column = column_of(&bed, 0, 3, flow / 16, flow % 16);
        assert_true(before[flow] == 2 ? column != 2 : column == before[flow]);
        assert_int_equal(column_of(&bed, 0, 4, flow / 16, flow % 16), other[flow]);
    }
    bed_close(&bed);
}

static void forgets_earlier_repairs(void **state) {
    (void)state;
    struct bed bed;
    bed_open(&bed, 8, 8, 5);
    struct rng rng;
    rng_init(&rng, 9);
    dense_draw(&bed.fixture, &rng, 100);
    uint32_t first[64];
    bed_repair(&bed, bed.fixture.now);
    for (uint32_t i = 0; i < 64; i++) {
        first[i] = dense_rows_count(bed.rows[i / 8], i / 8, (i / 8 + 3) % 8, i % 8);
    }
    dense_draw(&bed.fixture, &rng, 300);
    bed_repair(&bed, bed.fixture.now);
    bed_repair(&bed, bed.fixture.base);
    bed_loads(&bed, bed.fixture.base);
    assert_true(bed_error(&bed) < 1);
    rng_init(&rng, 9);
    dense_draw(&bed.fixture, &rng, 100);
    bed_repair(&bed, bed.fixture.now);
    for (uint32_t i = 0; i < 64; i++) {
        uint32_t count = dense_rows_count(bed.rows[i / 8], i / 8, (i / 8 + 3) % 8, i % 8);
        assert_int_equal(count, first[i]);
    }
    bed_close(&bed);
}

static void says_what_is_unreachable_and_reaches_it_again(void **state) {
    (void)state;
    struct bed bed;
    bed_open(&bed, 3, 4, 5);
    const struct dense_group all = {0, 3};
    uint32_t *pair = &bed.fixture.now[dense_cell(bed.fixture.grid, &all, 1, 2)];
    memset(pair, 0, 4 * sizeof pair[0]);
    bed_repair(&bed, bed.fixture.now);
    for (uint32_t flow = 0; flow < 25; flow++) {
        assert_int_equal(column_of(&bed, 1, 2, flow / 5, flow % 5), ID_NONE);
        assert_int_not_equal(column_of(&bed, 1, 0, flow / 5, flow % 5), ID_NONE);
    }
    // The other way about: a base that knows no way.
    struct dense_ends ends = {.sources = bed.hosts, .destinations = bed.hosts};
    struct dense_rows *rows = NULL;
    assert_int_equal(dense_rows_open(bed.fixture.grid, &all, &ends, bed.fixture.now, &rows), 0);
    dense_rows_repair(rows, bed.fixture.base);
    uint32_t counts[4] = {0};
    for (uint32_t flow = 0; flow < 25; flow++) {
        uint32_t column = ID_NONE;
        assert_true(dense_rows_column(rows, (const uint32_t[]){1, 2}, flow / 5, flow % 5, &column));
        counts[column]++;
    }
    for (uint32_t c = 0; c < 4; c++) {
        assert_in_range(counts[c], 6, 7);
    }
    dense_rows_close(rows);
    bed_close(&bed);
}

// ---- groups

static void groups_are_what_takes_milliseconds(void **state) {
    (void)state;
    struct path_fixture paths;
    struct grid *grid = NULL;
    fixture_leaf_spine(&paths, 128, 64, 1, 1);
    assert_int_equal(grid_open(paths.fabric, &grid), 0);
    struct dense_group group = dense_group_of(grid, 17);
    assert_int_equal(group.first_leaf, 16);
    assert_int_equal(group.leaf_count, 16);
    const struct dense_group outer = {16, 16};
    group = dense_flow_group_of(&outer, 31, 8192); // all 16 leaves
    assert_int_equal(group.first_leaf, 16);
    assert_int_equal(group.leaf_count, 16);
    group = dense_flow_group_of(&outer, 31, 20000); // six leaves at a time, and four remain
    assert_int_equal(group.first_leaf, 28);
    assert_int_equal(group.leaf_count, 4);
    group = dense_flow_group_of(&outer, 20, 1000000);
    assert_int_equal(group.first_leaf, 20);
    assert_int_equal(group.leaf_count, 1);
    grid_close(grid);
    fixture_close(&paths);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(divides_evenly_where_it_can),
        cmocka_unit_test(makes_a_latin_square_of_what_does_not_divide),
        cmocka_unit_test(comes_within_a_flow_or_two_of_random_shares),
        cmocka_unit_test(averages_out_where_groups_do_not_see_each_other),
        cmocka_unit_test(counts_both_links_of_a_way_over_a_core),
        cmocka_unit_test(gives_each_column_its_count_of_flows),
        cmocka_unit_test(gives_every_source_and_destination_its_part_of_every_column),
        cmocka_unit_test(moves_nothing_where_shares_stay_and_little_where_they_change),
        cmocka_unit_test(forgets_earlier_repairs),
        cmocka_unit_test(says_what_is_unreachable_and_reaches_it_again),
        cmocka_unit_test(groups_are_what_takes_milliseconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
