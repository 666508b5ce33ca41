// SPDX-License-Identifier: Apache-2.0
#include "softcx_wire.h"

#include <errno.h>

static int add_matcher(struct softcx *card, const struct softcx_request *request) {
    struct softcx_key mask;
    if (request->kind > UINT8_MAX || request->value > UINT16_MAX) {
        return -EINVAL;
    }
    int rc = softcx_key_of_mask(request->data, request->size, (uint8_t)request->kind, &mask);
    return rc != 0 ? rc
                   : softcx_add_matcher(card, request->id, request->parent,
                                        (uint16_t)request->value, &mask);
}

static int add_rule(struct softcx *card, const struct softcx_request *request) {
    struct softcx_key value;
    int rc = softcx_key_of_value(request->data, request->size, &value);
    return rc != 0 ? rc
                   : softcx_add_rule(card, request->id, request->parent, &value, request->actions,
                                     request->count);
}

static int add_action(struct softcx *card, const struct softcx_request *request) {
    if (request->kind >= ACTION_KINDS) {
        return -EINVAL;
    }
    return softcx_add_action(card, request->id, (enum softcx_action_kind)request->kind,
                             request->value, request->data, request->size);
}

struct softcx_answer softcx_handle(struct softcx *card, const struct softcx_request *request,
                                   size_t bytes) {
    struct softcx_answer answer = {.code = -EPROTO};
    if (bytes < offsetof(struct softcx_request, data) || request->size > sizeof request->data ||
        request->count > SOFTCX_COUNTERS_MAX ||
        bytes != offsetof(struct softcx_request, data) + request->size) {
        return answer;
    }
    switch (request->op) {
    case WIRE_ADD_TABLE:
        answer.code = request->value > UINT32_MAX
                          ? -EINVAL
                          : softcx_add_table(card, request->id, (uint32_t)request->value);
        break;
    case WIRE_ADD_MATCHER:
        answer.code = add_matcher(card, request);
        break;
    case WIRE_ADD_ACTION:
        answer.code = add_action(card, request);
        break;
    case WIRE_ADD_RULE:
        answer.code = add_rule(card, request);
        break;
    case WIRE_REMOVE:
        answer.code = softcx_remove(card, request->id);
        break;
    case WIRE_ADD_COUNTERS:
        answer.code =
            softcx_add_counters(card, (uint32_t)request->value, request->count, &answer.slot);
        break;
    case WIRE_REMOVE_COUNTERS:
        answer.code = softcx_remove_counters(card, (uint32_t)request->value);
        break;
    default:
        break;
    }
    return answer;
}
