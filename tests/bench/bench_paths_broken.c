// SPDX-License-Identifier: Apache-2.0
// Plans on fabrics that are broken at random, and plans of hosts that have not heard.
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench_paths.h"
#include "path_sum.h"
#include "path_trial.h"
#include "traffic.h"
#include "waterfill.h"

#define GOOD_ENOUGH 1.01
#define STALE_DRAWS 8

struct figures {
    uint32_t rounds;
    double worst, sum;
    uint64_t flows, parts, ethereal_parts, wrong;
};

// The water-fill alone: what could be reached if flows could be cut at will.
static double fractional(const struct plan_input *input) {
    struct traffic *traffic;
    struct grid *grid;
    struct waterfill *waterfill;
    struct waterfill_result result;
    int rc = traffic_open(input, (node_id){ID_NONE}, &traffic);
    assert(rc == 0);
    rc = grid_open(input->fabric, &grid);
    assert(rc == 0);
    uint32_t count = grid->leaf_count;
    struct leaf_demand demand = {count, calloc(count, sizeof demand.kind[0]),
                                 calloc((size_t)count * count, sizeof demand.bytes[0])};
    assert(demand.kind != NULL && demand.bytes != NULL);
    for (uint32_t i = 0; i < count * count; i++) {
        demand.kind[i / count] = i / count;
        demand.bytes[i] = i / count == i % count ? 0 : (double)traffic->bytes[i];
    }
    rc = waterfill_open(grid, traffic->rate_bps, &demand, &waterfill, &result);
    assert(rc == 0);
    waterfill_close(waterfill);
    free(demand.kind);
    free(demand.bytes);
    grid_close(grid);
    traffic_close(traffic);
    return result.reached_s / path_bound_s(input, result.reached_s, 1.001);
}

static void add_round(struct figures *figures, const struct path_fixture *fixture,
                      const char *algorithm, bool lp) {
    struct path_sum sum;
    path_sum_open(&sum, &fixture->input);
    path_sum_add_all(&sum, algorithm);
    double load_s = path_sum_load_s(&sum);
    double ratio = load_s / (lp ? path_lp_s(&fixture->input)
                                : path_bound_s(&fixture->input, load_s, GOOD_ENOUGH));
    figures->rounds++;
    figures->sum += ratio;
    figures->worst = ratio > figures->worst ? ratio : figures->worst;
    figures->flows += sum.flow_count;
    figures->parts += sum.part_count;
    figures->ethereal_parts += sum.ethereal_part_count;
    figures->wrong += sum.wrong[0] != '\0';
    path_sum_close(&sum);
}

static void print(const char *what, const char *kind, double value, const char *unit,
                  const char *goal, const char *how) {
    char name[120];
    snprintf(name, sizeof name, "%s: %s", what, kind);
    bench_print(&(struct bench_figure){"broken", name, value, unit, goal, how});
}

static void print_figures(const char *what, const struct figures *figures, const char *goal,
                          const char *splits_goal) {
    char how[120];
    snprintf(how, sizeof how, "%u fabrics of seeds 1 to %u, 1 to 10 %% of cables dead or halved",
             figures->rounds, figures->rounds);
    print(what, "worst", figures->worst, "x", goal, how);
    print(what, "mean", figures->sum / figures->rounds, "x", "", how);
    print(what, "splits", (double)(figures->parts - figures->flows), "sub-flows", splits_goal,
          "all of them");
    print(what, "splits by Ethereal's formula", (double)(figures->ethereal_parts - figures->flows),
          "sub-flows", "", "n + r (s / gcd(r, s) - 1) for each source and destination leaf");
    print(what, "plans with a dead link, a byte lost or placed twice", (double)figures->wrong,
          "fabrics", "= 0", "every path walked, every demand added up");
}

static void leaf_spine(uint32_t rounds) {
    static const char *const goals[] = {"<= 1.02", "<= 1.02", "<= 1.01", "<= 1.01"};
    for (unsigned traffic = TRIAL_ALLTOALL; traffic <= TRIAL_RING; traffic++) {
        struct figures figures = {0}, local = {0};
        double fraction = 0;
        const char *name = trial_traffic_name(traffic);
        for (uint32_t i = 0; i < rounds; i++) {
            struct path_fixture fixture;
            trial_broken(&fixture, 1 + i, trial_shape_of(i), traffic);
            double now = fractional(&fixture.input);
            fraction = now > fraction ? now : fraction;
            add_round(&figures, &fixture, "shared", false);
            if (traffic == TRIAL_ALLTOALL) {
                add_round(&local, &fixture, "weighted", false);
            }
            fixture_close(&fixture);
        }
        print(name, "worst, before flows are placed", fraction, "x", "<= 1.001",
              "water-fill of the same fabrics");
        print_figures(name, &figures, goals[traffic], traffic <= TRIAL_SKEWED ? "= 0" : "");
        if (traffic == TRIAL_ALLTOALL) {
            print_figures("alltoall, weighted alone", &local, "<= 1.25", "");
        }
    }
}

static void other_fabrics(uint32_t rounds) {
    for (unsigned i = 0; i < 8; i++) {
        enum trial_shape shape = i < 4 ? TRIAL_THREE_TIER : TRIAL_RAIL;
        struct figures figures = {0};
        char what[60];
        for (uint32_t j = 0; j < rounds; j++) {
            struct path_fixture fixture;
            trial_broken(&fixture, 1 + j, shape, i % 4);
            add_round(&figures, &fixture, "shared", true);
            fixture_close(&fixture);
        }
        snprintf(what, sizeof what, "%s, %s", trial_shape_name(shape), trial_traffic_name(i % 4));
        print_figures(what, &figures, "<= 1.05", "");
    }
}

static void stale_views(void) {
    struct path_fixture fixture;
    struct rng rng;
    rng_init(&rng, 1);
    trial_open(&fixture, TRIAL_8X8);
    trial_send(&fixture, &rng, TRIAL_ALLTOALL);
    fixture_limit(&fixture, "leaf0>spine0", CAPACITY_FULL_PPM / 2);
    fixture_limit(&fixture, "spine0>leaf0", CAPACITY_FULL_PPM / 2);
    for (uint32_t stale = 0; stale <= TRIAL_HOSTS_PER_LEAF; stale += 4) {
        double ratio = 0, q = (double)stale / TRIAL_HOSTS_PER_LEAF;
        char kind[40], goal[40];
        for (unsigned i = 0; i < STALE_DRAWS; i++) {
            ratio += trial_stale_ratio(&fixture, &rng, stale) / STALE_DRAWS;
        }
        snprintf(kind, sizeof kind, "q = %.2f have not heard", q);
        snprintf(goal, sizeof goal, "~ %.4f", 1 + 0.875 * q);
        print("half link, stale views", kind, ratio, "x", goal,
              "hosts of each leaf drawn at random, mean of 8; 1 + 0.875 q");
    }
    fixture_close(&fixture);
}

void bench_broken(uint32_t rounds) {
    stale_views();
    leaf_spine(rounds);
    other_fabrics((rounds + 2) / 3);
}
