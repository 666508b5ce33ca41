// SPDX-License-Identifier: Apache-2.0
#include "swarm_queue.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#define FIRST_CAPACITY 4096U
#define CHILDREN 4U // of a place; siblings lie side by side in memory

static bool earlier(const struct swarm_item *a, const struct swarm_item *b) {
    return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->order < b->order;
}

static int grow(struct swarm_queue *queue) {
    uint32_t capacity = queue->capacity == 0 ? FIRST_CAPACITY : 2 * queue->capacity;
    struct swarm_item *items = realloc(queue->items, capacity * sizeof items[0]);
    if (items == NULL) {
        return -ENOMEM;
    }
    queue->items = items;
    queue->capacity = capacity;
    return 0;
}

int swarm_queue_push(struct swarm_queue *queue, struct swarm_item item) {
    if (queue->count == queue->capacity && grow(queue) != 0) {
        return -ENOMEM;
    }
    item.order = queue->order++;
    uint32_t place = queue->count++;
    for (uint32_t parent; place > 0; place = parent) {
        parent = (place - 1) / CHILDREN;
        if (!earlier(&item, &queue->items[parent])) {
            break;
        }
        queue->items[place] = queue->items[parent];
    }
    queue->items[place] = item;
    return 0;
}

// The earliest of the places from `first` on that have one parent.
static uint32_t earliest(const struct swarm_queue *queue, uint32_t first) {
    uint32_t best = first;
    for (uint32_t i = first + 1; i < first + CHILDREN && i < queue->count; i++) {
        best = earlier(&queue->items[i], &queue->items[best]) ? i : best;
    }
    return best;
}

struct swarm_item swarm_queue_take(struct swarm_queue *queue) {
    assert(queue->count > 0);
    struct swarm_item *items = queue->items;
    struct swarm_item first = items[0];
    struct swarm_item last = items[--queue->count];
    uint32_t place = 0;
    while (CHILDREN * place + 1 < queue->count) {
        uint32_t child = earliest(queue, CHILDREN * place + 1);
        if (!earlier(&items[child], &last)) {
            break;
        }
        items[place] = items[child];
        place = child;
    }
    items[place] = last;
    return first;
}

void swarm_queue_fini(struct swarm_queue *queue) {
    free(queue->items);
    *queue = (struct swarm_queue){0};
}
