// SPDX-License-Identifier: Apache-2.0
// A fleet of real cores over real sockets with CURVE and signing keys, all in one thread of one
// process. Every wait ends when its condition holds, so a busy machine makes a test slower, not
// wrong.
#ifndef GOSSIP_ZMQ_FLEET_H
#define GOSSIP_ZMQ_FLEET_H

#include <stdbool.h>
#include <stdint.h>

#include "gossip_zmq/gossip_zmq.h"
#include "model/time.h"

#define PATIENCE_NS (20 * NS_PER_S)
#define HOSTS_MAX 16
#define KEYS_MAX 1100
#define SEEDS_MAX 64
#define PORT 7947

struct host {
    char name[NAME_SIZE], address[GOSSIP_ADDRESS_SIZE], ip[32];
    char public_key[CURVE_KEY_TEXT_SIZE], secret_key[CURVE_KEY_TEXT_SIZE];
    struct gossip *core;
    struct gossip_zmq *carrier;
    struct gossip_signing *signing;
    bool stalled;    // its loop does not run
    uint32_t deaths; // of other members, that it was told of
};

struct fleet {
    struct host hosts[HOSTS_MAX];
    struct curve_key keys[KEYS_MAX]; // the hosts', then what a test adds
    struct curve_keys list;
    char seeds[SEEDS_MAX][GOSSIP_ADDRESS_SIZE]; // those of host 0 first
    uint32_t seed_count;
    uint32_t boots;
    void (*also)(struct fleet *fleet); // in every turn of the loop; may be NULL
    void *context;
};

uint64_t fleet_now(void);
int fleet_setup(void **state);
int fleet_teardown(void **state);
// Line number `index` gets this name and a new pair, whose secret is written to secret_key.
void fleet_add_key(struct fleet *fleet, uint32_t index, const char *name,
                   char secret_key[CURVE_KEY_TEXT_SIZE]);
void fleet_start(struct fleet *fleet, int index);
// The core alone, under another name if that is not NULL.
void fleet_open_core(struct fleet *fleet, int index, const char *name);
void fleet_stop(struct fleet *fleet, int index);
void fleet_start_all(struct fleet *fleet, int count);
// The host reads fleet->list, and its own secret, anew.
void fleet_reload(struct fleet *fleet, int index);
void fleet_turn(struct fleet *fleet);

void fleet_put(struct fleet *fleet, int index, const char *key, const char *value);
bool fleet_knows(const struct fleet *fleet, int index, int origin, const char *key,
                 const char *value);
bool fleet_all_know(const struct fleet *fleet, int count, const char *key, const char *value);
enum gossip_state fleet_state_of(const struct fleet *fleet, int index, int other);
bool fleet_all_joined(const struct fleet *fleet, int count);
struct gossip_zmq_stats fleet_carrier_stats(const struct fleet *fleet, int index);
struct gossip_stats fleet_core_stats(const struct fleet *fleet, int index);
// Exits the program as skipped where the hard limit leaves too few descriptors.
void fleet_need_descriptors(void);

#define WAIT_UNTIL(fleet, condition)                                                               \
    do {                                                                                           \
        uint64_t until_ns = fleet_now() + PATIENCE_NS;                                             \
        while (!(condition)) {                                                                     \
            if (fleet_now() > until_ns) {                                                          \
                fail_msg("not within %d s: %s", (int)(PATIENCE_NS / NS_PER_S), #condition);        \
            }                                                                                      \
            fleet_turn(fleet);                                                                     \
        }                                                                                          \
    } while (0)

#define CASE(test) cmocka_unit_test_setup_teardown(test, fleet_setup, fleet_teardown)

#endif
