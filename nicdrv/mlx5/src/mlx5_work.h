// SPDX-License-Identifier: Apache-2.0
// One entry of a layout into rules of the NIC. All that is made stands in the journal; on failure
// the sentence says which entry and why.
#ifndef MLX5_WORK_H
#define MLX5_WORK_H

#include "mlx5_card.h"
#include "mlx5_held.h"
#include "mlx5_tally.h"

struct mlx5_work {
    struct mlx5_card *card;
    struct mlx5_journal journal;
    struct mlx5_held *after;
    const struct mlx5_tally *tally;   // of the set after
    struct mlx5_counter **counters;   // of each (rule, path) of the set after; NULL: none yet
    const struct mlx5_ethernet *leaf; // what stands before all paths after
    struct error *error;
};

// -errno with a sentence. An index is of the layout after.
int mlx5_work_flow(struct mlx5_work *work, uint32_t index);
// Rules of a path for those of the versions that it has not yet.
int mlx5_work_path(struct mlx5_work *work, uint32_t index, uint8_t versions);
int mlx5_work_sid(struct mlx5_work *work, uint32_t index);
int mlx5_work_root(struct mlx5_work *work, enum mlx5_version version);
// Makes the reformats of a path that no flow takes yet, to have them at hand. Nothing is recorded;
// what the firmware refuses is asked for again when it is needed.
void mlx5_work_ahead(struct mlx5_card *card, const struct mlx5_ethernet *leaf,
                     const struct encap *encap, uint8_t versions);

#endif
