// SPDX-License-Identifier: Apache-2.0
// A batch on a real fabric: flows of one size from host h0 to ports of the last leaf, on the
// candidates that live; and what an algorithm puts on each.
#ifndef LOCAL_BATCH_H
#define LOCAL_BATCH_H

#include <assert.h>
#include <string.h>

#include "batch_fixture.h"
#include "path_fixture.h"

// The candidates are those of the fabric, the flows batch_open's.
static inline struct batch_fixture *local_batch_open(const struct path_fixture *paths,
                                                     uint32_t flows, uint64_t bytes) {
    struct batch_fixture *batch = batch_open(flows, bytes, 1, 1);
    const struct fabric *fabric = paths->fabric;
    batch->batch.fabric = fabric;
    batch->batch.beliefs = paths->beliefs;
    batch->batch.candidate_count =
        candidates_find(fabric, paths->beliefs, (port_id){0}, (port_id){fabric->port_count - 1},
                        batch->candidates, CANDIDATES_MAX);
    assert(batch->batch.candidate_count > 0);
    return batch;
}

#endif
