// SPDX-License-Identifier: Apache-2.0
#include "agent_shell/clock.h"

#include <time.h>

#include "model/time.h"

static uint64_t read_clock(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

uint64_t clock_now_ns(void) {
    return read_clock(CLOCK_MONOTONIC);
}

uint64_t clock_wall_ns(void) {
    return read_clock(CLOCK_REALTIME);
}

int64_t clock_wall_offset_ns(void) {
    uint64_t monotonic_ns = clock_now_ns();
    return (int64_t)(monotonic_ns - clock_wall_ns());
}
