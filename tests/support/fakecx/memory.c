// SPDX-License-Identifier: Apache-2.0
// Pages and memory: doorbell pages, user memory for firmware objects, steering memory (ICM). The
// library writes ICM only by RDMA, so it is memory of this process behind an address of its own.
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>

#include <rdma/ib_user_ioctl_cmds.h>
#include <rdma/mlx5_user_ioctl_cmds.h>
#include <rdma/mlx5_user_ioctl_verbs.h>

#include "card.h"

int uar_alloc(struct call *call) {
    uint32_t handle = object_add(call->card, call->context, OBJECT_UAR);
    if (handle == 0) {
        return -ENOMEM;
    }
    uint64_t offset = (uint64_t)handle << 12;
    uint32_t length = 4096;
    attr_put(call, MLX5_IB_ATTR_UAR_OBJ_ALLOC_MMAP_OFFSET, &offset, sizeof(offset));
    attr_put(call, MLX5_IB_ATTR_UAR_OBJ_ALLOC_MMAP_LENGTH, &length, sizeof(length));
    attr_put(call, MLX5_IB_ATTR_UAR_OBJ_ALLOC_PAGE_ID, &handle, sizeof(handle));
    attr_set(call, MLX5_IB_ATTR_UAR_OBJ_ALLOC_HANDLE, handle);
    return 0;
}

int umem_register(struct call *call) {
    uint64_t address, length;
    if (!attr_u64(call, MLX5_IB_ATTR_DEVX_UMEM_REG_ADDR, &address) ||
        !attr_u64(call, MLX5_IB_ATTR_DEVX_UMEM_REG_LEN, &length)) {
        return -EINVAL;
    }
    uint32_t handle = object_add(call->card, call->context, OBJECT_UMEM);
    if (handle == 0) {
        return -ENOMEM;
    }
    struct object *umem = object_any(call->card, call->context, handle);
    umem->base = (uint8_t *)(uintptr_t)address;
    umem->length = length;
    attr_put(call, MLX5_IB_ATTR_DEVX_UMEM_REG_OUT_ID, &handle, sizeof(handle));
    attr_set(call, MLX5_IB_ATTR_DEVX_UMEM_REG_HANDLE, handle);
    return 0;
}

// ---- steering memory

uint64_t icm_in_use(const struct card *card) {
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < card->object_count; i++) {
        const struct object *object = &card->objects[i];
        bytes += object->kind == OBJECT_ICM && !object->left ? object->length : 0;
    }
    return bytes;
}

static bool is_free(const struct card *card, uint64_t from, uint64_t length) {
    for (uint32_t i = 0; i < card->object_count; i++) {
        const struct object *icm = &card->objects[i];
        if (icm->kind == OBJECT_ICM && !icm->left && icm->iova < from + length &&
            from < icm->iova + icm->length) {
            return false;
        }
    }
    return true;
}

// An aligned address of `length` bytes, 0 when the capability's space is full. The library wants
// what it asks for aligned to its length.
static uint64_t place(const struct card *card, uint64_t type, uint64_t length) {
    uint64_t size, start = caps_icm_start(type, &size);
    for (uint64_t at = start; length <= size && at + length <= start + size; at += length) {
        if (is_free(card, at, length)) {
            return at;
        }
    }
    return 0;
}

static int icm_limits(const struct card *card, uint64_t length) {
    const struct faults *faults = &card->faults;
    bool exhausted = faults->icm_set && icm_in_use(card) + length > faults->icm_limit;
    return exhausted ? -ENOMEM : 0;
}

int icm_alloc(struct call *call) {
    uint64_t length, type;
    if (!attr_u64(call, UVERBS_ATTR_ALLOC_DM_LENGTH, &length) ||
        !attr_u64(call, MLX5_IB_ATTR_ALLOC_DM_REQ_TYPE, &type) || length == 0 ||
        (length & (length - 1)) != 0) {
        return -EINVAL;
    }
    uint64_t address = place(call->card, type, length);
    if (address == 0 || icm_limits(call->card, length) != 0) {
        return -ENOMEM;
    }
    uint32_t handle = object_add(call->card, call->context, OBJECT_ICM);
    void *memory = mmap(NULL, length, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (handle == 0 || memory == MAP_FAILED) {
        return -ENOMEM;
    }
    struct object *icm = object_any(call->card, call->context, handle);
    icm->base = memory;
    icm->length = length;
    icm->iova = address;
    icm->size = (uint32_t)length;
    attr_put(call, MLX5_IB_ATTR_ALLOC_DM_RESP_START_OFFSET, &address, sizeof(address));
    attr_set(call, UVERBS_ATTR_ALLOC_DM_HANDLE, handle);
    return 0;
}

int icm_register(struct call *call) {
    uint64_t pd, dm, offset, length;
    if (!attr_u64(call, UVERBS_ATTR_REG_DM_MR_PD_HANDLE, &pd) ||
        !attr_u64(call, UVERBS_ATTR_REG_DM_MR_DM_HANDLE, &dm) ||
        !attr_u64(call, UVERBS_ATTR_REG_DM_MR_OFFSET, &offset) ||
        !attr_u64(call, UVERBS_ATTR_REG_DM_MR_LENGTH, &length)) {
        return -EINVAL;
    }
    struct object *icm = object_find(call->card, call->context, (uint32_t)dm, OBJECT_ICM);
    if (icm == NULL || offset > icm->length || length > icm->length - offset ||
        object_find(call->card, call->context, (uint32_t)pd, OBJECT_PD) == NULL) {
        return -EINVAL;
    }
    uint8_t *base = icm->base + offset;
    uint32_t handle = object_add(call->card, call->context, OBJECT_REGION);
    if (handle == 0) {
        return -ENOMEM;
    }
    struct object *region = object_any(call->card, call->context, handle);
    region->base = base;
    region->length = length;
    object_use(call->card, handle, (uint32_t)dm);
    object_use(call->card, handle, (uint32_t)pd);
    uint32_t key = handle << 8;
    attr_put(call, UVERBS_ATTR_REG_DM_MR_RESP_LKEY, &key, sizeof(key));
    attr_put(call, UVERBS_ATTR_REG_DM_MR_RESP_RKEY, &key, sizeof(key));
    attr_set(call, UVERBS_ATTR_REG_DM_MR_HANDLE, handle);
    return 0;
}
