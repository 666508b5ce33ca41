// SPDX-License-Identifier: Apache-2.0
// The leaf's MAC address: the kernel's route to a path's first carrier over the uplink, and the
// neighbour that it leads to. Whoever encapsulates in the NIC bypasses the kernel, so the kernel is
// asked to resolve the neighbour, and watched for changes.
//
//   route to the carrier over the uplink -> gateway, or the carrier itself when it is on the link
//     -> neighbour: known   -> its MAC address
//                   unknown -> a datagram to the discard port starts resolution; asked again until
//                              it is known or the caller's patience ends
//
// -errno with a sentence. One thread.
#ifndef MLX5_NEXT_HOP_H
#define MLX5_NEXT_HOP_H

#include <stdbool.h>
#include <stdint.h>

#include "model/error.h"
#include "model/usid.h"

// Three solicitations, one a second.
#define MLX5_NEXT_HOP_WAIT_NS 3500000000ULL

struct mlx5_next_hop {
    int watch; // readable when routes or neighbours changed; -1: not watching
    int ask;
};

struct mlx5_next_hop_query {
    const char *netdev;
    struct sid carrier;
    uint64_t wait_ns;
};

int mlx5_next_hop_open(struct mlx5_next_hop *hop, const char *netdev, struct error *error);
void mlx5_next_hop_close(struct mlx5_next_hop *hop); // again: a no-op
// -EHOSTUNREACH: no route, or nobody has answered within wait_ns.
int mlx5_next_hop_find(struct mlx5_next_hop *hop, const struct mlx5_next_hop_query *query,
                       uint8_t mac[6], struct error *error);
// Forgets what the kernel told of changes; true when there was any.
bool mlx5_next_hop_drain(struct mlx5_next_hop *hop);

#endif
