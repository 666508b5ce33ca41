// SPDX-License-Identifier: Apache-2.0
#include "model/usid.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#define BLOCK_SIZE 4 // bytes in front of the first uSID

static uint16_t usid_at(const struct sid *sid, unsigned place) {
    const uint8_t *at = sid->bytes + BLOCK_SIZE + 2 * place;
    return (uint16_t)(at[0] << 8 | at[1]);
}

static void usid_put(struct sid *sid, unsigned place, uint16_t usid) {
    uint8_t *at = sid->bytes + BLOCK_SIZE + 2 * place;
    at[0] = (uint8_t)(usid >> 8);
    at[1] = (uint8_t)usid;
}

int usid_list_append(struct usid_list *list, uint16_t usid) {
    if (usid == 0) {
        return -EINVAL;
    }
    if (list->count >= USID_LIST_MAX) {
        return -ENOSPC;
    }
    list->usids[list->count++] = usid;
    return 0;
}

int sid_list_pack(struct usid_block block, const struct usid_list *usids, struct sid_list *out) {
    if (usids->count == 0 || usids->count > USID_LIST_MAX) {
        return -EINVAL;
    }
    struct sid_list list = {0};
    for (unsigned i = 0; i < usids->count; i++) {
        if (usids->usids[i] == 0) {
            return -EINVAL;
        }
        struct sid *sid = &list.sids[i / USID_PER_CARRIER];
        memcpy(sid->bytes, block.bytes, BLOCK_SIZE);
        usid_put(sid, i % USID_PER_CARRIER, usids->usids[i]);
    }
    list.count = (uint8_t)((usids->count + USID_PER_CARRIER - 1) / USID_PER_CARRIER);
    *out = list;
    return 0;
}

static int unpack_carrier(struct usid_block block, const struct sid *sid, struct usid_list *list) {
    if (memcmp(sid->bytes, block.bytes, BLOCK_SIZE) != 0 || usid_at(sid, 0) == 0) {
        return -EINVAL;
    }
    bool ended = false;
    for (unsigned place = 0; place < USID_PER_CARRIER; place++) {
        uint16_t usid = usid_at(sid, place);
        if (usid == 0) {
            ended = true;
        } else if (ended) {
            return -EINVAL;
        } else {
            list->usids[list->count++] = usid;
        }
    }
    return 0;
}

int sid_list_unpack(struct usid_block block, const struct sid_list *sids, struct usid_list *out) {
    struct usid_list list = {0};
    if (sids->count > SID_LIST_MAX) {
        return -EINVAL;
    }
    for (unsigned i = 0; i < sids->count; i++) {
        int rc = unpack_carrier(block, &sids->sids[i], &list);
        if (rc != 0) {
            return rc;
        }
    }
    *out = list;
    return 0;
}

struct sid sid_of(struct usid_block block, uint16_t usid) {
    struct sid sid = {0};
    memcpy(sid.bytes, block.bytes, BLOCK_SIZE);
    usid_put(&sid, 0, usid);
    return sid;
}

uint16_t sid_first_usid(const struct sid *sid) {
    return usid_at(sid, 0);
}

bool sid_shift(struct sid *sid) {
    static const uint8_t zeros[sizeof sid->bytes] = {0};
    uint8_t *first = sid->bytes + BLOCK_SIZE;
    size_t rest = sizeof sid->bytes - BLOCK_SIZE - 2;
    if (memcmp(first + 2, zeros, rest) == 0) {
        return false;
    }
    memmove(first, first + 2, rest);
    usid_put(sid, USID_PER_CARRIER - 1, 0);
    return true;
}

size_t sid_list_overhead_bytes(const struct sid_list *sids) {
    if (sids->count == 0) {
        return 0;
    }
    return sids->count == 1 ? 40 : 48 + 16 * ((size_t)sids->count - 1);
}

bool sid_list_equal(const struct sid_list *a, const struct sid_list *b) {
    return a->count == b->count && memcmp(a->sids, b->sids, a->count * sizeof a->sids[0]) == 0;
}

void sid_format(const struct sid *sid, char text[SID_TEXT_SIZE]) {
    inet_ntop(AF_INET6, sid->bytes, text, SID_TEXT_SIZE);
}

int sid_parse(const char *text, struct sid *out) {
    struct sid sid;
    if (inet_pton(AF_INET6, text, sid.bytes) != 1) {
        return -EINVAL;
    }
    *out = sid;
    return 0;
}

int usid_block_parse(const char *text, struct usid_block *out) {
    char address[SID_TEXT_SIZE];
    const char *slash = strchr(text, '/');
    if (slash == NULL || strcmp(slash, "/32") != 0 || slash - text >= SID_TEXT_SIZE) {
        return -EINVAL;
    }
    memcpy(address, text, (size_t)(slash - text));
    address[slash - text] = '\0';
    struct sid sid;
    if (sid_parse(address, &sid) != 0) {
        return -EINVAL;
    }
    for (size_t i = BLOCK_SIZE; i < sizeof sid.bytes; i++) {
        if (sid.bytes[i] != 0) {
            return -EINVAL;
        }
    }
    memcpy(out->bytes, sid.bytes, BLOCK_SIZE);
    return 0;
}
