// SPDX-License-Identifier: Apache-2.0
// How a rule set is laid out in the flow and the path table, and in which order one layout becomes
// the next.
//
//   flow entry:  destination + (any | QP | sport | low bits of either)  ->  path id
//   path entry:  path id                                                ->  encap
//
// Path ids are handed out so that entries which move together keep their id: where the entries of
// an id go to another encap, its path entry is replaced (one change for any number of flows), and
// only those that part from the most get another id. Two ids may lead to the same encap; while more
// than half of the ids are such doubles, a step that changes flow entries anyway merges about as
// many others. A step that only moves paths never does.
//
// Order of changes (make-before-break):
//
//   1 SIDs added            4 path entries replaced                     6 path entries removed
//   2 path entries added    5 flow entries removed, wide before narrow  7 SIDs removed
//   3 flow entries added or replaced, narrow before wide
//
// After each change, and between them, a packet that has a rule in both sets meets the path of one
// of them. A path entry is replaced only when every flow entry that then leads to it, and is met by
// a packet, stands in both layouts; that is why it comes between 3 and 5, why new entries never
// take an id that is replaced in the same step, and why an entry that goes away while its packets
// fall to another path keeps its id from being replaced. The reverse order undoes as safely.
//
// Pure; no clock, allocates in mlx5_layout_next only. Sets are sealed and borrowed; a layout filled
// with zeros is the empty one.
#ifndef MLX5_LAYOUT_H
#define MLX5_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

#include "model/error.h"
#include "model/rule.h"

#define MLX5_PATHS_MAX 65535 // ids 1 to this
#define MLX5_NONE UINT32_MAX

// Narrowest first; this is also their matchers' priority.
enum mlx5_flow_kind {
    MLX5_FLOW_QP,
    MLX5_FLOW_SPORT,
    MLX5_FLOW_QP_BUCKET,    // value: low RULE_BUCKET_BITS bits
    MLX5_FLOW_SPORT_BUCKET, // value: low RULE_BUCKET_BITS bits
    MLX5_FLOW_ANY,
};
#define MLX5_FLOW_KINDS 5

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
    struct sid sids[LOCAL_SIDS_MAX]; // sorted, each once
    uint32_t sid_count;
};

enum mlx5_change_kind { // in their order
    MLX5_SID_ADD,
    MLX5_PATH_ADD,
    MLX5_FLOW_ADD,
    MLX5_FLOW_REPLACE,
    MLX5_PATH_REPLACE,
    MLX5_FLOW_REMOVE,
    MLX5_PATH_REMOVE,
    MLX5_SID_REMOVE,
};

struct mlx5_change {
    uint8_t kind;           // enum mlx5_change_kind
    uint32_t before, after; // index in the layouts' flows, paths or sids; MLX5_NONE for none
};

struct mlx5_changes {
    struct mlx5_change *items;
    uint32_t count;
};

// `now` is what the NIC holds; the caller frees it when the changes are made. What a layout cannot
// hold is refused whole: -EOPNOTSUPP for RULE_SPRAY, for QP keys and QP buckets unless per_qp, and
// for a rule of one key with buckets of the other; -ENOSPC for too many paths, -ENOMEM. Outputs are
// then untouched.
int mlx5_layout_next(const struct mlx5_layout *now, const struct rule_set *wanted, bool per_qp,
                     struct mlx5_layout *next, struct mlx5_changes *changes, struct error *error);
void mlx5_layout_fini(struct mlx5_layout *layout);
void mlx5_changes_fini(struct mlx5_changes *changes);

#endif
