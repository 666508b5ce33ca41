// SPDX-License-Identifier: Apache-2.0
// Runs a scenario in virtual time: the agents' engines and gossip in a fleet, the jobs' bytes in a
// fluid over the paths that the engines' rules say, and a trace of both.
//
//   scenario --timeline--> links, agents, jobs
//                            |        |      |
//                            v        v      v
//                          fluid <-- rules  flows --> trace
//
// A pure function of scenario and seed: same file and seed, same trace.
#ifndef SIM_RUN_H
#define SIM_RUN_H

#include "run_trace.h"
#include "scenario.h"

// Writes the whole trace; `name` is the scenario's. -errno with the reason.
int run_scenario(const struct scenario *scenario, const char *name, uint64_t seed,
                 struct trace *trace, struct error *error);

#endif
