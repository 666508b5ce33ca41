// SPDX-License-Identifier: Apache-2.0
// What the parts of the planner ask of its input. Private to pathalg.
#ifndef PATHALG_PLANNER_H
#define PATHALG_PLANNER_H

#include "pathalg/algorithm.h"

// The algorithm of a job: its own, else the input's default. NULL when the plan's version knows
// none of that name.
const struct algorithm *job_algorithm(const struct plan_input *input, uint32_t job);
bool job_is_shared(const struct plan_input *input, uint32_t job);
// -EINVAL: an algorithm that the plan's version does not know, by name.
int check_algorithms(const struct plan_input *input, struct error *error);

// The input with its jobs in order of names.
struct sorted_input {
    struct plan_input input;
    struct plan_job *jobs;
    uint32_t *places; // by job in the order of names: where the input has it
};
int sorted_input_init(const struct plan_input *input, struct sorted_input *out); // -ENOMEM
void sorted_input_fini(struct sorted_input *sorted);

#endif
