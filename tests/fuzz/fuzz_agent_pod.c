// SPDX-License-Identifier: Apache-2.0
// Any text as a pod of the API server, and as what the agent remembers of its pods: ranks that can
// be published, or a sentence.
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "pods.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char ports[2][NAME_SIZE] = {"h0.0", "h0.1"};

static void check_ranks(const struct pod_rank *ranks, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        uint8_t bytes[512];
        struct pod_rank again;
        ssize_t length = pod_rank_encode(&ranks[i], bytes, sizeof(bytes));
        assert(length > 0);
        int rc = pod_rank_decode(bytes, (size_t)length, &again);
        assert(rc == 0);
    }
}

static void on_refused(void *context, const char *pod, const struct error *error) {
    (void)context;
    assert(pod[0] != '\0' && error->code < 0 && error->text[0] != '\0');
    for (const char *at = error->text; *at != '\0'; at++) {
        assert(*at >= ' ' && *at <= '~');
    }
}

static void as_pod(const json_t *object) {
    struct pod_set *set = pod_set_open(NULL, 0, on_refused, NULL);
    struct pod_rank *ranks = NULL;
    uint32_t count = 0;
    if (set == NULL) {
        return;
    }
    pod_set_begin(set);
    pod_set_take(set, object, false);
    pod_set_end(set);
    if (pod_set_ranks(set, ports, 2, &ranks, &count) == 0) {
        check_ranks(ranks, count);
        free(ranks);
    }
    pod_set_take(set, object, true);
    pod_set_close(set);
}

static void as_memory(const json_t *object) {
    struct pod_rank *ranks = NULL;
    uint32_t count = 0;
    struct error error = {0};
    if (pod_ranks_from_json(object, &ranks, &count, &error) == 0) {
        free(ranks);
    } else {
        assert(error.code < 0 && error.text[0] != '\0');
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    json_t *object = json_loadb((const char *)data, size, JSON_DECODE_ANY, NULL);
    as_pod(object);
    as_memory(object);
    json_decref(object);
    return 0;
}
