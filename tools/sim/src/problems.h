// SPDX-License-Identifier: Apache-2.0
// What plan_problems says, kept to be printed: at once on stderr, and in the JSON document's end.
#ifndef SIM_PROBLEMS_H
#define SIM_PROBLEMS_H

#include "model/error.h"
#include "pathalg/plan.h"

struct problems {
    char (*texts)[ERROR_TEXT_SIZE]; // owned
    uint32_t count, capacity;
    bool out_of_memory;
};

// Finds and says them all. Returns what plan_problems returns, or -ENOMEM; problems_fini all the
// same.
int problems_find(struct problems *problems, const struct plan_input *input, node_id host);
void problems_fini(struct problems *problems);

#endif
