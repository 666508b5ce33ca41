// SPDX-License-Identifier: Apache-2.0
// The stage of the gossip bench: one process per host, and memory that all share, in which they
// note when they saw what. No process but the hosts is busy while an event spreads.
#ifndef BENCH_GOSSIP_H
#define BENCH_GOSSIP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <sodium.h>

#include "gossip_zmq/gossip_zmq.h"

#define BENCH_HOSTS_MAX 128
#define BENCH_EVENTS_MAX 1000
#define BENCH_NEIGHBOURS_MAX 32
#define BENCH_VALUE_SIZE 100 // bytes: a link report with its key is about this large

struct bench_shared {
    uint32_t hosts, neighbours, per_leaf;
    struct curve_key keys[BENCH_HOSTS_MAX]; // public keys; the address names the host
    char secret_keys[BENCH_HOSTS_MAX][CURVE_KEY_TEXT_SIZE];
    unsigned char signing_keys[BENCH_HOSTS_MAX][crypto_sign_SECRETKEYBYTES];
    unsigned char public_keys[BENCH_HOSTS_MAX][crypto_sign_PUBLICKEYBYTES];
    // The overlay that the cores chose: the floor floods over the same.
    uint32_t neighbour_count[BENCH_HOSTS_MAX];
    uint32_t neighbour[BENCH_HOSTS_MAX][BENCH_NEIGHBOURS_MAX];
    _Atomic uint32_t ready;
    _Atomic uint64_t put_at_ns[BENCH_EVENTS_MAX];                   // when the order was given
    _Atomic uint64_t seen_at_ns[BENCH_EVENTS_MAX][BENCH_HOSTS_MAX]; // 0: not yet
};

uint64_t bench_now_ns(void); // CLOCK_MONOTONIC

// Bodies of a host's process. `orders` is a pipe: a 32-bit event number means "put it now"; the
// end of the pipe means "exit". Exit code 0, or 1 after a sentence on stderr.
int bench_host_gossip(struct bench_shared *shared, uint32_t self, int orders);
int bench_host_floor(struct bench_shared *shared, uint32_t self, int orders);

#endif
