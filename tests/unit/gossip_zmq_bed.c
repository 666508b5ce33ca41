// SPDX-License-Identifier: Apache-2.0
#include "gossip_zmq_bed.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

uint64_t bed_now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * NS_PER_S + (uint64_t)time.tv_nsec;
}

// All of 127/8 is local: the process id makes addresses that no other test run uses.
static void name_host(struct host *host, int index) {
    unsigned id = (unsigned)getpid();
    snprintf(host->ip, sizeof host->ip, "127.%u.%u.%d", 1 + (id >> 8) % 250, id & 255, index + 1);
    snprintf(host->address, sizeof host->address, "tcp://%s:7946", host->ip);
}

int bed_setup(void **state) {
    struct bed *bed = calloc(1, sizeof *bed);
    for (int i = 0; i < HOSTS_MAX; i++) {
        struct host *host = &bed->hosts[i];
        name_host(host, i);
        host->core = calloc(1, sizeof *host->core);
        assert_int_equal(curve_keypair(host->public_key, host->secret_key), 0);
        struct curve_key *key = &bed->keys[i];
        snprintf(key->host, sizeof key->host, "h%d", i);
        snprintf(key->address, sizeof key->address, "%s", host->address);
        memcpy(key->public_key, host->public_key, sizeof key->public_key);
    }
    bed->fleet = (struct curve_keys){.keys = bed->keys, .count = HOSTS_MAX};
    *state = bed;
    return 0;
}

int bed_teardown(void **state) {
    struct bed *bed = *state;
    for (int i = 0; i < HOSTS_MAX; i++) {
        gossip_zmq_close(bed->hosts[i].carrier);
        free(bed->hosts[i].core);
    }
    free(bed);
    return 0;
}

struct gossip_zmq_config bed_config_of(const struct bed *bed, int index, bool curve) {
    const struct host *host = &bed->hosts[index];
    struct gossip_zmq_config config = {.curve = curve, .fleet = &bed->fleet};
    memcpy(config.listen, host->address, sizeof config.listen);
    memcpy(config.public_key, host->public_key, sizeof config.public_key);
    memcpy(config.secret_key, host->secret_key, sizeof config.secret_key);
    return config;
}

void bed_open_host(struct bed *bed, int index, bool curve) {
    struct gossip_zmq_config config = bed_config_of(bed, index, curve);
    struct error error = {0};
    struct host *host = &bed->hosts[index];
    int rc = gossip_zmq_open(&config, host->core, &host->carrier, &error);
    if (rc != 0) {
        fail_msg("open: %s", error.text);
    }
}

void bed_close_host(struct bed *bed, int index) {
    gossip_zmq_close(bed->hosts[index].carrier);
    bed->hosts[index].carrier = NULL;
}

// One turn of every open host's loop: waits on their descriptors, as the agent's loop would, at
// most 5 ms.
void bed_turn(struct bed *bed) {
    struct pollfd polls[HOSTS_MAX];
    nfds_t count = 0;
    bool more = false;
    for (int i = 0; i < HOSTS_MAX; i++) {
        if (bed->hosts[i].carrier != NULL) {
            more = gossip_zmq_work(bed->hosts[i].carrier, bed_now()) || more;
            int fd = gossip_zmq_fd(bed->hosts[i].carrier);
            polls[count++] = (struct pollfd){.fd = fd, .events = POLLIN};
        }
    }
    poll(polls, count, more ? 0 : 5);
}

struct gossip_zmq_stats bed_stats_of(const struct bed *bed, int index) {
    struct gossip_zmq_stats stats;
    gossip_zmq_stats(bed->hosts[index].carrier, &stats);
    return stats;
}

void bed_connect_neighbours(struct bed *bed, int from, int to) {
    const char *addresses[] = {bed->hosts[to].address};
    fake_set_neighbours(bed->hosts[from].core, 1, addresses);
}
