// SPDX-License-Identifier: Apache-2.0
// A plan on stdout, flow by flow as hosts compute them: JSON as ARCHITECTURE.md fixes it, or a
// table.
#ifndef SIM_PLAN_PRINT_H
#define SIM_PLAN_PRINT_H

#include "json_writer.h"
#include "lp.h"
#include "pathalg/plan.h"
#include "problems.h"

struct plan_printer {
    const struct plan_input *input;
    const char *algorithm; // the name to print
    bool json;
    bool summary; // no flows
    struct json_writer writer;
    uint64_t flow_count, unreachable_count; // counted here
};

// What is known at the end.
struct plan_summary {
    struct plan_score score;    // its bounds are those of the demands
    struct lp_result program;   // column_count 0: there was none
    uint64_t ethereal_splits;   // what published Ethereal would need
    uint64_t lost_bytes;        // sent over dead links, by hosts that do not know better
    uint64_t elapsed_ns;        // of planning alone, all hosts one after the other
    uint64_t memory_bytes;      // the process's peak until then
    uint32_t host_count;        // that planned
    bool alone;                 // only one host planned: the loads are those of its flows
    uint32_t stale_count;       // of them with beliefs from before the failure
    bool changed;               // something failed, so there is a plan to compare with
    struct plan_churn churn;    // against the plan of the whole fabric
    uint64_t least_moved_bytes; // of all hosts: no plan that reaches the bound moves less
    uint64_t replan_ns;         // one host's plan after the failure, when it had one; 0: not asked
    const struct problems *problems; // borrowed
};

void plan_print_begin(struct plan_printer *printer);
// -EINVAL, -ENOSPC: a path has no SID list, with the reason.
int plan_print_flows(struct plan_printer *printer, const struct plan *plan, struct error *error);
void plan_print_end(struct plan_printer *printer, const struct plan_summary *summary);

#endif
