// SPDX-License-Identifier: Apache-2.0
// What will happen to hosts of a swarm, by time; at one time in the order in which it was added.
#ifndef SIM_SWARM_QUEUE_H
#define SIM_SWARM_QUEUE_H

#include <stdint.h>

struct swarm_delivery;

enum swarm_due { SWARM_ARRIVES, SWARM_RUNS, SWARM_TIMER, SWARM_WRITES };

struct swarm_item {
    uint64_t at_ns, order;           // order: set by swarm_queue_push
    struct swarm_delivery *delivery; // of SWARM_ARRIVES; owned by whoever holds the item
    uint32_t host;
    enum swarm_due due;
};

struct swarm_queue {
    struct swarm_item *items; // a heap
    uint32_t count, capacity;
    uint64_t order;
};

// -ENOMEM: the item stays the caller's.
int swarm_queue_push(struct swarm_queue *queue, struct swarm_item item);
struct swarm_item swarm_queue_take(struct swarm_queue *queue); // there must be one
void swarm_queue_fini(struct swarm_queue *queue); // what deliveries are left is the caller's

#endif
