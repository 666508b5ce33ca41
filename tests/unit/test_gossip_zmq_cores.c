// SPDX-License-Identifier: Apache-2.0
// Real cores over real sockets with CURVE: what the two promise together. All run in one thread of
// one process; every wait ends when its condition holds.
#include "gossip_zmq/gossip_zmq.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "model/time.h"

#define PATIENCE_NS (20 * NS_PER_S)
#define HOSTS_MAX 16
#define DESCRIPTORS_NEEDED 4096 // sixteen agents in one process

struct host {
    char name[NAME_SIZE], address[GOSSIP_ADDRESS_SIZE];
    char public_key[CURVE_KEY_TEXT_SIZE], secret_key[CURVE_KEY_TEXT_SIZE];
    struct gossip *core;
    struct gossip_zmq *carrier;
    bool stalled; // its loop does not run
};

struct bed {
    struct host hosts[HOSTS_MAX];
    struct curve_key keys[HOSTS_MAX];
    struct curve_keys fleet;
    uint32_t boots;
};

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * NS_PER_S + (uint64_t)time.tv_nsec;
}

static int setup(void **state) {
    struct bed *bed = calloc(1, sizeof *bed);
    unsigned id = (unsigned)getpid();
    for (int i = 0; i < HOSTS_MAX; i++) {
        struct host *host = &bed->hosts[i];
        struct curve_key *key = &bed->keys[i];
        snprintf(host->name, sizeof host->name, "h%d", i);
        snprintf(host->address, sizeof host->address, "tcp://127.%u.%u.%d:7947",
                 1 + (id >> 8) % 250, id & 255, i + 1);
        assert_int_equal(curve_keypair(host->public_key, host->secret_key), 0);
        snprintf(key->host, sizeof key->host, "%s", host->name);
        memcpy(key->public_key, host->public_key, sizeof key->public_key);
    }
    // Only the seed's line has an address: all other keys are found by the names of the members.
    snprintf(bed->keys[0].address, GOSSIP_ADDRESS_SIZE, "%s", bed->hosts[0].address);
    bed->fleet = (struct curve_keys){.keys = bed->keys, .count = HOSTS_MAX};
    *state = bed;
    return 0;
}

static void stop(struct bed *bed, int index) {
    gossip_zmq_close(bed->hosts[index].carrier);
    gossip_close(bed->hosts[index].core);
    bed->hosts[index].carrier = NULL;
    bed->hosts[index].core = NULL;
}

static int teardown(void **state) {
    struct bed *bed = *state;
    for (int i = 0; i < HOSTS_MAX; i++) {
        stop(bed, i);
    }
    free(bed);
    return 0;
}

static void start(struct bed *bed, int index) {
    struct host *host = &bed->hosts[index];
    const char *const seeds[] = {bed->hosts[0].address};
    struct gossip_config core = {.nonce = ++bed->boots * 1000 + (uint32_t)index,
                                 .seed = bed->boots,
                                 .seeds = seeds,
                                 .seed_count = index == 0 ? 0 : 1};
    memcpy(core.name, host->name, sizeof core.name);
    memcpy(core.address, host->address, sizeof core.address);
    struct error error = {0};
    if (gossip_open(&core, now(), &host->core, &error) != 0) {
        fail_msg("core: %s", error.text);
    }
    struct gossip_zmq_config config = {.curve = true, .fleet = &bed->fleet};
    memcpy(config.listen, host->address, sizeof config.listen);
    memcpy(config.public_key, host->public_key, sizeof config.public_key);
    memcpy(config.secret_key, host->secret_key, sizeof config.secret_key);
    if (gossip_zmq_open(&config, host->core, &host->carrier, &error) != 0) {
        fail_msg("carrier: %s", error.text);
    }
}

static void turn_host(struct host *host) {
    struct gossip_change change;
    if (gossip_deadline_ns(host->core) <= now()) {
        gossip_tick(host->core, now());
    }
    while (gossip_zmq_work(host->carrier, now())) {
    }
    while (gossip_take_change(host->core, &change)) {
    }
}

static void turn(struct bed *bed) {
    struct pollfd polls[HOSTS_MAX];
    nfds_t count = 0;
    for (int i = 0; i < HOSTS_MAX; i++) {
        struct host *host = &bed->hosts[i];
        if (host->core != NULL && !host->stalled) {
            turn_host(host);
            polls[count++] = (struct pollfd){.fd = gossip_zmq_fd(host->carrier), .events = POLLIN};
        }
    }
    poll(polls, count, 5);
}

#define WAIT_UNTIL(bed, condition)                                                                 \
    do {                                                                                           \
        uint64_t until_ns = now() + PATIENCE_NS;                                                   \
        while (!(condition)) {                                                                     \
            if (now() > until_ns) {                                                                \
                fail_msg("not within %d s: %s", (int)(PATIENCE_NS / NS_PER_S), #condition);        \
            }                                                                                      \
            turn(bed);                                                                             \
        }                                                                                          \
    } while (0)

static void put(struct bed *bed, int index, const char *key, const char *value) {
    int rc =
        gossip_put(bed->hosts[index].core, now(), GOSSIP_TABLE_HOST, key, value, strlen(value));
    assert_int_equal(rc, 0);
}

static bool knows(const struct bed *bed, int index, int origin, const char *key,
                  const char *value) {
    size_t size = 0;
    const char *found =
        gossip_find(bed->hosts[index].core, bed->hosts[origin].name, GOSSIP_TABLE_HOST, key, &size);
    return found != NULL && size == strlen(value) && memcmp(found, value, size) == 0;
}

static bool all_know(const struct bed *bed, int count, const char *key, const char *value) {
    for (int i = 0; i < count; i++) {
        for (int origin = 0; origin < count; origin++) {
            if (i != origin && !knows(bed, i, origin, key, value)) {
                return false;
            }
        }
    }
    return true;
}

static enum gossip_state state_of(const struct bed *bed, int index, int other) {
    struct gossip_member member;
    bool found = gossip_find_member(bed->hosts[index].core, bed->hosts[other].name, &member);
    return found ? member.state : GOSSIP_LEFT;
}

static bool all_joined(const struct bed *bed, int count) {
    for (int i = 0; i < count; i++) {
        for (int other = 0; other < count; other++) {
            if (state_of(bed, i, other) != GOSSIP_ALIVE) {
                return false;
            }
        }
    }
    return true;
}

static void start_all(struct bed *bed, int count) {
    for (int i = 0; i < count; i++) {
        start(bed, i);
    }
    WAIT_UNTIL(bed, all_joined(bed, count));
}

static void two_hosts_exchange_their_records(void **state) {
    struct bed *bed = *state;
    start_all(bed, 2);
    put(bed, 0, "k", "one");
    put(bed, 1, "k", "one");
    WAIT_UNTIL(bed, all_know(bed, 2, "k", "one"));
}

static void sixteen_hosts_exchange_their_records(void **state) {
    struct bed *bed = *state;
    start_all(bed, 16);
    for (int i = 0; i < 16; i++) {
        put(bed, i, "k", "one");
    }
    WAIT_UNTIL(bed, all_know(bed, 16, "k", "one"));
}

static void a_killed_host_is_dead_and_comes_back_under_its_address(void **state) {
    struct bed *bed = *state;
    start_all(bed, 4);
    put(bed, 3, "k", "before");
    WAIT_UNTIL(bed, knows(bed, 0, 3, "k", "before"));
    struct gossip_zmq_stats stats;
    gossip_zmq_stats(bed->hosts[0].carrier, &stats);
    uint64_t disconnected = stats.disconnected;
    stop(bed, 3);
    WAIT_UNTIL(bed, (gossip_zmq_stats(bed->hosts[0].carrier, &stats),
                     stats.disconnected > disconnected));
    WAIT_UNTIL(bed, state_of(bed, 0, 3) == GOSSIP_DEAD && state_of(bed, 1, 3) == GOSSIP_DEAD);
    start(bed, 3);
    WAIT_UNTIL(bed, all_joined(bed, 4));
    put(bed, 3, "k", "after");
    WAIT_UNTIL(bed, knows(bed, 0, 3, "k", "after") && knows(bed, 2, 3, "k", "after"));
}

static void a_host_that_stood_still_catches_up(void **state) {
    struct bed *bed = *state;
    start_all(bed, 4);
    bed->hosts[3].stalled = true;
    for (int i = 0; i < 200; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", i);
        put(bed, 0, key, "missed");
        turn(bed);
    }
    WAIT_UNTIL(bed, state_of(bed, 0, 3) == GOSSIP_DEAD);
    bed->hosts[3].stalled = false;
    WAIT_UNTIL(bed, knows(bed, 3, 0, "k0", "missed") && knows(bed, 3, 0, "k199", "missed"));
    WAIT_UNTIL(bed, all_joined(bed, 4));
}

static void a_host_that_leaves_is_said_to_have_left(void **state) {
    struct bed *bed = *state;
    start_all(bed, 3);
    gossip_leave(bed->hosts[2].core, now());
    gossip_zmq_flush(bed->hosts[2].carrier, now(), NS_PER_S);
    stop(bed, 2);
    WAIT_UNTIL(bed, state_of(bed, 0, 2) == GOSSIP_LEFT && state_of(bed, 1, 2) == GOSSIP_LEFT);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < DESCRIPTORS_NEEDED) {
        printf("skipped: needs RLIMIT_NOFILE of %d, the hard limit is %llu\n", DESCRIPTORS_NEEDED,
               (unsigned long long)limit.rlim_cur);
        return 77;
    }
    const struct CMUnitTest tests[] = {
        CASE(two_hosts_exchange_their_records),
        CASE(sixteen_hosts_exchange_their_records),
        CASE(a_killed_host_is_dead_and_comes_back_under_its_address),
        CASE(a_host_that_stood_still_catches_up),
        CASE(a_host_that_leaves_is_said_to_have_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
