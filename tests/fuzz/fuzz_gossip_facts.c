// SPDX-License-Identifier: Apache-2.0
// Any bytes as each of the facts: what decodes must encode again, to what decodes equal.
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "gossip/facts.h"
#include "gossip/gossip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t first[GOSSIP_VALUE_MAX * 2], second[GOSSIP_VALUE_MAX * 2];

static void check_job(const uint8_t *data, size_t size) {
    struct job job;
    struct job again;
    if (job_decode(data, size, &job) != 0) {
        return;
    }
    ssize_t length = job_encode(&job, first, sizeof first);
    assert(length > 0);
    int decoded = job_decode(first, (size_t)length, &again);
    assert(decoded == 0);
    assert(job_encode(&again, second, sizeof second) == length);
    assert(memcmp(first, second, (size_t)length) == 0);
    job_fini(&job);
    job_fini(&again);
}

#define CHECK(type)                                                                                \
    static void check_##type(const uint8_t *data, size_t size) {                                   \
        struct type fact;                                                                          \
        if (type##_decode(data, size, &fact) != 0) {                                               \
            return;                                                                                \
        }                                                                                          \
        ssize_t length = type##_encode(&fact, first, sizeof first);                                \
        assert(length > 0);                                                                        \
        struct type again;                                                                         \
        int decoded = type##_decode(first, (size_t)length, &again);                                \
        assert(decoded == 0);                                                                      \
        assert(type##_encode(&again, second, sizeof second) == length);                            \
        assert(memcmp(first, second, (size_t)length) == 0);                                        \
    }

CHECK(member_facts)
CHECK(link_report)
CHECK(rank_binding)
CHECK(pod_rank)
CHECK(drain_order)
CHECK(host_load)
CHECK(host_facts)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    check_member_facts(data, size);
    check_link_report(data, size);
    check_job(data, size);
    check_rank_binding(data, size);
    check_pod_rank(data, size);
    check_drain_order(data, size);
    check_host_load(data, size);
    check_host_facts(data, size);
    return 0;
}
