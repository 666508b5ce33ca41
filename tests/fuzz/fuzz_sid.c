// SPDX-License-Identifier: Apache-2.0
// Any text: a SID that formats and parses back to itself, or a refusal; the same for blocks. What
// unpacks packs to the same uSIDs.
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "model/usid.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect_back(const struct sid *sid) {
    char text[SID_TEXT_SIZE];
    struct sid again;
    sid_format(sid, text);
    assert(sid_parse(text, &again) == 0 && memcmp(sid, &again, sizeof again) == 0);
    struct usid_block block;
    struct usid_list list;
    struct sid_list sids = {.count = 1, .sids = {*sid}}, packed;
    memcpy(block.bytes, sid->bytes, sizeof block.bytes);
    if (sid_list_unpack(block, &sids, &list) == 0) {
        assert(sid_list_pack(block, &list, &packed) == 0 && sid_list_equal(&sids, &packed));
        unsigned shifts = 0;
        while (sid_shift(&again)) {
            shifts++;
        }
        assert(shifts == list.count - 1U);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *text = malloc(size + 1);
    assert(text != NULL);
    if (size > 0) {
        memcpy(text, data, size);
    }
    text[size] = '\0';
    struct sid sid;
    struct usid_block block;
    if (sid_parse(text, &sid) == 0) {
        expect_back(&sid);
    }
    if (usid_block_parse(text, &block) == 0) {
        assert(strstr(text, "/32") != NULL);
    }
    free(text);
    return 0;
}
