// SPDX-License-Identifier: Apache-2.0
#include "path_trial.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#define ZIPF_EXPONENT 0.8
#define SINKHORN_ROUNDS 30

const char *trial_shape_name(enum trial_shape shape) {
    static const char *const names[] = {"8x8x16",   "16x16x16",   "32x16x16",
                                        "64x16x16", "three-tier", "rail"};
    return names[shape];
}

const char *trial_traffic_name(enum trial_traffic traffic) {
    static const char *const names[] = {"alltoall", "skewed", "permutation", "ring"};
    return names[traffic];
}

void trial_open(struct path_fixture *fixture, enum trial_shape shape) {
    static const uint32_t leaves[] = {8, 16, 32, 64}, spines[] = {8, 16, 16, 16};
    if (shape == TRIAL_THREE_TIER) {
        fixture_three_tier(fixture, 4, 4, 4, 16, 8);
    } else if (shape == TRIAL_RAIL) {
        struct fabric_clos_desc clos = {
            .kind = "rail-optimized",
            .rails = 4,
            .groups = 4,
            .hosts_per_group = 8,
            .spines = 8,
            .cables = 1,
            .host_bps = 400 * GBPS,
            .fabric_bps = 400 * GBPS,
        };
        fixture_clos(fixture, &clos);
    } else {
        fixture_leaf_spine(fixture, leaves[shape], spines[shape], 16, 1);
    }
}

static void scale(double *matrix, uint32_t count, size_t step, size_t next) {
    for (uint32_t i = 0; i < count; i++) {
        double sum = 0;
        for (uint32_t j = 0; j < count; j++) {
            sum += matrix[i * next + j * step];
        }
        for (uint32_t j = 0; j < count; j++) {
            matrix[i * next + j * step] /= sum;
        }
    }
}

// Each row has Zipf's weights in an order of its own; Sinkhorn's scaling makes rows and columns add
// up to the same.
static double *balanced_matrix(struct rng *rng, uint32_t count) {
    double *matrix = calloc((size_t)count * count, sizeof matrix[0]);
    uint32_t *order = calloc(count, sizeof order[0]);
    assert(matrix != NULL && order != NULL);
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t j = 0; j < count; j++) {
            uint32_t at = (uint32_t)rng_below(rng, j + 1);
            order[j] = order[at];
            order[at] = j;
        }
        for (uint32_t j = 0; j < count; j++) {
            matrix[(size_t)i * count + j] = i == j ? 0 : pow(1 + order[j], -ZIPF_EXPONENT);
        }
    }
    for (unsigned round = 0; round < SINKHORN_ROUNDS; round++) {
        scale(matrix, count, count, 1);
        scale(matrix, count, 1, count);
    }
    free(order);
    return matrix;
}

static void send_skewed(struct path_fixture *fixture, struct rng *rng) {
    uint32_t count = fixture->plan_job.rank_count;
    double *shares = balanced_matrix(rng, count);
    uint64_t *matrix = calloc((size_t)count * count, sizeof matrix[0]);
    assert(matrix != NULL);
    for (size_t i = 0; i < (size_t)count * count; i++) {
        matrix[i] = (uint64_t)(shares[i] * (double)TRIAL_BYTES);
    }
    free(shares);
    fixture->job.collectives[fixture->job.collective_count++] =
        (struct collective){.type = COLLECTIVE_ALLTOALLV, .matrix_ranks = count, .matrix = matrix};
}

void trial_send(struct path_fixture *fixture, struct rng *rng, enum trial_traffic traffic) {
    switch (traffic) {
    case TRIAL_ALLTOALL:
        fixture_collective(fixture, COLLECTIVE_ALLTOALL, TRIAL_BYTES, 0);
        break;
    case TRIAL_SKEWED:
        send_skewed(fixture, rng);
        break;
    case TRIAL_PERMUTATION:
        fixture_collective(fixture, COLLECTIVE_PERMUTATION, TRIAL_BYTES, rng_next(rng));
        break;
    case TRIAL_RING:
        fixture_collective(fixture, COLLECTIVE_RING, TRIAL_BYTES, 0);
        break;
    }
}

static void damage_link(struct path_fixture *fixture, link_id link, bool dead) {
    if (dead) {
        fixture->beliefs[link.i].down = true;
    } else {
        fixture->beliefs[link.i].capacity_ppm = CAPACITY_FULL_PPM / 2;
    }
}

void trial_damage(struct path_fixture *fixture, struct rng *rng) {
    const struct fabric *fabric = fixture->fabric;
    uint32_t internal = 0;
    for (uint32_t i = 0; i < fabric->cable_count; i++) {
        internal += fabric_link_is_internal(fabric, (link_id){2 * i});
    }
    uint32_t percent = 1 + (uint32_t)rng_below(rng, 10);
    for (uint32_t left = (internal * percent + 99) / 100; left > 0;) {
        link_id link = {(uint32_t)rng_below(rng, fabric_link_count(fabric))};
        if (fabric_link_is_internal(fabric, link)) {
            bool dead = rng_below(rng, 2) == 0;
            damage_link(fixture, link, dead);
            if (rng_below(rng, 2) == 0) {
                damage_link(fixture, link_opposite(link), dead);
            }
            left--;
        }
    }
}

void trial_broken(struct path_fixture *fixture, uint64_t seed, enum trial_shape shape,
                  enum trial_traffic traffic) {
    struct rng rng;
    rng_init(&rng, hash_pair(seed, (uint64_t)shape * 16 + (uint64_t)traffic));
    trial_open(fixture, shape);
    trial_send(fixture, &rng, traffic);
    trial_damage(fixture, &rng);
}
