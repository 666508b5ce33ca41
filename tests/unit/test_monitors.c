// SPDX-License-Identifier: Apache-2.0
#include "cmocka_all.h"

#include <string.h>

#include "fabric_fixture.h"
#include "monitors.h"

#define HOSTS_MAX 64
#define CABLES_MAX 512

struct seats {
    unsigned count[CABLES_MAX];   // observers of a cable
    uint32_t leaf[CABLES_MAX][8]; // and their leaves
    uint32_t host[CABLES_MAX][8];
};

static void elect_all(const struct fabric *fabric, const bool *live, struct seats *seats) {
    struct monitors monitors;
    assert_int_equal(monitors_init(&monitors, fabric), 0);
    memset(seats, 0, sizeof *seats);
    static struct cable_observers observers[CABLES_MAX];
    cable_id cables[CABLES_MAX];
    uint32_t ports[CABLES_MAX];
    for (uint32_t host = 0; host < fabric->host_count; host++) {
        if (!live[host]) {
            continue;
        }
        uint32_t count = monitors_elect(&monitors, live, (node_id){host}, observers, cables, ports);
        for (uint32_t i = 0; i < count; i++) {
            unsigned seat = seats->count[cables[i].i]++;
            assert_in_range(seat, 0, 7);
            seats->host[cables[i].i][seat] = host;
            seats->leaf[cables[i].i][seat] =
                fabric->ports[fabric->nodes[host].first_port + ports[i]].leaf.i;
            // Everybody elects the same.
            assert_true(belief_is_elected(&observers[cables[i].i], (node_id){host}));
        }
    }
    for (uint32_t i = 0; i < fabric->cable_count; i++) {
        assert_int_equal(observers[i].count, seats->count[i]);
    }
    monitors_fini(&monitors);
}

static void every_leaf_cable_has_two_near_and_two_far_observers(void **state) {
    (void)state;
    struct fabric *fabric = fixture_leaf_spine(4, 4, 4, 1, 1);
    bool live[HOSTS_MAX];
    memset(live, true, sizeof live);
    struct seats seats;
    elect_all(fabric, live, &seats);
    for (uint32_t i = 0; i < fabric->cable_count; i++) {
        if (fabric->nodes[fabric->cables[i].a.i].kind == NODE_HOST) {
            assert_int_equal(seats.count[i], 0);
            continue;
        }
        assert_int_equal(seats.count[i], 4);
        unsigned near = 0;
        for (unsigned s = 0; s < 4; s++) {
            near += seats.leaf[i][s] == fabric->cables[i].a.i;
        }
        assert_int_equal(near, 2);
    }
    fabric_close(fabric);
}

static void a_host_without_a_neighbour_on_its_leaf_watches_alone(void **state) {
    (void)state;
    struct fabric *fabric = fixture_leaf_spine(3, 2, 1, 1, 1);
    bool live[HOSTS_MAX];
    memset(live, true, sizeof live);
    struct seats seats;
    elect_all(fabric, live, &seats);
    for (uint32_t i = 0; i < fabric->cable_count; i++) {
        if (fabric->nodes[fabric->cables[i].a.i].kind == NODE_LEAF) {
            assert_int_equal(seats.count[i], 3); // one near, two far
        }
    }
    fabric_close(fabric);
}

static void a_dead_host_gives_up_its_own_seats_and_no_other_moves(void **state) {
    (void)state;
    struct fabric *fabric = fixture_leaf_spine(4, 4, 4, 1, 1);
    bool live[HOSTS_MAX];
    memset(live, true, sizeof live);
    struct seats before, after;
    elect_all(fabric, live, &before);
    live[5] = false;
    elect_all(fabric, live, &after);
    for (uint32_t i = 0; i < fabric->cable_count; i++) {
        assert_int_equal(after.count[i], before.count[i]);
        for (unsigned s = 0; s < before.count[i]; s++) {
            bool kept = before.host[i][s] == 5;
            for (unsigned t = 0; t < after.count[i]; t++) {
                kept = kept || after.host[i][t] == before.host[i][s];
            }
            assert_true(kept);
        }
    }
    fabric_close(fabric);
}

static void cables_above_the_leaves_are_watched_from_both_pods(void **state) {
    (void)state;
    struct fabric_clos_desc clos = {.kind = "three-tier",
                                    .pods = 2,
                                    .leaves_per_pod = 2,
                                    .aggs_per_pod = 2,
                                    .cores = 4,
                                    .hosts_per_leaf = 2,
                                    .cables = 1,
                                    .ports_per_host = 1,
                                    .host_bps = 1000000000,
                                    .fabric_bps = 1000000000};
    struct fabric *fabric = fixture_clos(&clos);
    bool live[HOSTS_MAX];
    memset(live, true, sizeof live);
    struct seats seats;
    elect_all(fabric, live, &seats);
    for (uint32_t i = 0; i < fabric->cable_count; i++) {
        if (fabric->nodes[fabric->cables[i].a.i].kind != NODE_AGG) {
            continue;
        }
        unsigned same_pod = 0;
        for (unsigned s = 0; s < seats.count[i]; s++) {
            same_pod +=
                fabric->nodes[seats.leaf[i][s]].pod == fabric->nodes[fabric->cables[i].a.i].pod;
        }
        assert_int_equal(seats.count[i], 4);
        assert_int_equal(same_pod, 2);
    }
    fabric_close(fabric);
}

static void the_cables_of_a_plane_are_watched_from_its_ports(void **state) {
    (void)state;
    struct fabric_clos_desc clos = {.kind = "dual-plane",
                                    .leaves = 3,
                                    .spines = 2,
                                    .hosts_per_leaf = 3,
                                    .host_bps = 1000000000,
                                    .fabric_bps = 1000000000};
    struct fabric *fabric = fixture_clos(&clos);
    bool live[HOSTS_MAX];
    memset(live, true, sizeof live);
    struct seats seats;
    elect_all(fabric, live, &seats);
    for (uint32_t i = 0; i < fabric->cable_count; i++) {
        if (fabric->nodes[fabric->cables[i].a.i].kind != NODE_LEAF) {
            continue;
        }
        assert_int_equal(seats.count[i], 4);
        for (unsigned s = 0; s < 4; s++) {
            assert_int_equal(fabric->nodes[seats.leaf[i][s]].plane,
                             fabric->nodes[fabric->cables[i].a.i].plane);
        }
    }
    fabric_close(fabric);
}

static void the_observers_of_a_rail_are_four_hosts(void **state) {
    (void)state;
    struct fabric_clos_desc clos = {.kind = "rail-optimized",
                                    .rails = 4,
                                    .groups = 1,
                                    .hosts_per_group = 4,
                                    .spines = 2,
                                    .host_bps = 1000000000,
                                    .fabric_bps = 1000000000};
    struct fabric *fabric = fixture_clos(&clos);
    bool live[HOSTS_MAX];
    memset(live, true, sizeof live);
    struct seats seats;
    elect_all(fabric, live, &seats);
    for (uint32_t i = 0; i < fabric->cable_count; i++) {
        if (fabric->nodes[fabric->cables[i].a.i].kind != NODE_LEAF) {
            continue;
        }
        assert_int_equal(seats.count[i], 4);
        for (unsigned s = 1; s < 4; s++) {
            assert_int_not_equal(seats.host[i][s], seats.host[i][s - 1]);
        }
    }
    fabric_close(fabric);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_leaf_cable_has_two_near_and_two_far_observers),
        cmocka_unit_test(a_host_without_a_neighbour_on_its_leaf_watches_alone),
        cmocka_unit_test(a_dead_host_gives_up_its_own_seats_and_no_other_moves),
        cmocka_unit_test(cables_above_the_leaves_are_watched_from_both_pods),
        cmocka_unit_test(the_cables_of_a_plane_are_watched_from_its_ports),
        cmocka_unit_test(the_observers_of_a_rail_are_four_hosts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
