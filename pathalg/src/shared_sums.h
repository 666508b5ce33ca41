// SPDX-License-Identifier: Apache-2.0
// Units and weights by leaf (shared_demand.h), of the dense collectives of some jobs. Private to
// shared_demand.c and shared_sums.c.
#ifndef PATHALG_SHARED_SUMS_H
#define PATHALG_SHARED_SUMS_H

#include "shared_demand.h"

// Collectives in which the same ranks take part.
struct component {
    uint32_t job, takers;
    uint32_t *units;                   // by port
    uint64_t *weights;                 // by port: what one unit has for it
    double *leaf_units, *leaf_weights; // by leaf
};

struct sums {
    const struct grid *grid;
    struct component *components;
    uint32_t component_count;
    double *matrix;    // by pair of leaves; NULL: no matrix
    bool *in_matrix;   // by leaf
    uint32_t *group;   // by leaf: the first leaf that hosts join it with, or itself
    uint32_t *ports;   // leaf by leaf
    uint32_t *first;   // by leaf, in ports; one more at the end
    uint64_t *kind_of; // by leaf: equal for leaves of one kind
};

static inline uint32_t plane_of(const struct grid *grid, uint32_t leaf) {
    return grid->fabric->nodes[grid->leaves[leaf].i].plane;
}

// -ENOMEM; to be finished also then.
int sums_init(const struct grid *grid, struct sums *sums);
void sums_fini(struct sums *sums);
int sums_take(struct sums *sums, const struct demand_jobs *jobs); // -ENOMEM
// What one leaf has for another.
double sums_pair_bytes(const struct sums *sums, uint32_t from, uint32_t to);

#endif
