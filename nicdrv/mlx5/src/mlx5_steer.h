// SPDX-License-Identifier: Apache-2.0
// The eSwitch's tables, their matchers and the rules in them (mlx5.h draws them). Matchers are made
// when the first rule needs them and stay, one for each kind of flow and version of IP: the library
// takes no mask for the version.
//
//   level 0   root    jumps only
//   level 1   flow    QP | source port | bucket of either | any   (priority: enum mlx5_flow_kind)
//                     rest: counted as plain, to the slow path
//             decap   CE (priority 0) | not
//   level 2   path    id and traffic class (priority 0)
//                     rest: counted as plain, to the uplink
//
// A rule made with the key of one that stands is a duplicate: packets meet it when the older one is
// destroyed. So a change is made whole beside what stands, and undone by destroying it again.
//
// One thread. Rules and actions belong to the caller, who destroys them with what is below; -errno
// as mlx5_reason.h says.
#ifndef MLX5_STEER_H
#define MLX5_STEER_H

#include "mlx5_device.h"
#include "mlx5_events.h"
#include "mlx5_layout.h"

enum mlx5_version { MLX5_IPV4, MLX5_IPV6, MLX5_VERSIONS };
enum mlx5_table {
    MLX5_TABLE_ROOT,
    MLX5_TABLE_FLOW,
    MLX5_TABLE_PATH,
    MLX5_TABLE_DECAP,
    MLX5_TABLES
};

struct mlx5_steer {
    struct mlx5_events *events; // borrowed
    uint16_t vport;
    struct mlx5dv_dr_domain *domain;
    struct mlx5dv_dr_table *tables[MLX5_TABLES];
    struct mlx5dv_dr_action *jumps[MLX5_TABLES]; // none to the root
    struct mlx5dv_dr_action *to_uplink, *to_vport, *to_slow_path, *set_ce;
    struct mlx5dv_dr_matcher *root_flow[MLX5_VERSIONS], *root_decap;
    struct mlx5dv_dr_matcher *flow[MLX5_FLOW_KINDS][MLX5_VERSIONS], *flow_rest;
    struct mlx5dv_dr_matcher *path[MLX5_VERSIONS], *path_rest;
    struct mlx5dv_dr_matcher *decap[2];
    struct mlx5dv_dr_rule *flow_rest_rule, *path_rest_rule;
};

// 4 or 6, as in the header.
uint8_t mlx5_version_number(enum mlx5_version version);
enum mlx5_version mlx5_version_of(const uint8_t destination[16]); // as rule_match

// What of a path's packets a rule takes.
struct mlx5_path_key {
    uint32_t id;
    enum mlx5_version version;
    uint8_t traffic_class;
};

struct mlx5_decap_key {
    struct sid sid;
    enum mlx5_version version; // of the inner packet
    bool congested;            // outer CE, else all that is left
};

// Nothing is steered yet. Borrows `events`, those of the device.
int mlx5_steer_open(const struct mlx5_device *device, struct mlx5_events *events,
                    struct mlx5_steer *out, struct error *error);
// What becomes of packets that no rule takes. plain: their counter; NULL: not counted.
int mlx5_steer_count_plain(struct mlx5_steer *steer, struct mlx5dv_dr_action *plain);
// Its own rules go first, then the counters that they use, then the rest, when all rules and
// actions of others are gone.
void mlx5_steer_drop_rules(struct mlx5_steer *steer);
void mlx5_steer_close(struct mlx5_steer *steer);
// Whether the device matches the destination QP.
bool mlx5_steer_matches_qp(struct mlx5_steer *steer);
// Waits until the device holds what was written. -EIO when it does not take it: it has failed then.
int mlx5_steer_sync(struct mlx5_steer *steer);

// Counters may be NULL. On success *out is a rule, to be destroyed by mlx5dv_dr_rule_destroy.
int mlx5_steer_root_flow(struct mlx5_steer *steer, enum mlx5_version version,
                         struct mlx5dv_dr_rule **out);
int mlx5_steer_root_decap(struct mlx5_steer *steer, const struct mlx5_decap_key *key,
                          struct mlx5dv_dr_rule **out);
int mlx5_steer_flow(struct mlx5_steer *steer, const struct mlx5_flow *flow,
                    struct mlx5dv_dr_action *counter, struct mlx5dv_dr_action *set_id,
                    struct mlx5dv_dr_rule **out);
int mlx5_steer_path(struct mlx5_steer *steer, const struct mlx5_path_key *key,
                    struct mlx5dv_dr_action *counter, struct mlx5dv_dr_action *reformat,
                    struct mlx5dv_dr_rule **out);
int mlx5_steer_decap(struct mlx5_steer *steer, const struct mlx5_decap_key *key,
                     struct mlx5dv_dr_action *counter, struct mlx5dv_dr_action *strip,
                     struct mlx5dv_dr_rule **out);
// The action that gives a packet its path id.
int mlx5_steer_set_id(struct mlx5_steer *steer, uint32_t id, struct mlx5dv_dr_action **out);

#endif
