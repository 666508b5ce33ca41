// SPDX-License-Identifier: Apache-2.0
// A network at the level of flows, in virtual time: parts (bytes over a path of directed links)
// share the links max-min fairly, and nothing else is modelled: no packets, no queues, no delays.
//
//   add / move / remove / set_rate --> rates by progressive filling --> next_at --> advance: done
//
// Max-min fair (Bertsekas and Gallager, "Data Networks", 6.5.2): every part has a bottleneck, a
// full link on which no part is faster for its weight. A part over a link of rate 0 stalls.
//
// A part ends at the instant at which its bytes are through, exactly. What it leaves free is
// handed to the others FLUID_SLACK of its own age later, at most, together with what others left
// until then: so many thousand parts that end almost together cost one computation of rates, and
// no completion is early by it. Everything else that changes counts at once.
//
// Deterministic: same calls, same times and order. Units: bytes, bits per second, nanoseconds.
// Ownership: fluid_open returns owned; paths are copied. One thread.
#ifndef SIM_FLUID_H
#define SIM_FLUID_H

#include <stdbool.h>
#include <stdint.h>

#include "model/ids.h"
#include "model/time.h"

#define FLUID_PATH_MAX 8
#define FLUID_SLACK 1e-4

struct fluid;
typedef struct fluid_id {
    uint32_t i;
} fluid_id; // of a part that is on its way; free for another one once it has ended

// Links are numbered from 0 and have rate 0 until told otherwise. Time begins at 0. NULL without
// memory.
struct fluid *fluid_open(uint32_t link_count);
void fluid_close(struct fluid *fluid); // NULL is a no-op
void fluid_set_rate(struct fluid *fluid, link_id link, uint64_t rate_bps);

// A part begins now. `links`: 1 to FLUID_PATH_MAX. `tag` comes back when it ends. -ENOMEM.
int fluid_add(struct fluid *fluid, const link_id *links, unsigned link_count, uint64_t bytes,
              uint64_t tag, fluid_id *out);
// What is left goes over another path from now on.
void fluid_move(struct fluid *fluid, fluid_id part, const link_id *links, unsigned link_count);
// Its share on a link is that of `weight` parts of weight 1, which is what a part begins with;
// above 0.
void fluid_weigh(struct fluid *fluid, fluid_id part, double weight);
// Ends without having arrived; returns the bytes that were left.
double fluid_remove(struct fluid *fluid, fluid_id part);

// When the next part ends or rates change by themselves; NEVER_NS: not unless something is done.
uint64_t fluid_next_at_ns(struct fluid *fluid);
uint64_t fluid_now_ns(const struct fluid *fluid);
// Called for each part that ends, in order of time (and of ids at one instant); the part is no
// more. It may not call back.
typedef void fluid_done_fn(void *context, uint64_t tag, uint64_t done_at_ns);
// Time goes on to now_ns, which is not before fluid_now_ns. on_done may be NULL.
void fluid_advance(struct fluid *fluid, uint64_t now_ns, fluid_done_fn *on_done, void *context);

// As of now.
uint32_t fluid_part_count(const struct fluid *fluid);
double fluid_rate_bps(struct fluid *fluid, fluid_id part);
double fluid_left_bytes(struct fluid *fluid, fluid_id part);
// Sum of the rates of the parts over a link, and what they have carried over it so far.
double fluid_link_load_bps(struct fluid *fluid, link_id link);
uint64_t fluid_link_bytes(struct fluid *fluid, link_id link);
// The link that holds the part back: full, and nobody on it is faster for his weight.
link_id fluid_bottleneck(struct fluid *fluid, fluid_id part);

#endif
