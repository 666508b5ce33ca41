// SPDX-License-Identifier: Apache-2.0
// CNPs on their way to the engine (ENGINE_CNPS), from what can see them:
//
//   the NIC driver     who has just sent some: the loop is woken; counts with its other counters
//   a port's counter   of what hardware answers by itself, read by a thread every few milliseconds
//                      where there is such a counter; which flow it was, it does not say
//
// Inside of srv6-agent only.
#ifndef AGENT_SHELL_CNPS_H
#define AGENT_SHELL_CNPS_H

#include <stdint.h>

#include <uv.h>

#include "agent_core/engine.h"

struct agent;
struct cnp_watch; // the thread's
struct side;

struct agent_cnps {
    uv_poll_t polls[ENGINE_PORTS_MAX]; // of NICs that have a cnp_fd
    uv_timer_t rest;                   // after a look at them, before the next
    struct cnp_watch *watch;
    struct side *side; // NULL: no port has counted CNPs yet
};

int agent_cnps_start(struct agent *agent); // the loop's handles
// Tells the engine the driver's counts, and has the ports' counters watched where there are any.
void agent_cnps_look(struct agent *agent);
void agent_cnps_close(struct agent *agent); // before the loop's handles are closed

#endif
