// SPDX-License-Identifier: Apache-2.0
// The attributes of one RDMA_VERBS_IOCTL. Input of up to eight bytes is in the attribute itself,
// longer input and all output behind a pointer; a handle is the value.
#include <stdint.h>
#include <string.h>

#include <rdma/rdma_user_ioctl_cmds.h>

#include "card.h"

struct ib_uverbs_attr *attr_find(const struct call *call, uint16_t id) {
    for (uint16_t i = 0; i < call->header->num_attrs; i++) {
        if (call->header->attrs[i].attr_id == id) {
            return &call->header->attrs[i];
        }
    }
    return NULL;
}

const void *attr_in(const struct call *call, uint16_t id, size_t size) {
    const struct ib_uverbs_attr *attr = attr_find(call, id);
    if (attr == NULL || attr->len < size) {
        return NULL;
    }
    return attr->len <= sizeof(attr->data) ? (const void *)&attr->data
                                           : (const void *)(uintptr_t)attr->data;
}

bool attr_u64(const struct call *call, uint16_t id, uint64_t *out) {
    const struct ib_uverbs_attr *attr = attr_find(call, id);
    if (attr == NULL) {
        return false;
    }
    uint64_t value = attr->data;
    if (attr->len == sizeof(uint32_t)) {
        value = (uint32_t)value;
    }
    *out = value;
    return true;
}

void attr_put(const struct call *call, uint16_t id, const void *value, size_t size) {
    struct ib_uverbs_attr *attr = attr_find(call, id);
    if (attr != NULL) {
        memcpy((void *)(uintptr_t)attr->data, value, size < attr->len ? size : attr->len);
        attr->flags |= UVERBS_ATTR_F_VALID_OUTPUT;
    }
}

void attr_set(const struct call *call, uint16_t id, uint64_t value) {
    struct ib_uverbs_attr *attr = attr_find(call, id);
    if (attr != NULL) {
        attr->data = value;
    }
}
