// SPDX-License-Identifier: Apache-2.0
#include "path_trial.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "path_sum.h"

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

enum trial_shape trial_shape_of(uint32_t round) {
    switch (round % 30) {
    case 15:
        return TRIAL_64X16;
    case 5:
        return TRIAL_32X16;
    case 3:
    case 8:
    case 13:
    case 18:
    case 23:
    case 28:
        return TRIAL_16X16;
    default:
        return TRIAL_8X8;
    }
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
        fixture_leaf_spine(fixture, leaves[shape], spines[shape], TRIAL_HOSTS_PER_LEAF, 1);
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

static void shuffle(struct rng *rng, uint32_t *numbers, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = (uint32_t)rng_below(rng, i + 1);
        numbers[i] = numbers[at];
        numbers[at] = i;
    }
}

static uint32_t *shuffled(struct rng *rng, uint32_t count) {
    uint32_t *numbers = calloc(count, sizeof numbers[0]);
    assert(numbers != NULL);
    shuffle(rng, numbers, count);
    return numbers;
}

uint32_t trial_send_uneven(struct path_fixture *fixture, struct rng *rng) {
    uint32_t ranks = fixture->plan_job.rank_count, most = 0, count = 0;
    uint32_t *from = shuffled(rng, ranks), *to = shuffled(rng, ranks);
    uint32_t *flows = calloc(2 * (size_t)ranks, sizeof flows[0]); // out and in, by leaf
    struct job_pair *pairs = calloc(ranks, sizeof pairs[0]);
    assert(flows != NULL && pairs != NULL);
    uint32_t senders = ranks / 2 + (uint32_t)rng_below(rng, ranks / 2 + 1);
    for (uint32_t i = 0; i < senders; i++) {
        uint32_t a = from[i] / TRIAL_HOSTS_PER_LEAF, b = to[i] / TRIAL_HOSTS_PER_LEAF;
        if (from[i] != to[i]) {
            pairs[count++] = (struct job_pair){from[i], to[i]};
            uint32_t out = flows[2 * a] += a != b, in = flows[2 * b + 1] += a != b;
            most = out > most ? out : most;
            most = in > most ? in : most;
        }
    }
    fixture_pairs(fixture, pairs, count, TRIAL_BYTES);
    free(from);
    free(to);
    free(flows);
    free(pairs);
    return most;
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

static void plan_with_stale(const struct path_fixture *fixture, const bool *stale,
                            struct path_sum *sum) {
    struct plan_input now = fixture->input, before = fixture->input;
    struct planner *planners[2];
    struct plan plan;
    now.algorithm = before.algorithm = "shared";
    before.beliefs = NULL;
    plan_init(&plan);
    int rc =
        planner_open(fixture->fabric, &planners[0]) | planner_open(fixture->fabric, &planners[1]);
    assert(rc == 0);
    for (uint32_t i = 0; i < fixture->fabric->host_count; i++) {
        const struct plan_input *input = stale[i] ? &before : &now;
        rc = planner_plan(planners[stale[i]], input, (node_id){i}, &plan, NULL);
        assert(rc == 0);
        path_sum_add(sum, (node_id){i}, &plan);
    }
    plan_fini(&plan);
    planner_close(planners[0]);
    planner_close(planners[1]);
}

double trial_stale_ratio(struct path_fixture *fixture, struct rng *rng, uint32_t stale_per_leaf) {
    uint32_t hosts = fixture->fabric->host_count;
    bool *stale = calloc(hosts, sizeof stale[0]);
    assert(stale != NULL);
    for (uint32_t first = 0; first < hosts; first += TRIAL_HOSTS_PER_LEAF) {
        uint32_t order[TRIAL_HOSTS_PER_LEAF];
        shuffle(rng, order, TRIAL_HOSTS_PER_LEAF);
        for (uint32_t i = 0; i < stale_per_leaf; i++) {
            stale[first + order[i]] = true;
        }
    }
    struct path_sum sum;
    path_sum_open(&sum, &fixture->input);
    plan_with_stale(fixture, stale, &sum);
    double ratio = path_sum_load_s(&sum) / path_cut_s(&fixture->input);
    assert(sum.wrong[0] == '\0');
    path_sum_close(&sum);
    free(stale);
    return ratio;
}
