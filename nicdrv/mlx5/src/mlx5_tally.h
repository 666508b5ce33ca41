// SPDX-License-Identifier: Apache-2.0
// Packets of each (rule, path) since the rule took that path, from counters that stand on flow
// rules and outlive moves of paths.
//
//   count of a (rule, path) = carried + the sum over the counters of its flows of (now - base)
//
// When a rule goes on with the same path, its count goes on: what its released counters had counted
// is carried. When the path under a flow moves, the flow's rule and counter stay, and the counter
// begins anew: its base is read after the move, outside the fast path, so that packets of the few
// microseconds in between are ascribed to the path before.
#ifndef MLX5_TALLY_H
#define MLX5_TALLY_H

#include "mlx5_held.h"

struct mlx5_tally {
    uint32_t *first; // as rule_path_numbers
    struct mlx5_count *carried;
    uint32_t *origin; // path number of the set before -> of this one, or RULE_NONE
    uint32_t origin_count;
};

int mlx5_tally_init(struct mlx5_tally *tally); // of an empty set; -ENOMEM
void mlx5_tally_fini(struct mlx5_tally *tally);
// For the set after; nothing is counted yet. -ENOMEM.
int mlx5_tally_prepare(const struct rule_set *before_set, const struct mlx5_tally *before,
                       const struct rule_set *after_set, struct mlx5_tally *after);
// The NIC holds `held` now: gives each counter its owner and reads those that must be. Released
// counters become clean. What cannot be read counts as when it was last read.
void mlx5_tally_settle(struct mlx5_tally *tally, const struct mlx5_tally *before,
                       const struct mlx5_held *held, struct mlx5_counters *pool);
// Reads all counters and reports each (rule, path). -ENOMEM, or why they cannot be read.
int mlx5_tally_report(const struct mlx5_tally *tally, const struct rule_set *set,
                      const struct mlx5_held *held, struct mlx5_counters *pool,
                      nic_counter_fn *each, void *context);

#endif
