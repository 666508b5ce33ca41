// SPDX-License-Identifier: Apache-2.0
// Strangers, whatever connects without belonging to the fleet; members that overdo it; and
// addresses where nobody is. All of it is refused and counted, and the members go on telling each
// other what they write.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "gossip_zmq_intruder.h"

#define HONEST 3
#define SLOW 200
#define INTRUDERS 20
#define ENDURED_NS (3 * NS_PER_S)
#define MIB ((size_t)1 << 20)

// ZMTP 3.1: signature, version, mechanism, as-server, filler.
static const char curve_greeting[64] = "\xff\0\0\0\0\0\0\0\0\x7f\3\1CURVE";

static void slow_handshakes_are_given_up_and_hold_up_nobody(void **state) {
    struct fleet *fleet = *state;
    fleet_start_all(fleet, HONEST);
    uint64_t failed = fleet_carrier_stats(fleet, 0).handshake_failed;
    uint32_t inbound = fleet_carrier_stats(fleet, 0).inbound;
    int slow[SLOW];
    for (int i = 0; i < SLOW; i++) { // from a few bytes to all of a greeting, and then nothing
        slow[i] = tcp_open(fleet, 0);
        tcp_say(slow[i], curve_greeting, (size_t)i % sizeof curve_greeting + 1);
    }
    WAIT_UNTIL(fleet, fleet_carrier_stats(fleet, 0).inbound >= inbound + SLOW);
    assert_responsive(fleet, HONEST);
    for (int i = 0; i < SLOW; i++) {
        WAIT_UNTIL(fleet, tcp_ended(slow[i]));
        close(slow[i]);
    }
    WAIT_UNTIL(fleet, fleet_carrier_stats(fleet, 0).handshake_failed >= failed + SLOW);
    WAIT_UNTIL(fleet, fleet_carrier_stats(fleet, 0).inbound <= inbound);
    assert_responsive(fleet, HONEST);
    assert_int_equal(fleet->hosts[1].deaths, 0);
}

static void a_frame_of_eight_gibibytes_is_cut_off_before_it_is_stored(void **state) {
    struct fleet *fleet = *state;
    fleet_start_all(fleet, HONEST);
    size_t before = resident_bytes();
    uint64_t ended = fleet_carrier_stats(fleet, 0).inbound_ended;
    for (int i = 0; i < INTRUDERS; i++) {
        int fd = tcp_open(fleet, 0);
        tcp_say(fd, curve_greeting, sizeof curve_greeting);
        tcp_say(fd, "\x06\0\0\0\x02\0\0\0\0", 9); // a long command
        WAIT_UNTIL(fleet, tcp_ended(fd));
        close(fd);
    }
    WAIT_UNTIL(fleet, fleet_carrier_stats(fleet, 0).inbound_ended >= ended + INTRUDERS);
    assert_true(resident_bytes() < before + 16 * MIB);
    assert_responsive(fleet, HONEST);
}

static void strangers_with_a_wrong_key_or_none_are_refused_and_counted(void **state) {
    struct fleet *fleet = *state;
    fleet_start_all(fleet, HONEST);
    struct gossip_zmq_stats before = fleet_carrier_stats(fleet, 0);
    struct intruder intruders[INTRUDERS];
    uint64_t heard = fleet_core_stats(fleet, 0).dropped_foreign;
    for (int i = 0; i < INTRUDERS; i++) {
        char public_key[CURVE_KEY_TEXT_SIZE], secret_key[CURVE_KEY_TEXT_SIZE];
        assert_int_equal(curve_keypair(public_key, secret_key), 0);
        bool curve = i % 2 == 0;
        intruder_open(&intruders[i], fleet, 0, curve ? public_key : NULL, secret_key);
        (void)intruder_say(&intruders[i], "I am h1", 7);
    }
    WAIT_UNTIL(fleet,
               fleet_carrier_stats(fleet, 0).denied_keys >= before.denied_keys + INTRUDERS / 2);
    WAIT_UNTIL(fleet, fleet_carrier_stats(fleet, 0).handshake_failed >=
                          before.handshake_failed + INTRUDERS / 2);
    assert_responsive(fleet, HONEST);
    for (int i = 0; i < INTRUDERS; i++) {
        intruder_close(&intruders[i]);
    }
    // Nothing of it reached the core.
    assert_int_equal(fleet_core_stats(fleet, 0).dropped_malformed, 0);
    assert_int_equal(fleet_core_stats(fleet, 0).dropped_foreign, heard);
    assert_int_equal(fleet->hosts[0].deaths, 0);
}

static void a_members_message_beyond_the_limit_ends_its_connection(void **state) {
    struct fleet *fleet = *state;
    fleet_start_all(fleet, HONEST);
    struct intruder member;
    const struct host *own = &fleet->hosts[HONEST];
    uint64_t ended = fleet_carrier_stats(fleet, 0).inbound_ended;
    size_t size = GOSSIP_MESSAGE_MAX + 1024;
    uint8_t *bytes = calloc(1, size);
    intruder_open(&member, fleet, 0, own->public_key, own->secret_key);
    assert_true(intruder_say(&member, bytes, size));
    WAIT_UNTIL(fleet, fleet_carrier_stats(fleet, 0).inbound_ended > ended);
    assert_responsive(fleet, HONEST);
    assert_int_equal(fleet_core_stats(fleet, 0).dropped_malformed, 0);
    intruder_close(&member);
    free(bytes);
}

static void a_member_that_floods_is_slowed_down_and_nobody_else(void **state) {
    struct fleet *fleet = *state;
    fleet_start_all(fleet, HONEST);
    struct intruder member;
    const struct host *own = &fleet->hosts[HONEST];
    uint8_t bytes[64] = {0};
    intruder_open(&member, fleet, 0, own->public_key, own->secret_key);
    WAIT_UNTIL(fleet, intruder_say(&member, bytes, sizeof bytes));
    for (int round = 0; round < 50 || fleet_carrier_stats(fleet, 0).dropped_rate < 1000; round++) {
        for (int i = 0; i < 1000; i++) {
            (void)intruder_say(&member, bytes, sizeof bytes);
        }
        fleet_turn(fleet);
        assert_true(round < 5000);
        if (round % 10 == 9) {
            assert_responsive(fleet, HONEST);
        }
    }
    assert_int_equal(fleet->hosts[0].deaths + fleet->hosts[1].deaths, 0);
    intruder_close(&member);
}

// ---- nobody there

static void as_many_dead_seeds_as_may_be_do_not_keep_a_host_from_joining(void **state) {
    struct fleet *fleet = *state;
    while (fleet->seed_count < SEEDS_MAX) { // the one that lives is among them
        snprintf(fleet->seeds[fleet->seed_count], GOSSIP_ADDRESS_SIZE, "tcp://127.252.0.%u:7948",
                 fleet->seed_count);
        fleet->seed_count++;
    }
    unsigned descriptors = open_descriptors();
    fleet_start_all(fleet, HONEST);
    for (uint64_t until_ns = fleet_now() + ENDURED_NS; fleet_now() < until_ns;) {
        fleet_turn(fleet);
    }
    assert_responsive(fleet, HONEST);
    unsigned more = open_descriptors() - descriptors;
    printf("%u descriptors\n", more);
    assert_true(more < HONEST * 48 * 4); // as many peers as a carrier has at a time
    assert_int_equal(fleet->hosts[0].deaths + fleet->hosts[1].deaths, 0);
}

int main(void) {
    fleet_need_descriptors();
    const struct CMUnitTest tests[] = {
        CASE(slow_handshakes_are_given_up_and_hold_up_nobody),
        CASE(a_frame_of_eight_gibibytes_is_cut_off_before_it_is_stored),
        CASE(strangers_with_a_wrong_key_or_none_are_refused_and_counted),
        CASE(a_members_message_beyond_the_limit_ends_its_connection),
        CASE(a_member_that_floods_is_slowed_down_and_nobody_else),
        CASE(as_many_dead_seeds_as_may_be_do_not_keep_a_host_from_joining),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
