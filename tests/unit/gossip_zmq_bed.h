// SPDX-License-Identifier: Apache-2.0
// A bed of carriers on loopback, each with a fake core. Every wait has a deadline of seconds and
// ends as soon as its condition holds, so a busy machine makes a test slower, not wrong.
#ifndef GOSSIP_ZMQ_BED_H
#define GOSSIP_ZMQ_BED_H

#include <stdbool.h>
#include <stdint.h>

#include "gossip_zmq/gossip_zmq.h"
#include "gossip_zmq_fake_core.h"
#include "model/time.h"

#define PATIENCE_NS (10 * NS_PER_S)
#define HOSTS_MAX 4

struct host {
    char address[GOSSIP_ADDRESS_SIZE], ip[32];
    char public_key[CURVE_KEY_TEXT_SIZE], secret_key[CURVE_KEY_TEXT_SIZE];
    struct gossip *core;
    struct gossip_zmq *carrier;
};

struct bed {
    struct host hosts[HOSTS_MAX];
    struct curve_key keys[2 * HOSTS_MAX];
    struct curve_keys fleet;
};

uint64_t bed_now(void);
int bed_setup(void **state);
int bed_teardown(void **state);
struct gossip_zmq_config bed_config_of(const struct bed *bed, int index, bool curve);
void bed_open_host(struct bed *bed, int index, bool curve);
void bed_close_host(struct bed *bed, int index);
// One turn of every open host's loop: waits on their descriptors, as the agent's loop would, at
// most 5 ms.
void bed_turn(struct bed *bed);
struct gossip_zmq_stats bed_stats_of(const struct bed *bed, int index);
void bed_connect_neighbours(struct bed *bed, int from, int to);

// Turns the loops until `condition` holds; fails the test when it does not within PATIENCE_NS.
#define WAIT_UNTIL(bed, condition)                                                                 \
    do {                                                                                           \
        uint64_t until_ns = bed_now() + PATIENCE_NS;                                               \
        while (!(condition)) {                                                                     \
            if (bed_now() > until_ns) {                                                            \
                fail_msg("not within %d s: %s", (int)(PATIENCE_NS / NS_PER_S), #condition);        \
            }                                                                                      \
            bed_turn(bed);                                                                         \
        }                                                                                          \
    } while (0)

#define CASE(test) cmocka_unit_test_setup_teardown(test, bed_setup, bed_teardown)

#endif
