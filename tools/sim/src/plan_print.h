// SPDX-License-Identifier: Apache-2.0
// A plan on stdout, flow by flow as hosts compute them: JSON as ARCHITECTURE.md fixes it, or a
// table.
#ifndef SIM_PLAN_PRINT_H
#define SIM_PLAN_PRINT_H

#include "json_writer.h"
#include "pathalg/plan.h"

struct plan_printer {
    const struct plan_input *input;
    const char *algorithm; // the name to print
    bool json;
    struct json_writer writer;
    uint64_t flow_count, unreachable_count; // counted here
};

// What is known at the end.
struct plan_summary {
    struct plan_score score;
    uint64_t elapsed_ns; // of planning alone, all hosts one after the other
    uint32_t host_count; // that planned
};

void plan_print_begin(struct plan_printer *printer);
// -EINVAL, -ENOSPC: a path has no SID list, with the reason.
int plan_print_flows(struct plan_printer *printer, const struct plan *plan, struct error *error);
void plan_print_end(struct plan_printer *printer, const struct plan_summary *summary);

#endif
