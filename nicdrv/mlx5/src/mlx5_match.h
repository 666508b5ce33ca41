// SPDX-License-Identifier: Apache-2.0
// What the rules of each table look at: a mask for its matcher and a value for the rule.
//
// The source vport is always part of it: the library encapsulates only what the eSwitch sends, and
// decapsulates only what it receives. Pure.
#ifndef MLX5_MATCH_H
#define MLX5_MATCH_H

#include "mlx5_prm.h"
#include "mlx5_steer.h"

union mlx5_match {
    struct mlx5dv_flow_match_parameters parameters;
    uint64_t words[1 + PRM_MATCH_SIZE / sizeof(uint64_t)];
};

// RoCEv2 from the vport.
void mlx5_match_roce(enum mlx5_version version, uint16_t vport, union mlx5_match *mask,
                     union mlx5_match *value);
void mlx5_match_flow(const struct mlx5_flow *flow, uint16_t vport, union mlx5_match *mask,
                     union mlx5_match *value);
void mlx5_match_path(const struct mlx5_path_key *key, uint16_t vport, union mlx5_match *mask,
                     union mlx5_match *value);
// From the wire to a SID; with_ecn: marked CE.
void mlx5_match_tunnel(const struct mlx5_decap_key *key, bool with_ecn, union mlx5_match *mask,
                       union mlx5_match *value);
void mlx5_match_source(uint16_t vport, union mlx5_match *mask, union mlx5_match *value);
// For the root table, where firmware matches: by the bits of the mask, so 4 would be 6 as well.
void mlx5_match_in_root(union mlx5_match *mask);

#endif
