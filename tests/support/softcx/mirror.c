// SPDX-License-Identifier: Apache-2.0
// The library's functions that the card must hear of. Each calls the real one first.
#include <dlfcn.h>
#include <errno.h>
#include <infiniband/mlx5dv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mirror_link.h"

#define ALLOC_FLOW_COUNTER 0x939
#define BULK_UNIT 128

static void *next_symbol(const char *name) {
    void *symbol = dlsym(RTLD_NEXT, name);
    if (symbol == NULL) {
        fprintf(stderr, "libfakecx: no library behind this one has %s\n", name);
        abort();
    }
    return symbol;
}

#define REAL(function) (__extension__(__typeof__(function) *) next_symbol(#function))

static uint64_t id_of(const void *object) {
    return (uint64_t)(uintptr_t)object;
}

// Tables, and removals: that the card disagrees is a mistake of the mirror's.
static void tell(struct softcx_request *request, const char *sentence) {
    int rc = mirror_send(request);
    if (rc != 0) {
        mirror_fail(sentence, rc);
    }
}

static void tell_removed(const void *object) {
    struct softcx_request request = {.op = WIRE_REMOVE, .id = id_of(object)};
    int rc = mirror_send(&request);
    if (rc != 0 && rc != -ENOENT) { // ENOENT: the card could not execute it, and has it not
        mirror_fail("does not let an object go", rc);
    }
}

// What the card does not know it has not; a rule that needs it is refused.
static void tell_perhaps(struct softcx_request *request, const char *sentence) {
    int rc = mirror_send(request);
    if (rc != 0 && rc != -EOPNOTSUPP && rc != -ENOENT) {
        mirror_fail(sentence, rc);
    }
}

static void take_data(struct softcx_request *request, const void *data, size_t size) {
    if (size <= sizeof request->data) {
        memcpy(request->data, data, size);
        request->size = (uint32_t)size;
    }
}

// ---- devices and domains ----------------------------------------------------------------------

int ibv_close_device(struct ibv_context *context) {
    mirror_lock();
    int rc = REAL(ibv_close_device)(context);
    mirror_device_closed(context);
    mirror_unlock();
    return rc;
}

struct mlx5dv_dr_domain *mlx5dv_dr_domain_create(struct ibv_context *context,
                                                 enum mlx5dv_dr_domain_type type) {
    if (mirror_wanted() && type != MLX5DV_DR_DOMAIN_TYPE_FDB) {
        fprintf(stderr, "libfakecx: the card has an FDB only, no domain of type %d\n", (int)type);
        errno = EOPNOTSUPP;
        return NULL;
    }
    mirror_lock();
    struct mlx5dv_dr_domain *domain = REAL(mlx5dv_dr_domain_create)(context, type);
    if (domain != NULL) {
        mirror_connect(context);
    }
    mirror_unlock();
    return domain;
}

// ---- tables and matchers ----------------------------------------------------------------------

struct mlx5dv_dr_table *mlx5dv_dr_table_create(struct mlx5dv_dr_domain *domain, uint32_t level) {
    mirror_lock();
    struct mlx5dv_dr_table *table = REAL(mlx5dv_dr_table_create)(domain, level);
    if (table != NULL) {
        struct softcx_request request = {.op = WIRE_ADD_TABLE, .id = id_of(table), .value = level};
        tell(&request, "has no room for a table");
    }
    mirror_unlock();
    return table;
}

int mlx5dv_dr_table_destroy(struct mlx5dv_dr_table *table) {
    mirror_lock();
    int rc = REAL(mlx5dv_dr_table_destroy)(table);
    if (rc == 0) {
        tell_removed(table);
    }
    mirror_unlock();
    return rc;
}

struct mlx5dv_dr_matcher *mlx5dv_dr_matcher_create(struct mlx5dv_dr_table *table, uint16_t priority,
                                                   uint8_t match_criteria_enable,
                                                   struct mlx5dv_flow_match_parameters *mask) {
    mirror_lock();
    struct mlx5dv_dr_matcher *matcher =
        REAL(mlx5dv_dr_matcher_create)(table, priority, match_criteria_enable, mask);
    if (matcher != NULL) {
        struct softcx_request request = {.op = WIRE_ADD_MATCHER,
                                         .id = id_of(matcher),
                                         .parent = id_of(table),
                                         .value = priority,
                                         .kind = match_criteria_enable};
        take_data(&request, mask->match_buf, mask->match_sz);
        tell_perhaps(&request, "has no room for a matcher");
    }
    mirror_unlock();
    return matcher;
}

int mlx5dv_dr_matcher_destroy(struct mlx5dv_dr_matcher *matcher) {
    mirror_lock();
    int rc = REAL(mlx5dv_dr_matcher_destroy)(matcher);
    if (rc == 0) {
        tell_removed(matcher);
    }
    mirror_unlock();
    return rc;
}

// ---- rules ------------------------------------------------------------------------------------

static int tell_rule(const struct mlx5dv_dr_rule *rule, const struct mlx5dv_dr_matcher *matcher,
                     const struct mlx5dv_flow_match_parameters *value, size_t count,
                     struct mlx5dv_dr_action *const *actions) {
    struct softcx_request request = {.op = WIRE_ADD_RULE,
                                     .id = id_of(rule),
                                     .parent = id_of(matcher)};
    if (count > SOFTCX_RULE_ACTIONS_MAX) {
        return -EOPNOTSUPP;
    }
    take_data(&request, value->match_buf, value->match_sz);
    request.count = (uint32_t)count;
    for (size_t i = 0; i < count; i++) {
        request.actions[i] = id_of(actions[i]);
    }
    return mirror_send(&request);
}

static int refusal(int rc) {
    const char *why = rc == -EEXIST   ? "another rule of the root table equals it (a kernel would "
                                        "send to both destinations)"
                      : rc == -ENOENT ? "its matcher looks at fields that softcx does not know"
                                      : "softcx knows not all of its actions";
    fprintf(stderr, "libfakecx: a rule that the library accepted is refused: %s\n", why);
    return rc == -EEXIST ? EEXIST : EOPNOTSUPP;
}

struct mlx5dv_dr_rule *mlx5dv_dr_rule_create(struct mlx5dv_dr_matcher *matcher,
                                             struct mlx5dv_flow_match_parameters *value,
                                             size_t num_actions,
                                             struct mlx5dv_dr_action *actions[]) {
    mirror_lock();
    struct mlx5dv_dr_rule *rule = REAL(mlx5dv_dr_rule_create)(matcher, value, num_actions, actions);
    int rc = rule == NULL ? 0 : tell_rule(rule, matcher, value, num_actions, actions);
    if (rc == -EEXIST || rc == -ENOENT || rc == -EOPNOTSUPP) {
        (void)REAL(mlx5dv_dr_rule_destroy)(rule);
        rule = NULL;
        errno = refusal(rc);
    } else if (rc != 0) {
        mirror_fail("has no room for a rule", rc);
    }
    mirror_unlock();
    return rule;
}

int mlx5dv_dr_rule_destroy(struct mlx5dv_dr_rule *rule) {
    mirror_lock();
    int rc = REAL(mlx5dv_dr_rule_destroy)(rule);
    if (rc == 0) {
        tell_removed(rule);
    }
    mirror_unlock();
    return rc;
}

// ---- actions ----------------------------------------------------------------------------------
// Those that are not here (meters, samplers, arrays, VLANs, TIRs) the card does not know.

static struct mlx5dv_dr_action *tell_action(struct mlx5dv_dr_action *action,
                                            enum softcx_action_kind kind, uint64_t value,
                                            const void *data, size_t size) {
    struct softcx_request request = {.op = WIRE_ADD_ACTION,
                                     .id = id_of(action),
                                     .kind = (uint32_t)kind,
                                     .value = value};
    if (action != NULL && size <= sizeof request.data) {
        take_data(&request, data, size);
        tell_perhaps(&request, "has no room for an action");
    }
    return action;
}

struct mlx5dv_dr_action *mlx5dv_dr_action_create_dest_table(struct mlx5dv_dr_table *table) {
    mirror_lock();
    struct mlx5dv_dr_action *action = tell_action(REAL(mlx5dv_dr_action_create_dest_table)(table),
                                                  ACTION_TABLE, id_of(table), NULL, 0);
    mirror_unlock();
    return action;
}

struct mlx5dv_dr_action *mlx5dv_dr_action_create_dest_root_table(struct mlx5dv_dr_table *table,
                                                                 uint16_t priority) {
    mirror_lock();
    struct mlx5dv_dr_action *action =
        tell_action(REAL(mlx5dv_dr_action_create_dest_root_table)(table, priority), ACTION_TABLE,
                    id_of(table), NULL, 0);
    mirror_unlock();
    return action;
}

struct mlx5dv_dr_action *mlx5dv_dr_action_create_dest_vport(struct mlx5dv_dr_domain *domain,
                                                            uint32_t vport) {
    mirror_lock();
    struct mlx5dv_dr_action *action =
        tell_action(REAL(mlx5dv_dr_action_create_dest_vport)(domain, vport), ACTION_VPORT, vport,
                    NULL, 0);
    mirror_unlock();
    return action;
}

struct mlx5dv_dr_action *mlx5dv_dr_action_create_drop(void) {
    mirror_lock();
    struct mlx5dv_dr_action *action =
        tell_action(REAL(mlx5dv_dr_action_create_drop)(), ACTION_DROP, 0, NULL, 0);
    mirror_unlock();
    return action;
}

struct mlx5dv_dr_action *mlx5dv_dr_action_create_default_miss(void) {
    mirror_lock();
    struct mlx5dv_dr_action *action =
        tell_action(REAL(mlx5dv_dr_action_create_default_miss)(), ACTION_DEFAULT_MISS, 0, NULL, 0);
    mirror_unlock();
    return action;
}

struct mlx5dv_dr_action *mlx5dv_dr_action_create_flow_counter(struct mlx5dv_devx_obj *devx_obj,
                                                              uint32_t offset) {
    mirror_lock();
    struct mlx5dv_dr_action *action = REAL(mlx5dv_dr_action_create_flow_counter)(devx_obj, offset);
    uint32_t first = 0;
    if (mirror_wanted() && mirror_first_counter(devx_obj, &first)) {
        tell_action(action, ACTION_COUNTER, first + offset, NULL, 0);
    }
    mirror_unlock();
    return action;
}

struct mlx5dv_dr_action *
mlx5dv_dr_action_create_packet_reformat(struct mlx5dv_dr_domain *domain, uint32_t flags,
                                        enum mlx5dv_flow_action_packet_reformat_type reformat_type,
                                        size_t data_sz, void *data) {
    mirror_lock();
    struct mlx5dv_dr_action *action =
        REAL(mlx5dv_dr_action_create_packet_reformat)(domain, flags, reformat_type, data_sz, data);
    if (reformat_type == MLX5DV_FLOW_ACTION_PACKET_REFORMAT_TYPE_L2_TO_L3_TUNNEL) {
        tell_action(action, ACTION_ENCAP, 0, data, data_sz);
    } else if (reformat_type == MLX5DV_FLOW_ACTION_PACKET_REFORMAT_TYPE_L3_TUNNEL_TO_L2) {
        tell_action(action, ACTION_DECAP, 0, data, data_sz);
    }
    mirror_unlock();
    return action;
}

struct mlx5dv_dr_action *mlx5dv_dr_action_create_modify_header(struct mlx5dv_dr_domain *domain,
                                                               uint32_t flags, size_t actions_sz,
                                                               __be64 actions[]) {
    mirror_lock();
    struct mlx5dv_dr_action *action =
        tell_action(REAL(mlx5dv_dr_action_create_modify_header)(domain, flags, actions_sz, actions),
                    ACTION_MODIFY, 0, actions, actions_sz);
    mirror_unlock();
    return action;
}

int mlx5dv_dr_action_destroy(struct mlx5dv_dr_action *action) {
    mirror_lock();
    int rc = REAL(mlx5dv_dr_action_destroy)(action);
    if (rc == 0) {
        tell_removed(action);
    }
    mirror_unlock();
    return rc;
}

// ---- counters ---------------------------------------------------------------------------------

// One counter, or a bulk named by a bit for each power of two of 128.
static void learn_counters(const struct mlx5dv_devx_obj *object, const uint8_t *in, size_t in_size,
                           const uint8_t *out, size_t out_size) {
    bool alloc = in_size >= 16 && out_size >= 12 && in[0] == ALLOC_FLOW_COUNTER >> 8 &&
                 in[1] == (ALLOC_FLOW_COUNTER & 0xff);
    if (alloc && mirror_wanted()) {
        uint32_t first =
            (uint32_t)out[8] << 24 | (uint32_t)out[9] << 16 | (uint32_t)out[10] << 8 | out[11];
        mirror_add_counters(object, first, in[15] == 0 ? 1 : (uint32_t)in[15] * BULK_UNIT);
    }
}

struct mlx5dv_devx_obj *mlx5dv_devx_obj_create(struct ibv_context *context, const void *in,
                                               size_t inlen, void *out, size_t outlen) {
    mirror_lock();
    struct mlx5dv_devx_obj *object = REAL(mlx5dv_devx_obj_create)(context, in, inlen, out, outlen);
    if (object != NULL) {
        learn_counters(object, in, inlen, out, outlen);
    }
    mirror_unlock();
    return object;
}

int mlx5dv_devx_obj_destroy(struct mlx5dv_devx_obj *obj) {
    mirror_lock();
    int rc = mirror_remove_counters(obj);
    if (rc == 0) {
        rc = REAL(mlx5dv_devx_obj_destroy)(obj);
    } else {
        fprintf(stderr, "libfakecx: counters are freed that actions still use\n");
        rc = EBUSY;
    }
    mirror_unlock();
    return rc;
}
