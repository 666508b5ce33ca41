// SPDX-License-Identifier: Apache-2.0
// What srv6-sim plan does once its inputs are read: every host plans by itself, the loads of all
// are added up, and the sum is judged by bounds of the demands.
#ifndef SIM_PLAN_RUN_H
#define SIM_PLAN_RUN_H

#include "inputs.h"

// Prints the plan on stdout and what is wrong on stderr; returns an exit code.
int plan_run(const struct inputs *inputs, const struct plan_options *options);

#endif
