// SPDX-License-Identifier: Apache-2.0
// Which method of which kind of object an ioctl asks for. What is not in the table does not exist
// in this kernel: libibverbs takes EPROTONOSUPPORT for that and asks in its older way, or gives up.
#include <errno.h>
#include <stddef.h>

#include <rdma/ib_user_ioctl_cmds.h>
#include <rdma/ib_user_ioctl_verbs.h>
#include <rdma/ib_user_verbs.h>
#include <rdma/mlx5_user_ioctl_cmds.h>
#include <rdma/rdma_user_ioctl_cmds.h>

#include "card.h"

struct method {
    uint16_t object, method;
    int (*run)(struct call *call);
    uint16_t handle; // of what is removed, where there is no `run`
};

static int query_port(struct call *call) {
    struct ib_uverbs_query_port_resp_ex port = {.legacy_resp = {.max_msg_sz = 1U << 30,
                                                                .gid_tbl_len = 16,
                                                                .pkey_tbl_len = 1,
                                                                .state = 4,
                                                                .max_mtu = 5,
                                                                .active_mtu = 5,
                                                                .max_vl_num = 1,
                                                                .active_width = 2,
                                                                .active_speed = 32,
                                                                .phys_state = 5,
                                                                .link_layer = 2}};
    uint64_t number;
    if (!attr_u64(call, UVERBS_ATTR_QUERY_PORT_PORT_NUM, &number) || number != 1) {
        return -EINVAL;
    }
    attr_put(call, UVERBS_ATTR_QUERY_PORT_RESP, &port, sizeof(port));
    return 0;
}

static int cq_destroy(struct call *call) {
    uint64_t handle;
    if (!attr_u64(call, UVERBS_ATTR_DESTROY_CQ_HANDLE, &handle)) {
        return -EINVAL;
    }
    int error = object_remove(call->card, call->context, (uint32_t)handle);
    if (error == 0) {
        struct ib_uverbs_destroy_cq_resp none = {0};
        attr_put(call, UVERBS_ATTR_DESTROY_CQ_RESP, &none, sizeof(none));
    }
    return error;
}

static const struct method METHODS[] = {
    {UVERBS_OBJECT_DEVICE, UVERBS_METHOD_INVOKE_WRITE, write_run, 0},
    {UVERBS_OBJECT_DEVICE, UVERBS_METHOD_QUERY_PORT, query_port, 0},
    {UVERBS_OBJECT_PD, UVERBS_METHOD_PD_DESTROY, NULL, UVERBS_ATTR_DESTROY_PD_HANDLE},
    {UVERBS_OBJECT_MR, UVERBS_METHOD_MR_DESTROY, NULL, UVERBS_ATTR_DESTROY_MR_HANDLE},
    {UVERBS_OBJECT_MR, UVERBS_METHOD_DM_MR_REG, icm_register, 0},
    {UVERBS_OBJECT_CQ, UVERBS_METHOD_CQ_DESTROY, cq_destroy, 0},
    {UVERBS_OBJECT_DM, UVERBS_METHOD_DM_ALLOC, icm_alloc, 0},
    {UVERBS_OBJECT_DM, UVERBS_METHOD_DM_FREE, NULL, UVERBS_ATTR_FREE_DM_HANDLE},
    {UVERBS_OBJECT_FLOW, UVERBS_METHOD_FLOW_DESTROY, NULL, UVERBS_ATTR_DESTROY_FLOW_HANDLE},
    {UVERBS_OBJECT_FLOW, MLX5_IB_METHOD_CREATE_FLOW, flow_create, 0},
    {UVERBS_OBJECT_FLOW_ACTION, UVERBS_METHOD_FLOW_ACTION_DESTROY, NULL,
     UVERBS_ATTR_DESTROY_FLOW_ACTION_HANDLE},
    {UVERBS_OBJECT_FLOW_ACTION, MLX5_IB_METHOD_FLOW_ACTION_CREATE_MODIFY_HEADER, rewrite_create, 0},
    {UVERBS_OBJECT_FLOW_ACTION, MLX5_IB_METHOD_FLOW_ACTION_CREATE_PACKET_REFORMAT, reformat_create,
     0},
    {MLX5_IB_OBJECT_FLOW_MATCHER, MLX5_IB_METHOD_FLOW_MATCHER_CREATE, matcher_create, 0},
    {MLX5_IB_OBJECT_FLOW_MATCHER, MLX5_IB_METHOD_FLOW_MATCHER_DESTROY, NULL,
     MLX5_IB_ATTR_FLOW_MATCHER_DESTROY_HANDLE},
    {MLX5_IB_OBJECT_UAR, MLX5_IB_METHOD_UAR_OBJ_ALLOC, uar_alloc, 0},
    {MLX5_IB_OBJECT_UAR, MLX5_IB_METHOD_UAR_OBJ_DESTROY, NULL, MLX5_IB_ATTR_UAR_OBJ_DESTROY_HANDLE},
    {MLX5_IB_OBJECT_DEVX_UMEM, MLX5_IB_METHOD_DEVX_UMEM_REG, umem_register, 0},
    {MLX5_IB_OBJECT_DEVX_UMEM, MLX5_IB_METHOD_DEVX_UMEM_DEREG, NULL,
     MLX5_IB_ATTR_DEVX_UMEM_DEREG_HANDLE},
    {MLX5_IB_OBJECT_DEVX, MLX5_IB_METHOD_DEVX_OTHER, devx_other, 0},
    {MLX5_IB_OBJECT_DEVX_OBJ, MLX5_IB_METHOD_DEVX_OBJ_CREATE, devx_create, 0},
    {MLX5_IB_OBJECT_DEVX_OBJ, MLX5_IB_METHOD_DEVX_OBJ_DESTROY, NULL,
     MLX5_IB_ATTR_DEVX_OBJ_DESTROY_HANDLE},
    {MLX5_IB_OBJECT_DEVX_OBJ, MLX5_IB_METHOD_DEVX_OBJ_MODIFY, devx_modify, 0},
    {MLX5_IB_OBJECT_DEVX_OBJ, MLX5_IB_METHOD_DEVX_OBJ_QUERY, devx_query, 0},
    {MLX5_IB_OBJECT_DEVX_OBJ, MLX5_IB_METHOD_DEVX_OBJ_ASYNC_QUERY, devx_query_async, 0},
    {MLX5_IB_OBJECT_DEVX_ASYNC_CMD_FD, MLX5_IB_METHOD_DEVX_ASYNC_CMD_FD_ALLOC, devx_channel, 0},
};

static const struct method *method_of(const struct ib_uverbs_ioctl_hdr *header) {
    for (size_t i = 0; i < sizeof(METHODS) / sizeof(METHODS[0]); i++) {
        if (METHODS[i].object == header->object_id && METHODS[i].method == header->method_id) {
            return &METHODS[i];
        }
    }
    return NULL;
}

int ioctl_run(struct call *call) {
    const struct method *method = method_of(call->header);
    if (method == NULL) {
        return -EPROTONOSUPPORT;
    }
    bool removes = method->run == NULL || method->run == cq_destroy;
    if (call->card->contexts[call->context].dead &&
        !(removes && call->card->faults.fatal_destroys)) {
        return -EIO;
    }
    if (method->run != NULL) {
        return method->run(call);
    }
    uint64_t handle;
    return attr_u64(call, method->handle, &handle)
               ? object_remove(call->card, call->context, (uint32_t)handle)
               : -EINVAL;
}
