// SPDX-License-Identifier: Apache-2.0
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench_gossip.h"
#include "model/time.h"

#define TICK_MAX_MS 50

struct host {
    struct bench_shared *shared;
    uint32_t self;
    bool ready;
    uint32_t overlay; // the generation that was noted
    struct gossip *core;
    struct gossip_zmq *carrier;
    struct gossip_signing *signing;
};

static int open_host(struct host *host) {
    struct bench_shared *shared = host->shared;
    const struct curve_key *key = &shared->keys[host->self];
    const char *const seeds[] = {shared->keys[0].address};
    struct gossip_config core = {.nonce = (uint32_t)getpid(),
                                 .seed = host->self + 1,
                                 .neighbours = shared->neighbours,
                                 .seeds = seeds,
                                 .seed_count = host->self == 0 ? 0 : 1};
    memcpy(core.name, key->host, sizeof core.name);
    memcpy(core.address, key->address, sizeof core.address);
    // As the agents' fabric has it: the rows run over one overlay.
    snprintf(core.rack, sizeof core.rack, "leaf%u", host->self / shared->per_leaf);
    struct error error;
    struct curve_keys fleet = {.keys = shared->keys, .count = shared->hosts};
    struct gossip_zmq_config config = {.curve = true, .fleet = &fleet};
    memcpy(config.listen, key->address, sizeof config.listen);
    memcpy(config.public_key, key->public_key, sizeof config.public_key);
    memcpy(config.secret_key, shared->secret_keys[host->self], sizeof config.secret_key);
    if (curve_signing_open(&fleet, config.secret_key, &host->signing, &error) != 0) {
        fprintf(stderr, "bench_gossip: %s: %s\n", key->host, error.text);
        return -1;
    }
    core.signing = host->signing;
    if (gossip_open(&core, bench_now_ns(), &host->core, &error) != 0 ||
        gossip_zmq_open(&config, host->core, &host->carrier, &error) != 0) {
        fprintf(stderr, "bench_gossip: %s: %s\n", key->host, error.text);
        return -1;
    }
    return 0;
}

static uint32_t index_of(const struct bench_shared *shared, const char *address) {
    uint32_t i = 0;
    while (i < shared->hosts && strcmp(shared->keys[i].address, address) != 0) {
        i++;
    }
    return i;
}

static void note_overlay(struct host *host) {
    uint32_t generation = gossip_neighbour_generation(host->core);
    if (generation == host->overlay) {
        return;
    }
    host->overlay = generation;
    const char *addresses[BENCH_NEIGHBOURS_MAX];
    uint32_t count = gossip_neighbours(host->core, addresses, BENCH_NEIGHBOURS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        host->shared->neighbour[host->self][i] = index_of(host->shared, addresses[i]);
    }
    host->shared->neighbour_count[host->self] = count;
}

// Ready: every member is known and alive, and every neighbour is connected.
static void check_ready(struct host *host) {
    if (host->ready) {
        return;
    }
    struct gossip_zmq_stats stats;
    const char *addresses[BENCH_NEIGHBOURS_MAX];
    gossip_zmq_stats(host->carrier, &stats);
    uint32_t neighbours = gossip_neighbours(host->core, addresses, BENCH_NEIGHBOURS_MAX);
    uint32_t alive = 0;
    struct gossip_member member;
    for (uint32_t i = 0; i < gossip_member_count(host->core); i++) {
        alive += gossip_member_at(host->core, i, &member) && member.state == GOSSIP_ALIVE;
    }
    if (alive == host->shared->hosts && stats.connections >= neighbours) {
        host->ready = true;
        atomic_fetch_add(&host->shared->ready, 1);
    }
}

static void note_changes(struct host *host) {
    struct gossip_change change;
    while (gossip_take_change(host->core, &change)) {
        uint32_t event;
        if (change.kind != GOSSIP_RECORD || change.table != GOSSIP_TABLE_HOST ||
            change.value == NULL || change.size < sizeof event) {
            continue;
        }
        memcpy(&event, change.value, sizeof event);
        if (event < BENCH_EVENTS_MAX) {
            uint64_t unseen = 0;
            atomic_compare_exchange_strong(&host->shared->seen_at_ns[event][host->self], &unseen,
                                           bench_now_ns());
        }
    }
}

// False when the pipe has ended.
static bool obey(struct host *host, int orders) {
    uint32_t event;
    if (read(orders, &event, sizeof event) != sizeof event) {
        return false;
    }
    char value[BENCH_VALUE_SIZE] = {0};
    memcpy(value, &event, sizeof event);
    if (gossip_put(host->core, bench_now_ns(), GOSSIP_TABLE_HOST, "bench", value, sizeof value) !=
        0) {
        fprintf(stderr, "bench_gossip: %s: put refused\n", host->shared->keys[host->self].host);
    }
    return true;
}

static int wait_ms(const struct host *host) {
    uint64_t now_ns = bench_now_ns(), due_ns = gossip_deadline_ns(host->core);
    uint64_t wait_ns = due_ns > now_ns ? due_ns - now_ns : 0;
    return wait_ns > TICK_MAX_MS * NS_PER_MS ? TICK_MAX_MS : (int)((wait_ns + 999999) / NS_PER_MS);
}

int bench_host_gossip(struct bench_shared *shared, uint32_t self, int orders) {
    struct host host = {.shared = shared, .self = self};
    bool go_on = open_host(&host) == 0;
    int rc = go_on ? 0 : 1;
    while (go_on) {
        struct pollfd polls[2] = {{.fd = gossip_zmq_fd(host.carrier), .events = POLLIN},
                                  {.fd = orders, .events = POLLIN}};
        poll(polls, 2, wait_ms(&host));
        go_on = polls[1].revents == 0 || obey(&host, orders);
        if (gossip_deadline_ns(host.core) <= bench_now_ns()) {
            gossip_tick(host.core, bench_now_ns());
        }
        while (gossip_zmq_work(host.carrier, bench_now_ns())) {
        }
        note_changes(&host);
        note_overlay(&host); // chosen when newcomers have come: not yet when all are known
        check_ready(&host);
    }
    gossip_zmq_close(host.carrier);
    gossip_close(host.core);
    curve_signing_close(host.signing);
    return rc;
}
