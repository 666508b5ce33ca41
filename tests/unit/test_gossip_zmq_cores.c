// SPDX-License-Identifier: Apache-2.0
// Real cores over real sockets with CURVE: what the two promise together.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "gossip_zmq_fleet.h"

static void two_hosts_exchange_their_records(void **state) {
    struct fleet *fleet = *state;
    fleet_start_all(fleet, 2);
    fleet_put(fleet, 0, "k", "one");
    fleet_put(fleet, 1, "k", "one");
    WAIT_UNTIL(fleet, fleet_all_know(fleet, 2, "k", "one"));
}

static void sixteen_hosts_exchange_their_records(void **state) {
    struct fleet *fleet = *state;
    fleet_start_all(fleet, 16);
    for (int i = 0; i < 16; i++) {
        fleet_put(fleet, i, "k", "one");
    }
    WAIT_UNTIL(fleet, fleet_all_know(fleet, 16, "k", "one"));
}

static void a_killed_host_is_dead_and_comes_back_under_its_address(void **state) {
    struct fleet *fleet = *state;
    fleet_start_all(fleet, 4);
    fleet_put(fleet, 3, "k", "before");
    WAIT_UNTIL(fleet, fleet_knows(fleet, 0, 3, "k", "before"));
    struct gossip_zmq_stats stats;
    gossip_zmq_stats(fleet->hosts[0].carrier, &stats);
    uint64_t disconnected = stats.disconnected;
    fleet_stop(fleet, 3);
    WAIT_UNTIL(fleet, (gossip_zmq_stats(fleet->hosts[0].carrier, &stats),
                       stats.disconnected > disconnected));
    WAIT_UNTIL(fleet, fleet_state_of(fleet, 0, 3) == GOSSIP_DEAD &&
                          fleet_state_of(fleet, 1, 3) == GOSSIP_DEAD);
    fleet_start(fleet, 3);
    WAIT_UNTIL(fleet, fleet_all_joined(fleet, 4));
    fleet_put(fleet, 3, "k", "after");
    WAIT_UNTIL(fleet,
               fleet_knows(fleet, 0, 3, "k", "after") && fleet_knows(fleet, 2, 3, "k", "after"));
}

static void a_host_that_stood_still_catches_up(void **state) {
    struct fleet *fleet = *state;
    fleet_start_all(fleet, 4);
    fleet->hosts[3].stalled = true;
    for (int i = 0; i < 200; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", i);
        fleet_put(fleet, 0, key, "missed");
        fleet_turn(fleet);
    }
    WAIT_UNTIL(fleet, fleet_state_of(fleet, 0, 3) == GOSSIP_DEAD);
    fleet->hosts[3].stalled = false;
    WAIT_UNTIL(fleet, fleet_knows(fleet, 3, 0, "k0", "missed") &&
                          fleet_knows(fleet, 3, 0, "k199", "missed"));
    WAIT_UNTIL(fleet, fleet_all_joined(fleet, 4));
}

static void a_host_that_leaves_is_said_to_have_left(void **state) {
    struct fleet *fleet = *state;
    fleet_start_all(fleet, 3);
    gossip_leave(fleet->hosts[2].core, fleet_now());
    gossip_zmq_flush(fleet->hosts[2].carrier, fleet_now(), NS_PER_S);
    fleet_stop(fleet, 2);
    WAIT_UNTIL(fleet, fleet_state_of(fleet, 0, 2) == GOSSIP_LEFT &&
                          fleet_state_of(fleet, 1, 2) == GOSSIP_LEFT);
}

// h1 gets a new pair while all run, in the three steps of srv6-ctl(1), KEY ROTATION.
static void a_hosts_keys_are_rotated_and_no_member_dies(void **state) {
    struct fleet *fleet = *state;
    struct host *host = &fleet->hosts[1];
    char secret_key[CURVE_KEY_TEXT_SIZE];
    fleet_start_all(fleet, 8);
    fleet_add_key(fleet, HOSTS_MAX, host->name, secret_key);
    for (int i = 0; i < 8; i++) { // all accept both
        fleet_reload(fleet, i);
        fleet_turn(fleet);
    }
    fleet_put(fleet, 1, "k", "both hold");
    WAIT_UNTIL(fleet, fleet_knows(fleet, 7, 1, "k", "both hold"));
    memcpy(host->secret_key, secret_key, sizeof host->secret_key);
    fleet_reload(fleet, 1); // it uses the new one
    fleet_put(fleet, 1, "k", "in use");
    WAIT_UNTIL(fleet, fleet_knows(fleet, 7, 1, "k", "in use"));
    uint32_t connected = fleet_carrier_stats(fleet, 1).connections;
    WAIT_UNTIL(fleet, fleet_carrier_stats(fleet, 1).inbound >= connected);
    fleet->keys[1] = fleet->keys[HOSTS_MAX];
    fleet->list.count = HOSTS_MAX;
    for (int i = 7; i >= 0; i--) { // the old one is worth nothing
        fleet_reload(fleet, i);
        fleet_turn(fleet);
    }
    fleet_put(fleet, 1, "k", "alone");
    fleet_put(fleet, 0, "k", "heard");
    WAIT_UNTIL(fleet, fleet_knows(fleet, 7, 1, "k", "alone"));
    WAIT_UNTIL(fleet, fleet_knows(fleet, 1, 0, "k", "heard"));
    for (uint64_t until_ns = fleet_now() + NS_PER_S; fleet_now() < until_ns;) {
        fleet_turn(fleet);
    }
    for (int i = 0; i < 8; i++) {
        assert_int_equal(fleet->hosts[i].deaths, 0);
        assert_int_equal(fleet_core_stats(fleet, i).dropped_forged, 0);
    }
    assert_true(fleet_all_joined(fleet, 8));
}

// A host that was away during the rotation gets what the new key signed.
static void a_newcomer_after_a_rotation_believes_all(void **state) {
    struct fleet *fleet = *state;
    struct host *host = &fleet->hosts[1];
    fleet_start_all(fleet, 3);
    fleet_put(fleet, 1, "k", "old");
    fleet_add_key(fleet, 1, host->name, host->secret_key); // in place of the old line
    for (int i = 0; i < 3; i++) {
        fleet_reload(fleet, i);
    }
    fleet_start(fleet, 3);
    WAIT_UNTIL(fleet, fleet_knows(fleet, 3, 1, "k", "old"));
    WAIT_UNTIL(fleet, fleet_all_joined(fleet, 4));
}

int main(void) {
    fleet_need_descriptors();
    const struct CMUnitTest tests[] = {
        CASE(two_hosts_exchange_their_records),
        CASE(sixteen_hosts_exchange_their_records),
        CASE(a_killed_host_is_dead_and_comes_back_under_its_address),
        CASE(a_host_that_stood_still_catches_up),
        CASE(a_host_that_leaves_is_said_to_have_left),
        CASE(a_hosts_keys_are_rotated_and_no_member_dies),
        CASE(a_newcomer_after_a_rotation_believes_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
