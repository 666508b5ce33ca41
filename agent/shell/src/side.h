// SPDX-License-Identifier: Apache-2.0
// Work that may take however long it likes, beside the loop: a driver that asks its firmware, a
// file that does not answer. It runs in a thread of its own, one at a time; neither the loop nor
// the end of the process ever waits for it.
//
//   side_start -> work(data) in a thread -> done(context) in the loop
//   side_close -> release(data): at once, or by the thread when it returns some day
//
// While work runs, `data` is the thread's; otherwise the loop's. Inside of srv6-agent only.
#ifndef AGENT_SHELL_SIDE_H
#define AGENT_SHELL_SIDE_H

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

struct side;

struct side_job {
    void (*work)(void *data);
    void (*done)(void *context); // may start the next
    void (*release)(void *data);
    void *data;    // taken by side_open when that succeeds
    void *context; // borrowed until side_close
};

// -errno of what handles fail with.
int side_open(uv_loop_t *loop, const struct side_job *job, struct side **out);
// Before the loop's handles are closed; afterwards the loop must turn once more. NULL is a no-op.
void side_close(struct side *side);
// False: work runs, or there can be no thread.
bool side_start(struct side *side);
bool side_is_busy(const struct side *side); // its data is not the loop's now

#endif
