// SPDX-License-Identifier: Apache-2.0
// Inside libfakecx.so: every mlx5dv_dr call that the real library accepted is told to softcx, the
// software eSwitch (a process of its own, as a card outlives the process that programs it; what was
// made through a connection ends with it), and returns when it has taken effect there.
//
// Only with FAKECX_CARD (the card's socket) in the environment; without it nothing happens here.
// When the card cannot be reached, or is lost, the process ends with a sentence: a test without its
// card would prove nothing.
//
// What the card cannot execute (an action or a match that it does not know, a rule in the root
// table that equals another) is refused when the rule is made: the library's rule is destroyed
// again, errno is EOPNOTSUPP or EEXIST, and a sentence on stderr says why. Domains other than FDB
// are refused. Counters that actions still use cannot be freed (EBUSY).
//
// Closing the last device that had a domain takes everything off the card, as the kernel does.
#ifndef SOFTCX_MIRROR_H
#define SOFTCX_MIRROR_H

#include <stdbool.h>
#include <stdint.h>

// What the card has counted on a flow counter; false when no card is connected (then zero).
bool mirror_counter(uint32_t counter_id, uint64_t *packets, uint64_t *bytes);

// The device has died: what it held is off the card, and what is made or removed from now on is not
// told to it, until every device with a domain is closed.
void mirror_device_died(void);

#endif
