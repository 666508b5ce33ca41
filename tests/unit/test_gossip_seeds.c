// SPDX-License-Identifier: Apache-2.0
// Seeds that change while the host runs.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "gossip_net.h"

static struct gossip_net net;

static void start(uint32_t hosts) {
    net_init(&net, hosts, 5);
    net.settings.seeds_awaited = true;
    for (uint32_t i = 0; i < hosts; i++) {
        net_start(&net, i);
    }
    net_run(&net, NS_PER_S);
}

static int fini(void **state) {
    (void)state;
    net_fini(&net);
    return 0;
}

static int set(uint32_t host, const char *const *seeds, uint32_t count, struct error *error) {
    return gossip_set_seeds(net.hosts[host].core, net.now_ns, seeds, count, false, error);
}

static void give(uint32_t host, const char *one, const char *other) {
    const char *seeds[] = {one, other};
    struct error error;
    assert_int_equal(set(host, seeds, other == NULL ? 1 : 2, &error), 0);
    net.hosts[host].deadline_ns = gossip_deadline_ns(net.hosts[host].core);
}

static bool joined(uint32_t host) {
    return gossip_joined(net.hosts[host].core);
}

static void nobody_is_alone_while_seeds_are_awaited(void **state) {
    (void)state;
    start(1);
    assert_false(joined(0));
    give(0, "mem://n0", NULL); // nobody but itself
    assert_true(joined(0));
}

static void one_source_that_is_silent_keeps_a_host_from_being_alone(void **state) {
    (void)state;
    const char *self = "mem://n0";
    struct error error;
    start(1);
    assert_int_equal(gossip_set_seeds(net.hosts[0].core, net.now_ns, &self, 1, true, &error), 0);
    assert_false(joined(0));
    assert_int_equal(gossip_set_seeds(net.hosts[0].core, net.now_ns, &self, 1, false, &error), 0);
    assert_true(joined(0));
}

static bool all_joined(const struct gossip_net *n, const void *context) {
    (void)context;
    bool all = true;
    for (uint32_t i = 0; i < n->count; i++) {
        all = all && gossip_joined(n->hosts[i].core) && net_knows(n, i, (i + 1) % n->count);
    }
    return all;
}

static void hosts_find_each_other_when_seeds_come(void **state) {
    (void)state;
    start(2);
    assert_false(joined(0));
    give(0, "mem://n0", "mem://n1");
    give(1, "mem://n0", "mem://n1");
    assert_false(joined(0));
    assert_true(net_run_until(&net, 200 * NS_PER_MS, all_joined, NULL));
}

static void one_that_speaks_to_us_first_is_enough(void **state) {
    (void)state;
    start(2);
    give(0, "mem://n1", NULL);
    assert_true(net_run_until(&net, NS_PER_S, all_joined, NULL));
}

static void a_host_that_was_alone_finds_one_that_comes_later_at_once(void **state) {
    (void)state;
    start(2);
    give(0, "mem://n0", NULL);
    give(1, "mem://n1", NULL);
    net_run(&net, 20 * NS_PER_S);
    assert_false(net_knows(&net, 0, 1));
    give(0, "mem://n0", "mem://n1");
    assert_true(net_run_until(&net, 100 * NS_PER_MS, all_joined, NULL));
}

// Else the readiness of a whole fleet would hang on a host that was added and does not come up.
static void who_had_joined_stays_so_with_seeds_that_are_silent(void **state) {
    (void)state;
    start(1);
    give(0, "mem://n0", NULL);
    give(0, "mem://n0", "mem://n77");
    assert_true(joined(0));
    give(0, "mem://n77", NULL);
    assert_true(joined(0));
}

static void silent_seeds_are_no_members(void **state) {
    (void)state;
    start(1);
    give(0, "mem://n0", "mem://n77");
    net_run(&net, 5 * NS_PER_S);
    assert_false(joined(0));
}

static void what_is_wrong_with_seeds_leaves_the_old_ones(void **state) {
    (void)state;
    char longest[GOSSIP_ADDRESS_SIZE + 1];
    memset(longest, 'x', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    const char *const bad[][2] = {{"mem://n1", ""}, {"mem://n1", longest}, {"mem://n1", "a\nb"}};
    const char *many[GOSSIP_SEEDS_MAX + 1];
    struct error error;
    start(2);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(set(0, bad[i], 2, &error), -EINVAL);
        assert_string_equal(error.text, "gossip: seed 1: address is empty or too long");
    }
    for (size_t i = 0; i < GOSSIP_SEEDS_MAX + 1; i++) {
        many[i] = "mem://n1";
    }
    assert_int_equal(set(0, many, GOSSIP_SEEDS_MAX + 1, &error), -EINVAL);
    assert_string_equal(error.text, "gossip: 65 seeds; at most 64");
    net_run(&net, NS_PER_S);
    assert_false(joined(0)); // still awaited
    assert_false(net_knows(&net, 0, 1));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(nobody_is_alone_while_seeds_are_awaited, fini),
        cmocka_unit_test_teardown(one_source_that_is_silent_keeps_a_host_from_being_alone, fini),
        cmocka_unit_test_teardown(hosts_find_each_other_when_seeds_come, fini),
        cmocka_unit_test_teardown(one_that_speaks_to_us_first_is_enough, fini),
        cmocka_unit_test_teardown(a_host_that_was_alone_finds_one_that_comes_later_at_once, fini),
        cmocka_unit_test_teardown(who_had_joined_stays_so_with_seeds_that_are_silent, fini),
        cmocka_unit_test_teardown(silent_seeds_are_no_members, fini),
        cmocka_unit_test_teardown(what_is_wrong_with_seeds_leaves_the_old_ones, fini),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
