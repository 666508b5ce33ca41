// SPDX-License-Identifier: Apache-2.0
#include "cmocka_all.h"

#include <math.h>
#include <string.h>

#include "path_fixture.h"
#include "traffic.h"

static struct traffic *open_traffic(const struct path_fixture *fixture, const char *host) {
    node_id node = {ID_NONE};
    if (host != NULL) {
        assert_true(fabric_find_node(fixture->fabric, host, &node));
    }
    struct traffic *traffic = NULL;
    assert_int_equal(traffic_open(&fixture->input, node, &traffic), 0);
    return traffic;
}

static void open_paper_128(struct path_fixture *fixture) {
    fixture_leaf_spine(fixture, 8, 8, 16, 1);
    fixture_collective(fixture, COLLECTIVE_ALLTOALL, 64 << 20, 0);
}

// facts: T_nic = B (N - 1) / N / C, T_fab = hp B (N - hp) / N / (S C)
static void bounds_are_the_closed_forms_of_an_alltoall(void **state) {
    (void)state;
    struct path_fixture fixture;
    open_paper_128(&fixture);
    struct traffic *traffic = open_traffic(&fixture, NULL);
    assert_int_equal(traffic->demand_count, 128 * 127);
    assert_int_equal(traffic->unreachable_count, 0);
    assert_true(fabs(traffic_cut_s(traffic) * 1e6 - 2348.81) < 0.01);
    assert_true(fabs(traffic_nic_s(traffic) * 1e6 - 1331.69) < 0.01);
    traffic_close(traffic);
    fixture_limit(&fixture, "spine0>leaf0", CAPACITY_FULL_PPM / 2);
    traffic = open_traffic(&fixture, NULL);
    assert_true(fabs(traffic_cut_s(traffic) * 1e6 - 2348.81 * 8 / 7.5) < 0.01);
    traffic_close(traffic);
    fixture_close(&fixture);
}

static void a_hosts_own_traffic_is_what_it_sends(void **state) {
    (void)state;
    struct path_fixture fixture;
    open_paper_128(&fixture);
    struct traffic *traffic = open_traffic(&fixture, "h17");
    assert_int_equal(traffic->demand_count, 127);
    assert_int_equal(traffic->sent[17], 127 * (UINT64_C(64) << 20) / 128);
    assert_int_equal(traffic->sent[16], 0);
    assert_int_equal(traffic->bytes[1 * 8 + 3], 16 * (UINT64_C(64) << 20) / 128);
    assert_int_equal(traffic->bytes[2 * 8 + 3], 0);
    traffic_close(traffic);
    fixture_close(&fixture);
}

static void what_cannot_arrive_is_counted_and_does_not_raise_a_bound(void **state) {
    (void)state;
    struct path_fixture fixture;
    fixture_leaf_spine(&fixture, 3, 2, 2, 1);
    fixture_collective(&fixture, COLLECTIVE_ALLTOALL, 6 << 20, 0);
    fixture_cut(&fixture, "leaf0>spine0");
    fixture_cut(&fixture, "spine1>leaf1"); // so leaf0 reaches leaf1 no more
    fixture_cut(&fixture, "leaf2>h5");
    fixture_cut(&fixture, "h3>leaf1");
    struct traffic *traffic = open_traffic(&fixture, NULL);
    assert_int_equal(traffic->unreachable_count, 4 + 5 + 4);
    assert_int_equal(traffic->paths[0 * 3 + 1], 0);
    assert_int_equal(traffic->paths[0 * 3 + 2], 1);
    assert_int_equal(traffic->paths[1 * 3 + 0], 2);
    assert_int_equal(traffic->bytes[0 * 3 + 1], 0);
    assert_int_equal(traffic->sent[0], 2 << 20); // h1 and h4
    assert_int_equal(traffic->received[5], 0);
    assert_int_equal(traffic->sent[3], 0);
    traffic_close(traffic);
    fixture_close(&fixture);
}

static void paths_are_counted_with_parallel_cables_in_all_combinations(void **state) {
    (void)state;
    struct path_fixture fixture;
    fixture_leaf_spine(&fixture, 2, 3, 1, 2);
    fixture_cut(&fixture, "leaf0>spine1.1");
    struct traffic *traffic = open_traffic(&fixture, NULL);
    assert_int_equal(traffic->paths[0 * 2 + 1], 4 + 2 + 4);
    assert_int_equal(traffic->paths[1 * 2 + 0], 12);
    traffic_close(traffic);
    fixture_close(&fixture);
}

static void a_pods_cut_counts_its_links_to_cores(void **state) {
    (void)state;
    struct path_fixture fixture;
    fixture_three_tier(&fixture, 2, 2, 2, 2, 1); // a leaf has two links up, a pod two
    fixture_collective(&fixture, COLLECTIVE_ALLTOALL, 4 << 20, 0);
    struct traffic *traffic = open_traffic(&fixture, NULL);
    double pod_s = 4.0 * (1 << 20) * 8 / (2 * 400e9); // 2 x 2 ranks, 1 MiB each
    assert_true(fabs(traffic_cut_s(traffic) / pod_s - 1) < 1e-12);
    assert_int_equal(traffic->paths[0 * 4 + 1], 2); // within the pod, over aggs alone
    assert_int_equal(traffic->paths[0 * 4 + 2], 2);
    traffic_close(traffic);
    fixture_cut(&fixture, "leaf0>agg0");
    fixture_cut(&fixture, "agg1>leaf1"); // no agg joins leaf0 and leaf1 any more, and no core does
    traffic = open_traffic(&fixture, NULL);
    assert_int_equal(traffic->paths[0 * 4 + 1], 0);
    assert_int_equal(traffic->paths[0 * 4 + 2], 1);
    traffic_close(traffic);
    fixture_close(&fixture);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bounds_are_the_closed_forms_of_an_alltoall),
        cmocka_unit_test(a_hosts_own_traffic_is_what_it_sends),
        cmocka_unit_test(what_cannot_arrive_is_counted_and_does_not_raise_a_bound),
        cmocka_unit_test(paths_are_counted_with_parallel_cables_in_all_combinations),
        cmocka_unit_test(a_pods_cut_counts_its_links_to_cores),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
