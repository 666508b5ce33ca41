// SPDX-License-Identifier: Apache-2.0
// The holder: a small process that owns what a NIC forgets when its owner ends. An eSwitch's rules
// exist as long as the process that made them keeps its uverbs descriptor, and mlx5dv_dr keeps half
// of its state (tables' memory, send ring, hash chains) on that process's heap: a descriptor that
// is passed on, or ibv_import_device, would give a successor the context but not the rules. So the
// driver itself lives in the holder, behind a socket, and the agent attaches and leaves at will.
//
//   agent                         srv6-holder (one a node, any number of NICs)
//     HELLO versions          ->
//                             <-  HELLO version
//     OPEN device, options    ->
//                             <-  OPENED capabilities, attachment, the set as applied
//     APPLY set               ->
//                             <-  DONE | FAILED errno, sentence, the set as it is now
//     COUNTERS | TOTALS       ->
//                             <-  ...
//                             <-  LOST errno, sentence, the set as it is now       (unasked)
//     CLOSE remove            ->
//
// Only the holder's own user may attach, one process a NIC at a time. A peer's message is bounded,
// checked whole and refused with a sentence; the holder never ends because of one.
#ifndef NICDRV_HOLDER_H
#define NICDRV_HOLDER_H

#include "model/error.h"
#include "nicdrv/nic.h"

// Serves until *stop is true (checked after each signal and event). driver is what each OPEN uses.
// Everything the NICs hold is removed at the end only when `remove`.
int holder_serve(const char *socket_path, const struct nic_driver *driver, volatile bool *stop,
                 bool remove, struct error *error);

#endif
