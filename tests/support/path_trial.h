// SPDX-License-Identifier: Apache-2.0
// Fabrics of the sizes that plans are accepted on, damaged at random, with traffic on them.
#ifndef PATH_TRIAL_H
#define PATH_TRIAL_H

#include "model/rng.h"
#include "path_fixture.h"

enum trial_shape {
    TRIAL_8X8,        // leaves x spines, 16 hosts a leaf: 128 hosts
    TRIAL_16X16,      // 256
    TRIAL_32X16,      // 512
    TRIAL_64X16,      // 1,024
    TRIAL_THREE_TIER, // 4 pods of 4 leaves and 4 aggs, 16 cores, 8 hosts a leaf: 128
    TRIAL_RAIL,       // 4 rails, 4 groups of 8 hosts, 8 spines: 128 ports
};
enum trial_traffic {
    TRIAL_ALLTOALL,
    TRIAL_SKEWED,      // AlltoAllv; every rank sends and receives as much as any other, but what
                       // pairs exchange is spread as Zipf's law (0.8) has it
    TRIAL_PERMUTATION, // every flow crosses leaves
    TRIAL_RING,
};
#define TRIAL_HOSTS_PER_LEAF 16U         // of the leaf-spine fabrics
#define TRIAL_BYTES (UINT64_C(64) << 20) // per rank

const char *trial_shape_name(enum trial_shape shape);
const char *trial_traffic_name(enum trial_traffic traffic);
// Of a round of many: mostly the paper's fabric, every thirtieth has 1,024 hosts.
enum trial_shape trial_shape_of(uint32_t round);
void trial_open(struct path_fixture *fixture, enum trial_shape shape);
void trial_send(struct path_fixture *fixture, struct rng *rng, enum trial_traffic traffic);
// Some ranks of a leaf-spine fabric send to one other rank each, on whatever leaf, so that leaves
// send and receive unequally. Returns the most flows that a leaf has to or from other leaves.
uint32_t trial_send_uneven(struct path_fixture *fixture, struct rng *rng);
// Between 1 and 10 % of the cables between switches are dead or have half of their rate, in one
// direction or both.
void trial_damage(struct path_fixture *fixture, struct rng *rng);
// An open fixture of (seed, shape, traffic), damaged. Close it with fixture_close.
void trial_broken(struct path_fixture *fixture, uint64_t seed, enum trial_shape shape,
                  enum trial_traffic traffic);

// The load over the largest cut when so many hosts of each leaf, drawn at random, plan as if
// nothing were broken (algorithm shared, leaf-spine).
double trial_stale_ratio(struct path_fixture *fixture, struct rng *rng, uint32_t stale_per_leaf);

#endif
