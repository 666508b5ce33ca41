// SPDX-License-Identifier: Apache-2.0
// Whose word counts: hosts whose key was taken off the list, and members of which some have keys
// and others none.
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "cmocka_all.h"
#include "gossip_net.h"

#define HOSTS 10
#define GONE 6

static struct gossip_net net;
static struct gossip_public_key keys[HOSTS], fewer[HOSTS - 1];
static struct gossip_signing signing[HOSTS], afterwards[HOSTS];
static uint32_t deaths[HOSTS], deletions[HOSTS]; // of GONE, seen on

static void note(void *context, uint32_t host, const struct gossip_change *change) {
    (void)context;
    if (strcmp(change->origin, "n6") == 0) {
        deaths[host] += change->kind == GOSSIP_MEMBER_STATE && change->state == GOSSIP_DEAD;
        deletions[host] += change->kind == GOSSIP_RECORD && change->value == NULL;
    }
}

// Keys of all; `afterwards` lacks that of GONE.
static void make_keys(void) {
    for (uint32_t i = 0; i < HOSTS; i++) {
        uint8_t entropy[crypto_sign_SEEDBYTES] = {(uint8_t)(i + 1)};
        crypto_sign_seed_keypair(keys[i].bytes, signing[i].secret_key, entropy);
        snprintf(keys[i].host, sizeof keys[i].host, "n%u", i);
        signing[i].keys = keys;
        signing[i].key_count = HOSTS;
        afterwards[i] = signing[i];
        afterwards[i].keys = fewer;
        afterwards[i].key_count = HOSTS - 1;
        if (i != GONE) {
            fewer[i < GONE ? i : i - 1] = keys[i];
        }
    }
}

static int init(void **state) {
    (void)state;
    make_keys();
    memset(deaths, 0, sizeof deaths);
    memset(deletions, 0, sizeof deletions);
    net_init(&net, HOSTS, 41);
    net.changed = note;
    return 0;
}

static int fini(void **state) {
    (void)state;
    net_fini(&net);
    return 0;
}

static void start_signed(void) {
    net.signing = signing;
    for (uint32_t i = 0; i < HOSTS; i++) {
        net_start(&net, i);
    }
    net_run(&net, 2 * NS_PER_S);
    assert_int_equal(net_put(&net, GONE, "k", "v"), 0);
    net_run(&net, 100 * NS_PER_MS);
    for (uint32_t i = 0; i < HOSTS; i++) {
        assert_non_null(net_get(&net, i, GONE, "k"));
    }
}

static void take_off_the_list(void) {
    for (uint32_t i = 0; i < HOSTS; i++) {
        if (i != GONE && net.hosts[i].core != NULL) {
            gossip_set_signing(net.hosts[i].core, net.now_ns, &afterwards[i]);
        }
    }
}

static void assert_unknown_to_all(void) {
    for (uint32_t i = 0; i < HOSTS; i++) {
        if (i != GONE && net.hosts[i].core != NULL) {
            assert_false(net_knows(&net, i, GONE));
            assert_null(net_get(&net, i, GONE, "k"));
        }
    }
}

static void a_host_without_a_key_any_more_is_no_member_although_it_goes_on(void **state) {
    (void)state;
    start_signed();
    take_off_the_list();
    assert_unknown_to_all();
    for (int second = 0; second < 20; second++) {
        net_put(&net, GONE, "k", second % 2 == 0 ? "again" : "and again");
        net_run(&net, NS_PER_S);
        assert_unknown_to_all();
    }
    for (uint32_t i = 0; i < HOSTS; i++) { // told once, and nobody else suffers from it
        assert_int_equal(deaths[i], i != GONE);
        assert_int_equal(deletions[i], i != GONE);
        for (uint32_t j = 0; j < HOSTS; j++) {
            assert_true(i == GONE || j == GONE || net_state(&net, i, j) == GOSSIP_ALIVE);
        }
    }
}

static void a_host_that_was_dead_already_is_forgotten_with_its_key(void **state) {
    (void)state;
    start_signed();
    net_kill(&net, GONE);
    net_run(&net, 2 * NS_PER_S);
    assert_int_equal(net_state(&net, 0, GONE), GOSSIP_DEAD);
    take_off_the_list();
    net_run(&net, 2 * NS_PER_S);
    assert_unknown_to_all();
    assert_int_equal(deaths[0], 1);
}

static void who_gets_another_key_is_a_member_again_in_its_first_life(void **state) {
    static struct gossip_public_key renewed[HOSTS];
    static struct gossip_signing then[HOSTS];
    static const uint8_t entropy[crypto_sign_SEEDBYTES] = {99};
    (void)state;
    start_signed();
    net_kill(&net, GONE);
    net_start_from_disk(&net, GONE);
    net_run(&net, 2 * NS_PER_S); // in its second one
    take_off_the_list();
    net_kill(&net, GONE);
    memcpy(renewed, keys, sizeof renewed);
    memcpy(then, signing, sizeof then);
    crypto_sign_seed_keypair(renewed[GONE].bytes, then[GONE].secret_key, entropy);
    for (uint32_t i = 0; i < HOSTS; i++) {
        then[i].keys = renewed;
        if (i != GONE) {
            gossip_set_signing(net.hosts[i].core, net.now_ns, &then[i]);
        }
    }
    net.signing = then;
    net_start(&net, GONE); // what its old key proved is not even proof of a life
    net_run(&net, 2 * NS_PER_S);
    for (uint32_t i = 0; i < HOSTS; i++) {
        struct gossip_member member;
        assert_true(gossip_find_member(net.hosts[i].core, "n6", &member));
        assert_int_equal(member.state, GOSSIP_ALIVE);
        assert_int_equal(member.incarnation, 1);
    }
}

static void who_read_the_list_first_learns_nothing_of_it_from_others(void **state) {
    (void)state;
    start_signed();
    gossip_set_signing(net.hosts[0].core, net.now_ns, &afterwards[0]);
    for (int i = 0; i < 50; i++) {
        net_run(&net, 100 * NS_PER_MS);
        assert_false(net_knows(&net, 0, GONE));
        assert_int_equal(net_state(&net, 1, GONE), GOSSIP_ALIVE);
    }
}

// ---- with keys and without

#define ODD 3 // it has keys and the others none, or the other way round

static uint64_t refused_by_the_odd_one(void) {
    struct gossip_stats stats;
    gossip_stats(net.hosts[ODD].core, &stats);
    return stats.dropped_unknown_key;
}

// What it is sent in vain within ten seconds, an origin and second.
static double useless_parts(bool odd_has_keys) {
    for (uint32_t i = 0; i < HOSTS; i++) {
        net.signing = (i == ODD) == odd_has_keys ? signing : NULL;
        net_start(&net, i);
    }
    net.signing = NULL; // authenticated senders would not matter
    net_run(&net, 20 * NS_PER_S);
    uint64_t before = refused_by_the_odd_one();
    assert_true(before > 0);
    net_run(&net, 10 * NS_PER_S);
    return (double)(refused_by_the_odd_one() - before) / (HOSTS - 1) / 10;
}

static void who_has_no_keys_in_a_signed_fleet_asks_seldom_for_what_it_cannot_believe(void **state) {
    (void)state;
    double useless = useless_parts(false);
    print_message("%.2f parts a second of each\n", useless);
    assert_true(useless < 0.3);
}

static void
who_has_keys_in_a_fleet_without_asks_seldom_too_but_at_once_when_keys_change(void **state) {
    (void)state;
    double useless = useless_parts(true);
    print_message("%.2f parts a second of each\n", useless);
    assert_true(useless < 0.3);
    gossip_set_signing(net.hosts[ODD].core, net.now_ns, NULL);
    net_run(&net, 2 * NS_PER_S);
    for (uint32_t i = 0; i < HOSTS; i++) {
        assert_int_equal(net_state(&net, ODD, i), GOSSIP_ALIVE);
        assert_int_equal(net_state(&net, i, ODD), GOSSIP_ALIVE);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            a_host_without_a_key_any_more_is_no_member_although_it_goes_on, init, fini),
        cmocka_unit_test_setup_teardown(a_host_that_was_dead_already_is_forgotten_with_its_key,
                                        init, fini),
        cmocka_unit_test_setup_teardown(who_gets_another_key_is_a_member_again_in_its_first_life,
                                        init, fini),
        cmocka_unit_test_setup_teardown(who_read_the_list_first_learns_nothing_of_it_from_others,
                                        init, fini),
        cmocka_unit_test_setup_teardown(
            who_has_no_keys_in_a_signed_fleet_asks_seldom_for_what_it_cannot_believe, init, fini),
        cmocka_unit_test_setup_teardown(
            who_has_keys_in_a_fleet_without_asks_seldom_too_but_at_once_when_keys_change, init,
            fini),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
