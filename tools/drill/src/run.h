// SPDX-License-Identifier: Apache-2.0
// What all drills share: plan and run, as drawn in drill.h.
#ifndef DRILL_RUN_H
#define DRILL_RUN_H

#include "drill.h"

// Prints the plan, the flows it hits and what speaks against running it; changes nothing.
int drill_plan(const struct drill_request *request);
// Runs the drill and prints its report. 0 the fabric behaved, 4 it deviated, 6 it did not settle in
// time, 7 refused, 1 could not be injected or was interrupted.
int drill_run(const struct drill_request *request);

#endif
