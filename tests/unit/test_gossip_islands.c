// SPDX-License-Identifier: Apache-2.0
// Few living members among many that fell silent together: they find each other and the dead, and
// when the silence was a partition, all are one fleet again soon after.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmocka_all.h"
#include "gossip_net.h"

static struct gossip_net net;
static uint64_t sent_messages;

static void count_sent(void *context, uint32_t host, const struct gossip_message *message) {
    (void)context;
    (void)host;
    (void)message;
    sent_messages++;
}

static void start_all(uint32_t hosts, uint64_t seed) {
    const char *text = getenv("SEED");
    seed = text != NULL ? strtoull(text, NULL, 10) : seed;
    print_message("SEED=%llu\n", (unsigned long long)seed);
    net_init(&net, hosts, seed);
    net.sent = count_sent;
    for (uint32_t i = 0; i < hosts; i++) {
        net_start(&net, i);
    }
    net_run(&net, 3 * NS_PER_S);
}

static int fini(void **state) {
    (void)state;
    net_fini(&net);
    return 0;
}

static bool lives(const struct gossip_net *n, uint32_t host) {
    return n->hosts[host].core != NULL;
}

// Every living host holds exactly those for alive who live.
static bool all_see_who_lives(const struct gossip_net *n, const void *context) {
    (void)context;
    for (uint32_t i = 0; i < n->count; i++) {
        for (uint32_t j = 0; lives(n, i) && j < n->count; j++) {
            if ((net_state(n, i, j) == GOSSIP_ALIVE) != lives(n, j)) {
                return false;
            }
        }
    }
    return true;
}

static bool all_hold(const struct gossip_net *n, const void *context) {
    for (uint32_t i = 0; i < n->count; i++) {
        for (uint32_t j = 0; lives(n, i) && j < n->count; j++) {
            const char *value = lives(n, j) ? net_get(n, i, j, "k") : NULL;
            if (lives(n, j) && (value == NULL || strcmp(value, context) != 0)) {
                return false;
            }
        }
    }
    return true;
}

static void write_everywhere(const char *value) {
    for (uint32_t i = 0; i < net.count; i++) {
        if (lives(&net, i)) {
            assert_int_equal(net_put(&net, i, "k", value), 0);
        }
    }
}

static double seconds_since(uint64_t at_ns) {
    return (double)(net.now_ns - at_ns) / 1e9;
}

static void kill_but(const uint32_t *survivors, uint32_t count) {
    for (uint32_t i = 0; i < net.count; i++) {
        bool survives = false;
        for (uint32_t k = 0; k < count; k++) {
            survives = survives || survivors[k] == i;
        }
        if (!survives) {
            net_kill(&net, i);
        }
    }
}

static void three_survivors_of_100_are_a_fleet_again_within_half_a_minute(void **state) {
    static const uint32_t survivors[] = {4, 50, 93}; // no seed among them
    (void)state;
    start_all(100, 31);
    kill_but(survivors, 3);
    uint64_t at = net.now_ns;
    uint64_t before = sent_messages;
    assert_true(net_run_until(&net, 30 * NS_PER_S, all_see_who_lives, NULL));
    print_message("after %.1f s and %.0f messages/s a host\n", seconds_since(at),
                  (double)(sent_messages - before) / 3 / seconds_since(at));
    assert_true((double)(sent_messages - before) / 3 / seconds_since(at) < 400);
    write_everywhere("after");
    assert_true(net_run_until(&net, NS_PER_S, all_hold, "after"));
}

// A quarter of the members, each by itself, are deaf but speak.
static void who_hears_nobody_at_all_kills_nobody(void **state) {
    (void)state;
    start_all(64, 32);
    for (uint32_t deaf = 0; deaf < 64; deaf += 4) {
        for (uint32_t i = 0; i < 64; i++) {
            net.cut[i][deaf] = true;
        }
    }
    net_run(&net, 30 * NS_PER_S);
    uint32_t deaths = 0;
    for (uint32_t i = 0; i < 64; i++) {
        for (uint32_t j = 0; j < 64; j++) {
            deaths += net_state(&net, i, j) == GOSSIP_DEAD && j % 4 != 0;
        }
    }
    print_message("%u deaths\n", deaths);
    assert_true(deaths < 64);
}

// ---- a thousand

#define LIVING 3
#define GONE 1000

// All who live hear once what a host, which is gone then, said of itself.
static void meet_one_who_is_gone(uint32_t number) {
    struct gossip_config config = {.nonce = number, .seed = number, .listen_ns = 1};
    struct gossip_message message;
    struct gossip *gone;
    struct error error;
    snprintf(config.name, sizeof config.name, "gone%u", number);
    snprintf(config.address, sizeof config.address, "mem://gone%u", number);
    assert_int_equal(gossip_open(&config, net.now_ns, &gone, &error), 0);
    gossip_tick(gone, net.now_ns + NS_PER_MS); // takes its life
    for (uint32_t i = 0; i < LIVING; i++) {
        gossip_introduce(gone, net.now_ns + NS_PER_MS, net.hosts[i].address);
        while (gossip_take_message(gone, &message)) {
            gossip_receive(net.hosts[i].core, net.now_ns, NULL, message.bytes, message.size);
        }
    }
    gossip_close(gone);
}

static uint32_t alive_on(const struct gossip_net *n, uint32_t host) {
    struct gossip_member member;
    uint32_t alive = 0;
    for (uint32_t i = 0; gossip_member_at(n->hosts[host].core, i, &member); i++) {
        alive += member.state == GOSSIP_ALIVE;
    }
    return alive;
}

static bool living_found_out(const struct gossip_net *n, const void *context) {
    bool all = true;
    (void)context;
    for (uint32_t i = 0; i < LIVING; i++) {
        all = all && alive_on(n, i) == LIVING;
    }
    return all;
}

static void three_among_a_thousand_are_a_fleet_again_within_a_minute(void **state) {
    (void)state;
    start_all(LIVING, 35);
    for (uint32_t i = 0; i < GONE; i++) {
        meet_one_who_is_gone(i);
    }
    assert_int_equal(alive_on(&net, 0), LIVING + GONE);
    uint64_t at = net.now_ns;
    uint64_t before = sent_messages;
    for (int i = 0; i < 20 && getenv("PROGRESS") != NULL; i++) {
        print_message("%4.1f s: alive %u %u %u\n", seconds_since(at), alive_on(&net, 0),
                      alive_on(&net, 1), alive_on(&net, 2));
        net_run(&net, 3 * NS_PER_S);
    }
    assert_true(net_run_until(&net, 60 * NS_PER_S, living_found_out, NULL));
    print_message("after %.1f s and %.0f messages/s a host\n", seconds_since(at),
                  (double)(sent_messages - before) / LIVING / seconds_since(at));
    assert_true((double)(sent_messages - before) / LIVING / seconds_since(at) < 400);
    write_everywhere("after");
    assert_true(net_run_until(&net, NS_PER_S, all_hold, "after"));
}

// ---- partitions

#define RACK 8

static bool rack_is_an_island(const struct gossip_net *n, const void *context) {
    (void)context;
    for (uint32_t i = 0; i < n->count; i++) {
        for (uint32_t j = 0; j < n->count; j++) {
            if ((net_state(n, i, j) == GOSSIP_ALIVE) != ((i < RACK) == (j < RACK))) {
                return false;
            }
        }
    }
    return true;
}

static void a_rack_cut_off_for_a_minute_is_an_island_and_then_one_of_64_again(void **state) {
    (void)state;
    start_all(64, 33);
    net_split(&net, RACK);
    uint64_t at = net.now_ns;
    assert_true(net_run_until(&net, 30 * NS_PER_S, rack_is_an_island, NULL));
    print_message("an island after %.1f s\n", seconds_since(at));
    write_everywhere("apart");
    net_run(&net, 60 * NS_PER_S - (net.now_ns - at));
    net_heal(&net);
    at = net.now_ns;
    assert_true(net_run_until(&net, 2 * NS_PER_S, all_hold, "apart"));
    assert_true(net_run_until(&net, 2 * NS_PER_S - (net.now_ns - at), all_see_who_lives, NULL));
    print_message("one fleet after %.2f s\n", seconds_since(at));
    net_run(&net, 5 * NS_PER_S);
    assert_true(all_see_who_lives(&net, NULL));
}

static void a_rack_that_hears_nobody_outside_disturbs_those_outside_little(void **state) {
    (void)state;
    start_all(64, 34);
    for (uint32_t from = RACK; from < 64; from++) {
        for (uint32_t to = 0; to < RACK; to++) {
            net.cut[from][to] = true;
        }
    }
    net_run(&net, 30 * NS_PER_S);
    for (uint32_t i = RACK; i < 64; i++) {
        for (uint32_t j = RACK; j < 64; j++) {
            assert_int_equal(net_state(&net, i, j), GOSSIP_ALIVE);
        }
    }
    struct gossip_stats stats;
    uint64_t refutations = 0;
    for (uint32_t i = RACK; i < 64; i++) {
        gossip_stats(net.hosts[i].core, &stats);
        refutations += stats.refutations;
    }
    print_message("%.1f refutations of a host outside\n", (double)refutations / (64 - RACK));
    write_everywhere("deaf");
    net_heal(&net);
    uint64_t at = net.now_ns;
    assert_true(net_run_until(&net, 2 * NS_PER_S, all_hold, "deaf"));
    assert_true(net_run_until(&net, 2 * NS_PER_S - (net.now_ns - at), all_see_who_lives, NULL));
    print_message("one fleet after %.2f s\n", seconds_since(at));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(three_survivors_of_100_are_a_fleet_again_within_half_a_minute,
                                  fini),
        cmocka_unit_test_teardown(who_hears_nobody_at_all_kills_nobody, fini),
        cmocka_unit_test_teardown(three_among_a_thousand_are_a_fleet_again_within_a_minute, fini),
        cmocka_unit_test_teardown(a_rack_cut_off_for_a_minute_is_an_island_and_then_one_of_64_again,
                                  fini),
        cmocka_unit_test_teardown(a_rack_that_hears_nobody_outside_disturbs_those_outside_little,
                                  fini),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
