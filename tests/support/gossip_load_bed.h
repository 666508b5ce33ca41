// SPDX-License-Identifier: Apache-2.0
// A fleet "m000", "m001"... for tests of loads: cores that know each other from a base, with a
// network that may hold back, reorder or double what may be dropped. A load is a number here.
#ifndef TESTS_GOSSIP_LOAD_BED_H
#define TESTS_GOSSIP_LOAD_BED_H

#include "core.h"

#define FLEET_MAX 256

struct letter {
    struct letter *next;
    uint32_t to;
    uint64_t at_ns;
    size_t size;
    uint8_t bytes[];
};

struct load_bed {
    struct gossip *cores[FLEET_MAX], *base;
    char names[FLEET_MAX][NAME_SIZE];
    const char *hosts[FLEET_MAX]; // of the scope that is being described
    uint32_t count;
    uint64_t now_ns;
    struct rng rng;
    bool disorder; // of droppable messages
    struct letter *first, *last;
    uint64_t load_bytes[FLEET_MAX];
    uint32_t newest[FLEET_MAX][FLEET_MAX]; // what a host took last of another one; 0: nothing
    bool backwards, astray;
};
extern struct load_bed fleet;

void bed_start(uint32_t count);
int bed_stop(void **state);
void bed_hush(struct gossip *core);
void bed_run(uint64_t duration_ns);
// Names of hosts first, first + step..., for a scope; until the next call.
const char *const *bed_every(uint32_t first, uint32_t step, uint32_t count);
// One scope for these hosts, told to all of them.
void bed_share(uint32_t first, uint32_t step, uint32_t count);
void bed_put(uint32_t host, uint32_t value);
uint32_t bed_holders(uint32_t origin, uint32_t value); // that took this value last
uint64_t bed_loads_heard(uint32_t host);

#endif
