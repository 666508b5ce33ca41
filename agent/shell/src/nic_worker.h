// SPDX-License-Identifier: Apache-2.0
// A NIC whose driver is slow, behind a thread of its own. What the loop has of it is a `struct nic`
// like any other, whose functions return at once:
//
//   loop                                             worker
//     apply(wanted)  -> one slot, the newest wins ->   opens the NIC when it is not open, applies
//     counters       -> "read"                    ->   reads counters, QPs and totals
//     take, when watch_fd is readable  <- one slot <-  what the NIC holds now, what went well or
//     not
//
// apply returns -EINPROGRESS; how it ended comes with take, which also brings `applied` and the
// counters up to date. A NIC that cannot be opened yet (no holder) is one whose applies fail.
//
// Ownership: open returns owned. The loop's thread calls all of it.
#ifndef AGENT_SHELL_NIC_WORKER_H
#define AGENT_SHELL_NIC_WORKER_H

#include <stdbool.h>
#include <stdint.h>

#include "nicdrv/nic.h"

// At most one of applied and failed; lost comes with failed.
struct nic_news {
    bool opened;       // for the first time, or again: capabilities may be others
    bool applied;      // a set went in
    bool failed, lost; // lost: something that was applied is not there any more
    struct error error;
};

// Begins to open the NIC; whether that succeeds comes with the first news. Options are copied.
// -ENOMEM, or what threads and descriptors fail with.
int nic_worker_open(const struct nic_driver *driver, const struct nic_options *options,
                    struct nic **out, struct error *error);
bool nic_is_worker(const struct nic *nic);
// False: nothing new.
bool nic_worker_take(struct nic *nic, struct nic_news *out);
// Waits for the first news, at most that long, and leaves it to be taken.
void nic_worker_await(const struct nic *nic, int timeout_ms);
// Applies the newest set that still waits, then closes. -ETIMEDOUT: the driver did not return in
// time, and goes on until the process ends.
int nic_worker_close(struct nic *nic, bool remove_rules, int timeout_ms);

#endif
