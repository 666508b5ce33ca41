// SPDX-License-Identifier: Apache-2.0
// What a host sends: one flow per (source port, destination port, job). Private to pathalg.
#ifndef PATHALG_DEMANDS_H
#define PATHALG_DEMANDS_H

#include "pathalg/plan.h"

// Makes room for one more element in a growing array. -ENOMEM, and the array is as before.
int array_reserve(void **array, uint32_t *capacity, uint32_t count, size_t size);

// Fills plan->flows, sorted, merged over the job's collectives; no parts yet. -ENOMEM.
int demands_collect(const struct plan_input *input, node_id host, struct plan *plan);
void flows_sort(struct plan *plan); // by (source, destination, job)

#endif
