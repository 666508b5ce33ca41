// SPDX-License-Identifier: Apache-2.0
#include "queue.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "model/time.h"

#define FIRST_CAPACITY 1024

static bool earlier(const struct item *a, const struct item *b) {
    return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->order < b->order;
}

static int grow(struct queue *queue) {
    uint32_t capacity = queue->capacity == 0 ? FIRST_CAPACITY : 2 * queue->capacity;
    struct item *items = realloc(queue->items, capacity * sizeof items[0]);
    if (items == NULL) {
        return -ENOMEM;
    }
    queue->items = items;
    queue->capacity = capacity;
    return 0;
}

int queue_push(struct queue *queue, struct item item) {
    if (queue->count == queue->capacity && grow(queue) != 0) {
        return -ENOMEM;
    }
    item.order = queue->order++;
    uint32_t place = queue->count++;
    while (place > 0 && earlier(&item, &queue->items[(place - 1) / 2])) {
        queue->items[place] = queue->items[(place - 1) / 2];
        place = (place - 1) / 2;
    }
    queue->items[place] = item;
    return 0;
}

struct item queue_take(struct queue *queue) {
    assert(queue->count > 0);
    struct item *items = queue->items;
    struct item top = items[0], last = items[--queue->count];
    uint32_t place = 0;
    for (;;) {
        uint32_t child = 2 * place + 1;
        if (child >= queue->count) {
            break;
        }
        if (child + 1 < queue->count && earlier(&items[child + 1], &items[child])) {
            child++;
        }
        if (!earlier(&items[child], &last)) {
            break;
        }
        items[place] = items[child];
        place = child;
    }
    items[place] = last;
    return top;
}

uint64_t queue_next_at_ns(const struct queue *queue) {
    return queue->count > 0 ? queue->items[0].at_ns : NEVER_NS;
}

void queue_fini(struct queue *queue) {
    for (uint32_t i = 0; i < queue->count; i++) {
        free(queue->items[i].bytes);
    }
    free(queue->items);
    *queue = (struct queue){0};
}
