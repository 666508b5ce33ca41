// SPDX-License-Identifier: Apache-2.0
// Flow counters: made in bulks, handed out one by one, read a bulk at a time.
//
// A counter that is given back still stands where its rule stood until its bulk is read; only then
// is it clean and handed out again, because the device's values never go back to zero: what a user
// counted is the difference to what the counter showed at the beginning (`base`).
//
// Reading is a command of the firmware for each bulk: not in the fast path. One thread.
#ifndef MLX5_COUNTER_H
#define MLX5_COUNTER_H

#include <stdbool.h>
#include <stdint.h>

#include <infiniband/mlx5dv.h>

#include "mlx5_events.h"

#define MLX5_COUNTER_BULK 512

struct mlx5_count {
    uint64_t packets, bytes;
};

struct mlx5_counter {
    struct mlx5dv_dr_action *action; // to be put in rules
    struct mlx5_counter *next;       // of the clean or the dirty ones
    struct mlx5_count now;           // as last read
    struct mlx5_count base;
    uint32_t users, bulk;
    // The users' own (mlx5_tally.h): whose packets it counts, and what is to be done about it.
    uint32_t owner, round, carry_to;
    bool fresh, rebase;
};

struct mlx5_counter_bulk {
    struct mlx5dv_devx_obj *object;
    uint32_t id;
    bool due;
    struct mlx5_counter counters[MLX5_COUNTER_BULK];
};

struct mlx5_counters {
    struct ibv_context *context; // borrowed
    struct mlx5_events *events;
    struct mlx5_counter_bulk **bulks;
    uint32_t bulk_count, bulk_capacity;
    struct mlx5_counter *clean, *dirty;
    uint32_t round; // the users' own
};

void mlx5_counters_init(struct mlx5_counters *pool, struct ibv_context *context,
                        struct mlx5_events *events);
// No rule uses one any more, or the device is in disorder (mlx5_events.h).
void mlx5_counters_fini(struct mlx5_counters *pool);
// One user, base as it is. -ENOMEM, or what the firmware said.
int mlx5_counter_take(struct mlx5_counters *pool, struct mlx5_counter **out);
void mlx5_counter_share(struct mlx5_counter *counter);
void mlx5_counter_give(struct mlx5_counters *pool, struct mlx5_counter *counter);
// Marks what mlx5_counters_read(due) reads.
void mlx5_counter_want(struct mlx5_counters *pool, const struct mlx5_counter *counter);
// Reads the bulks that are due, or all. -EIO, -EREMOTEIO: then no more than before is known of the
// rest.
int mlx5_counters_read(struct mlx5_counters *pool, bool all);
// The dirty ones, which a reading made clean: may be handed out again.
void mlx5_counters_clean(struct mlx5_counters *pool);
// Since base.
struct mlx5_count mlx5_counter_since(const struct mlx5_counter *counter);

#endif
