// SPDX-License-Identifier: Apache-2.0
// Reformat contexts by their bytes: making one is a command of the firmware, so equal ones are
// shared, and a bounded number of those that nobody uses any more is kept, the last used longest.
//
// Whoever takes one gives it back. The cache owns its entries; they stand until they are given back
// and evicted. One thread.
#ifndef MLX5_REFORMAT_H
#define MLX5_REFORMAT_H

#include <stddef.h>
#include <stdint.h>

#include <infiniband/mlx5dv.h>

#include "mlx5_header.h"
#include "mlx5_steer.h"

#define MLX5_REFORMATS_UNUSED_MAX 4096

struct mlx5_reformat {
    struct mlx5dv_dr_action *action;
    struct mlx5_reformat *next;          // of the same bucket
    struct mlx5_reformat *older, *newer; // of the unused
    uint32_t users;
    uint8_t kind; // enum mlx5dv_flow_action_packet_reformat_type
    uint8_t size;
    uint8_t bytes[MLX5_HEADER_MAX];
};

struct mlx5_reformats {
    struct mlx5_steer *steer; // borrowed
    struct mlx5_reformat **buckets;
    uint32_t bucket_count, count, unused_count;
    struct mlx5_reformat *oldest, *newest; // unused
};

void mlx5_reformats_init(struct mlx5_reformats *cache, struct mlx5_steer *steer);
// All were given back, or the device is in disorder (mlx5_events.h).
void mlx5_reformats_fini(struct mlx5_reformats *cache);
// What stands before the packet (L2_TO_L3), or the Ethernet header of a stripped one (L3_TO_L2).
// -ENOMEM, or what the firmware said.
int mlx5_reformat_take(struct mlx5_reformats *cache,
                       enum mlx5dv_flow_action_packet_reformat_type kind, const uint8_t *bytes,
                       size_t size, struct mlx5_reformat **out);
void mlx5_reformat_give(struct mlx5_reformats *cache, struct mlx5_reformat *reformat);
// Destroys unused ones beyond `keep`. The rules that used them must be out of the device
// (mlx5_steer_sync). Firmware commands: not in the fast path.
void mlx5_reformats_evict(struct mlx5_reformats *cache, uint32_t keep);
// The most bytes, Ethernet included, that the device puts before a packet, found by trying headers
// of one to SID_LIST_MAX carriers; 0: not even one.
size_t mlx5_reformats_limit(struct mlx5_reformats *cache);

#endif
