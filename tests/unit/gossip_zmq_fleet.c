// SPDX-License-Identifier: Apache-2.0
#include "gossip_zmq_fleet.h"

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

#define DESCRIPTORS_NEEDED 4096 // sixteen agents in one process

uint64_t fleet_now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * NS_PER_S + (uint64_t)time.tv_nsec;
}

void fleet_add_key(struct fleet *fleet, uint32_t index, const char *name,
                   char secret_key[CURVE_KEY_TEXT_SIZE]) {
    struct curve_key *key = &fleet->keys[index];
    assert_true(index < KEYS_MAX);
    *key = (struct curve_key){0};
    assert_true(strlen(name) < sizeof key->host);
    memcpy(key->host, name, strlen(name) + 1);
    assert_int_equal(curve_keypair(key->public_key, secret_key), 0);
    assert_int_equal(curve_sign_key(secret_key, key->sign_key), 0);
    if (index >= fleet->list.count) {
        fleet->list.count = index + 1;
    }
}

// All of 127/8 is local: the process id makes addresses that no other test run uses.
static void name_host(struct fleet *fleet, int index) {
    unsigned id = (unsigned)getpid();
    struct host *host = &fleet->hosts[index];
    snprintf(host->name, sizeof host->name, "h%d", index);
    unsigned high = 1 + (id >> 8) % 250, low = id & 255;
    snprintf(host->ip, sizeof host->ip, "127.%u.%u.%d", high, low, index + 1);
    snprintf(host->address, sizeof host->address, "tcp://127.%u.%u.%d:%d", high, low, index + 1,
             PORT);
    fleet_add_key(fleet, (uint32_t)index, host->name, host->secret_key);
    memcpy(host->public_key, fleet->keys[index].public_key, sizeof host->public_key);
}

int fleet_setup(void **state) {
    struct fleet *fleet = calloc(1, sizeof *fleet);
    fleet->list.keys = fleet->keys;
    for (int i = 0; i < HOSTS_MAX; i++) {
        name_host(fleet, i);
    }
    // Only the seed's line has an address: all other keys are found by the names of the members.
    memcpy(fleet->keys[0].address, fleet->hosts[0].address, GOSSIP_ADDRESS_SIZE);
    memcpy(fleet->seeds[fleet->seed_count++], fleet->hosts[0].address, GOSSIP_ADDRESS_SIZE);
    *state = fleet;
    return 0;
}

void fleet_stop(struct fleet *fleet, int index) {
    struct host *host = &fleet->hosts[index];
    gossip_zmq_close(host->carrier);
    gossip_close(host->core);
    curve_signing_close(host->signing);
    host->carrier = NULL;
    host->core = NULL;
    host->signing = NULL;
}

int fleet_teardown(void **state) {
    struct fleet *fleet = *state;
    for (int i = 0; i < HOSTS_MAX; i++) {
        fleet_stop(fleet, i);
    }
    free(fleet);
    return 0;
}

void fleet_open_core(struct fleet *fleet, int index, const char *name) {
    struct host *host = &fleet->hosts[index];
    struct error error = {0};
    const char *seeds[SEEDS_MAX];
    struct gossip_config core = {.nonce = ++fleet->boots * 1000 + (uint32_t)index,
                                 .seed = fleet->boots,
                                 .seeds = seeds};
    for (uint32_t i = index == 0 ? 1 : 0; i < fleet->seed_count; i++) {
        seeds[core.seed_count++] = fleet->seeds[i];
    }
    snprintf(core.name, sizeof core.name, "%s", name != NULL ? name : host->name);
    memcpy(core.address, host->address, sizeof core.address);
    int rc = curve_signing_open(&fleet->list, host->secret_key, &host->signing, &error);
    core.signing = host->signing;
    rc = rc != 0 ? rc : gossip_open(&core, fleet_now(), &host->core, &error);
    if (rc != 0) {
        fail_msg("core: %s", error.text);
    }
}

void fleet_start(struct fleet *fleet, int index) {
    struct host *host = &fleet->hosts[index];
    struct gossip_zmq_config config = {.curve = true, .fleet = &fleet->list};
    struct error error = {0};
    fleet_open_core(fleet, index, NULL);
    memcpy(config.listen, host->address, sizeof config.listen);
    memcpy(config.public_key, host->public_key, sizeof config.public_key);
    memcpy(config.secret_key, host->secret_key, sizeof config.secret_key);
    if (gossip_zmq_open(&config, host->core, &host->carrier, &error) != 0) {
        fail_msg("carrier: %s", error.text);
    }
}

void fleet_reload(struct fleet *fleet, int index) {
    struct host *host = &fleet->hosts[index];
    struct gossip_signing *old = host->signing;
    struct error error = {0};
    int rc = curve_signing_open(&fleet->list, host->secret_key, &host->signing, &error);
    rc = rc != 0 ? rc
                 : gossip_zmq_set_keys(host->carrier, fleet_now(), host->secret_key, &fleet->list,
                                       &error);
    if (rc != 0) {
        fail_msg("keys: %s", error.text);
    }
    gossip_set_signing(host->core, fleet_now(), host->signing);
    curve_signing_close(old);
}

static void turn_host(struct host *host) {
    struct gossip_change change;
    if (gossip_deadline_ns(host->core) <= fleet_now()) {
        gossip_tick(host->core, fleet_now());
    }
    while (gossip_zmq_work(host->carrier, fleet_now())) {
    }
    while (gossip_take_change(host->core, &change)) {
        host->deaths += change.kind == GOSSIP_MEMBER_STATE && change.state == GOSSIP_DEAD;
    }
}

void fleet_turn(struct fleet *fleet) {
    struct pollfd polls[HOSTS_MAX];
    nfds_t count = 0;
    if (fleet->also != NULL) {
        fleet->also(fleet);
    }
    for (int i = 0; i < HOSTS_MAX; i++) {
        struct host *host = &fleet->hosts[i];
        if (host->carrier != NULL && !host->stalled) {
            turn_host(host);
            polls[count++] = (struct pollfd){.fd = gossip_zmq_fd(host->carrier), .events = POLLIN};
        }
    }
    poll(polls, count, fleet->also != NULL ? 1 : 5);
}

void fleet_put(struct fleet *fleet, int index, const char *key, const char *value) {
    int rc = gossip_put(fleet->hosts[index].core, fleet_now(), GOSSIP_TABLE_HOST, key, value,
                        strlen(value));
    assert_int_equal(rc, 0);
}

bool fleet_knows(const struct fleet *fleet, int index, int origin, const char *key,
                 const char *value) {
    size_t size = 0;
    const char *found = gossip_find(fleet->hosts[index].core, fleet->hosts[origin].name,
                                    GOSSIP_TABLE_HOST, key, &size);
    return found != NULL && size == strlen(value) && memcmp(found, value, size) == 0;
}

bool fleet_all_know(const struct fleet *fleet, int count, const char *key, const char *value) {
    for (int i = 0; i < count; i++) {
        for (int origin = 0; origin < count; origin++) {
            if (i != origin && !fleet_knows(fleet, i, origin, key, value)) {
                return false;
            }
        }
    }
    return true;
}

enum gossip_state fleet_state_of(const struct fleet *fleet, int index, int other) {
    struct gossip_member member;
    bool found = gossip_find_member(fleet->hosts[index].core, fleet->hosts[other].name, &member);
    return found ? member.state : GOSSIP_LEFT;
}

bool fleet_all_joined(const struct fleet *fleet, int count) {
    for (int i = 0; i < count; i++) {
        for (int other = 0; other < count; other++) {
            if (fleet_state_of(fleet, i, other) != GOSSIP_ALIVE) {
                return false;
            }
        }
    }
    return true;
}

void fleet_start_all(struct fleet *fleet, int count) {
    for (int i = 0; i < count; i++) {
        fleet_start(fleet, i);
    }
    WAIT_UNTIL(fleet, fleet_all_joined(fleet, count));
}

struct gossip_zmq_stats fleet_carrier_stats(const struct fleet *fleet, int index) {
    struct gossip_zmq_stats stats;
    gossip_zmq_stats(fleet->hosts[index].carrier, &stats);
    return stats;
}

struct gossip_stats fleet_core_stats(const struct fleet *fleet, int index) {
    struct gossip_stats stats;
    gossip_stats(fleet->hosts[index].core, &stats);
    return stats;
}

void fleet_need_descriptors(void) {
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < DESCRIPTORS_NEEDED) {
        printf("skipped: needs RLIMIT_NOFILE of %d, the hard limit is %llu\n", DESCRIPTORS_NEEDED,
               (unsigned long long)limit.rlim_cur);
        exit(77);
    }
}
