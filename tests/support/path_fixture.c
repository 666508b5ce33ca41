// SPDX-License-Identifier: Apache-2.0
#include "path_fixture.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void complain(void *context, const struct error *error) {
    (void)context;
    fprintf(stderr, "fixture: %s\n", error->text);
}

void fixture_clos(struct path_fixture *fixture, const struct fabric_clos_desc *clos) {
    struct fabric_desc desc = {
        .source = "fixture",
        .version = 1,
        .generation = 1,
        .name = "fixture",
        .block = "fcbb:bb00::/32",
        .clos = clos,
    };
    *fixture = (struct path_fixture){.fabric = fabric_open(&desc, complain, NULL)};
    assert(fixture->fabric != NULL);
    uint32_t links = fabric_link_count(fixture->fabric);
    fixture->beliefs = calloc(links, sizeof fixture->beliefs[0]);
    assert(fixture->beliefs != NULL);
    for (uint32_t i = 0; i < links; i++) {
        fixture->beliefs[i].capacity_ppm = CAPACITY_FULL_PPM;
    }
    job_init(&fixture->job);
    strcpy(fixture->job.name, "job");
    fixture->job.all_ranks = true;
    uint32_t count = job_rank_count(&fixture->job, fixture->fabric);
    fixture->ranks = calloc(count, sizeof fixture->ranks[0]);
    assert(fixture->ranks != NULL);
    job_resolve(&fixture->job, fixture->fabric, fixture->ranks);
    fixture->plan_job = (struct plan_job){
        .job = &fixture->job,
        .ranks = fixture->ranks,
        .rank_count = count,
        .permutations = fixture->maps,
    };
    fixture->input = (struct plan_input){
        .fabric = fixture->fabric,
        .beliefs = fixture->beliefs,
        .jobs = &fixture->plan_job,
        .job_count = 1,
        .algorithm = "ethereal",
    };
}

void fixture_leaf_spine(struct path_fixture *fixture, uint32_t leaves, uint32_t spines,
                        uint32_t hosts_per_leaf, uint32_t cables) {
    struct fabric_clos_desc clos = {
        .kind = "leaf-spine",
        .leaves = leaves,
        .spines = spines,
        .hosts_per_leaf = hosts_per_leaf,
        .cables = cables,
        .ports_per_host = 1,
        .host_bps = 400 * GBPS,
        .fabric_bps = 400 * GBPS,
    };
    fixture_clos(fixture, &clos);
}

void fixture_three_tier(struct path_fixture *fixture, uint32_t pods, uint32_t leaves_per_pod,
                        uint32_t aggs_per_pod, uint32_t cores, uint32_t hosts_per_leaf) {
    struct fabric_clos_desc clos = {
        .kind = "three-tier",
        .pods = pods,
        .leaves_per_pod = leaves_per_pod,
        .aggs_per_pod = aggs_per_pod,
        .cores = cores,
        .hosts_per_leaf = hosts_per_leaf,
        .cables = 1,
        .ports_per_host = 1,
        .host_bps = 400 * GBPS,
        .fabric_bps = 400 * GBPS,
    };
    fixture_clos(fixture, &clos);
}

void fixture_close(struct path_fixture *fixture) {
    for (uint32_t i = 0; i < JOB_COLLECTIVES_MAX; i++) {
        free((void *)fixture->maps[i]);
    }
    free(fixture->ranks);
    job_fini(&fixture->job);
    free(fixture->beliefs);
    fabric_close(fixture->fabric);
}

void fixture_collective(struct path_fixture *fixture, enum collective_type type, uint64_t bytes,
                        uint64_t seed) {
    struct job *job = &fixture->job;
    uint32_t index = job->collective_count++;
    job->collectives[index] = (struct collective){.type = type, .bytes = bytes, .seed = seed};
    if (collective_has_map(type)) {
        uint32_t *map = calloc(fixture->plan_job.rank_count, sizeof map[0]);
        assert(map != NULL);
        int rc = job_permutation(job, index, fixture->fabric, fixture->ranks,
                                 fixture->plan_job.rank_count, map);
        assert(rc == 0);
        fixture->maps[index] = map;
    }
}

void fixture_pairs(struct path_fixture *fixture, const struct job_pair *pairs, uint32_t count,
                   uint64_t bytes) {
    struct job *job = &fixture->job;
    struct job_pair *copy = calloc(count, sizeof copy[0]);
    assert(copy != NULL);
    memcpy(copy, pairs, count * sizeof copy[0]);
    job->collectives[job->collective_count++] = (struct collective){.type = COLLECTIVE_PAIRS,
                                                                    .bytes = bytes,
                                                                    .pair_count = count,
                                                                    .pairs = copy};
}

link_id fixture_link(const struct path_fixture *fixture, const char *name) {
    link_id link = {ID_NONE};
    bool found = fabric_find_link(fixture->fabric, name, &link);
    assert(found);
    return link;
}

port_id fixture_port(const struct path_fixture *fixture, const char *name) {
    port_id port = {ID_NONE};
    bool found = fabric_find_port(fixture->fabric, name, &port);
    assert(found);
    return port;
}

void fixture_cut(struct path_fixture *fixture, const char *link) {
    fixture->beliefs[fixture_link(fixture, link).i].down = true;
}

void fixture_limit(struct path_fixture *fixture, const char *link, uint32_t capacity_ppm) {
    fixture->beliefs[fixture_link(fixture, link).i].capacity_ppm = capacity_ppm;
}

uint64_t *fixture_loads(const struct path_fixture *fixture, const char *algorithm,
                        uint64_t *split_count) {
    uint64_t *loads = calloc(fabric_link_count(fixture->fabric), sizeof loads[0]);
    assert(loads != NULL);
    struct plan_input input = fixture->input;
    input.algorithm = algorithm;
    struct plan plan;
    plan_init(&plan);
    *split_count = 0;
    for (uint32_t i = 0; i < fixture->fabric->host_count; i++) {
        int rc = plan_host(&input, (node_id){i}, &plan, NULL);
        assert(rc == 0);
        plan_add_loads(&plan, loads);
        *split_count += plan.split_count;
    }
    plan_fini(&plan);
    return loads;
}
