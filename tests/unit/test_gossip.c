// SPDX-License-Identifier: Apache-2.0
// The story as a whole, on the network in memory.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "gossip_net.h"

static struct gossip_net net;

static bool all_see_all(const struct gossip_net *n, const void *context) {
    (void)context;
    for (uint32_t i = 0; i < n->count; i++) {
        for (uint32_t j = 0; j < n->count && n->hosts[i].core != NULL; j++) {
            if (n->hosts[j].core != NULL &&
                (!net_knows(n, i, j) || net_state(n, i, j) != GOSSIP_ALIVE)) {
                return false;
            }
        }
    }
    return true;
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

static void start_all(uint32_t hosts, uint64_t seed) {
    net_init(&net, hosts, seed);
    for (uint32_t i = 0; i < hosts; i++) {
        net_start(&net, i);
    }
    assert_true(net_run_until(&net, 3 * NS_PER_S, all_see_all, NULL));
    net_run(&net, NS_PER_S);
}

static int fini(void **state) {
    (void)state;
    net_fini(&net);
    return 0;
}

static void eight_hosts_find_each_other_within_a_second(void **state) {
    (void)state;
    net_init(&net, 8, 1);
    for (uint32_t i = 0; i < 8; i++) {
        net_start(&net, i);
    }
    uint64_t start = net.now_ns;
    assert_true(net_run_until(&net, NS_PER_S, all_see_all, NULL));
    print_message("all see all after %.1f ms\n", (double)(net.now_ns - start) / 1e6);
}

struct fact {
    uint32_t origin;
    const char *key, *value;
};

static bool all_hold(const struct gossip_net *n, const void *context) {
    const struct fact *fact = context;
    for (uint32_t i = 0; i < n->count; i++) {
        if (n->hosts[i].core == NULL) {
            continue;
        }
        const char *value = net_get(n, i, fact->origin, fact->key);
        bool equal = value == NULL || fact->value == NULL ? value == fact->value
                                                          : strcmp(value, fact->value) == 0;
        if (!equal) {
            return false;
        }
    }
    return true;
}

static void a_put_reaches_all_within_two_milliseconds(void **state) {
    (void)state;
    start_all(8, 2);
    net_put(&net, 3, "colour", "green");
    struct fact fact = {3, "colour", "green"};
    assert_true(net_run_until(&net, 2 * NS_PER_MS, all_hold, &fact));
    net_delete(&net, 3, "colour");
    struct fact none = {3, "colour", NULL};
    assert_true(net_run_until(&net, 2 * NS_PER_MS, all_hold, &none));
}

static void a_killed_host_is_dead_for_all_survivors_within_500_ms(void **state) {
    (void)state;
    start_all(8, 3);
    for (uint32_t dead = 4; dead < 6; dead++) {
        uint64_t at = net.now_ns;
        net_kill(&net, dead);
        assert_true(net_run_until(&net, 500 * NS_PER_MS, all_see_dead, &dead));
        print_message("known after %.1f ms\n", (double)(net.now_ns - at) / 1e6);
        net_run(&net, NS_PER_S);
    }
}

static void a_restarted_host_is_alive_again_within_a_second(void **state) {
    (void)state;
    start_all(8, 4);
    uint32_t host = 5;
    net_put(&net, host, "old", "1");
    net_run(&net, NS_PER_S);
    net_kill(&net, host);
    assert_true(net_run_until(&net, 500 * NS_PER_MS, all_see_dead, &host));
    net_start(&net, host);
    net_put(&net, host, "new", "2"); // while it still listens
    struct fact fresh = {host, "new", "2"};
    struct fact old = {host, "old", NULL};
    assert_true(net_run_until(&net, NS_PER_S, all_see_all, NULL));
    assert_true(net_run_until(&net, 10 * NS_PER_MS, all_hold, &fresh));
    assert_true(net_run_until(&net, 10 * NS_PER_MS, all_hold, &old));
}

static void a_host_that_leaves_is_left_at_once(void **state) {
    (void)state;
    start_all(8, 5);
    net_leave(&net, 6);
    net_run(&net, 2 * NS_PER_MS);
    for (uint32_t i = 0; i < 6; i++) {
        assert_int_equal(net_state(&net, i, 6), GOSSIP_LEFT);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(eight_hosts_find_each_other_within_a_second, fini),
        cmocka_unit_test_teardown(a_put_reaches_all_within_two_milliseconds, fini),
        cmocka_unit_test_teardown(a_killed_host_is_dead_for_all_survivors_within_500_ms, fini),
        cmocka_unit_test_teardown(a_restarted_host_is_alive_again_within_a_second, fini),
        cmocka_unit_test_teardown(a_host_that_leaves_is_left_at_once, fini),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
