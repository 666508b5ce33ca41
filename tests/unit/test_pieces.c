// SPDX-License-Identifier: Apache-2.0
#include "cmocka_all.h"

#include "batch_fixture.h"
#include "pieces.h"

#define KIB UINT64_C(1024)
#define MIB (KIB * KIB)

// The mean square of a path's deviation from its even part of a flow, as a share of the flow's
// bytes, over many flows.
static double variance(uint64_t bytes, uint64_t piece_bytes, uint32_t paths) {
    double sum = 0;
    for (uint32_t round = 0; round < 200; round++) {
        struct batch_fixture *fixture = batch_open(1, bytes, paths, 1);
        fixture->batch.salt = round;
        int rc = pieces_assign(&fixture->batch, piece_bytes, batch_emit, fixture);
        assert_int_equal(rc, 0);
        assert_true(fixture->flow_bytes[0] == bytes);
        for (uint32_t i = 0; i < paths; i++) {
            double share = (double)fixture->candidate_bytes[i] / (double)bytes;
            sum += (share - 1.0 / paths) * (share - 1.0 / paths);
        }
        free(fixture);
    }
    return sum / 200 / paths;
}

// A binomial count of n pieces has a variance of n (1/p) (1 - 1/p).
static void assert_binomial(uint64_t bytes, uint64_t piece_bytes, uint32_t paths) {
    double pieces = (double)(bytes / piece_bytes);
    double wanted = (1.0 / paths) * (1 - 1.0 / paths) / pieces;
    double got = variance(bytes, piece_bytes, paths);
    assert_true(got > 0.7 * wanted && got < 1.4 * wanted);
}

static void spreads_as_hashes_of_so_many_pieces_would(void **state) {
    (void)state;
    assert_binomial(16 * 64 * KIB, 64 * KIB, 8);
    assert_binomial(256 * 64 * KIB, 64 * KIB, 8);
    assert_binomial(64 * MIB, 64 * KIB, 8); // beyond what is drawn one by one
    assert_binomial(1024 * MIB, 4 * KIB, 16);
}

static void one_piece_takes_one_path(void **state) {
    (void)state;
    struct batch_fixture *fixture = batch_open(5, 64 * KIB, 8, 1);
    assert_int_equal(pieces_assign(&fixture->batch, 64 * KIB, batch_emit, fixture), 0);
    assert_int_equal(fixture->part_count, 5);
    fixture->flows[0].bytes++;
    memset(fixture->flow_parts, 0, sizeof fixture->flow_parts);
    assert_int_equal(pieces_assign(&fixture->batch, 64 * KIB, batch_emit, fixture), 0);
    assert_in_range(fixture->flow_parts[0], 1, 2);
    assert_int_equal(fixture->flow_parts[1], 1);
    free(fixture);
}

static void takes_any_size(void **state) {
    (void)state;
    struct batch_fixture *fixture = batch_open(3, 0, 8, 1);
    fixture->flows[1].bytes = 1;
    fixture->flows[2].bytes = UINT64_MAX;
    assert_int_equal(pieces_assign(&fixture->batch, 1, batch_emit, fixture), 0);
    assert_int_equal(fixture->flow_parts[0], 1);
    assert_int_equal(fixture->flow_parts[1], 1);
    assert_int_equal(fixture->flow_parts[2], 8);
    assert_true(fixture->flow_bytes[2] == UINT64_MAX);
    free(fixture);
}

static void goes_round_where_paths_exceed_a_rule(void **state) {
    (void)state;
    struct batch_fixture *fixture = batch_open(4, 1024 * MIB, 16, 16);
    assert_int_equal(pieces_assign(&fixture->batch, 64 * KIB, batch_emit, fixture), 0);
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(fixture->flow_parts[i], 64);
    }
    for (uint32_t i = 0; i < 256; i++) {
        assert_true(fixture->candidate_bytes[i] > 0);
    }
    free(fixture);
}

static void flowlets_are_larger_than_packets(void **state) {
    (void)state;
    struct batch_fixture *fixture = batch_open(1, 64 * KIB, 8, 1);
    assert_int_equal(batch_run(fixture, &algorithm_flowlet), 0);
    assert_int_equal(fixture->part_count, 1);
    assert_int_equal(batch_run(fixture, &algorithm_spray_random), 0);
    assert_in_range(fixture->part_count, 4, 8); // 16 packets
    assert_true(algorithm_flowlet.spray && algorithm_spray_random.spray);
    free(fixture);
}

static void stops_where_emit_fails(void **state) {
    (void)state;
    struct batch_fixture *fixture = batch_open(9, MIB, 8, 1);
    fixture->fail_at = 3;
    assert_int_equal(batch_run(fixture, &algorithm_flowlet), -12);
    assert_int_equal(batch_run(fixture, &algorithm_spray_random), -12);
    free(fixture);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spreads_as_hashes_of_so_many_pieces_would),
        cmocka_unit_test(one_piece_takes_one_path),
        cmocka_unit_test(takes_any_size),
        cmocka_unit_test(goes_round_where_paths_exceed_a_rule),
        cmocka_unit_test(flowlets_are_larger_than_packets),
        cmocka_unit_test(stops_where_emit_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
