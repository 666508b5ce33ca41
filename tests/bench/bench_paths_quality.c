// SPDX-License-Identifier: Apache-2.0
// How good plans are: the most loaded link over the least that any plan can do, added up from all
// hosts' paths, on fabrics where the answer is known.
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench_paths.h"
#include "path_sum.h"
#include "path_trial.h"

#define HOW "all hosts' plans; most loaded link / largest cut"

static void print(const char *name, double value, const char *unit, const char *goal,
                  const char *how) {
    bench_print(&(struct bench_figure){"quality", name, value, unit, goal, how});
}

static double ratio_of(const struct path_fixture *fixture, const char *algorithm,
                       struct path_sum *sum) {
    path_sum_open(sum, &fixture->input);
    path_sum_add_all(sum, algorithm);
    if (sum->wrong[0] != '\0') {
        fprintf(stderr, "bench_paths: %s: %s\n", algorithm, sum->wrong);
        exit(1);
    }
    return path_sum_load_s(sum) / path_cut_s(&fixture->input);
}

static void print_ratio(const struct path_fixture *fixture, const char *what, const char *algorithm,
                        const char *goal, bool splits) {
    struct path_sum sum;
    char name[120];
    double ratio = ratio_of(fixture, algorithm, &sum);
    snprintf(name, sizeof name, "%s, %s", what, algorithm);
    print(name, ratio, "x", goal, HOW);
    if (splits) {
        snprintf(name, sizeof name, "%s, %s: splits", what, algorithm);
        print(name, (double)(sum.part_count - sum.flow_count), "sub-flows", "= 0",
              "parts beyond one a flow");
        snprintf(name, sizeof name, "%s, published Ethereal: splits", what);
        print(name, (double)(sum.ethereal_part_count - sum.flow_count), "sub-flows", "",
              "n + r (s / gcd(r, s) - 1) for each source and destination leaf");
    }
    path_sum_close(&sum);
}

static void alltoall_and_half_link(void) {
    struct path_fixture fixture;
    trial_open(&fixture, TRIAL_8X8);
    trial_send(&fixture, NULL, TRIAL_ALLTOALL);
    print_ratio(&fixture, "AlltoAll, 128 hosts, healthy", "shared", "<= 1.0005", true);
    print_ratio(&fixture, "AlltoAll, 128 hosts, healthy", "ethereal", "<= 1.0005", false);
    print_ratio(&fixture, "AlltoAll, 128 hosts, healthy", "qp-scaling", "", false);
    print_ratio(&fixture, "AlltoAll, 128 hosts, healthy", "ecmp", ">= 1.12", false);
    fixture_limit(&fixture, "leaf0>spine0", CAPACITY_FULL_PPM / 2);
    fixture_limit(&fixture, "spine0>leaf0", CAPACITY_FULL_PPM / 2);
    print_ratio(&fixture, "AlltoAll, 128 hosts, half link", "shared", "<= 1.01", true);
    print_ratio(&fixture, "AlltoAll, 128 hosts, half link", "weighted", "<= 1.25", false);
    print_ratio(&fixture, "AlltoAll, 128 hosts, half link", "ethereal", "= 1.875", false);
    print_ratio(&fixture, "AlltoAll, 128 hosts, half link", "spray", "", false);
    fixture_close(&fixture);
}

// Ring and permutation of each size.
static void even_sparse(void) {
    static const enum trial_shape shapes[] = {TRIAL_8X8, TRIAL_16X16, TRIAL_64X16};
    for (unsigned i = 0; i < 6; i++) {
        enum trial_traffic traffic = i % 2 == 0 ? TRIAL_RING : TRIAL_PERMUTATION;
        struct path_fixture fixture;
        struct rng rng;
        char what[60];
        rng_init(&rng, 1);
        trial_open(&fixture, shapes[i / 2]);
        trial_send(&fixture, &rng, traffic);
        snprintf(what, sizeof what, "%s, %u hosts", trial_traffic_name(traffic),
                 fixture.fabric->host_count);
        print_ratio(&fixture, what, "shared", "<= 1.0005", true);
        print_ratio(&fixture, what, "ecmp", ">= 2.5", false);
        print_ratio(&fixture, what, "qp-scaling", "", false);
        fixture_close(&fixture);
    }
}

// Every packet goes over a spine of its own choice: how even that is.
static double drawn(uint32_t leaves, uint32_t spines, uint32_t packets_a_leaf) {
    uint32_t *count = calloc((size_t)leaves * spines, sizeof count[0]), most = 0;
    struct rng rng;
    rng_init(&rng, 1);
    assert(count != NULL);
    for (uint32_t leaf = 0; leaf < leaves; leaf++) {
        for (uint32_t i = 0; i < packets_a_leaf; i++) {
            uint32_t n = ++count[leaf * spines + rng_below(&rng, spines)];
            most = n > most ? n : most;
        }
    }
    free(count);
    return (double)most * spines / packets_a_leaf;
}

static void random_spray(void) {
    static const uint32_t leaves[] = {8, 16, 64}, spines[] = {8, 16, 16};
    for (unsigned i = 0; i < 3; i++) {
        char name[80];
        snprintf(name, sizeof name, "permutation, %u hosts, spray-random", leaves[i] * 16);
        print(name, drawn(leaves[i], spines[i], 16 * 4096), "x", "",
              "16 MiB a host in packets of 4 KiB, each drawn; most loaded uplink / mean");
    }
}

static void uneven(uint32_t rounds) {
    double worst = 0;
    for (uint32_t i = 0; i < rounds; i++) {
        struct path_fixture fixture;
        struct path_sum sum;
        struct rng rng;
        rng_init(&rng, 1 + i);
        trial_open(&fixture, TRIAL_16X16);
        uint32_t least = (trial_send_uneven(&fixture, &rng) + 15) / 16; // of 16 spines
        ratio_of(&fixture, "shared", &sum);
        double flows = path_sum_load_s(&sum) * 400.0 * (double)GBPS / 8 / (double)TRIAL_BYTES;
        double excess = flows - least + (double)(sum.part_count - sum.flow_count);
        worst = excess > worst ? excess : worst;
        path_sum_close(&sum);
        fixture_close(&fixture);
    }
    print("uneven permutations, 256 hosts, shared: beyond the unsplit optimum", worst, "flows",
          "= 0", "most loaded link in flows - ceil(max degree / spines) + splits, worst of all");
}

// What published Ethereal cuts in parts, counted in plans, for 1 to 16 spines and 1 to 24 hosts.
static void ethereal_formula(void) {
    uint64_t difference = 0;
    for (uint32_t spines = 1; spines <= 16; spines++) {
        for (uint32_t hosts = 1; hosts <= 24; hosts++) {
            struct path_fixture fixture;
            struct path_sum sum;
            fixture_leaf_spine(&fixture, 2, spines, hosts, 1);
            trial_send(&fixture, NULL, TRIAL_ALLTOALL);
            ratio_of(&fixture, "ethereal", &sum);
            difference += sum.part_count > sum.ethereal_part_count
                              ? sum.part_count - sum.ethereal_part_count
                              : sum.ethereal_part_count - sum.part_count;
            path_sum_close(&sum);
            fixture_close(&fixture);
        }
    }
    print("ethereal: sub-flows off n + r (s / g - 1)", (double)difference, "sub-flows", "= 0",
          "counted in plans of 2 leaves, 1 to 16 spines, 1 to 24 hosts a leaf");
}

// One dead cable: what moves against what must.
static void churn(void) {
    struct path_fixture fixture;
    struct plan_churn total = {0};
    struct plan before, after;
    trial_open(&fixture, TRIAL_8X8);
    trial_send(&fixture, NULL, TRIAL_ALLTOALL);
    struct plan_input healthy = fixture.input, broken = fixture.input;
    healthy.algorithm = broken.algorithm = "shared";
    healthy.beliefs = NULL;
    fixture_cut(&fixture, "leaf0>spine0");
    fixture_cut(&fixture, "spine0>leaf0");
    uint64_t *loads = calloc(fabric_link_count(fixture.fabric), sizeof loads[0]);
    assert(loads != NULL);
    plan_init(&before);
    plan_init(&after);
    for (uint32_t i = 0; i < fixture.fabric->host_count; i++) {
        int rc = plan_host(&healthy, (node_id){i}, &before, NULL) |
                 plan_host(&broken, (node_id){i}, &after, NULL);
        assert(rc == 0);
        plan_add_loads(&before, loads);
        plan_churn(&before, &after, &total);
    }
    print("one dead cable, 128 hosts: bytes moved",
          100.0 * (double)total.moved_bytes / (double)total.bytes, "%", "",
          "plan_churn of all hosts");
    print("one dead cable, 128 hosts: bytes that any optimal plan moves",
          100.0 * (double)plan_least_moved_bytes(&broken, loads) / (double)total.bytes, "%", "",
          "plan_least_moved_bytes");
    plan_fini(&before);
    plan_fini(&after);
    free(loads);
    fixture_close(&fixture);
}

void bench_quality(uint32_t rounds) {
    alltoall_and_half_link();
    even_sparse();
    random_spray();
    uneven(rounds);
    ethereal_formula();
    churn();
}
