// SPDX-License-Identifier: Apache-2.0
// Many newcomers at once: whom a host talks to until all have come, and when it meets its
// neighbours; and that pings stay spread over their slots.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core.h"
#include "gossip_net.h"

#define HOSTS 128
#define BETWEEN_NS (8 * NS_PER_MS) // two starts

static struct gossip_net net;

struct talk {
    bool said[HOSTS][HOSTS]; // from, to
    uint32_t messages, pairs;
};

static struct talk talk;

static void count_sent(void *context, uint32_t host, const struct gossip_message *message) {
    struct talk *counted = context;
    uint32_t to = 0;
    while (to < net.count && strcmp(net.hosts[to].address, message->address) != 0) {
        to++;
    }
    assert_true(to < net.count);
    counted->messages++;
    counted->pairs += !counted->said[host][to];
    counted->said[host][to] = true;
}

static bool all_see_all(const struct gossip_net *n, const void *context) {
    (void)context;
    for (uint32_t i = 0; i < n->count; i++) {
        for (uint32_t j = 0; j < n->count; j++) {
            if (!net_knows(n, i, j) || net_state(n, i, j) != GOSSIP_ALIVE) {
                return false;
            }
        }
    }
    return true;
}

// `later` hosts more are there to be started.
static void start_crowd_and(uint32_t hosts, uint32_t later, uint64_t seed) {
    net_init(&net, hosts + later, seed);
    talk = (struct talk){.messages = 0};
    net.sent = count_sent;
    net.context = &talk;
    for (uint32_t i = 0; i < hosts; i++) {
        net_start(&net, i);
        net_run(&net, BETWEEN_NS);
    }
}

static void start_crowd(uint32_t hosts, uint64_t seed) {
    start_crowd_and(hosts, 0, seed);
}

static int fini(void **state) {
    (void)state;
    net_fini(&net);
    return 0;
}

static uint64_t refutations(void) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < net.count; i++) {
        struct gossip_stats stats;
        gossip_stats(net.hosts[i].core, &stats);
        sum += stats.refutations;
    }
    return sum;
}

static void all_of_a_crowd_see_all_before_they_choose_neighbours(void **state) {
    (void)state;
    start_crowd(HOSTS, 1);
    assert_true(net_run_until(&net, NS_PER_S, all_see_all, NULL));
    assert_true(talk.pairs < 6 * HOSTS); // seeds, mostly
    net_run(&net, 4 * NS_PER_S);
    assert_true(talk.pairs < 16 * HOSTS); // eight of them to stay
    assert_int_equal(refutations(), 0);
}

static void each_of_a_crowd_ends_with_the_neighbours_that_the_circles_say(void **state) {
    (void)state;
    start_crowd(HOSTS, 2);
    net_run(&net, 6 * NS_PER_S);
    for (uint32_t i = 0; i < HOSTS; i++) {
        const struct gossip *core = net.hosts[i].core;
        for (uint32_t k = 0; k < core->peer_count; k++) {
            const struct peer *peer = &core->peers[k];
            assert_int_equal(peer->linger_until_ns, 0);
            assert_true(peer->chosen && peer->pinged);
            assert_true(overlay_is_neighbour(core, core->self, peer->origin));
        }
        const struct origin *wanted[NEIGHBOURS_MAX];
        assert_int_equal(core->peer_count, overlay_neighbours(core, core->self, wanted));
    }
}

static bool all_see_dead(const struct gossip_net *n, const void *context) {
    uint32_t dead = *(const uint32_t *)context;
    for (uint32_t i = 0; i < n->count; i++) {
        if (n->hosts[i].core != NULL && net_state(n, i, dead) != GOSSIP_DEAD) {
            return false;
        }
    }
    return true;
}

static void who_dies_in_a_crowd_is_missed(void **state) {
    (void)state;
    uint32_t dead = 40;
    start_crowd(HOSTS, 3);
    net_kill(&net, dead);
    assert_true(net_run_until(&net, 6 * NS_PER_S, all_see_dead, &dead));
    net_start(&net, dead); // fini expects nothing of it
}

// Few at a time, as on a machine that is short of CPU: no crowd by their number.
static void who_starts_with_seeds_waits_for_those_who_start_with_it(void **state) {
    (void)state;
    net_init(&net, 7, 6);
    for (uint32_t i = 0; i < 7; i++) {
        net_start(&net, i);
        net_run(&net, 60 * NS_PER_MS);
        for (uint32_t k = 0; k <= i; k++) {
            assert_int_equal(net.hosts[k].core->peer_count, 0);
        }
    }
    assert_true(net_run_until(&net, NS_PER_S, all_see_all, NULL));
    net_run(&net, NS_PER_S);
    for (uint32_t i = 0; i < 7; i++) {
        assert_int_equal(net.hosts[i].core->peer_count, 6);
    }
}

static void who_leaves_before_the_crowd_is_over_is_said_to_have_left(void **state) {
    (void)state;
    start_crowd(40, 7);
    net_run(&net, 50 * NS_PER_MS);
    assert_int_equal(net.hosts[39].core->peer_count, 0);
    net_leave(&net, 39);
    net_run(&net, 3 * NS_PER_S);
    for (uint32_t i = 0; i < 39; i++) {
        assert_true(!net_knows(&net, i, 39) || net_state(&net, i, 39) == GOSSIP_LEFT);
    }
    assert_true(net_knows(&net, 0, 39));
    net_start(&net, 39); // fini expects nothing of it
}

static void one_newcomer_is_no_crowd(void **state) {
    (void)state;
    uint32_t late = 64;
    start_crowd_and(late, 1, 4);
    net_run(&net, 8 * NS_PER_S);
    net_start(&net, late);
    net_run(&net, 400 * NS_PER_MS);
    uint32_t neighbours = 0;
    for (uint32_t i = 0; i < late; i++) {
        struct gossip *core = net.hosts[i].core;
        const struct origin *origin = origin_find(core, net.hosts[late].name);
        assert_int_equal(core->crowd.since_ns, 0);
        assert_non_null(origin);
        if (overlay_is_neighbour(core, core->self, origin)) {
            assert_non_null(overlay_peer_of(core, origin));
            neighbours++;
        }
    }
    assert_true(neighbours >= 6);
}

static void slots_stay_even_while_neighbours_die(void **state) {
    (void)state;
    start_crowd(40, 5);
    net_run(&net, 6 * NS_PER_S);
    for (uint32_t dead = 39; dead >= 14; dead--) {
        net_kill(&net, dead);
        net_run(&net, 150 * NS_PER_MS);
    }
    net_run(&net, 4 * NS_PER_S);
    for (uint32_t i = 0; i < 14; i++) {
        const struct gossip *core = net.hosts[i].core;
        uint32_t counts[PING_SLOTS] = {0};
        for (uint32_t k = 0; k < core->peer_count; k++) {
            counts[core->peers[k].slot]++;
        }
        for (uint32_t a = 0; a < PING_SLOTS; a++) {
            for (uint32_t b = 0; b < PING_SLOTS; b++) {
                assert_true(counts[a] <= counts[b] + 1);
            }
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(all_of_a_crowd_see_all_before_they_choose_neighbours, fini),
        cmocka_unit_test_teardown(each_of_a_crowd_ends_with_the_neighbours_that_the_circles_say,
                                  fini),
        cmocka_unit_test_teardown(who_dies_in_a_crowd_is_missed, fini),
        cmocka_unit_test_teardown(who_starts_with_seeds_waits_for_those_who_start_with_it, fini),
        cmocka_unit_test_teardown(who_leaves_before_the_crowd_is_over_is_said_to_have_left, fini),
        cmocka_unit_test_teardown(one_newcomer_is_no_crowd, fini),
        cmocka_unit_test_teardown(slots_stay_even_while_neighbours_die, fini),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
