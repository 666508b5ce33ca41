// SPDX-License-Identifier: Apache-2.0
// The only place where the daemon reads clocks. Everything else gets `now_ns` as a parameter.
#ifndef AGENT_SHELL_CLOCK_H
#define AGENT_SHELL_CLOCK_H

#include <stdint.h>

uint64_t clock_now_ns(void);        // monotonic
uint64_t clock_wall_ns(void);       // since the epoch
int64_t clock_wall_offset_ns(void); // add it to a wall clock instant to get a monotonic one

#endif
