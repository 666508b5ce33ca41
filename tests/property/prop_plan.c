// SPDX-License-Identifier: Apache-2.0
// Plans on random fabrics with random failures, collectives and algorithms. The seed is printed;
// SEED=... reruns it.
#include "cmocka_all.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "model/rng.h"
#include "path_fixture.h"

#define ROUNDS 400

static uint64_t base_seed;

static uint32_t between(struct rng *rng, uint32_t least, uint32_t most) {
    return least + (uint32_t)rng_below(rng, most - least + 1);
}

static void random_fabric(struct rng *rng, struct path_fixture *fixture) {
    if (rng_below(rng, 3) == 0) {
        uint32_t aggs = between(rng, 1, 4);
        fixture_three_tier(fixture, between(rng, 2, 4), between(rng, 1, 3), aggs,
                           aggs * between(rng, 1, 4), between(rng, 1, 3));
    } else {
        fixture_leaf_spine(fixture, between(rng, 2, 6), between(rng, 1, 9), between(rng, 1, 5),
                           between(rng, 1, 3));
    }
}

static void random_job(struct rng *rng, struct path_fixture *fixture) {
    const uint64_t bytes = 1 + rng_below(rng, 1 << 24);
    uint32_t ranks = fixture->plan_job.rank_count;
    if (rng_below(rng, 2) == 0) {
        fixture_collective(fixture, COLLECTIVE_ALLTOALL, bytes + ranks, 0);
    }
    fixture_collective(fixture, COLLECTIVE_PERMUTATION, bytes, rng_next(rng));
    struct job_pair pairs[8];
    for (unsigned i = 0; i < 8; i++) {
        pairs[i].src_rank = between(rng, 0, ranks - 1);
        pairs[i].dst_rank = (pairs[i].src_rank + between(rng, 1, ranks - 1)) % ranks;
    }
    fixture_pairs(fixture, pairs, 8, 1 + rng_below(rng, 1000));
}

static void random_failures(struct rng *rng, struct path_fixture *fixture) {
    uint32_t links = fabric_link_count(fixture->fabric);
    for (uint32_t i = (uint32_t)rng_below(rng, 1 + links / 5); i > 0; i--) {
        struct link_belief *belief = &fixture->beliefs[rng_below(rng, links)];
        switch (rng_below(rng, 3)) {
        case 0:
            belief->down = true;
            break;
        case 1:
            belief->drained = true;
            break;
        default:
            belief->capacity_ppm = (uint32_t)rng_below(rng, CAPACITY_FULL_PPM);
        }
    }
}

static void random_fixture(struct rng *rng, struct path_fixture *fixture) {
    static const char *const algorithms[] = {"adaptive", "ecmp",         "ethereal",
                                             "flowlet",  "qp-scaling",   "shared",
                                             "spray",    "spray-random", "weighted"};
    random_fabric(rng, fixture);
    random_job(rng, fixture);
    random_failures(rng, fixture);
    fixture->input.algorithm = algorithms[rng_below(rng, sizeof algorithms / sizeof algorithms[0])];
}

static struct plan plan_of(const struct plan_input *input, uint32_t host) {
    struct plan plan;
    plan_init(&plan);
    assert_int_equal(plan_host(input, (node_id){host}, &plan, NULL), 0);
    return plan;
}

static void for_each_round(void (*check)(struct rng *, struct path_fixture *)) {
    for (uint64_t round = 0; round < ROUNDS; round++) {
        struct rng rng;
        rng_init(&rng, base_seed + round);
        struct path_fixture fixture;
        random_fixture(&rng, &fixture);
        check(&rng, &fixture);
        fixture_close(&fixture);
    }
}

struct demand_sum {
    uint64_t bytes;
};

static void add_demand(void *context, const struct demand *demand) {
    ((struct demand_sum *)context)->bytes += demand->bytes;
}

static void check_bytes(struct rng *rng, struct path_fixture *fixture) {
    (void)rng;
    const struct plan_job *job = &fixture->plan_job;
    for (uint32_t host = 0; host < fixture->fabric->host_count; host++) {
        struct plan plan = plan_of(&fixture->input, host);
        struct demand_sum wanted = {0};
        job_demands(job->job, fixture->fabric, job->ranks, job->rank_count, host, job->permutations,
                    add_demand, &wanted);
        uint64_t flows = 0;
        for (uint32_t i = 0; i < plan.flow_count; i++) {
            const struct plan_flow *flow = &plan.flows[i];
            uint64_t parts = 0;
            for (uint32_t j = 0; j < flow->part_count; j++) {
                parts += plan.parts[flow->first_part + j].bytes;
            }
            bool reachable = candidates_find(fixture->fabric, fixture->beliefs, flow->src,
                                             flow->dst, NULL, 0) > 0;
            assert_int_equal(flow->part_count > 0, reachable);
            assert_int_equal(parts, reachable ? flow->bytes : 0);
            flows += flow->bytes;
        }
        assert_int_equal(flows, wanted.bytes);
        plan_fini(&plan);
    }
}

static void check_path(const struct path_fixture *fixture, const struct plan_flow *flow,
                       const struct path *path) {
    const struct fabric *fabric = fixture->fabric;
    assert_true(path_is_live(fabric, fixture->beliefs, path));
    assert_int_equal(fabric_link_from(fabric, path->links[0]).i, fabric->ports[flow->src.i].host.i);
    assert_int_equal(fabric_link_to(fabric, path->links[path->link_count - 1]).i,
                     fabric->ports[flow->dst.i].host.i);
    for (unsigned i = 0; i + 1 < path->link_count; i++) {
        assert_int_equal(fabric_link_to(fabric, path->links[i]).i,
                         fabric_link_from(fabric, path->links[i + 1]).i);
    }
}

// A backup exists whenever any candidate is disjoint from the path.
static bool some_candidate_is_disjoint(const struct path_fixture *fixture,
                                       const struct plan_flow *flow, const struct path *path) {
    static struct path all[CANDIDATES_MAX];
    uint32_t count = candidates_find(fixture->fabric, fixture->beliefs, flow->src, flow->dst, all,
                                     CANDIDATES_MAX);
    for (uint32_t i = 0; i < count; i++) {
        if (!path_shares_cable(fixture->fabric, &all[i], path)) {
            return path->link_count > 2;
        }
    }
    return false;
}

static void check_paths(struct rng *rng, struct path_fixture *fixture) {
    struct plan plan =
        plan_of(&fixture->input, (uint32_t)rng_below(rng, fixture->fabric->host_count));
    for (uint32_t i = 0; i < plan.flow_count; i++) {
        const struct plan_flow *flow = &plan.flows[i];
        for (uint32_t j = 0; j < flow->part_count; j++) {
            const struct plan_part *part = &plan.parts[flow->first_part + j];
            check_path(fixture, flow, &part->path);
            assert_int_equal(part->backup.link_count > 0,
                             some_candidate_is_disjoint(fixture, flow, &part->path));
            if (part->backup.link_count > 0) {
                check_path(fixture, flow, &part->backup);
                assert_false(path_shares_cable(fixture->fabric, &part->path, &part->backup));
            }
        }
    }
    plan_fini(&plan);
}

// Ranks in another order are the same job as long as pairs are named by the same ports.
static void check_order_of_ranks(struct rng *rng, struct path_fixture *fixture) {
    uint32_t count = fixture->plan_job.rank_count;
    fixture->job.collective_count = 0;
    struct path_fixture *f = fixture;
    for (unsigned i = 0; i < JOB_COLLECTIVES_MAX; i++) {
        free(f->job.collectives[i].pairs);
        f->job.collectives[i].pairs = NULL;
        free((void *)f->maps[i]);
        f->maps[i] = NULL;
    }
    fixture_collective(fixture, COLLECTIVE_ALLTOALL, 1 << 20, 0);
    uint32_t host = (uint32_t)rng_below(rng, fixture->fabric->host_count);
    struct plan before = plan_of(&fixture->input, host);
    for (uint32_t i = count - 1; i > 0; i--) {
        uint32_t j = (uint32_t)rng_below(rng, i + 1);
        port_id swapped = fixture->ranks[i];
        fixture->ranks[i] = fixture->ranks[j];
        fixture->ranks[j] = swapped;
    }
    struct plan after = plan_of(&fixture->input, host);
    assert_true(plan_equal(&before, &after));
    plan_fini(&before);
    plan_fini(&after);
}

static void check_order_of_jobs(struct rng *rng, struct path_fixture *fixture) {
    struct job other = fixture->job;
    strcpy(other.name, "other");
    struct plan_job jobs[2] = {fixture->plan_job, fixture->plan_job};
    jobs[1].job = &other;
    const struct plan_job swapped[2] = {jobs[1], jobs[0]};
    struct plan_input input = fixture->input;
    input.job_count = 2;
    uint32_t host = (uint32_t)rng_below(rng, fixture->fabric->host_count);
    input.jobs = jobs;
    struct plan a = plan_of(&input, host);
    input.jobs = swapped;
    struct plan b = plan_of(&input, host);
    assert_int_equal(a.flow_count, b.flow_count);
    // Flows of one pair stand side by side, one for each job.
    for (uint32_t i = 0; i < a.flow_count; i++) {
        const struct plan_flow *x = &a.flows[i];
        const struct plan_flow *y = &b.flows[i ^ 1];
        assert_int_equal(x->dst.i, y->dst.i);
        assert_int_equal(x->job, 1 - y->job);
        assert_int_equal(x->part_count, y->part_count);
        for (uint32_t j = 0; j < x->part_count; j++) {
            const struct plan_part *p = &a.parts[x->first_part + j];
            const struct plan_part *q = &b.parts[y->first_part + j];
            assert_true(path_equal(&p->path, &q->path) && path_equal(&p->backup, &q->backup));
            assert_int_equal(p->bytes, q->bytes);
        }
    }
    plan_fini(&a);
    plan_fini(&b);
}

static void every_byte_of_every_demand_is_placed_once(void **state) {
    (void)state;
    for_each_round(check_bytes);
}

static void paths_and_backups_are_whole_live_and_disjoint(void **state) {
    (void)state;
    for_each_round(check_paths);
}

static void the_order_of_ranks_does_not_matter(void **state) {
    (void)state;
    for_each_round(check_order_of_ranks);
}

static void the_order_of_jobs_does_not_matter(void **state) {
    (void)state;
    for_each_round(check_order_of_jobs);
}

// One size of flows, no failures: every uplink of a leaf and every downlink into one carries the
// same, up to the bytes that do not divide.
static void symmetric_fabrics_are_loaded_evenly(void **state) {
    (void)state;
    for (uint64_t round = 0; round < ROUNDS; round++) {
        struct rng rng;
        rng_init(&rng, base_seed + round);
        struct path_fixture fixture;
        uint32_t spines = between(&rng, 1, 12);
        fixture_leaf_spine(&fixture, between(&rng, 2, 5), spines, between(&rng, 1, 6),
                           between(&rng, 1, 2));
        uint32_t ranks = fixture.plan_job.rank_count;
        // 12 spines with two cables each way make at most 48 paths; this divides by all up to 48
        // that occur: the multiples of four up to 48 and the numbers up to 12.
        uint64_t bytes = UINT64_C(720720) * 64;
        fixture_collective(&fixture, COLLECTIVE_ALLTOALL, bytes * ranks, 0);
        uint64_t splits;
        uint64_t *loads = fixture_loads(&fixture, "ethereal", &splits);
        uint64_t least = UINT64_MAX, most = 0;
        for (uint32_t i = 0; i < fabric_link_count(fixture.fabric); i++) {
            if (fabric_link_is_internal(fixture.fabric, (link_id){i})) {
                least = loads[i] < least ? loads[i] : least;
                most = loads[i] > most ? loads[i] : most;
            }
        }
        assert_true(most > 0);
        assert_int_equal(least, most);
        free(loads);
        fixture_close(&fixture);
    }
}

int main(void) {
    const char *seed = getenv("SEED");
    base_seed = seed != NULL ? strtoull(seed, NULL, 0) : (uint64_t)time(NULL) << 16;
    printf("SEED=%" PRIu64 "\n", base_seed);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_of_every_demand_is_placed_once),
        cmocka_unit_test(paths_and_backups_are_whole_live_and_disjoint),
        cmocka_unit_test(the_order_of_ranks_does_not_matter),
        cmocka_unit_test(the_order_of_jobs_does_not_matter),
        cmocka_unit_test(symmetric_fabrics_are_loaded_evenly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
