// SPDX-License-Identifier: Apache-2.0
// Collects what is wrong with a description while it is being checked, and hands it on in the order
// of lines. Holds at most COMPLAINTS_MAX; what comes beyond is counted and told in a last sentence.
// Owned by the caller: init, add, flush (which also frees).
#ifndef MODEL_COMPLAINTS_H
#define MODEL_COMPLAINTS_H

#include <stdbool.h>
#include <stdint.h>

#include "model/fabric.h"

#define COMPLAINTS_MAX 1000

struct complaint {
    uint32_t line;
    uint32_t order; // of arrival, so that the sort is stable
    struct error error;
};

struct complaints {
    const char *source; // file name
    struct complaint *list;
    uint32_t count, capacity;
    uint64_t total;
    bool out_of_memory;
};

void complaints_init(struct complaints *complaints, const char *source);
// "source:line: text", or "source: text" for line 0.
void complaints_add(struct complaints *complaints, uint32_t line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
// An error that another check has already put in this form; it is sorted in by its line.
void complaints_take(struct complaints *complaints, const struct error *error);
void complaints_no_memory(struct complaints *complaints);
// Calls `complain` for each, frees, and returns whether there were any.
bool complaints_flush(struct complaints *complaints, fabric_complain_fn *complain, void *context);

#endif
