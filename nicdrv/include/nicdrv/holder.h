// SPDX-License-Identifier: Apache-2.0
// The holder: a small process that owns what a NIC forgets when its owner ends. An eSwitch's rules
// exist as long as the process that made them keeps its uverbs descriptor, and mlx5dv_dr keeps half
// of its state (tables' memory, send ring, hash chains) on that process's heap: a descriptor that
// is passed on, or ibv_import_device, would give a successor the context but not the rules. So the
// driver itself lives in the holder, behind a socket, and the agent attaches and leaves at will.
//
//   agent                         srv6-holder (one a node, up to 16 NICs)
//     HELLO versions          ->
//                             <-  HELLO version
//     OPEN device, options    ->
//                             <-  OPENED capabilities, attachment, the set as applied
//     APPLY set               ->
//                             <-  DONE | FAILED errno, sentence, the set as it is now
//     COUNTERS | QPS | TOTALS ->
//                             <-  ...
//                             <-  LOST errno, sentence, the set as it is now       (unasked)
//     CLOSE remove            ->
//
// A connection is one NIC. Only the holder's own user may attach, one process a NIC at a time; one
// that goes, or dies, leaves the NIC as it is for the next. Options that differ from those of the
// process before take effect with the next set: its rules are made anew, and RoCE is plain for that
// moment. A peer's message is bounded, checked whole and refused with a sentence; the holder never
// ends because of one. The messages are drawn in src/holder_wire.h.
//
// The holder is one thread: while one NIC takes a set, the others' agents wait for their answers.
// The agent's side is the driver "mlx5" (nic.h).
#ifndef NICDRV_HOLDER_H
#define NICDRV_HOLDER_H

#include <signal.h>
#include <stdbool.h>

#include "model/error.h"
#include "nicdrv/nic.h"

#define HOLDER_NICS_MAX 16
#define HOLDER_SESSIONS_MAX 32 // agents attached, and connections that are not yet

// A sentence for the log; `detail`: of what happens often.
typedef void holder_note_fn(void *context, bool detail, const char *text);

struct holder_config {
    const char *socket;              // made with mode 0600
    const struct nic_driver *driver; // what each OPEN uses
    const volatile sig_atomic_t *stop;
    bool remove; // what the NICs hold, at the end
    holder_note_fn *note;
    void *context;
};

// Serves until *stop, which is looked at after each signal and event: SIGTERM and SIGINT, which the
// caller catches, may be blocked, for they get through while it waits. -EADDRINUSE: another holder
// or program serves the socket. Everything is borrowed.
int holder_serve(const struct holder_config *config, struct error *error);

#endif
