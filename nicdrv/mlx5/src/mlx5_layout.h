// SPDX-License-Identifier: Apache-2.0
// How a rule set is laid out in the flow and the path table, and in which order one layout becomes
// the next.
//
//   flow entry:  destination + (any | QP | sport | low bits of either)  ->  path id
//   path entry:  path id                                                ->  encap
//
// Path ids are handed out so that entries which move together keep their id: when all entries of an
// id go to another encap, only its path entry changes (one change for any number of flows); entries
// that part from the others get another id. Two ids may lead to the same encap; a layout that
// wastes more than half of its ids is drawn anew entry by entry, without a gap.
//
// Order of changes (make-before-break): SIDs added; path entries added; path entries replaced; flow
// entries added or replaced, narrow before wide; flow entries removed, wide before narrow; path
// entries removed; SIDs removed.
//
// Pure; no clock, allocates in mlx5_layout_next only. Sets are sealed and borrowed.
#ifndef MLX5_LAYOUT_H
#define MLX5_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

#include "model/error.h"
#include "model/rule.h"

#define MLX5_PATHS_MAX 65535 // ids 1 to this

// Narrowest first; this is also their matchers' priority.
enum mlx5_flow_kind {
    MLX5_FLOW_QP,
    MLX5_FLOW_SPORT,
    MLX5_FLOW_QP_BUCKET,    // value: low RULE_BUCKET_BITS bits
    MLX5_FLOW_SPORT_BUCKET, // value: low RULE_BUCKET_BITS bits
    MLX5_FLOW_ANY,
};

struct mlx5_flow {
    uint8_t destination[16]; // as rule_match
    uint8_t kind;            // enum mlx5_flow_kind
    uint32_t value;
    uint32_t path_id;
    uint32_t rule, path; // index into the rule set and into the rule's encap[], for counters
};

struct mlx5_path {
    uint32_t id;
    struct encap encap;
    uint32_t users; // flow entries that lead here
};

struct mlx5_layout {
    struct mlx5_flow *flows; // sorted by (destination, kind, value)
    uint32_t flow_count;
    struct mlx5_path *paths; // sorted by id
    uint32_t path_count;
    struct sid sids[LOCAL_SIDS_MAX];
    uint32_t sid_count;
};

enum mlx5_change_kind {
    MLX5_SID_ADD,
    MLX5_PATH_ADD,
    MLX5_PATH_REPLACE,
    MLX5_FLOW_ADD,
    MLX5_FLOW_REPLACE,
    MLX5_FLOW_REMOVE,
    MLX5_PATH_REMOVE,
    MLX5_SID_REMOVE,
};

struct mlx5_change {
    uint8_t kind;           // enum mlx5_change_kind
    uint32_t before, after; // index in the layout's flows, paths or sids; UINT32_MAX for none
};

struct mlx5_changes {
    struct mlx5_change *items;
    uint32_t count;
};

// What a layout cannot hold is refused whole: -EOPNOTSUPP for RULE_SPRAY, and for QP keys unless
// per_qp, -ENOSPC for too many paths, -ENOMEM; outputs are then untouched.
int mlx5_layout_next(const struct mlx5_layout *now, const struct rule_set *wanted, bool per_qp,
                     struct mlx5_layout *next, struct mlx5_changes *changes, struct error *error);
void mlx5_layout_fini(struct mlx5_layout *layout);
void mlx5_changes_fini(struct mlx5_changes *changes);

#endif
