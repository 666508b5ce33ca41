// SPDX-License-Identifier: Apache-2.0
// A plan in four steps: the demands become flows; flows of `shared` are placed all together, those
// of other algorithms batch by batch; then each flow is marked with what became of it.
//
// Jobs are planned in the order of their names, whatever their order in the input.
#include "planner.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "batches.h"
#include "demands.h"
#include "shared.h"

struct planner {
    const struct fabric *fabric;
    struct shared *shared;
};

int planner_open(const struct fabric *fabric, struct planner **out) {
    struct planner *planner = calloc(1, sizeof *planner);
    if (planner == NULL) {
        return -ENOMEM;
    }
    planner->fabric = fabric;
    int rc = shared_open(fabric, &planner->shared);
    if (rc != 0) {
        free(planner);
        return rc;
    }
    *out = planner;
    return 0;
}

void planner_close(struct planner *planner) {
    if (planner != NULL) {
        shared_close(planner->shared);
        free(planner);
    }
}

void planner_forget(struct planner *planner) {
    shared_forget(planner->shared);
}

void planner_forget_beliefs(struct planner *planner) {
    shared_forget_beliefs(planner->shared);
}

// ---- algorithms

static uint32_t version_of(const struct plan_input *input) {
    return input->version != 0 ? input->version : PLAN_VERSION;
}

const struct algorithm *job_algorithm(const struct plan_input *input, uint32_t job) {
    const char *name = input->jobs[job].job->algorithm;
    return algorithm_find_version(name[0] != '\0' ? name : input->algorithm, version_of(input));
}

bool job_is_shared(const struct plan_input *input, uint32_t job) {
    return job_algorithm(input, job) == &algorithm_shared;
}

int check_algorithms(const struct plan_input *input, struct error *error) {
    if (algorithm_find_version(input->algorithm, version_of(input)) == NULL) {
        return error_set(error, -EINVAL, "unknown algorithm %s (there are %s)", input->algorithm,
                         algorithm_names());
    }
    for (uint32_t i = 0; i < input->job_count; i++) {
        if (job_algorithm(input, i) == NULL) {
            const struct job *job = input->jobs[i].job;
            return error_set(error, -EINVAL, "job %.64s: unknown algorithm %.31s (there are %s)",
                             job->name, job->algorithm, algorithm_names());
        }
    }
    return 0;
}

// ---- jobs in order

struct named {
    const char *name;
    uint32_t job;
};

static int compare_named(const void *left, const void *right) {
    const struct named *a = left, *b = right;
    int order = strcmp(a->name, b->name);
    return order != 0 ? order : a->job < b->job ? -1 : a->job > b->job;
}

static bool is_sorted(const struct plan_input *input) {
    for (uint32_t i = 1; i < input->job_count; i++) {
        if (strcmp(input->jobs[i - 1].job->name, input->jobs[i].job->name) > 0) {
            return false;
        }
    }
    return true;
}

int sorted_input_init(const struct plan_input *input, struct sorted_input *out) {
    struct named *order = calloc(input->job_count + 1, sizeof order[0]);
    struct sorted_input sorted = {
        .input = *input,
        .jobs = calloc(input->job_count + 1, sizeof sorted.jobs[0]),
        .places = calloc(input->job_count + 1, sizeof sorted.places[0]),
    };
    if (order == NULL || sorted.jobs == NULL || sorted.places == NULL) {
        free(order);
        sorted_input_fini(&sorted);
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < input->job_count; i++) {
        order[i] = (struct named){input->jobs[i].job->name, i};
    }
    qsort(order, input->job_count, sizeof order[0], compare_named);
    for (uint32_t i = 0; i < input->job_count; i++) {
        sorted.jobs[i] = input->jobs[order[i].job];
        sorted.places[i] = order[i].job;
    }
    free(order);
    sorted.input.jobs = sorted.jobs;
    *out = sorted;
    return 0;
}

void sorted_input_fini(struct sorted_input *sorted) {
    free(sorted->jobs);
    free(sorted->places);
}

// ---- plans

static void mark_flows(const struct plan_input *input, struct plan *plan) {
    for (uint32_t i = 0; i < plan->flow_count; i++) {
        struct plan_flow *flow = &plan->flows[i];
        const struct fabric_port *ports = input->fabric->ports;
        flow->local = ports[flow->src.i].leaf.i == ports[flow->dst.i].leaf.i;
        flow->spray = !flow->local && job_algorithm(input, flow->job)->spray;
        flow->steered = !flow->local && flow->part_count > 0 &&
                        (input->decap_ready == NULL || input->decap_ready[flow->dst.i]);
        if (!flow->spray && flow->part_count > 1) {
            plan->split_count += flow->part_count - 1;
        }
    }
}

static bool any_shared(const struct plan_input *input) {
    for (uint32_t i = 0; i < input->job_count; i++) {
        if (job_is_shared(input, i)) {
            return true;
        }
    }
    return false;
}

static int build(struct planner *planner, const struct plan_input *input, node_id host,
                 struct plan *plan) {
    int rc = demands_collect(input, host, plan);
    if (rc == 0 && plan->flow_count > 0 && any_shared(input)) {
        rc = shared_assign(planner->shared, input, plan);
    }
    rc = rc != 0 ? rc : batches_assign(input, plan);
    if (rc == 0) {
        mark_flows(input, plan);
    }
    return rc;
}

static int build_unsorted(struct planner *planner, const struct plan_input *input, node_id host,
                          struct plan *plan) {
    struct sorted_input sorted;
    int rc = sorted_input_init(input, &sorted);
    if (rc != 0) {
        return rc;
    }
    rc = build(planner, &sorted.input, host, plan);
    for (uint32_t i = 0; i < plan->flow_count; i++) {
        plan->flows[i].job = sorted.places[plan->flows[i].job];
    }
    flows_sort(plan);
    sorted_input_fini(&sorted);
    return rc;
}

int planner_plan(struct planner *planner, const struct plan_input *input, node_id host,
                 struct plan *out, struct error *error) {
    int rc = check_algorithms(input, error);
    if (rc != 0) {
        return rc;
    }
    struct plan plan;
    plan_init(&plan);
    rc = is_sorted(input) ? build(planner, input, host, &plan)
                          : build_unsorted(planner, input, host, &plan);
    if (rc != 0) {
        plan_fini(&plan);
        return error_set(error, rc, "no memory for the plan of %.31s",
                         input->fabric->nodes[host.i].name);
    }
    plan_fini(out);
    *out = plan;
    return 0;
}
