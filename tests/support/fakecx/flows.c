// SPDX-License-Identifier: Apache-2.0
// The root table: matchers, rules and their actions are the kernel's, which hands them to firmware.
#include <errno.h>

#include <rdma/ib_user_ioctl_cmds.h>
#include <rdma/mlx5_user_ioctl_cmds.h>
#include <rdma/mlx5_user_ioctl_verbs.h>
#include <rdma/rdma_user_ioctl_cmds.h>

#include "card.h"

static int made(struct call *call, enum object_kind kind, uint16_t attr, uint32_t *out) {
    uint32_t handle = object_add(call->card, call->context, kind);
    if (handle == 0) {
        return -ENOMEM;
    }
    attr_set(call, attr, handle);
    *out = handle;
    return 0;
}

int matcher_create(struct call *call) {
    uint64_t table = MLX5_IB_UAPI_FLOW_TABLE_TYPE_NIC_RX;
    attr_u64(call, MLX5_IB_ATTR_FLOW_MATCHER_FT_TYPE, &table);
    const struct ib_uverbs_attr *mask = attr_find(call, MLX5_IB_ATTR_FLOW_MATCHER_MATCH_MASK);
    if (mask == NULL || mask->len > sizeof(struct mlx5_ib_match_params)) {
        return -EINVAL;
    }
    uint32_t handle;
    int error = made(call, OBJECT_MATCHER, MLX5_IB_ATTR_FLOW_MATCHER_CREATE_HANDLE, &handle);
    if (error == 0) {
        object_any(call->card, call->context, handle)->size = (uint32_t)table;
    }
    return error;
}

// Where the rule sends to; in the FDB nothing but a table, or nowhere.
static int destination(const struct call *call, const struct object *matcher, uint32_t *table) {
    uint64_t handle = 0, flags = 0;
    attr_u64(call, MLX5_IB_ATTR_CREATE_FLOW_DEST_DEVX, &handle);
    attr_u64(call, MLX5_IB_ATTR_CREATE_FLOW_FLAGS, &flags);
    *table = (uint32_t)handle;
    bool drops = (flags & MLX5_IB_ATTR_CREATE_FLOW_FLAGS_DROP) != 0;
    if (handle != 0) {
        bool is_table =
            object_find(call->card, call->context, (uint32_t)handle, OBJECT_TABLE) != NULL;
        return is_table && !drops ? 0 : -EINVAL;
    }
    bool misses = (flags & MLX5_IB_ATTR_CREATE_FLOW_FLAGS_DEFAULT_MISS) != 0;
    return drops || (misses && matcher->size != MLX5_IB_UAPI_FLOW_TABLE_TYPE_FDB) ? 0 : -EINVAL;
}

// Handles of counters or actions that the rule refers to.
static int refer(struct call *call, uint32_t flow, uint16_t attr, enum object_kind kind) {
    const struct ib_uverbs_attr *list = attr_find(call, attr);
    const uint32_t *handles = attr_in(call, attr, sizeof(uint32_t));
    for (uint32_t i = 0; handles != NULL && i < list->len / sizeof(uint32_t); i++) {
        if (object_find(call->card, call->context, handles[i], kind) == NULL) {
            return -EINVAL;
        }
        object_use(call->card, flow, handles[i]);
    }
    return 0;
}

int flow_create(struct call *call) {
    uint64_t handle;
    if (!attr_u64(call, MLX5_IB_ATTR_CREATE_FLOW_MATCHER, &handle)) {
        return -EINVAL;
    }
    const struct object *matcher =
        object_find(call->card, call->context, (uint32_t)handle, OBJECT_MATCHER);
    uint32_t flow, table;
    if (matcher == NULL || destination(call, matcher, &table) != 0) {
        return -EINVAL;
    }
    int error = made(call, OBJECT_FLOW, MLX5_IB_ATTR_CREATE_FLOW_HANDLE, &flow);
    if (error != 0) {
        return error;
    }
    object_use(call->card, flow, (uint32_t)handle);
    if (table != 0) {
        object_use(call->card, flow, table);
    }
    if (refer(call, flow, MLX5_IB_ATTR_CREATE_FLOW_ARR_COUNTERS_DEVX, OBJECT_COUNTER) != 0 ||
        refer(call, flow, MLX5_IB_ATTR_CREATE_FLOW_ARR_FLOW_ACTIONS, OBJECT_ACTION) != 0) {
        object_remove(call->card, call->context, flow);
        return -EINVAL;
    }
    return 0;
}

int rewrite_create(struct call *call) {
    uint32_t handle;
    return made(call, OBJECT_ACTION, MLX5_IB_ATTR_CREATE_MODIFY_HEADER_HANDLE, &handle);
}

int reformat_create(struct call *call) {
    const struct ib_uverbs_attr *data =
        attr_find(call, MLX5_IB_ATTR_CREATE_PACKET_REFORMAT_DATA_BUF);
    if (firmware_reformat(call->card, data == NULL ? 0 : data->len) != 0) {
        return -EREMOTEIO;
    }
    uint32_t handle;
    return made(call, OBJECT_ACTION, MLX5_IB_ATTR_CREATE_PACKET_REFORMAT_HANDLE, &handle);
}
