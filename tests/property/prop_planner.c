// SPDX-License-Identifier: Apache-2.0
// Planners of `shared` on fabrics with enough ranks that an AlltoAll is not listed flow by flow:
// they agree with plans from scratch whatever came before, and what they know of leaves agrees with
// what ranks send. The seed is printed; SEED=... reruns it.
#include "cmocka_all.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "model/rng.h"
#include "path_fixture.h"
#include "shared_demand.h"

#define ROUNDS 60
#define LEAVES_ROUNDS 300
#define JOBS_MOST 3

static uint64_t base_seed;

struct scene {
    struct path_fixture fixture; // its own job is not used
    struct job jobs[JOBS_MOST];
    struct plan_job plan_jobs[JOBS_MOST];
    const uint32_t *maps[JOBS_MOST][JOB_COLLECTIVES_MAX];
    struct plan_input input;
};

static uint32_t between(struct rng *rng, uint32_t least, uint32_t most) {
    return least + (uint32_t)rng_below(rng, most - least + 1);
}

// ---- fabrics of 64 to 128 ports

static void open_fabric(struct rng *rng, struct path_fixture *fixture) {
    struct fabric_clos_desc clos = {.cables = between(rng, 1, 2),
                                    .spines = between(rng, 1, 8),
                                    .host_bps = 400 * GBPS,
                                    .fabric_bps = 400 * GBPS};
    switch (rng_below(rng, 5)) {
    case 0:
        clos.kind = "leaf-spine";
        clos.ports_per_host = 1;
        clos.leaves = between(rng, 4, 8);
        clos.hosts_per_leaf = 16;
        break;
    case 1: // two ports, on neighbouring leaves
        clos.kind = "leaf-spine";
        clos.leaves = 2 * between(rng, 2, 4);
        clos.hosts_per_leaf = between(rng, 8, 16);
        clos.ports_per_host = 2;
        break;
    case 2:
        clos.kind = "three-tier";
        clos.ports_per_host = 1;
        clos.pods = between(rng, 2, 4);
        clos.leaves_per_pod = between(rng, 2, 3);
        clos.aggs_per_pod = between(rng, 1, 4);
        clos.cores = clos.aggs_per_pod * between(rng, 1, 3);
        clos.hosts_per_leaf = 16;
        clos.spines = 0;
        break;
    case 3:
        clos.kind = "rail-optimized";
        clos.rails = between(rng, 2, 4);
        clos.groups = between(rng, 2, 3);
        clos.hosts_per_group = 16;
        break;
    default:
        clos.kind = "dual-plane";
        clos.leaves = between(rng, 2, 4);
        clos.hosts_per_leaf = between(rng, 12, 16);
    }
    fixture_clos(fixture, &clos);
}

// ---- jobs

static void add_collective(struct rng *rng, const struct scene *scene, uint32_t ranks,
                           struct job *job) {
    (void)scene;
    struct collective *collective = &job->collectives[job->collective_count++];
    *collective = (struct collective){.bytes = 1 + rng_below(rng, 1 << 26), .seed = rng_next(rng)};
    switch (rng_below(rng, 7)) {
    case 0:
        collective->type = COLLECTIVE_RING;
        break;
    case 1:
        collective->type = COLLECTIVE_PERMUTATION;
        break;
    case 2:
        collective->type = COLLECTIVE_TREE;
        break;
    case 3:
        collective->type = COLLECTIVE_PAIRS;
        collective->pair_count = between(rng, 1, 20);
        collective->pairs = calloc(collective->pair_count, sizeof collective->pairs[0]);
        for (uint32_t i = 0; i < collective->pair_count; i++) {
            uint32_t from = between(rng, 0, ranks - 1);
            collective->pairs[i] =
                (struct job_pair){from, (from + between(rng, 1, ranks - 1)) % ranks};
        }
        break;
    case 4:
        collective->type = COLLECTIVE_ALLTOALLV;
        collective->bytes = 0;
        collective->matrix_ranks = ranks;
        collective->matrix = calloc((size_t)ranks * ranks, sizeof collective->matrix[0]);
        for (uint32_t i = 0; i < ranks * ranks; i++) {
            collective->matrix[i] = rng_below(rng, 4) > 0 ? rng_below(rng, 100000) : 0;
        }
        break;
    case 5:
        collective->type = COLLECTIVE_ALLTOALLV;
        collective->weight_count = ranks;
        collective->weights = calloc(ranks, sizeof collective->weights[0]);
        for (uint32_t i = 0; i < ranks; i++) {
            collective->weights[i] = (uint32_t)rng_below(rng, 100) + (i == 0);
        }
        break;
    default:
        collective->type = COLLECTIVE_ALLTOALL;
        collective->bytes += ranks;
    }
}

// Most ranks are there; in some jobs a few are none of the fabric's.
static port_id *random_ranks(struct rng *rng, const struct fabric *fabric) {
    port_id *ranks = calloc(fabric->port_count, sizeof ranks[0]);
    bool gaps = rng_below(rng, 3) == 0;
    for (uint32_t i = 0; i < fabric->port_count; i++) {
        ranks[i].i = gaps && rng_below(rng, 10) == 0 ? ID_NONE : i;
    }
    for (uint32_t i = fabric->port_count - 1; i > 0; i--) {
        uint32_t j = (uint32_t)rng_below(rng, i + 1);
        port_id swapped = ranks[i];
        ranks[i] = ranks[j];
        ranks[j] = swapped;
    }
    return ranks;
}

static void add_job(struct rng *rng, struct scene *scene, uint32_t index) {
    static const char *const algorithms[] = {"", "shared", "ecmp", "ethereal"};
    const struct fabric *fabric = scene->fixture.fabric;
    struct job *job = &scene->jobs[index];
    struct plan_job *plan_job = &scene->plan_jobs[index];
    job_init(job);
    snprintf(job->name, sizeof job->name, "job%u", index);
    snprintf(job->algorithm, sizeof job->algorithm, "%s",
             algorithms[index == 0 ? 0 : rng_below(rng, 4)]);
    job->reserved_bps = rng_below(rng, 3) == 0 ? rng_below(rng, 100 * GBPS) : 0;
    job->all_ranks = true;
    *plan_job = (struct plan_job){.job = job,
                                  .ranks = random_ranks(rng, fabric),
                                  .rank_count = fabric->port_count,
                                  .permutations = scene->maps[index]};
    for (uint32_t i = between(rng, 1, 2); i > 0; i--) {
        add_collective(rng, scene, fabric->port_count, job);
    }
    for (uint32_t i = 0; i < job->collective_count; i++) {
        if (collective_has_map(job->collectives[i].type)) {
            uint32_t *map = calloc(fabric->port_count, sizeof map[0]);
            assert_int_equal(job_permutation(job, i, fabric, plan_job->ranks, fabric->port_count,
                                             map),
                             0);
            scene->maps[index][i] = map;
        }
    }
}

static void scene_open(struct rng *rng, struct scene *scene) {
    memset(scene, 0, sizeof *scene);
    open_fabric(rng, &scene->fixture);
    scene->input = scene->fixture.input;
    scene->input.algorithm = "shared";
    scene->input.jobs = scene->plan_jobs;
    scene->input.job_count = between(rng, 1, JOBS_MOST);
    for (uint32_t i = 0; i < scene->input.job_count; i++) {
        add_job(rng, scene, i);
    }
}

static void scene_close(struct scene *scene) {
    for (uint32_t i = 0; i < scene->input.job_count; i++) {
        for (uint32_t c = 0; c < JOB_COLLECTIVES_MAX; c++) {
            free((void *)scene->maps[i][c]);
        }
        free((void *)scene->plan_jobs[i].ranks);
        job_fini(&scene->jobs[i]);
    }
    fixture_close(&scene->fixture);
}

static void change_links(struct rng *rng, struct path_fixture *fixture) {
    uint32_t links = fabric_link_count(fixture->fabric);
    for (uint32_t i = between(rng, 1, 1 + links / 30); i > 0; i--) {
        struct link_belief *belief = &fixture->beliefs[rng_below(rng, links)];
        switch (rng_below(rng, 4)) {
        case 0:
            belief->down = !belief->down;
            break;
        case 1:
            belief->drained = !belief->drained;
            break;
        case 2:
            belief->capacity_ppm = CAPACITY_FULL_PPM;
            break;
        default:
            belief->capacity_ppm = (uint32_t)rng_below(rng, CAPACITY_FULL_PPM);
        }
    }
}

static void for_each_round(uint64_t rounds, void (*check)(struct rng *, struct scene *)) {
    static struct scene scene;
    for (uint64_t round = 0; round < rounds; round++) {
        struct rng rng;
        rng_init(&rng, base_seed + round);
        scene_open(&rng, &scene);
        check(&rng, &scene);
        scene_close(&scene);
    }
}

// ---- planners

static void expect_as_from_scratch(struct planner *planner, const struct plan_input *input,
                                   uint32_t host) {
    struct plan kept, fresh;
    plan_init(&kept);
    plan_init(&fresh);
    assert_int_equal(planner_plan(planner, input, (node_id){host}, &kept, NULL), 0);
    assert_int_equal(plan_host(input, (node_id){host}, &fresh, NULL), 0);
    assert_true(plan_equal(&kept, &fresh));
    plan_fini(&kept);
    plan_fini(&fresh);
}

static void check_sequence(struct rng *rng, struct scene *scene) {
    struct planner *planner;
    assert_int_equal(planner_open(scene->fixture.fabric, &planner), 0);
    for (unsigned step = 0; step < 6; step++) {
        for (unsigned i = 0; i < 2; i++) {
            expect_as_from_scratch(planner, &scene->input,
                                   (uint32_t)rng_below(rng, scene->fixture.fabric->host_count));
        }
        change_links(rng, &scene->fixture);
        if (rng_below(rng, 4) == 0) {
            struct plan_job swapped = scene->plan_jobs[0]; // jobs are planned by name
            uint32_t other = (uint32_t)rng_below(rng, scene->input.job_count);
            scene->plan_jobs[0] = scene->plan_jobs[other];
            scene->plan_jobs[other] = swapped;
            scene->jobs[0].collectives[0].bytes += scene->jobs[0].collectives[0].matrix == NULL;
            planner_forget(planner);
        } else {
            planner_forget_beliefs(planner);
        }
    }
    planner_close(planner);
}

// ---- every byte, once, on live links

static void check_flow(const struct scene *scene, const struct plan *plan,
                       const struct plan_flow *flow) {
    const struct fabric *fabric = scene->fixture.fabric;
    uint64_t bytes = 0;
    assert_true(flow->part_count <= RULE_PATHS_MAX);
    for (uint32_t i = 0; i < flow->part_count; i++) {
        const struct plan_part *part = &plan->parts[flow->first_part + i];
        const struct path *path = &part->path;
        assert_true(part->bytes > 0);
        bytes += part->bytes;
        assert_true(path_is_live(fabric, scene->fixture.beliefs, path));
        assert_int_equal(path->links[0].i, 2 * fabric->ports[flow->src.i].cable.i);
        assert_int_equal(path->links[path->link_count - 1].i,
                         2 * fabric->ports[flow->dst.i].cable.i + 1);
        for (unsigned l = 0; l + 1 < path->link_count; l++) {
            assert_int_equal(fabric_link_to(fabric, path->links[l]).i,
                             fabric_link_from(fabric, path->links[l + 1]).i);
        }
        if (part->backup.link_count > 0) {
            assert_true(path_is_live(fabric, scene->fixture.beliefs, &part->backup));
            assert_false(path_shares_cable(fabric, path, &part->backup));
        }
    }
    bool reachable =
        candidates_find(fabric, scene->fixture.beliefs, flow->src, flow->dst, NULL, 0) > 0;
    assert_int_equal(bytes, reachable ? flow->bytes : 0);
}

static void check_whole(struct rng *rng, struct scene *scene) {
    struct planner *planner;
    struct plan plan;
    plan_init(&plan);
    for (uint64_t i = rng_below(rng, 3); i > 0; i--) {
        change_links(rng, &scene->fixture);
    }
    assert_int_equal(planner_open(scene->fixture.fabric, &planner), 0);
    for (uint32_t host = 0; host < scene->fixture.fabric->host_count; host += 5) {
        assert_int_equal(planner_plan(planner, &scene->input, (node_id){host}, &plan, NULL), 0);
        for (uint32_t i = 0; i < plan.flow_count; i++) {
            check_flow(scene, &plan, &plan.flows[i]);
        }
    }
    planner_close(planner);
    plan_fini(&plan);
}

// ---- leaves as ranks have it

struct enumeration {
    const struct grid *grid;
    double *bytes;   // by pair of leaves
    uint64_t listed; // bytes of listed flows
    const struct flow_list *list;
};

static void add_dense(void *context, const struct demand *demand) {
    struct enumeration *all = context;
    const struct fabric_port *ports = all->grid->fabric->ports;
    size_t from = all->grid->leaf_index[ports[demand->src.i].leaf.i];
    size_t to = all->grid->leaf_index[ports[demand->dst.i].leaf.i];
    all->bytes[from * all->grid->leaf_count + to] += (double)demand->bytes;
}

static void add_listed(void *context, const struct demand *demand) {
    struct enumeration *all = context;
    const struct fabric_port *ports = all->grid->fabric->ports;
    uint32_t index;
    if (ports[demand->src.i].leaf.i != ports[demand->dst.i].leaf.i) {
        assert_true(flow_list_find(all->list, demand->src, demand->dst, &index));
        all->listed += demand->bytes;
    }
}

static void compare_leaves(const struct enumeration *all, const struct leaf_demand *demand) {
    for (uint32_t from = 0; from < all->grid->leaf_count; from++) {
        for (uint32_t to = 0; to < all->grid->leaf_count; to++) {
            double wanted = all->bytes[(size_t)from * all->grid->leaf_count + to];
            double found =
                demand->kind_count > 0
                    ? demand->bytes[demand->kind[from] * demand->kind_count + demand->kind[to]]
                    : 0;
            assert_true(from == to || wanted == found);
        }
    }
}

static void compare_list(const struct enumeration *all) {
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < all->list->count; i++) {
        bytes += all->list->flows[i].bytes;
        assert_true(i == 0 || all->list->flows[i - 1].src.i < all->list->flows[i].src.i ||
                    all->list->flows[i - 1].dst.i < all->list->flows[i].dst.i);
    }
    assert_int_equal(bytes, all->listed);
}

static void check_leaves(struct rng *rng, struct scene *scene) {
    (void)rng;
    struct grid *grid;
    const struct plan_job *job = &scene->plan_jobs[0];
    struct shape shape;
    struct leaf_demand demand;
    struct flow_list list = {0};
    const uint32_t member = 0;
    assert_int_equal(grid_open(scene->fixture.fabric, &grid), 0);
    assert_int_equal(shape_open(grid, job, &shape), 0);
    const struct demand_jobs jobs = {job, &shape, &member, 1};
    assert_int_equal(demand_build(grid, &jobs, &demand), 0);
    assert_int_equal(shape_list(grid, job, &shape, &list, NULL), 0);
    flow_list_merge(&list);
    struct enumeration all = {
        .grid = grid,
        .bytes = calloc((size_t)grid->leaf_count * grid->leaf_count, sizeof(double)),
        .list = &list,
    };
    struct shape_job dense, listed;
    shape_select(job, shape.dense, &dense);
    shape_select(job, shape.listed, &listed);
    for (uint32_t rank = 0; rank < job->rank_count; rank++) {
        job_demands(&dense.job, grid->fabric, job->ranks, job->rank_count, rank, dense.permutations,
                    add_dense, &all);
        job_demands(&listed.job, grid->fabric, job->ranks, job->rank_count, rank,
                    listed.permutations, add_listed, &all);
    }
    compare_leaves(&all, &demand);
    compare_list(&all);
    free(all.bytes);
    free(list.flows);
    demand_fini(&demand);
    shape_fini(&shape);
    grid_close(grid);
}

static void a_planner_plans_as_from_scratch_whatever_came_before(void **state) {
    (void)state;
    for_each_round(ROUNDS, check_sequence);
}

static void every_byte_is_placed_once_on_live_links(void **state) {
    (void)state;
    for_each_round(ROUNDS, check_whole);
}

static void sums_of_leaves_are_what_ranks_send(void **state) {
    (void)state;
    for_each_round(LEAVES_ROUNDS, check_leaves);
}

int main(void) {
    const char *seed = getenv("SEED");
    base_seed = seed != NULL ? strtoull(seed, NULL, 0) : (uint64_t)time(NULL) << 16;
    printf("SEED=%" PRIu64 "\n", base_seed);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_planner_plans_as_from_scratch_whatever_came_before),
        cmocka_unit_test(every_byte_is_placed_once_on_live_links),
        cmocka_unit_test(sums_of_leaves_are_what_ranks_send),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
