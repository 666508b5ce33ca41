// SPDX-License-Identifier: Apache-2.0
// What the NIC holds: a layout, and beside each of its entries the rules that stand for it.
//
// Owns the layout and the arrays; the objects in the NIC are let go through a journal. A path has a
// rule for each version of IP that its flows use and each traffic class.
#ifndef MLX5_HELD_H
#define MLX5_HELD_H

#include "mlx5_journal.h"
#include "mlx5_steer.h"

struct mlx5_held_flow {
    struct mlx5dv_dr_rule *rule;
    struct mlx5_counter *counter; // NULL: the device does not count
};

struct mlx5_held_class {
    struct mlx5dv_dr_rule *rule;
    struct mlx5_reformat *reformat;
};

struct mlx5_held_path {
    struct mlx5dv_dr_action *set_id;
    struct mlx5_held_class classes[MLX5_VERSIONS][NIC_CLASSES_MAX];
    uint8_t versions; // bit 1 << enum mlx5_version
};

struct mlx5_held_sid {
    struct mlx5dv_dr_rule *root[MLX5_VERSIONS];
    struct mlx5dv_dr_rule *strip[MLX5_VERSIONS][2]; // [outer CE]
    struct mlx5_reformat *ethernet[MLX5_VERSIONS];
};

struct mlx5_held {
    struct mlx5_layout layout;
    struct mlx5_held_flow *flows; // as layout.flows, and so on
    struct mlx5_held_path *paths;
    struct mlx5_held_sid *sids;
    struct mlx5dv_dr_rule *root[MLX5_VERSIONS]; // to the flow table
    struct mlx5_ethernet ethernet;              // of the paths
};

// Takes the layout, also when it fails (-ENOMEM); holds nothing yet.
int mlx5_held_init(struct mlx5_held *held, struct mlx5_layout *layout);
void mlx5_held_fini(struct mlx5_held *held);
// What stands in both layouts stays: copies it.
void mlx5_held_carry(const struct mlx5_held *before, struct mlx5_held *after);
// Versions of IP of the flows that lead to each path of the layout.
void mlx5_held_versions(const struct mlx5_layout *layout, uint8_t *versions);

// -ENOMEM: not all was recorded.
int mlx5_held_retire_flow(struct mlx5_journal *journal, const struct mlx5_held_flow *flow);
int mlx5_held_retire_path(struct mlx5_journal *journal, const struct mlx5_held_path *path,
                          bool with_id);
int mlx5_held_retire_sid(struct mlx5_journal *journal, const struct mlx5_held_sid *sid);
// Everything, roots first.
int mlx5_held_retire(struct mlx5_journal *journal, const struct mlx5_held *held);

#endif
