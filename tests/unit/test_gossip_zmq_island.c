// SPDX-License-Identifier: Apache-2.0
// Three members, over real sockets, that know a thousand others: all of them are gone. Of eight
// neighbours hardly any lives, until they have found out who does.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gossip_zmq_intruder.h"

#define LIVING 3
#define GONE 1000
#define FOUND_WITHIN_NS (90 * NS_PER_S) // 60 s, and the machine is busy
#define SETTLE_NS (3 * NS_PER_S)
#define MIB ((size_t)1 << 20)

// The address sanitizer keeps what was freed.
#ifdef __has_feature
#define SANITIZED __has_feature(address_sanitizer)
#elif defined __SANITIZE_ADDRESS__
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

static char secret_keys[GONE][CURVE_KEY_TEXT_SIZE];

static void name_gone(struct fleet *fleet, uint32_t number) {
    char name[NAME_SIZE];
    snprintf(name, sizeof name, "gone%u", number);
    fleet_add_key(fleet, HOSTS_MAX + number, name, secret_keys[number]);
}

// The living hear once, and truly, what it was.
static void meet(struct fleet *fleet, struct gossip *gone, uint64_t now_ns) {
    struct gossip_message message;
    for (int to = 0; to < LIVING; to++) {
        gossip_introduce(gone, now_ns, fleet->hosts[to].address);
        while (gossip_take_message(gone, &message)) {
            gossip_receive(fleet->hosts[to].core, fleet_now(), NULL, message.bytes, message.size);
        }
    }
}

static void be_gone(struct fleet *fleet, uint32_t number) {
    struct curve_keys own = {.keys = &fleet->keys[HOSTS_MAX + number], .count = 1};
    struct gossip_config config = {.nonce = number, .seed = number, .listen_ns = 1};
    uint64_t now_ns = fleet_now();
    struct gossip_signing *signing;
    struct gossip *gone;
    struct error error = {0};
    memcpy(config.name, own.keys->host, sizeof config.name);
    snprintf(config.address, sizeof config.address, "tcp://127.253.%u.%u:7948", number / 250,
             1 + number % 250);
    assert_int_equal(curve_signing_open(&own, secret_keys[number], &signing, &error), 0);
    config.signing = signing;
    assert_int_equal(gossip_open(&config, now_ns, &gone, &error), 0);
    gossip_tick(gone, now_ns + NS_PER_MS); // takes its life
    meet(fleet, gone, now_ns + NS_PER_MS);
    gossip_close(gone);
    curve_signing_close(signing);
}

static uint32_t alive_on(const struct fleet *fleet, int index) {
    struct gossip_member member;
    uint32_t alive = 0;
    for (uint32_t i = 0; gossip_member_at(fleet->hosts[index].core, i, &member); i++) {
        alive += member.state == GOSSIP_ALIVE;
    }
    return alive;
}

static bool all_found_out(const struct fleet *fleet) {
    bool all = true;
    for (int i = 0; i < LIVING; i++) {
        all = all && alive_on(fleet, i) == LIVING;
    }
    return all;
}

static void turn_for(struct fleet *fleet, uint64_t duration_ns) {
    for (uint64_t until_ns = fleet_now() + duration_ns; fleet_now() < until_ns;) {
        fleet_turn(fleet);
    }
}

static void three_among_a_thousand_who_are_gone_are_a_fleet_again(void **state) {
    struct fleet *fleet = *state;
    for (uint32_t i = 0; i < GONE; i++) {
        name_gone(fleet, i);
    }
    fleet_start_all(fleet, LIVING);
    for (uint32_t i = 0; i < GONE; i++) {
        be_gone(fleet, i);
    }
    assert_int_equal(alive_on(fleet, 0), LIVING + GONE);
    uint64_t at_ns = fleet_now();
    size_t memory = resident_bytes();
    unsigned descriptors = open_descriptors();
    while (!all_found_out(fleet) && fleet_now() - at_ns < FOUND_WITHIN_NS) {
        turn_for(fleet, 100 * NS_PER_MS);
        unsigned now = open_descriptors();
        descriptors = now > descriptors ? now : descriptors;
    }
    printf("after %.1f s; %u descriptors, %.1f MiB more\n", (double)(fleet_now() - at_ns) / 1e9,
           descriptors, ((double)resident_bytes() - (double)memory) / (double)MIB);
    for (int i = 0; i < LIVING; i++) {
        assert_int_equal(alive_on(fleet, i), LIVING);
    }
    assert_true(descriptors < LIVING * 48 * 6); // as many peers as a carrier has, and closing ones
    assert_true(SANITIZED || resident_bytes() < memory + 64 * MIB);
    assert_responsive(fleet, LIVING);
    turn_for(fleet, SETTLE_NS);
    assert_true(all_found_out(fleet));
}

int main(void) {
    fleet_need_descriptors();
    const struct CMUnitTest tests[] = {
        CASE(three_among_a_thousand_who_are_gone_are_a_fleet_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
