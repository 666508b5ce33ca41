// SPDX-License-Identifier: Apache-2.0
#include "mlx5_steer.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "mlx5_match.h"
#include "mlx5_prm.h"
#include "mlx5_reason.h"

#define ACTIONS_MAX 4
#define REST_PRIORITY MLX5_FLOW_KINDS
#define CE 3

uint8_t mlx5_version_number(enum mlx5_version version) {
    return version == MLX5_IPV4 ? 4 : 6;
}

enum mlx5_version mlx5_version_of(const uint8_t destination[16]) {
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    return memcmp(destination, mapped, sizeof mapped) == 0 ? MLX5_IPV4 : MLX5_IPV6;
}

// ---- opening

static int make_tables(struct mlx5_steer *steer) {
    static const uint32_t levels[MLX5_TABLES] = {[MLX5_TABLE_ROOT] = 0,
                                                 [MLX5_TABLE_FLOW] = 1,
                                                 [MLX5_TABLE_PATH] = 2,
                                                 [MLX5_TABLE_DECAP] = 1};
    for (int t = 0; t < MLX5_TABLES; t++) {
        mlx5_reason_preset();
        steer->tables[t] = mlx5dv_dr_table_create(steer->domain, levels[t]);
        if (steer->tables[t] == NULL) {
            return mlx5_reason_code();
        }
        if (t != MLX5_TABLE_ROOT) {
            mlx5_reason_preset();
            steer->jumps[t] = mlx5dv_dr_action_create_dest_table(steer->tables[t]);
            if (steer->jumps[t] == NULL) {
                return mlx5_reason_code();
            }
        }
    }
    return 0;
}

static int make_vport(struct mlx5_steer *steer, uint32_t vport, struct mlx5dv_dr_action **out) {
    mlx5_reason_preset();
    *out = mlx5dv_dr_action_create_dest_vport(steer->domain, vport);
    return *out == NULL ? mlx5_reason_code() : 0;
}

static int make_set(struct mlx5_steer *steer, uint64_t action, struct mlx5dv_dr_action **out) {
    __be64 set = action;
    mlx5_reason_preset();
    *out = mlx5dv_dr_action_create_modify_header(steer->domain, 0, sizeof set, &set);
    return *out == NULL ? mlx5_reason_code() : 0;
}

static int make_actions(struct mlx5_steer *steer) {
    int rc = make_set(steer, prm_set_action(PRM_OUT_IP_ECN, 0, 2, CE), &steer->set_ce);
    if (rc == 0) {
        mlx5_reason_preset();
        steer->to_slow_path = mlx5dv_dr_action_create_default_miss();
        rc = steer->to_slow_path == NULL ? mlx5_reason_code() : 0;
    }
    return rc;
}

int mlx5_steer_open(const struct mlx5_device *device, struct mlx5_events *events,
                    struct mlx5_steer *out, struct error *error) {
    struct mlx5_steer steer = {.events = events, .vport = device->vport};
    const char *netdev = device->netdev;
    mlx5_reason_preset();
    steer.domain = mlx5dv_dr_domain_create(device->context, MLX5DV_DR_DOMAIN_TYPE_FDB);
    int rc = steer.domain == NULL ? mlx5_reason_code() : make_tables(&steer);
    if (rc < 0) {
        error_set(error, rc,
                  "%s: its eSwitch cannot be steered: %s. Is it in switchdev mode, with "
                  "flow_steering_mode smfs (devlink dev eswitch show)?",
                  netdev, mlx5_reason_text(rc));
    } else if ((rc = make_vport(&steer, MLX5_UPLINK_VPORT, &steer.to_uplink)) < 0 ||
               (rc = make_vport(&steer, steer.vport, &steer.to_vport)) < 0) {
        error_set(error, rc, "%s: its eSwitch has no vport %u: %s (see devlink port show)", netdev,
                  steer.to_uplink == NULL ? MLX5_UPLINK_VPORT : steer.vport, mlx5_reason_text(rc));
    } else if ((rc = make_actions(&steer)) < 0) {
        error_set(error, rc, "%s: its eSwitch cannot set the ECN of a packet: %s", netdev,
                  mlx5_reason_text(rc));
    }
    if (rc < 0) {
        mlx5_steer_close(&steer);
        return rc;
    }
    *out = steer;
    return 0;
}

// ---- closing

static void drop_rule(struct mlx5dv_dr_rule **rule) {
    if (*rule != NULL) {
        mlx5dv_dr_rule_destroy(*rule);
        *rule = NULL;
    }
}

static void drop_matcher(struct mlx5dv_dr_matcher **matcher) {
    if (*matcher != NULL) {
        mlx5dv_dr_matcher_destroy(*matcher);
        *matcher = NULL;
    }
}

static void drop_action(struct mlx5dv_dr_action **action) {
    if (*action != NULL) {
        mlx5dv_dr_action_destroy(*action);
        *action = NULL;
    }
}

static void drop_matchers(struct mlx5_steer *steer) {
    for (int version = 0; version < MLX5_VERSIONS; version++) {
        drop_matcher(&steer->root_flow[version]);
        drop_matcher(&steer->path[version]);
        for (int kind = 0; kind < MLX5_FLOW_KINDS; kind++) {
            drop_matcher(&steer->flow[kind][version]);
        }
    }
    drop_matcher(&steer->root_decap);
    drop_matcher(&steer->flow_rest);
    drop_matcher(&steer->path_rest);
    drop_matcher(&steer->decap[0]);
    drop_matcher(&steer->decap[1]);
}

void mlx5_steer_drop_rules(struct mlx5_steer *steer) {
    if (mlx5_events_disorder(steer->events)) {
        return;
    }
    drop_rule(&steer->flow_rest_rule);
    drop_rule(&steer->path_rest_rule);
}

void mlx5_steer_close(struct mlx5_steer *steer) {
    if (mlx5_events_disorder(steer->events)) {
        return;
    }
    mlx5_steer_drop_rules(steer);
    drop_matchers(steer);
    drop_action(&steer->to_uplink);
    drop_action(&steer->to_vport);
    drop_action(&steer->to_slow_path);
    drop_action(&steer->set_ce);
    for (int t = 0; t < MLX5_TABLES; t++) {
        drop_action(&steer->jumps[t]);
        if (steer->tables[t] != NULL) {
            mlx5dv_dr_table_destroy(steer->tables[t]);
            steer->tables[t] = NULL;
        }
    }
    if (steer->domain != NULL) {
        mlx5dv_dr_domain_destroy(steer->domain);
        steer->domain = NULL;
    }
}

// ---- rules

struct place {
    enum mlx5_table table;
    uint16_t priority;
    uint8_t criteria; // enum prm_criteria
};

// Makes the matcher when it is the first time that it is needed.
static int need_matcher(struct mlx5_steer *steer, struct place place, const union mlx5_match *mask,
                        struct mlx5dv_dr_matcher **matcher) {
    if (*matcher != NULL) {
        return 0;
    }
    union mlx5_match copy = *mask;
    mlx5_reason_preset();
    *matcher = mlx5dv_dr_matcher_create(steer->tables[place.table], place.priority, place.criteria,
                                        &copy.parameters);
    return *matcher == NULL ? mlx5_reason_code() : 0;
}

// The actions that are not NULL, in this order.
struct deeds {
    struct mlx5dv_dr_action *list[ACTIONS_MAX];
};

static int make_rule(struct mlx5dv_dr_matcher *matcher, union mlx5_match *value,
                     const struct deeds *deeds, struct mlx5dv_dr_rule **out) {
    struct mlx5dv_dr_action *actions[ACTIONS_MAX];
    size_t count = 0;
    for (int i = 0; i < ACTIONS_MAX; i++) {
        if (deeds->list[i] != NULL) {
            actions[count++] = deeds->list[i];
        }
    }
    mlx5_reason_preset();
    struct mlx5dv_dr_rule *rule =
        mlx5dv_dr_rule_create(matcher, &value->parameters, count, actions);
    if (rule == NULL) {
        return mlx5_reason_code();
    }
    *out = rule;
    return 0;
}

int mlx5_steer_root_flow(struct mlx5_steer *steer, enum mlx5_version version,
                         struct mlx5dv_dr_rule **out) {
    union mlx5_match mask, value;
    mlx5_match_roce(version, steer->vport, &mask, &value);
    mlx5_match_in_root(&mask);
    struct place place = {MLX5_TABLE_ROOT, 0, PRM_OUTER | PRM_MISC};
    int rc = need_matcher(steer, place, &mask, &steer->root_flow[version]);
    struct deeds deeds = {{steer->jumps[MLX5_TABLE_FLOW]}};
    return rc < 0 ? rc : make_rule(steer->root_flow[version], &value, &deeds, out);
}

int mlx5_steer_root_decap(struct mlx5_steer *steer, const struct mlx5_decap_key *key,
                          struct mlx5dv_dr_rule **out) {
    union mlx5_match mask, value;
    mlx5_match_tunnel(key, false, &mask, &value);
    mlx5_match_in_root(&mask);
    struct place place = {MLX5_TABLE_ROOT, 0, PRM_OUTER | PRM_MISC};
    int rc = need_matcher(steer, place, &mask, &steer->root_decap);
    struct deeds deeds = {{steer->jumps[MLX5_TABLE_DECAP]}};
    return rc < 0 ? rc : make_rule(steer->root_decap, &value, &deeds, out);
}

int mlx5_steer_flow(struct mlx5_steer *steer, const struct mlx5_flow *flow,
                    struct mlx5dv_dr_action *counter, struct mlx5dv_dr_action *set_id,
                    struct mlx5dv_dr_rule **out) {
    union mlx5_match mask, value;
    mlx5_match_flow(flow, steer->vport, &mask, &value);
    struct place place = {MLX5_TABLE_FLOW, flow->kind, PRM_OUTER | PRM_MISC};
    struct mlx5dv_dr_matcher **matcher =
        &steer->flow[flow->kind][mlx5_version_of(flow->destination)];
    int rc = need_matcher(steer, place, &mask, matcher);
    struct deeds deeds = {{counter, set_id, steer->jumps[MLX5_TABLE_PATH]}};
    return rc < 0 ? rc : make_rule(*matcher, &value, &deeds, out);
}

int mlx5_steer_path(struct mlx5_steer *steer, const struct mlx5_path_key *key,
                    struct mlx5dv_dr_action *counter, struct mlx5dv_dr_action *reformat,
                    struct mlx5dv_dr_rule **out) {
    union mlx5_match mask, value;
    mlx5_match_path(key, steer->vport, &mask, &value);
    struct place place = {MLX5_TABLE_PATH, 0, PRM_OUTER | PRM_MISC | PRM_MISC2};
    int rc = need_matcher(steer, place, &mask, &steer->path[key->version]);
    struct deeds deeds = {{counter, reformat, steer->to_uplink}};
    return rc < 0 ? rc : make_rule(steer->path[key->version], &value, &deeds, out);
}

int mlx5_steer_decap(struct mlx5_steer *steer, const struct mlx5_decap_key *key,
                     struct mlx5dv_dr_action *counter, struct mlx5dv_dr_action *strip,
                     struct mlx5dv_dr_rule **out) {
    union mlx5_match mask, value;
    mlx5_match_tunnel(key, key->congested, &mask, &value);
    struct place place = {MLX5_TABLE_DECAP, key->congested ? 0 : 1, PRM_OUTER | PRM_MISC};
    struct mlx5dv_dr_matcher **matcher = &steer->decap[key->congested];
    int rc = need_matcher(steer, place, &mask, matcher);
    struct deeds deeds = {{counter, strip, key->congested ? steer->set_ce : NULL, steer->to_vport}};
    return rc < 0 ? rc : make_rule(*matcher, &value, &deeds, out);
}

int mlx5_steer_set_id(struct mlx5_steer *steer, uint32_t id, struct mlx5dv_dr_action **out) {
    struct mlx5dv_dr_action *action = NULL;
    int rc = make_set(steer, prm_set_action(PRM_METADATA_REG_C_1, 0, 32, id), &action);
    if (rc == 0) {
        *out = action;
    }
    return rc;
}

int mlx5_steer_count_plain(struct mlx5_steer *steer, struct mlx5dv_dr_action *plain) {
    union mlx5_match mask, value;
    mlx5_match_source(steer->vport, &mask, &value);
    struct place flows = {MLX5_TABLE_FLOW, REST_PRIORITY, PRM_MISC};
    struct place paths = {MLX5_TABLE_PATH, 1, PRM_MISC};
    struct deeds to_slow_path = {{plain, steer->to_slow_path}};
    struct deeds to_uplink = {{plain, steer->to_uplink}};
    int rc = need_matcher(steer, flows, &mask, &steer->flow_rest);
    rc = rc < 0 ? rc : need_matcher(steer, paths, &mask, &steer->path_rest);
    rc = rc < 0 ? rc : make_rule(steer->flow_rest, &value, &to_slow_path, &steer->flow_rest_rule);
    return rc < 0 ? rc : make_rule(steer->path_rest, &value, &to_uplink, &steer->path_rest_rule);
}

bool mlx5_steer_matches_qp(struct mlx5_steer *steer) {
    struct mlx5_flow flow = {.kind = MLX5_FLOW_QP};
    union mlx5_match mask, value;
    struct mlx5dv_dr_matcher *trial = NULL;
    mlx5_match_flow(&flow, steer->vport, &mask, &value);
    struct place place = {MLX5_TABLE_FLOW, MLX5_FLOW_QP, PRM_OUTER | PRM_MISC};
    bool accepted = need_matcher(steer, place, &mask, &trial) == 0;
    drop_matcher(&trial);
    return accepted;
}

int mlx5_steer_sync(struct mlx5_steer *steer) {
    if (mlx5dv_dr_domain_sync(steer->domain, MLX5DV_DR_DOMAIN_SYNC_FLAGS_SW) != 0) {
        mlx5_events_give_up(steer->events);
    }
    return mlx5_events_failed(steer->events) ? -EIO : 0;
}
