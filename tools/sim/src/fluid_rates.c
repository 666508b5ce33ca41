// SPDX-License-Identifier: Apache-2.0
// Progressive filling: the link on which a weight of 1 gets least is the bottleneck of the parts
// over it that have no rate yet; they get that, it is taken from their other links, and so on. What
// a weight gets on a link never shrinks by this, so a heap whose keys are too small at times, and
// are looked at again when they come up, gives the links in order.
#include <math.h>
#include <string.h>

#include "fluid_internal.h"

#define BITS 8.0
#define NS_TO_S 1e-9

// ---- heaps of indices

typedef bool before_fn(const struct fluid *fluid, uint32_t a, uint32_t b);

static bool link_before(const struct fluid *fluid, uint32_t a, uint32_t b) {
    double left = fluid->links[a].share_bps, right = fluid->links[b].share_bps;
    return left != right ? left < right : a < b;
}

static bool part_before(const struct fluid *fluid, uint32_t a, uint32_t b) {
    uint64_t left = fluid->parts[a].due_at_ns, right = fluid->parts[b].due_at_ns;
    return left != right ? left < right : a < b;
}

static inline void sift_down(const struct fluid *fluid, uint32_t *heap, uint32_t count,
                             uint32_t place, before_fn *before) {
    uint32_t moving = heap[place];
    for (;;) {
        uint32_t child = 2 * place + 1;
        if (child >= count) {
            break;
        }
        child += child + 1 < count && before(fluid, heap[child + 1], heap[child]);
        if (!before(fluid, heap[child], moving)) {
            break;
        }
        heap[place] = heap[child];
        place = child;
    }
    heap[place] = moving;
}

static inline void heapify(const struct fluid *fluid, uint32_t *heap, uint32_t count,
                           before_fn *before) {
    for (uint32_t i = count / 2; i > 0; i--) {
        sift_down(fluid, heap, count, i - 1, before);
    }
}

void fluid_drop_due(struct fluid *fluid) {
    fluid->due_heap[0] = fluid->due_heap[--fluid->due_count];
    if (fluid->due_count > 0) {
        sift_down(fluid, fluid->due_heap, fluid->due_count, 0, part_before);
    }
}

// ---- parts by link

static void list_parts(struct fluid *fluid) {
    uint32_t first = 0;
    for (uint32_t i = 0; i < fluid->link_count; i++) {
        fluid->links[i].first = fluid->links[i].last = first;
        first += fluid->links[i].parts;
    }
    for (uint32_t i = 0; i < fluid->part_end; i++) {
        const struct fluid_part *part = &fluid->parts[i];
        for (unsigned k = 0; k < part->link_count; k++) {
            fluid->listed[fluid->links[part->links[k].i].last++] = i;
        }
    }
    fluid->listed_count = first;
    fluid->listing_stale = false;
}

// ---- filling

static uint32_t begin(struct fluid *fluid) {
    for (uint32_t i = 0; i < fluid->link_count; i++) {
        struct fluid_link *link = &fluid->links[i];
        link->left_bps = link->rate_bps;
        link->load_bps = link->weight = 0;
        link->waiters = link->parts;
    }
    for (uint32_t i = 0; i < fluid->part_end; i++) {
        struct fluid_part *part = &fluid->parts[i];
        part->rated = false;
        for (unsigned k = 0; k < part->link_count; k++) {
            fluid->links[part->links[k].i].weight += part->weight;
        }
    }
    uint32_t count = 0;
    for (uint32_t i = 0; i < fluid->link_count; i++) {
        struct fluid_link *link = &fluid->links[i];
        if (link->waiters > 0) {
            link->share_bps = link->left_bps / link->weight;
            fluid->link_heap[count++] = i;
        }
    }
    heapify(fluid, fluid->link_heap, count, link_before);
    return count;
}

static void rate_part(struct fluid *fluid, struct fluid_part *part, link_id bottleneck,
                      double share_bps) {
    part->rated = true;
    part->bottleneck = bottleneck;
    part->rate_bps = share_bps * part->weight;
    for (unsigned k = 0; k < part->link_count; k++) {
        struct fluid_link *link = &fluid->links[part->links[k].i];
        link->left_bps = fmax(0, link->left_bps - part->rate_bps);
        link->load_bps += part->rate_bps;
        link->weight -= part->weight;
        link->waiters--;
    }
}

static void fill_link(struct fluid *fluid, uint32_t link) {
    uint32_t last = fluid->links[link].last;
    double share_bps = fluid->links[link].share_bps;
    for (uint32_t i = fluid->links[link].first; i < last; i++) {
        struct fluid_part *part = &fluid->parts[fluid->listed[i]];
        if (part->link_count > 0 && !part->rated) {
            rate_part(fluid, part, (link_id){link}, share_bps);
        }
    }
}

static void fill(struct fluid *fluid) {
    uint32_t *heap = fluid->link_heap;
    uint32_t count = begin(fluid);
    while (count > 0) {
        struct fluid_link *link = &fluid->links[heap[0]];
        double share_bps = link->waiters > 0 ? link->left_bps / link->weight : 0;
        if (link->waiters > 0 && share_bps > link->share_bps) {
            link->share_bps = share_bps;
        } else {
            if (link->waiters > 0) {
                link->share_bps = share_bps;
                fill_link(fluid, heap[0]);
            }
            heap[0] = heap[--count];
        }
        if (count > 0) {
            sift_down(fluid, heap, count, 0, link_before);
        }
    }
}

// Rounded up, so that everything is through by then.
static uint64_t due_at_ns(const struct fluid *fluid, const struct fluid_part *part) {
    if (part->left_bits <= 0) {
        return fluid->now_ns;
    }
    double span_ns = ceil(part->left_bits / part->rate_bps / NS_TO_S);
    return span_ns < (double)(NEVER_NS / 2) ? fluid->now_ns + (uint64_t)span_ns : NEVER_NS;
}

void fluid_rate_all(struct fluid *fluid) {
    if (fluid->listing_stale || fluid->listed_live < fluid->listed_count / 2) {
        list_parts(fluid);
    }
    fill(fluid);
    fluid->due_count = 0;
    for (uint32_t i = 0; i < fluid->part_end; i++) {
        struct fluid_part *part = &fluid->parts[i];
        if (part->link_count > 0) {
            part->due_at_ns = due_at_ns(fluid, part);
            if (part->due_at_ns != NEVER_NS) {
                fluid->due_heap[fluid->due_count++] = i;
            }
        }
    }
    heapify(fluid, fluid->due_heap, fluid->due_count, part_before);
    fluid->rated_at_ns = fluid->now_ns;
    fluid->stale_at_ns = NEVER_NS;
}
