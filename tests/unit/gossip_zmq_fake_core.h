// SPDX-License-Identifier: Apache-2.0
// A stand-in for the gossip core that says what the test tells it to and records what the carrier
// tells it: so the carrier's promises are tested without waiting for the core's timers. It defines
// the functions of gossip/gossip.h that the carrier calls.
#ifndef GOSSIP_ZMQ_FAKE_CORE_H
#define GOSSIP_ZMQ_FAKE_CORE_H

#include <stdbool.h>
#include <stdint.h>

#include "gossip/gossip.h"

#define FAKE_QUEUE_MAX 4096
#define FAKE_LIST_MAX 64

struct fake_message {
    char address[GOSSIP_ADDRESS_SIZE];
    const void *bytes; // borrowed from the test
    size_t size;
    bool droppable;
};

struct gossip {
    bool says_droppable; // what it says from now on
    struct fake_message queue[FAKE_QUEUE_MAX];
    uint32_t queue_first, queue_count;
    uint64_t received, received_bytes;
    char last[256]; // the last message, cut
    size_t last_size;
    char last_sender[NAME_SIZE]; // "" for NULL
    uint64_t connected, lost, behind;
    char last_connected[GOSSIP_ADDRESS_SIZE], last_lost[GOSSIP_ADDRESS_SIZE],
        last_behind[GOSSIP_ADDRESS_SIZE];
    char neighbours[FAKE_LIST_MAX][GOSSIP_ADDRESS_SIZE];
    uint32_t neighbour_count, neighbour_generation;
    struct gossip_member members[FAKE_LIST_MAX];
    uint32_t member_count;
};

void fake_say(struct gossip *core, const char *address, const void *bytes, size_t size);
void fake_set_neighbours(struct gossip *core, uint32_t count, const char *const *addresses);

#endif
