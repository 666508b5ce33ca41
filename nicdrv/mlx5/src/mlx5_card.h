// SPDX-License-Identifier: Apache-2.0
// An open NIC with what rules are made of, and what trying told of it: whether it matches the
// destination QP, how long a header it puts before a packet, whether it counts.
//
// Errors: -errno with a sentence. One thread.
#ifndef MLX5_CARD_H
#define MLX5_CARD_H

#include "mlx5_counter.h"
#include "mlx5_device.h"
#include "mlx5_reformat.h"
#include "mlx5_steer.h"

struct mlx5_card {
    struct mlx5_device device;
    struct mlx5_events events;
    struct mlx5_steer steer;
    struct mlx5_reformats reformats;
    struct mlx5_counters counters;
    bool counts; // else no rule has a counter
    struct mlx5_counter *encapsulated, *decapsulated, *plain;
    bool per_qp;
    size_t header_max; // Ethernet included
    uint8_t classes[NIC_CLASSES_MAX];
    uint32_t class_count;
};

struct mlx5_card_totals {
    uint64_t encapsulated, decapsulated, plain;
};

// The struct must not move while it is open.
int mlx5_card_open(struct mlx5_card *card, const struct nic_options *options, struct error *error);
// All rules but its own are gone.
void mlx5_card_close(struct mlx5_card *card);
void mlx5_card_capabilities(const struct mlx5_card *card, struct nic_capabilities *out);
// As last read when the device does not answer.
struct mlx5_card_totals mlx5_card_read_totals(struct mlx5_card *card);

#endif
