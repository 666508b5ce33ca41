// SPDX-License-Identifier: Apache-2.0
// The algorithm `shared`: all its jobs together, on columns of the grid (grid.h), as good as a
// central solver would place them, computed alike by every agent from the facts that all hold.
//
//   jobs + fabric --> shapes: dense collectives by sums of leaves, others listed flow by flow
//                     (shared_shape.h, shared_demand.h)
//        --> tiers: jobs with reservations one by one, then all others (shared_tier.h); in each the
//            fractional optimum of what is dense (waterfill.h) and the placement of what is listed
//            (sparse.h), once for the healthy fabric and once for the rates of now
//        --> views: whole dense flows on columns, of the own leaf's group alone (shared_view.h)
//        --> own flows: their columns as paths, a backup for each
//
// Flows of other algorithms' jobs are not looked at: what they load is nobody's business here. Of a
// job with dense and listed collectives, a pair that is listed takes its dense bytes along on the
// listed ones' path, so that it stays one flow.
//
// What depends on the jobs, on beliefs and on the host is kept apart, and computed when it is first
// asked for. Pairs that no column joins take a path that candidates.h finds, if any, whole, by
// hash. Private to pathalg.
#ifndef PATHALG_SHARED_H
#define PATHALG_SHARED_H

#include "pathalg/plan.h"

struct shared;

int shared_open(const struct fabric *fabric, struct shared **out); // -ENOMEM
void shared_close(struct shared *shared);                          // NULL is a no-op
void shared_forget(struct shared *shared);
void shared_forget_beliefs(struct shared *shared);
// Adds the parts of all flows whose job's algorithm is `shared`. The input's jobs are in order of
// names. -ENOMEM.
int shared_assign(struct shared *shared, const struct plan_input *input, struct plan *plan);
// Adds up what reservations take of each link (bits per second, one per directed link), job by job:
// calls `each` after each job's own. -ENOMEM.
typedef void shared_reserved_fn(void *context, uint32_t job, const double *link_bps);
int shared_reserved(struct shared *shared, const struct plan_input *input, shared_reserved_fn *each,
                    void *context);

#endif
