// SPDX-License-Identifier: Apache-2.0
// Prints a digest of the plans of all hosts, one line per case: broken fabrics of both kinds, dense
// and listed traffic, equal and unequal. tests/property/same_plans builds it with several compilers
// and for another processor: agents on different machines must not disagree by a bit.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "model/rng.h"
#include "path_fixture.h"

// Case 67 is one whose plan differs where a compiler fuses products and sums.
#define CASE_FIRST 60
#define CASE_END 72

// Unequal weights, one for each rank; odd so that nothing divides evenly.
static void add_weights(struct path_fixture *fixture, struct rng *rng) {
    fixture_collective(fixture, COLLECTIVE_ALLTOALLV, UINT64_C(1) << 24, 0);
    struct collective *collective = &fixture->job.collectives[fixture->job.collective_count - 1];
    collective->weight_count = fixture->plan_job.rank_count;
    collective->weights = calloc(collective->weight_count, sizeof collective->weights[0]);
    if (collective->weights == NULL) {
        abort();
    }
    for (uint32_t i = 0; i < collective->weight_count; i++) {
        collective->weights[i] = 1 + 2 * (uint32_t)rng_below(rng, 500);
    }
}

static void add_traffic(struct path_fixture *fixture, uint32_t kind, struct rng *rng) {
    switch (kind) {
    case 0:
        fixture_collective(fixture, COLLECTIVE_ALLTOALL, UINT64_C(1) << 26, 0);
        break;
    case 1:
        add_weights(fixture, rng);
        break;
    case 2:
        fixture_collective(fixture, COLLECTIVE_PERMUTATION, UINT64_C(1) << 30, rng_next(rng));
        break;
    default:
        fixture_collective(fixture, COLLECTIVE_RING, UINT64_C(1) << 30, 0);
        fixture_collective(fixture, COLLECTIVE_TREE, (UINT64_C(1) << 28) + 3, 0);
    }
}

static void break_links(struct path_fixture *fixture, struct rng *rng) {
    uint32_t links = fabric_link_count(fixture->fabric);
    for (uint32_t i = 0; i < links; i++) {
        if (fabric_link_is_internal(fixture->fabric, (link_id){i}) && rng_below(rng, 20) == 0) {
            fixture->beliefs[i].down = rng_below(rng, 2) == 0;
            fixture->beliefs[i].capacity_ppm = (uint32_t)rng_below(rng, CAPACITY_FULL_PPM) + 1;
        }
    }
}

static uint64_t add_path(uint64_t digest, const struct path *path) {
    for (uint32_t i = 0; i < path->link_count; i++) {
        digest = hash_pair(digest, path->links[i].i);
    }
    return hash_pair(digest, path->link_count);
}

static uint64_t digest_of(const struct path_fixture *fixture, uint64_t *splits) {
    uint64_t digest = 0;
    struct plan plan;
    plan_init(&plan);
    for (uint32_t host = 0; host < fixture->fabric->host_count; host++) {
        if (plan_host(&fixture->input, (node_id){host}, &plan, NULL) != 0) {
            abort();
        }
        *splits += plan.split_count;
        for (uint32_t i = 0; i < plan.part_count; i++) {
            digest = hash_pair(digest, plan.parts[i].bytes);
            digest = add_path(digest, &plan.parts[i].path);
            digest = add_path(digest, &plan.parts[i].backup);
        }
    }
    plan_fini(&plan);
    return digest;
}

int main(void) {
    for (uint32_t i = CASE_FIRST; i < CASE_END; i++) {
        struct rng rng;
        rng_init(&rng, i);
        struct path_fixture fixture;
        if (i % 3 == 0) {
            fixture_three_tier(&fixture, 3, 4, 4, 16, 4);
        } else {
            fixture_leaf_spine(&fixture, 12, 7, 9, i % 3);
        }
        add_traffic(&fixture, i % 4, &rng);
        break_links(&fixture, &rng);
        fixture.input.algorithm = "shared";
        uint64_t splits = 0;
        uint64_t digest = digest_of(&fixture, &splits);
        printf("case %" PRIu32 ": %016" PRIx64 ", %" PRIu64 " splits\n", i, digest, splits);
        fixture_close(&fixture);
    }
    return 0;
}
