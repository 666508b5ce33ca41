// SPDX-License-Identifier: Apache-2.0
#include "fluid.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fluid_internal.h"

#define BITS 8.0
#define PARTS_FIRST 256

struct fluid *fluid_open(uint32_t link_count) {
    struct fluid *fluid = calloc(1, sizeof *fluid);
    if (fluid == NULL) {
        return NULL;
    }
    size_t places = (size_t)link_count + 1;
    fluid->link_count = link_count;
    fluid->stale_at_ns = NEVER_NS;
    fluid->links = calloc(places, sizeof fluid->links[0]);
    fluid->link_heap = calloc(places, sizeof fluid->link_heap[0]);
    if (fluid->links == NULL || fluid->link_heap == NULL) {
        fluid_close(fluid);
        return NULL;
    }
    return fluid;
}

void fluid_close(struct fluid *fluid) {
    if (fluid == NULL) {
        return;
    }
    free(fluid->links);
    free(fluid->link_heap);
    free(fluid->parts);
    free(fluid->free_places);
    free(fluid->listed);
    free(fluid->due_heap);
    free(fluid);
}

// ---- time

// Brings what is left of each part, and what links have carried, up to now.
static void settle(struct fluid *fluid) {
    double span_s = (double)(fluid->now_ns - fluid->rated_at_ns) * 1e-9;
    for (uint32_t i = 0; i < fluid->part_end && span_s > 0; i++) {
        struct fluid_part *part = &fluid->parts[i];
        double bits = fmin(part->left_bits, part->rate_bps * span_s);
        part->left_bits -= bits;
        for (unsigned k = 0; k < part->link_count; k++) {
            fluid->links[part->links[k].i].bits += bits;
        }
    }
    fluid->rated_at_ns = fluid->now_ns;
}

// Something changed: rates from now on are others.
static void change(struct fluid *fluid) {
    settle(fluid);
    fluid->stale_at_ns = fluid->now_ns;
}

static void refresh(struct fluid *fluid) {
    if (fluid->stale_at_ns <= fluid->now_ns) {
        settle(fluid);
        fluid_rate_all(fluid);
    }
}

uint64_t fluid_now_ns(const struct fluid *fluid) {
    return fluid->now_ns;
}

uint64_t fluid_next_at_ns(struct fluid *fluid) {
    refresh(fluid);
    uint64_t due_ns = fluid->due_count > 0 ? fluid->parts[fluid->due_heap[0]].due_at_ns : NEVER_NS;
    return due_ns < fluid->stale_at_ns ? due_ns : fluid->stale_at_ns;
}

// ---- parts

static int grow(struct fluid *fluid) {
    uint32_t capacity = fluid->part_capacity == 0 ? PARTS_FIRST : 2 * fluid->part_capacity;
    struct fluid_part *parts = realloc(fluid->parts, capacity * sizeof parts[0]);
    fluid->parts = parts != NULL ? parts : fluid->parts;
    uint32_t *places = realloc(fluid->free_places, capacity * sizeof places[0]);
    fluid->free_places = places != NULL ? places : fluid->free_places;
    uint32_t *due = realloc(fluid->due_heap, capacity * sizeof due[0]);
    fluid->due_heap = due != NULL ? due : fluid->due_heap;
    uint32_t *listed = realloc(fluid->listed, (size_t)capacity * FLUID_PATH_MAX * sizeof listed[0]);
    fluid->listed = listed != NULL ? listed : fluid->listed;
    if (parts == NULL || places == NULL || due == NULL || listed == NULL) {
        return -ENOMEM;
    }
    fluid->part_capacity = capacity;
    return 0;
}

static struct fluid_part *live_part(const struct fluid *fluid, fluid_id id) {
    assert(id.i < fluid->part_end && fluid->parts[id.i].link_count > 0);
    return &fluid->parts[id.i];
}

static void put_on(struct fluid *fluid, struct fluid_part *part, const link_id *links,
                   unsigned link_count) {
    assert(link_count > 0 && link_count <= FLUID_PATH_MAX);
    for (unsigned k = 0; k < link_count; k++) {
        assert(links[k].i < fluid->link_count);
        part->links[k] = links[k];
        fluid->links[links[k].i].parts++;
    }
    part->link_count = (uint8_t)link_count;
    fluid->listed_live += link_count;
    fluid->listing_stale = true;
}

static void take_off(struct fluid *fluid, struct fluid_part *part) {
    for (unsigned k = 0; k < part->link_count; k++) {
        fluid->links[part->links[k].i].parts--;
    }
    fluid->listed_live -= part->link_count;
    part->link_count = 0;
}

int fluid_add(struct fluid *fluid, const link_id *links, unsigned link_count, uint64_t bytes,
              uint64_t tag, fluid_id *out) {
    if (fluid->free_count == 0 && fluid->part_end == fluid->part_capacity && grow(fluid) != 0) {
        return -ENOMEM;
    }
    change(fluid);
    uint32_t place =
        fluid->free_count > 0 ? fluid->free_places[--fluid->free_count] : fluid->part_end++;
    struct fluid_part *part = &fluid->parts[place];
    *part = (struct fluid_part){.tag = tag,
                                .added_at_ns = fluid->now_ns,
                                .weight = 1,
                                .left_bits = BITS * (double)bytes};
    put_on(fluid, part, links, link_count);
    fluid->live_count++;
    *out = (fluid_id){place};
    return 0;
}

static void release(struct fluid *fluid, uint32_t place) {
    take_off(fluid, &fluid->parts[place]);
    fluid->parts[place].rate_bps = 0;
    fluid->free_places[fluid->free_count++] = place;
    fluid->live_count--;
}

void fluid_move(struct fluid *fluid, fluid_id id, const link_id *links, unsigned link_count) {
    struct fluid_part *part = live_part(fluid, id);
    change(fluid);
    take_off(fluid, part);
    put_on(fluid, part, links, link_count);
}

void fluid_weigh(struct fluid *fluid, fluid_id id, double weight) {
    assert(weight > 0);
    change(fluid);
    live_part(fluid, id)->weight = weight;
}

double fluid_remove(struct fluid *fluid, fluid_id id) {
    change(fluid);
    double left_bits = live_part(fluid, id)->left_bits;
    release(fluid, id.i);
    return left_bits / BITS;
}

void fluid_set_rate(struct fluid *fluid, link_id link, uint64_t rate_bps) {
    assert(link.i < fluid->link_count);
    if (fluid->links[link.i].rate_bps != (double)rate_bps) {
        change(fluid);
        fluid->links[link.i].rate_bps = (double)rate_bps;
    }
}

// ---- going on

// The earliest part is through; the others learn of what it leaves a little later.
static void finish_first(struct fluid *fluid, fluid_done_fn *on_done, void *context) {
    uint32_t place = fluid->due_heap[0];
    struct fluid_part *part = &fluid->parts[place];
    uint64_t tag = part->tag, due_ns = part->due_at_ns;
    double age_ns = (double)(due_ns - part->added_at_ns);
    uint64_t stale_ns = due_ns + (uint64_t)(FLUID_SLACK * age_ns);
    for (unsigned k = 0; k < part->link_count; k++) {
        struct fluid_link *link = &fluid->links[part->links[k].i];
        link->bits += part->left_bits;
        link->load_bps = fmax(0, link->load_bps - part->rate_bps);
    }
    fluid_drop_due(fluid);
    release(fluid, place);
    fluid->stale_at_ns = stale_ns < fluid->stale_at_ns ? stale_ns : fluid->stale_at_ns;
    if (on_done != NULL) {
        on_done(context, tag, due_ns);
    }
}

void fluid_advance(struct fluid *fluid, uint64_t now_ns, fluid_done_fn *on_done, void *context) {
    assert(now_ns >= fluid->now_ns);
    for (;;) {
        uint64_t next_ns = fluid_next_at_ns(fluid);
        if (next_ns > now_ns || next_ns == NEVER_NS) {
            break;
        }
        fluid->now_ns = next_ns > fluid->now_ns ? next_ns : fluid->now_ns;
        while (fluid->due_count > 0 &&
               fluid->parts[fluid->due_heap[0]].due_at_ns <= fluid->now_ns) {
            finish_first(fluid, on_done, context);
        }
    }
    fluid->now_ns = now_ns;
}

// ---- what is

uint32_t fluid_part_count(const struct fluid *fluid) {
    return fluid->live_count;
}

double fluid_rate_bps(struct fluid *fluid, fluid_id part) {
    refresh(fluid);
    return live_part(fluid, part)->rate_bps;
}

double fluid_left_bytes(struct fluid *fluid, fluid_id part) {
    settle(fluid);
    return live_part(fluid, part)->left_bits / BITS;
}

double fluid_link_load_bps(struct fluid *fluid, link_id link) {
    refresh(fluid);
    return fluid->links[link.i].load_bps;
}

uint64_t fluid_link_bytes(struct fluid *fluid, link_id link) {
    settle(fluid);
    return (uint64_t)llround(fluid->links[link.i].bits / BITS);
}

link_id fluid_bottleneck(struct fluid *fluid, fluid_id part) {
    refresh(fluid);
    return live_part(fluid, part)->bottleneck;
}
