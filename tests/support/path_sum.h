// SPDX-License-Identifier: Apache-2.0
// All hosts' plans of one job, checked and added up from their paths alone, and the least that any
// plan could do. It knows demands, paths and the state of links, and nothing of how plans are made.
//
// Units: bytes, seconds. Ownership: the input is borrowed for the sum's life. Runs out of memory by
// assert.
#ifndef PATH_SUM_H
#define PATH_SUM_H

#include "pathalg/plan.h"

struct path_sum {
    const struct plan_input *input; // as links are; one job
    uint64_t *link_bytes;           // by directed link
    uint64_t flow_count;            // that cross leaves and arrive
    uint64_t part_count;            // of these
    uint64_t split_flow_count;
    uint64_t ethereal_part_count; // n + r (s / gcd(r, s) - 1) for each source and destination leaf
    uint64_t unreachable_count;
    char wrong[200]; // the first thing that is wrong with any plan; "" when nothing is
};

void path_sum_open(struct path_sum *sum, const struct plan_input *input);
void path_sum_close(struct path_sum *sum);
// Every demand of the host is in the plan once and all its bytes have a path, which leads from its
// source to its destination over live links; demands without a path are those that no live path
// joins; split_count is as counted.
void path_sum_add(struct path_sum *sum, node_id host, const struct plan *plan);
// Plans and adds all hosts by one planner.
void path_sum_add_all(struct path_sum *sum, const char *algorithm);

// Seconds to drain the most loaded link between switches.
double path_sum_load_s(const struct path_sum *sum);
// The largest of what a leaf or pod sends or receives over what its links up and down carry, of the
// demands that some live path joins.
double path_cut_s(const struct plan_input *input);
// The optimum of srv6-sim's linear program. It ends the program where there is none.
double path_lp_s(const struct plan_input *input);
// The cut; or, where a load is more than `enough` times that, the program, which is never less. A
// thousand hosts that all talk with all are too many for it.
double path_bound_s(const struct plan_input *input, double load_s, double enough);

#endif
