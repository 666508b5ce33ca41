// SPDX-License-Identifier: Apache-2.0
// What is on its way to a host, by time of arrival; what was sent first comes first.
#ifndef FLEET_QUEUE_H
#define FLEET_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum item_kind { ITEM_MESSAGE, ITEM_PROBE };
struct item {
    uint64_t at_ns, order; // order: set by queue_push
    enum item_kind kind;
    uint32_t host;
    uint32_t group; // ITEM_MESSAGE: of the sender
    uint32_t life;  // ITEM_PROBE: of the agent that sent it
    uint64_t token, sent_at_ns;
    bool marked;
    void *bytes; // owned by whoever holds the item
    size_t size;
};

struct queue {
    struct item *items;
    uint32_t count, capacity;
    uint64_t order;
};

// -ENOMEM: the item stays the caller's.
int queue_push(struct queue *queue, struct item item);
struct item queue_take(struct queue *queue); // there must be one
uint64_t queue_next_at_ns(const struct queue *queue);
void queue_fini(struct queue *queue);

#endif
