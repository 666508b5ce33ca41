// SPDX-License-Identifier: Apache-2.0
// A batch without a fabric: `count` flows over candidates of `uplinks` leaf uplinks with as many
// candidates each, and a record of what an algorithm emits.
#ifndef BATCH_FIXTURE_H
#define BATCH_FIXTURE_H

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "pathalg/algorithm.h"
#include "pathalg/candidates.h"

#define BATCH_FLOWS_MAX 256
#define BATCH_PARTS_MAX (BATCH_FLOWS_MAX * 64)

struct batch_fixture {
    struct assign_flow flows[BATCH_FLOWS_MAX];
    struct path candidates[CANDIDATES_MAX];
    struct assign_batch batch;
    uint64_t candidate_bytes[CANDIDATES_MAX];
    uint64_t flow_bytes[BATCH_FLOWS_MAX];
    uint32_t flow_parts[BATCH_FLOWS_MAX];
    uint32_t part_count;
    int fail_at; // the part on which emit fails; -1 none
};

static inline struct batch_fixture *batch_open(uint32_t flows, uint64_t bytes, uint32_t uplinks,
                                               uint32_t paths_per_uplink) {
    struct batch_fixture *fixture = calloc(1, sizeof *fixture);
    assert(fixture != NULL && flows <= BATCH_FLOWS_MAX);
    fixture->fail_at = -1;
    for (uint32_t i = 0; i < flows; i++) {
        fixture->flows[i] =
            (struct assign_flow){.src = {1000}, .dst = {i}, .bytes = bytes, .index = i};
    }
    uint32_t count = uplinks * paths_per_uplink;
    for (uint32_t i = 0; i < count; i++) {
        fixture->candidates[i] =
            (struct path){.link_count = 4,
                          .links = {{0}, {2 + i / paths_per_uplink}, {10000 + i}, {1}}};
    }
    fixture->batch = (struct assign_batch){
        .flows = fixture->flows,
        .flow_count = flows,
        .candidates = fixture->candidates,
        .candidate_count = count,
        .salt = UINT64_C(0x9e3779b97f4a7c15),
    };
    return fixture;
}

static inline int batch_emit(void *context, uint32_t flow, uint32_t candidate, uint64_t bytes) {
    struct batch_fixture *fixture = context;
    assert(flow < fixture->batch.flow_count && candidate < fixture->batch.candidate_count);
    if ((int)fixture->part_count == fixture->fail_at) {
        return -12;
    }
    fixture->candidate_bytes[candidate] += bytes;
    fixture->flow_bytes[flow] += bytes;
    fixture->flow_parts[flow]++;
    fixture->part_count++;
    return 0;
}

static inline int batch_run(struct batch_fixture *fixture, const struct algorithm *algorithm) {
    memset(fixture->candidate_bytes, 0, sizeof fixture->candidate_bytes);
    memset(fixture->flow_bytes, 0, sizeof fixture->flow_bytes);
    memset(fixture->flow_parts, 0, sizeof fixture->flow_parts);
    fixture->part_count = 0;
    return algorithm->assign(&fixture->batch, batch_emit, fixture);
}

#endif
