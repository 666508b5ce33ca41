// SPDX-License-Identifier: Apache-2.0
// Is the planner as good as it must be? All hosts plan; loads are added up from the paths that they
// chose, and compared with what no plan can beat: the largest cut, computed here from the demands,
// and where that is not tight the linear program of srv6-sim.
//
// SEED= runs others (default 1, so that every run is the same), ROUNDS= more of them (default 60 of
// each traffic, a third of that of three-tier and rail fabrics), TEST= only tests whose names
// match.
#include "cmocka_all.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "path_sum.h"
#include "path_trial.h"

static uint64_t base_seed = 1;
static uint32_t rounds = 60;

// ---- broken fabrics

struct accept {
    const char *algorithm;
    double limit;
    bool whole; // no flow is split
    bool lp;    // always; otherwise only where the cut does not suffice
};

struct figures {
    uint32_t rounds;
    double worst, sum;
    uint64_t flows, parts, ethereal_parts;
    uint32_t misses;
};

static void accept_round(uint64_t seed, enum trial_shape shape, enum trial_traffic traffic,
                         const struct accept *accept, struct figures *figures) {
    struct path_fixture fixture;
    struct path_sum sum;
    trial_broken(&fixture, seed, shape, traffic);
    path_sum_open(&sum, &fixture.input);
    path_sum_add_all(&sum, accept->algorithm);
    double load_s = path_sum_load_s(&sum);
    double ratio = load_s / (accept->lp ? path_lp_s(&fixture.input)
                                        : path_bound_s(&fixture.input, load_s, accept->limit));
    bool bad = sum.wrong[0] != '\0' || ratio > accept->limit || !(ratio > 0.999999) ||
               (accept->whole && sum.split_flow_count > 0);
    if (bad) {
        print_error("SEED=%" PRIu64 " %s %s %s: %.4f of the bound (limit %.4f), %" PRIu64
                    " flows split; %s\n",
                    seed, trial_shape_name(shape), trial_traffic_name(traffic), accept->algorithm,
                    ratio, accept->limit, sum.split_flow_count, sum.wrong);
    }
    figures->misses += bad;
    figures->rounds++;
    figures->sum += ratio;
    figures->worst = ratio > figures->worst ? ratio : figures->worst;
    figures->flows += sum.flow_count;
    figures->parts += sum.part_count;
    figures->ethereal_parts += sum.ethereal_part_count;
    path_sum_close(&sum);
    fixture_close(&fixture);
}

static void print_figures(const char *what, const struct figures *figures) {
    printf("%s: %u rounds, %u misses, mean %.4f, worst %.4f of the bound; %" PRIu64
           " flows, %" PRIu64 " splits (Ethereal's formula: %" PRIu64 ")\n",
           what, figures->rounds, figures->misses, figures->sum / figures->rounds, figures->worst,
           figures->flows, figures->parts - figures->flows,
           figures->ethereal_parts - figures->flows);
}

static void accept_traffic(enum trial_traffic traffic, const struct accept *accept) {
    struct figures figures = {0};
    for (uint32_t i = 0; i < rounds; i++) {
        accept_round(base_seed + i, trial_shape_of(i), traffic, accept, &figures);
    }
    print_figures(trial_traffic_name(traffic), &figures);
    assert_int_equal(figures.misses, 0);
}

static void alltoall_on_broken_fabrics_is_within_2_percent_and_whole(void **state) {
    (void)state;
    accept_traffic(TRIAL_ALLTOALL, &(struct accept){"shared", 1.02, true, false});
}

static void skewed_alltoallv_on_broken_fabrics_is_within_2_percent_and_whole(void **state) {
    (void)state;
    accept_traffic(TRIAL_SKEWED, &(struct accept){"shared", 1.02, true, false});
}

static void permutations_on_broken_fabrics_are_within_1_percent(void **state) {
    (void)state;
    accept_traffic(TRIAL_PERMUTATION, &(struct accept){"shared", 1.01, false, false});
}

static void rings_on_broken_fabrics_are_within_1_percent(void **state) {
    (void)state;
    accept_traffic(TRIAL_RING, &(struct accept){"shared", 1.01, false, false});
}

// Seeds (fixed) where leaves that lost different links hinder each other all around the ring, so
// that no cut shows what is possible; and one where crumbs of many flows meet on a link.
static void rings_of_leaves_that_hinder_each_other_are_within_1_percent(void **state) {
    (void)state;
    static const uint64_t seeds[] = {14, 2404, 2809, 4389};
    struct figures figures = {0};
    for (size_t i = 0; i < sizeof seeds / sizeof seeds[0]; i++) {
        accept_round(seeds[i], TRIAL_16X16, TRIAL_RING,
                     &(struct accept){"shared", 1.01, false, true}, &figures);
    }
    print_figures("ring, hindered", &figures);
    assert_int_equal(figures.misses, 0);
}

static void weighted_alone_is_within_25_percent(void **state) {
    (void)state;
    accept_traffic(TRIAL_ALLTOALL, &(struct accept){"weighted", 1.25, false, false});
}

static void three_tier_and_rail_fabrics_are_within_5_percent_of_the_program(void **state) {
    (void)state;
    static const enum trial_traffic traffics[] = {TRIAL_ALLTOALL, TRIAL_SKEWED, TRIAL_PERMUTATION,
                                                  TRIAL_RING};
    const struct accept accept = {"shared", 1.05, false, true};
    uint32_t misses = 0;
    for (unsigned i = 0; i < 2 * 4; i++) {
        enum trial_shape shape = i < 4 ? TRIAL_THREE_TIER : TRIAL_RAIL;
        struct figures figures = {0};
        char what[40];
        for (uint32_t j = 0; j < (rounds + 2) / 3; j++) {
            accept_round(base_seed + j, shape, traffics[i % 4], &accept, &figures);
        }
        snprintf(what, sizeof what, "%s, %s", trial_shape_name(shape),
                 trial_traffic_name(traffics[i % 4]));
        print_figures(what, &figures);
        misses += figures.misses;
    }
    assert_int_equal(misses, 0);
}

// ---- healthy fabrics

static void whole_flows_are_optimal(enum trial_shape shape, enum trial_traffic traffic,
                                    uint64_t seed) {
    struct path_fixture fixture;
    struct path_sum sum;
    struct rng rng;
    rng_init(&rng, seed);
    trial_open(&fixture, shape);
    trial_send(&fixture, &rng, traffic);
    path_sum_open(&sum, &fixture.input);
    path_sum_add_all(&sum, "shared");
    double ratio = path_sum_load_s(&sum) / path_cut_s(&fixture.input);
    if (sum.wrong[0] != '\0' || sum.split_flow_count > 0 || ratio > 1.000001) {
        fail_msg("SEED=%" PRIu64 " %s %s: %.6f of the bound, %" PRIu64 " flows split; %s", seed,
                 trial_shape_name(shape), trial_traffic_name(traffic), ratio, sum.split_flow_count,
                 sum.wrong);
    }
    path_sum_close(&sum);
    fixture_close(&fixture);
}

static void even_traffic_on_healthy_fabrics_is_optimal_without_splits(void **state) {
    (void)state;
    static const enum trial_shape shapes[] = {TRIAL_8X8, TRIAL_16X16, TRIAL_64X16};
    for (unsigned i = 0; i < 3; i++) {
        whole_flows_are_optimal(shapes[i], TRIAL_RING, base_seed);
        whole_flows_are_optimal(shapes[i], TRIAL_ALLTOALL, base_seed);
        for (uint64_t j = 0; j < 5; j++) {
            whole_flows_are_optimal(shapes[i], TRIAL_PERMUTATION, base_seed + j);
        }
    }
}

static void uneven_permutations_are_the_best_that_whole_flows_allow(void **state) {
    (void)state;
    static const enum trial_shape shapes[] = {TRIAL_8X8, TRIAL_16X16, TRIAL_64X16};
    static const uint32_t spines[] = {8, 16, 16};
    for (uint32_t i = 0; i < 30; i++) {
        struct path_fixture fixture;
        struct path_sum sum;
        struct rng rng;
        rng_init(&rng, base_seed + i);
        trial_open(&fixture, shapes[i % 3]);
        uint32_t degree = trial_send_uneven(&fixture, &rng);
        path_sum_open(&sum, &fixture.input);
        path_sum_add_all(&sum, "shared");
        double flow_s = (double)TRIAL_BYTES * 8 / (400.0 * (double)GBPS);
        double flows = path_sum_load_s(&sum) / flow_s;
        uint32_t least = (degree + spines[i % 3] - 1) / spines[i % 3];
        if (sum.wrong[0] != '\0' || sum.split_flow_count > 0 || flows > least + 1e-6) {
            fail_msg("SEED=%" PRIu64 " %s: %.3f flows on a link, %u are possible, %" PRIu64
                     " flows split; %s",
                     base_seed + i, trial_shape_name(shapes[i % 3]), flows, least,
                     sum.split_flow_count, sum.wrong);
        }
        path_sum_close(&sum);
        fixture_close(&fixture);
    }
}

// ---- stale views

enum { DRAWS = 8 };

// Half of leaf0-spine0 is gone, and a share q of the hosts has not heard of it.
static void stale_views_cost_what_they_must(void **state) {
    (void)state;
    struct path_fixture fixture;
    struct rng rng;
    rng_init(&rng, base_seed);
    trial_open(&fixture, TRIAL_8X8);
    trial_send(&fixture, &rng, TRIAL_ALLTOALL);
    fixture_limit(&fixture, "leaf0>spine0", CAPACITY_FULL_PPM / 2);
    fixture_limit(&fixture, "spine0>leaf0", CAPACITY_FULL_PPM / 2);
    for (uint32_t stale = 0; stale <= TRIAL_HOSTS_PER_LEAF; stale += 4) {
        double ratio = 0, expected = 1 + 0.875 * stale / TRIAL_HOSTS_PER_LEAF;
        for (unsigned i = 0; i < DRAWS; i++) {
            ratio += trial_stale_ratio(&fixture, &rng, stale) / DRAWS;
        }
        printf("%u of %d hosts stale: %.4f (1 + 0.875 q = %.4f)\n", stale, TRIAL_HOSTS_PER_LEAF,
               ratio, expected);
        assert_true(ratio < expected + 0.02 && ratio > expected - 0.02);
    }
    fixture_close(&fixture);
}

// ---- Ethereal as published

static uint32_t gcd(uint32_t a, uint32_t b) {
    while (b != 0) {
        uint32_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

// n flows from a host to each other leaf: n - r whole, r in s / gcd(r, s) parts.
static void check_ethereal_host(const struct plan *plan, uint32_t host, uint32_t leaves, uint32_t n,
                                uint32_t s) {
    uint32_t r = n % s, parts = r > 0 ? s / gcd(r, s) : 1;
    for (uint32_t leaf = 0; leaf < leaves; leaf++) {
        uint32_t whole = 0, cut = 0;
        for (uint32_t i = 0; i < plan->flow_count; i++) {
            const struct plan_flow *flow = &plan->flows[i];
            if (flow->dst.i / n == leaf) {
                whole += flow->part_count == 1;
                cut += flow->part_count == parts && parts > 1;
            }
        }
        bool own = host / n == leaf;
        assert_int_equal(whole, own ? n - 1 : parts > 1 ? n - r : n);
        assert_int_equal(cut, own || parts == 1 ? 0 : r);
    }
}

static void ethereal_splits_as_published(void **state) {
    (void)state;
    struct rng rng;
    rng_init(&rng, base_seed);
    for (unsigned i = 0; i < 60; i++) {
        uint32_t leaves = 2 + (uint32_t)rng_below(&rng, 4), s = 1 + (uint32_t)rng_below(&rng, 16);
        uint32_t n = 1 + (uint32_t)rng_below(&rng, 24);
        struct path_fixture fixture;
        fixture_leaf_spine(&fixture, leaves, s, n, 1);
        fixture_collective(&fixture, COLLECTIVE_ALLTOALL, TRIAL_BYTES, 0);
        struct plan plan;
        plan_init(&plan);
        uint32_t host = (uint32_t)rng_below(&rng, leaves * n);
        assert_int_equal(plan_host(&fixture.input, (node_id){host}, &plan, NULL), 0);
        check_ethereal_host(&plan, host, leaves, n, s);
        uint32_t r = n % s;
        uint32_t added = r > 0 ? r * (s / gcd(r, s) - 1) : 0;
        assert_int_equal(plan.split_count, (leaves - 1) * added);
        plan_fini(&plan);
        fixture_close(&fixture);
    }
}

// ---- agreement

enum { EVENTS = 8 };

struct event {
    uint32_t link;
    struct link_belief belief;
};

static void random_events(struct rng *rng, const struct fabric *fabric, struct event *events) {
    for (unsigned i = 0; i < EVENTS;) {
        struct event *event = &events[i];
        *event = (struct event){(uint32_t)rng_below(rng, fabric_link_count(fabric)),
                                {.capacity_ppm = CAPACITY_FULL_PPM}};
        bool again = !fabric_link_is_internal(fabric, (link_id){event->link});
        for (unsigned j = 0; j < i; j++) {
            again = again || events[j].link == event->link;
        }
        event->belief.down = rng_below(rng, 2) == 0;
        event->belief.capacity_ppm = CAPACITY_FULL_PPM / (1 + (uint32_t)rng_below(rng, 4));
        i += !again;
    }
}

static void plan_by(struct planner *planner, const struct plan_input *input, uint32_t host,
                    struct plan *plan) {
    assert_int_equal(planner_plan(planner, input, (node_id){host}, plan, NULL), 0);
}

// One planner sees the events one by one and heals a link on the way, another sees them backwards,
// for other hosts in between; both end where a fresh plan does.
static void check_agreement(struct rng *rng, struct path_fixture *fixture) {
    struct event events[EVENTS];
    struct planner *planners[2];
    struct plan plans[3];
    uint32_t links = fabric_link_count(fixture->fabric), hosts = fixture->fabric->host_count;
    uint32_t host = (uint32_t)rng_below(rng, hosts);
    struct plan_input input = fixture->input;
    input.algorithm = "shared";
    random_events(rng, fixture->fabric, events);
    for (unsigned p = 0; p < 3; p++) {
        for (uint32_t i = 0; i < links; i++) {
            fixture->beliefs[i] = (struct link_belief){.capacity_ppm = CAPACITY_FULL_PPM};
        }
        plan_init(&plans[p]);
        if (p < 2) {
            assert_int_equal(planner_open(fixture->fabric, &planners[p]), 0);
        }
        for (unsigned i = 0; i < EVENTS; i++) {
            const struct event *event = &events[p == 1 ? EVENTS - 1 - i : i];
            fixture->beliefs[event->link] = event->belief;
            if (p < 2) {
                planner_forget_beliefs(planners[p]);
                plan_by(planners[p], &input, (host + i * p) % hosts, &plans[p]);
            }
        }
    }
    plan_by(planners[0], &input, host, &plans[0]);
    plan_by(planners[1], &input, host, &plans[1]);
    assert_int_equal(plan_host(&input, (node_id){host}, &plans[2], NULL), 0);
    assert_true(plan_equal(&plans[0], &plans[2]));
    assert_true(plan_equal(&plans[1], &plans[2]));
    for (unsigned p = 0; p < 3; p++) {
        plan_fini(&plans[p]);
    }
    planner_close(planners[0]);
    planner_close(planners[1]);
}

static void plans_do_not_depend_on_what_was_believed_before(void **state) {
    (void)state;
    static const enum trial_shape shapes[] = {TRIAL_8X8, TRIAL_THREE_TIER, TRIAL_RAIL};
    for (uint32_t i = 0; i < 3 * 4; i++) {
        struct path_fixture fixture;
        struct rng rng;
        rng_init(&rng, base_seed + i);
        trial_open(&fixture, shapes[i % 3]);
        trial_send(&fixture, &rng, (enum trial_traffic)(i / 3));
        check_agreement(&rng, &fixture);
        fixture_close(&fixture);
    }
}

static uint64_t number_of(const char *variable, uint64_t otherwise) {
    const char *text = getenv(variable);
    return text != NULL ? strtoull(text, NULL, 0) : otherwise;
}

int main(void) {
    base_seed = number_of("SEED", base_seed);
    rounds = (uint32_t)number_of("ROUNDS", rounds);
    printf("SEED=%" PRIu64 " ROUNDS=%u\n", base_seed, rounds);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alltoall_on_broken_fabrics_is_within_2_percent_and_whole),
        cmocka_unit_test(skewed_alltoallv_on_broken_fabrics_is_within_2_percent_and_whole),
        cmocka_unit_test(permutations_on_broken_fabrics_are_within_1_percent),
        cmocka_unit_test(rings_on_broken_fabrics_are_within_1_percent),
        cmocka_unit_test(rings_of_leaves_that_hinder_each_other_are_within_1_percent),
        cmocka_unit_test(weighted_alone_is_within_25_percent),
        cmocka_unit_test(three_tier_and_rail_fabrics_are_within_5_percent_of_the_program),
        cmocka_unit_test(even_traffic_on_healthy_fabrics_is_optimal_without_splits),
        cmocka_unit_test(uneven_permutations_are_the_best_that_whole_flows_allow),
        cmocka_unit_test(stale_views_cost_what_they_must),
        cmocka_unit_test(ethereal_splits_as_published),
        cmocka_unit_test(plans_do_not_depend_on_what_was_believed_before),
    };
    cmocka_set_test_filter(getenv("TEST"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
