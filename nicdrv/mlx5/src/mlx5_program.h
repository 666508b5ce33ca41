// SPDX-License-Identifier: Apache-2.0
// Turns what the NIC holds into what is wanted: makes all that is new beside what stands, then lets
// go of the old, in the order of mlx5_layout.h. Only making can fail, and what was made is then
// destroyed again: the NIC holds what it held.
//
//   replaced rules are duplicates of the new until the old are destroyed (mlx5_steer.h);
//   added rules take effect at once, and give a packet the path of one of the two sets
//
// The jump from the root is made last and destroyed first. One thread.
#ifndef MLX5_PROGRAM_H
#define MLX5_PROGRAM_H

#include "mlx5_work.h"

struct mlx5_program {
    struct mlx5_card *card; // borrowed
    struct mlx5_held held;
    struct mlx5_tally tally;
};

int mlx5_program_init(struct mlx5_program *program, struct mlx5_card *card); // -ENOMEM
// Removes everything from the NIC.
void mlx5_program_fini(struct mlx5_program *program);
// `before` is the set that the NIC holds. leaf: what stands before all encapsulated packets.
int mlx5_program_apply(struct mlx5_program *program, const struct rule_set *before,
                       const struct rule_set *wanted, const struct mlx5_ethernet *leaf,
                       struct error *error);

#endif
