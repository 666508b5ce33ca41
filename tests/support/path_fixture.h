// SPDX-License-Identifier: Apache-2.0
// A generated fabric and one job on it, as input for plans. Asserts that everything succeeds.
#ifndef PATH_FIXTURE_H
#define PATH_FIXTURE_H

#include "pathalg/candidates.h"
#include "pathalg/plan.h"

#define GBPS UINT64_C(1000000000)

struct path_fixture {
    struct fabric *fabric;
    struct link_belief *beliefs;
    struct job job;
    port_id *ranks;
    const uint32_t *maps[JOB_COLLECTIVES_MAX];
    struct plan_job plan_job;
    struct plan_input input;
};

// 400G everywhere. The job has no collectives yet; its ranks are all ports.
void fixture_leaf_spine(struct path_fixture *fixture, uint32_t leaves, uint32_t spines,
                        uint32_t hosts_per_leaf, uint32_t cables);
void fixture_three_tier(struct path_fixture *fixture, uint32_t pods, uint32_t leaves_per_pod,
                        uint32_t aggs_per_pod, uint32_t cores, uint32_t hosts_per_leaf);
void fixture_clos(struct path_fixture *fixture, const struct fabric_clos_desc *clos);
void fixture_close(struct path_fixture *fixture);

// Adds a collective to the job.
void fixture_collective(struct path_fixture *fixture, enum collective_type type, uint64_t bytes,
                        uint64_t seed);
void fixture_pairs(struct path_fixture *fixture, const struct job_pair *pairs, uint32_t count,
                   uint64_t bytes);

// Direction "A>B[.k]": down, or left with a share of its capacity.
void fixture_cut(struct path_fixture *fixture, const char *link);
void fixture_limit(struct path_fixture *fixture, const char *link, uint32_t capacity_ppm);
link_id fixture_link(const struct path_fixture *fixture, const char *name);
port_id fixture_port(const struct path_fixture *fixture, const char *name);

// Plans all hosts and adds their loads: one counter per directed link, returned owned.
uint64_t *fixture_loads(const struct path_fixture *fixture, const char *algorithm,
                        uint64_t *split_count);

#endif
