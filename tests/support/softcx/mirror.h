// SPDX-License-Identifier: Apache-2.0
// Inside libfakecx.so: every mlx5dv_dr call that the real library accepted is told to softcx, the
// software eSwitch (a process of its own, as a card outlives the process that programs it; what was
// made through a connection ends with it).
#ifndef SOFTCX_MIRROR_H
#define SOFTCX_MIRROR_H

#include <stdbool.h>
#include <stdint.h>

// What the card has counted on a flow counter; false when no card is connected (then zero).
bool mirror_counter(uint32_t counter_id, uint64_t *packets, uint64_t *bytes);

#endif
