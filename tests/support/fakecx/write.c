// SPDX-License-Identifier: Apache-2.0
// The older commands of the uverbs ABI, as an ioctl carries them: a number, the core's request and
// answer, the driver's own beside them.
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include <rdma/ib_user_ioctl_cmds.h>
#include <rdma/ib_user_verbs.h>
#include <rdma/mlx5-abi.h>

#include "card.h"

static int get_context(struct call *call) {
    struct context *context = &call->card->contexts[call->context];
    if (call->card->faults.fatal) {
        return -EIO;
    }
    if (context->async_fd < 0) {
        return -EINVAL; // a second time
    }
    struct ib_uverbs_get_context_resp core = {.async_fd = (uint32_t)context->async_fd,
                                              .num_comp_vectors = 1};
    struct mlx5_ib_alloc_ucontext_resp driver = {.qp_tab_size = 1U << 18,
                                                 .bf_reg_size = 512,
                                                 .cache_line_size = 64,
                                                 .max_sq_desc_sz = 1024,
                                                 .max_rq_desc_sz = 512,
                                                 .max_send_wqebb = 32768,
                                                 .max_recv_wr = 32768,
                                                 .max_srq_recv_wr = 32767,
                                                 .num_ports = 1,
                                                 .response_length = sizeof(driver),
                                                 .cqe_version = 1,
                                                 .eth_min_inline = MLX5_USER_INLINE_MODE_NONE,
                                                 .log_uar_size = 12,
                                                 .num_uars_per_page = 1};
    context->async_fd = -1; // the library's now
    attr_put(call, UVERBS_ATTR_CORE_OUT, &core, sizeof(core));
    attr_put(call, UVERBS_ATTR_UHW_OUT, &driver, sizeof(driver));
    return 0;
}

static int query_device(struct call *call) {
    static const uint32_t part[] = {
        [CARD_CX5] = 0x1017, [CARD_CX6DX] = 0x101d, [CARD_CX7] = 0x1021};
    static const uint64_t major[] = {[CARD_CX5] = 16, [CARD_CX6DX] = 22, [CARD_CX7] = 28};
    struct ib_uverbs_query_device_resp device = {.fw_ver = major[call->card->format] << 32 |
                                                           38ULL << 16 | 1002,
                                                 .max_mr_size = UINT64_MAX,
                                                 .page_size_cap = 0xfffff000,
                                                 .vendor_id = 0x15b3,
                                                 .vendor_part_id = part[call->card->format],
                                                 .max_qp = 1U << 18,
                                                 .max_qp_wr = 32768,
                                                 .max_sge = 30,
                                                 .max_cq = 1U << 16,
                                                 .max_cqe = 1U << 22,
                                                 .max_mr = 1U << 20,
                                                 .max_pd = 1U << 16,
                                                 .max_pkeys = 1,
                                                 .phys_port_cnt = 1};
    attr_put(call, UVERBS_ATTR_CORE_OUT, &device, sizeof(device));
    return 0;
}

static int alloc_pd(struct call *call) {
    uint32_t handle = object_add(call->card, call->context, OBJECT_PD);
    if (handle == 0) {
        return -ENOMEM;
    }
    struct ib_uverbs_alloc_pd_resp core = {.pd_handle = handle};
    struct mlx5_ib_alloc_pd_resp driver = {.pdn = handle};
    attr_put(call, UVERBS_ATTR_CORE_OUT, &core, sizeof(core));
    attr_put(call, UVERBS_ATTR_UHW_OUT, &driver, sizeof(driver));
    return 0;
}

static int register_memory(struct call *call) {
    struct ib_uverbs_reg_mr in;
    const void *request = attr_in(call, UVERBS_ATTR_CORE_IN, sizeof(in));
    if (request == NULL) {
        return -EINVAL;
    }
    memcpy(&in, request, sizeof(in));
    if (object_find(call->card, call->context, in.pd_handle, OBJECT_PD) == NULL) {
        return -EINVAL;
    }
    uint32_t handle = object_add(call->card, call->context, OBJECT_REGION);
    if (handle == 0) {
        return -ENOMEM;
    }
    struct object *region = object_any(call->card, call->context, handle);
    region->base = (uint8_t *)(uintptr_t)in.start;
    region->length = in.length;
    region->iova = in.hca_va;
    object_use(call->card, handle, in.pd_handle);
    struct ib_uverbs_reg_mr_resp core = {.mr_handle = handle,
                                         .lkey = handle << 8,
                                         .rkey = handle << 8};
    attr_put(call, UVERBS_ATTR_CORE_OUT, &core, sizeof(core));
    return 0;
}

static uint32_t power_of_two(uint32_t least) {
    uint32_t value = 1;
    while (value < least) {
        value <<= 1;
    }
    return value;
}

static int create_cq(struct call *call) {
    struct ib_uverbs_create_cq in;
    struct mlx5_ib_create_cq driver_in;
    const void *request = attr_in(call, UVERBS_ATTR_CORE_IN, sizeof(in));
    const void *driver_request = attr_in(call, UVERBS_ATTR_UHW_IN, 24);
    if (request == NULL || driver_request == NULL) {
        return -EINVAL;
    }
    memcpy(&in, request, sizeof(in));
    memcpy(&driver_in, driver_request, 24);
    if (in.cqe == 0 || in.cqe > 1U << 22 ||
        (driver_in.cqe_size != 64 && driver_in.cqe_size != 128)) {
        return -EINVAL;
    }
    uint32_t handle = object_add(call->card, call->context, OBJECT_CQ);
    if (handle == 0) {
        return -ENOMEM;
    }
    struct object *cq = object_any(call->card, call->context, handle);
    cq->base = (uint8_t *)(uintptr_t)driver_in.buf_addr;
    cq->doorbell = (volatile uint32_t *)(uintptr_t)driver_in.db_addr;
    cq->length = power_of_two(in.cqe + 1);
    cq->size = driver_in.cqe_size;
    struct ib_uverbs_create_cq_resp core = {.cq_handle = handle, .cqe = (uint32_t)cq->length - 1};
    struct mlx5_ib_create_cq_resp driver = {.cqn = handle};
    attr_put(call, UVERBS_ATTR_CORE_OUT, &core, sizeof(core));
    attr_put(call, UVERBS_ATTR_UHW_OUT, &driver, sizeof(driver));
    return 0;
}

int write_run(struct call *call) {
    uint64_t command;
    if (!attr_u64(call, UVERBS_ATTR_WRITE_CMD, &command)) {
        return -EINVAL;
    }
    if (attr_find(call, UVERBS_ATTR_CORE_OUT) == NULL) {
        return -ENOSPC; // the library asks so whether there is such an ioctl
    }
    switch (command) {
    case IB_USER_VERBS_CMD_GET_CONTEXT:
        return get_context(call);
    case IB_USER_VERBS_CMD_QUERY_DEVICE:
        return query_device(call);
    case IB_USER_VERBS_CMD_ALLOC_PD:
        return alloc_pd(call);
    case IB_USER_VERBS_CMD_REG_MR:
        return register_memory(call);
    case IB_USER_VERBS_CMD_CREATE_CQ:
        return create_cq(call);
    default:
        return -ENOSYS;
    }
}
