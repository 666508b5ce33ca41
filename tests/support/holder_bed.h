// SPDX-License-Identifier: Apache-2.0
// A holder in a process of its own, with a driver around `mem` that fails and forgets on request
// and counts what reaches it. A failed step ends the test.
//
// Ownership: open returns by value; close ends the process and removes the folder. One at a time.
#ifndef SUPPORT_HOLDER_BED_H
#define SUPPORT_HOLDER_BED_H

#include <sys/types.h>

#include "nicdrv/nic.h"

struct holder_counts { // shared with the holder's process
    volatile int opens, applies, closes;
};

struct holder_bed {
    char folder[64], socket[96];
    pid_t pid;
    int orders; // a byte each, for the driver's watch_fd
    struct holder_counts *counts;
};

struct holder_bed holder_bed_open(void);
void holder_bed_close(struct holder_bed *bed);
void holder_bed_start(struct holder_bed *bed);           // waits until it serves
int holder_bed_stop(struct holder_bed *bed, int signal); // the status of waitpid

#define HOLDER_BED_LOSE 'l' // all rules, and say so
#define HOLDER_BED_FAIL 'f' // the next apply, with -ENOSPC
void holder_bed_order(struct holder_bed *bed, char order);

// The agent's side. Attaching is tried for a while: who was killed a moment ago is still attached.
int holder_bed_attach(const struct holder_bed *bed, const char *device, struct nic **out,
                      struct error *error);
// A connection that speaks the protocol itself, or does not.
int holder_bed_connect(const struct holder_bed *bed);

#endif
