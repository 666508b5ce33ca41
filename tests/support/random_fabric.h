// SPDX-License-Identifier: Apache-2.0
// Random small fabrics of every kind for property tests. The generator is the caller's.
#ifndef SUPPORT_RANDOM_FABRIC_H
#define SUPPORT_RANDOM_FABRIC_H

#include "fabric_fixture.h"
#include "model/rng.h"

static inline uint32_t random_between(struct rng *rng, uint32_t low, uint32_t high) {
    return low + (uint32_t)rng_below(rng, high - low + 1);
}

static inline struct fabric *random_dual_plane(struct rng *rng) {
    struct fabric_clos_desc clos = {.kind = "dual-plane",
                                    .leaves = random_between(rng, 1, 4),
                                    .spines = random_between(rng, 1, 4),
                                    .hosts_per_leaf = random_between(rng, 1, 4),
                                    .cables = random_between(rng, 1, 2),
                                    .host_bps = 100000000000,
                                    .fabric_bps = 400000000000};
    return fixture_clos(&clos);
}

static inline struct fabric *random_rail(struct rng *rng) {
    struct fabric_clos_desc clos = {.kind = "rail-optimized",
                                    .rails = random_between(rng, 1, 4),
                                    .groups = random_between(rng, 1, 3),
                                    .hosts_per_group = random_between(rng, 1, 4),
                                    .spines = random_between(rng, 1, 4),
                                    .cables = random_between(rng, 1, 2),
                                    .host_bps = 100000000000,
                                    .fabric_bps = 400000000000};
    return fixture_clos(&clos);
}

static inline struct fabric *random_fabric(struct rng *rng) {
    uint32_t kind = random_between(rng, 0, 3);
    if (kind == 3) {
        return random_between(rng, 0, 1) == 0 ? random_dual_plane(rng) : random_rail(rng);
    }
    if (kind == 2) {
        uint32_t ports = random_between(rng, 1, 2), spines = random_between(rng, 1, 5),
                 hosts = random_between(rng, 1, 4), cables = random_between(rng, 1, 3);
        return fixture_leaf_spine(ports * random_between(rng, 1, 4), spines, hosts, cables, ports);
    }
    uint32_t aggs = random_between(rng, 1, 3), pods = random_between(rng, 1, 3),
             leaves = random_between(rng, 1, 3), hosts = random_between(rng, 1, 3);
    return fixture_three_tier(pods, leaves, aggs, aggs * random_between(rng, 1, 3), hosts,
                              random_between(rng, 1, 3));
}

#endif
