// SPDX-License-Identifier: Apache-2.0
// A swarm in virtual time: each live host has a core and does one thing after the other.
//
//            message arrives, deadline                    nothing is left
//   ASLEEP ----------------------------> wakes up ... RUNS ---------------> busy until its messages
//     ^                                               ^   \                 are sent, then ASLEEP
//     '                                               '----' next message or deadline
//
// Waking up takes the model's time; a message that comes while the host works waits until it is
// done, and is then taken without delay. Where each message waits by itself (wake_each), it counts
// as on its way for so long, and hosts wake up at once. Messages to hosts that do not live are sent
// and lost.
#ifndef SIM_SWARM_RUN_H
#define SIM_SWARM_RUN_H

#include "swarm.h"
#include "swarm_model.h"
#include "swarm_queue.h"

#define SWARM_BEGIN_NS (1000 * NS_PER_MS)

// What a host writes at a time, as an agent does it.
struct swarm_write {
    bool happens;
    uint32_t host;
    uint64_t at_ns;
    char key[GOSSIP_KEY_MAX]; // in GOSSIP_TABLE_LINK
    uint8_t value[128];
    size_t size;
};

struct swarm_host {
    struct gossip *core;                 // NULL: dead
    struct swarm_delivery *first, *last; // what waits to be received
    uint64_t free_at_ns;                 // from then on it may do the next thing
    uint64_t timer_at_ns;                // of the SWARM_TIMER that counts
    uint64_t known_at_ns;                // when it had received what was written; NEVER_NS
    uint64_t waits, sent;                // draws
    uint64_t verified;                   // signatures until now
    bool running;                        // there is a SWARM_RUNS for it
    bool tick_due;
};

struct swarm_run {
    const struct swarm *swarm;       // borrowed
    const struct swarm_model *model; // borrowed
    struct swarm_write write;
    struct swarm_host *hosts;
    struct swarm_queue queue;
    uint64_t now_ns;
    uint32_t unknowing;       // live hosts that have not received what was written
    uint64_t messages, bytes; // sent by all
    bool starved;             // memory ran out
};

// All hosts begin at SWARM_BEGIN_NS, with their neighbours greeted. *out is the caller's:
// swarm_run_close.
int swarm_run_open(const struct swarm *swarm, const struct swarm_model *model,
                   const struct swarm_write *write, struct swarm_run *out, struct error *error);
// Until that time, or, with `stop_known`, until all live hosts know. -ENOMEM.
int swarm_run_until(struct swarm_run *run, uint64_t until_ns, bool stop_known);
void swarm_run_close(struct swarm_run *run);

#endif
