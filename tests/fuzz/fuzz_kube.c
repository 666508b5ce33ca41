// SPDX-License-Identifier: Apache-2.0
// What an API server may answer: taken apart whole and byte by byte, which must come to the same;
// then read for addresses.
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "kube_endpoints.h"
#include "kube_stream.h"
#include "model/rng.h"

struct seen {
    uint64_t count, hash;
    struct seeds_list addresses;
};

static int take(void *context, const char *text, size_t size, struct error *error) {
    struct seen *seen = context;
    seen->count++;
    seen->hash = hash_pair(seen->hash, hash_bytes(text, size, 1));
    json_t *json = json_loadb(text, size, 0, NULL);
    if (json == NULL) {
        return error_set(error, -1, "no JSON");
    }
    const json_t *object = json_object_get(json, "object");
    int rc = kube_endpoints_read(object != NULL ? object : json, "gossip", &seen->addresses);
    assert(rc == 0);
    json_decref(json);
    return 0;
}

static int parse(enum kube_stream_kind kind, const char *text, size_t size, size_t step,
                 struct seen *seen) {
    struct kube_stream stream;
    struct error error = {0};
    int rc = 0;
    kube_stream_init(&stream, kind);
    for (size_t at = 0; rc == 0 && at < size; at += step) {
        rc = kube_stream_feed(&stream, text + at, size - at < step ? size - at : step, take, seen,
                              &error);
    }
    rc = rc != 0 ? rc : kube_stream_end(&stream, &error);
    assert((rc == 0) == (error.code == 0));
    kube_stream_fini(&stream);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    if (size == 0) {
        return 0;
    }
    enum kube_stream_kind kind = bytes[0] % 2 == 0 ? KUBE_STREAM_LIST : KUBE_STREAM_LINES;
    const char *text = (const char *)bytes + 1;
    struct seen whole = {0}, pieces = {0};
    int rc = parse(kind, text, size - 1, size, &whole);
    int rc_pieces = parse(kind, text, size - 1, 1, &pieces);
    assert(rc == rc_pieces && whole.count == pieces.count && whole.hash == pieces.hash);
    assert(seeds_list_equal(&whole.addresses, &pieces.addresses));
    for (uint32_t i = 0; i < whole.addresses.count; i++) {
        struct sockaddr_storage parsed;
        assert(config_address_parse(whole.addresses.addresses[i], &parsed));
    }
    seeds_list_fini(&whole.addresses);
    seeds_list_fini(&pieces.addresses);
    return 0;
}
