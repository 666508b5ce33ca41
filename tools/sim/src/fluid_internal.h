// SPDX-License-Identifier: Apache-2.0
// Private to fluid*.c: the parts and links, and the computation of rates. See fluid.h.
#ifndef SIM_FLUID_INTERNAL_H
#define SIM_FLUID_INTERNAL_H

#include "fluid.h"

struct fluid_part {
    link_id links[FLUID_PATH_MAX];
    uint8_t link_count; // 0: the place is free
    bool rated;         // while rates are computed: has one
    link_id bottleneck;
    uint64_t tag, added_at_ns;
    uint64_t due_at_ns; // by its rate; NEVER_NS: stalled
    double weight;
    double left_bits; // as of rated_at_ns
    double rate_bps;
};

struct fluid_link {
    double rate_bps;
    double load_bps;      // of the parts over it
    double bits;          // carried until rated_at_ns
    uint32_t parts;       // over it now
    uint32_t first, last; // its entries in `listed`; parts that have ended since are among them
    // While rates are computed:
    double left_bps; // not handed out yet
    double weight;   // of the parts that wait for a rate
    uint32_t waiters;
    double share_bps; // for a weight of 1, as of when it was last looked at: never less later
};

struct fluid {
    struct fluid_link *links;
    uint32_t link_count;
    struct fluid_part *parts;
    uint32_t part_capacity, part_end; // places there are, and used so far
    uint32_t *free_places;            // a stack
    uint32_t free_count, live_count;
    uint32_t *listed; // parts by link, FLUID_PATH_MAX for each place
    uint32_t listed_live, listed_count;
    bool listing_stale; // a path is new
    uint32_t *link_heap;
    uint32_t *due_heap; // parts with a due time, the earliest first
    uint32_t due_count;
    uint64_t now_ns;
    uint64_t rated_at_ns;
    uint64_t stale_at_ns; // rates no longer hold from then on
};

// Gives every part its max-min fair rate and its due time, and orders them by it. left_bits are as
// of now.
void fluid_rate_all(struct fluid *fluid);
// Takes the first of the due heap out.
void fluid_drop_due(struct fluid *fluid);

#endif
