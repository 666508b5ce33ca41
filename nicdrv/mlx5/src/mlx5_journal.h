// SPDX-License-Identifier: Apache-2.0
// What an apply has made, and what it will let go: the one is undone when the apply fails, the
// other is done when it succeeds, and neither needs memory or the firmware's leave.
//
//   record what is made, and what is to be retired       (make)
//     -> commit: the retired go, in the order recorded   (break)
//     -> undo: the made go, last first
//
// The library tells late or never that the device did not take a rule, and waits for ever when that
// goes on: so the device is asked now and then whether it still writes. When it has failed, nothing
// more is done to it (mlx5_events.h).
//
// The journal owns its list only. One thread.
#ifndef MLX5_JOURNAL_H
#define MLX5_JOURNAL_H

#include <stdbool.h>

#include "mlx5_counter.h"
#include "mlx5_reformat.h"
#include "mlx5_steer.h"

enum mlx5_deed_kind { MLX5_DEED_RULE, MLX5_DEED_ACTION, MLX5_DEED_REFORMAT, MLX5_DEED_COUNTER };

struct mlx5_deed {
    uint8_t kind; // enum mlx5_deed_kind
    void *object;
};

struct mlx5_deeds {
    struct mlx5_deed *items;
    uint32_t count, capacity;
};

struct mlx5_journal {
    struct mlx5_steer *steer;         // borrowed
    struct mlx5_reformats *reformats; // borrowed
    struct mlx5_counters *counters;
    struct mlx5_deeds made, retired;
    uint32_t rule_count; // made and destroyed
    bool at_once;        // retiring is done at once: nothing is recorded, and nothing fails
};

void mlx5_journal_init(struct mlx5_journal *journal, struct mlx5_steer *steer,
                       struct mlx5_reformats *reformats, struct mlx5_counters *counters);
// -ENOMEM: the object was let go at once; -EIO: the device has failed.
int mlx5_journal_made(struct mlx5_journal *journal, enum mlx5_deed_kind kind, void *object);
// NULL objects are left out. -ENOMEM: nothing was recorded.
int mlx5_journal_retire(struct mlx5_journal *journal, enum mlx5_deed_kind kind, void *object);
// Both end the journal.
void mlx5_journal_commit(struct mlx5_journal *journal);
void mlx5_journal_undo(struct mlx5_journal *journal);

#endif
