// SPDX-License-Identifier: Apache-2.0
#include "demands.h"

#include <errno.h>
#include <stdlib.h>

#define CAPACITY_FIRST 64U

int array_reserve(void **array, uint32_t *capacity, uint32_t count, size_t size) {
    if (count < *capacity) {
        return 0;
    }
    uint32_t wanted = *capacity == 0 ? CAPACITY_FIRST : *capacity * 2;
    void *grown = wanted > *capacity ? realloc(*array, wanted * size) : NULL;
    if (grown == NULL) {
        return -ENOMEM;
    }
    *array = grown;
    *capacity = wanted;
    return 0;
}

struct collector {
    struct plan *plan;
    uint32_t job;
    int rc;
};

static void on_demand(void *context, const struct demand *demand) {
    struct collector *collector = context;
    struct plan *plan = collector->plan;
    if (collector->rc == 0) {
        collector->rc = array_reserve((void **)&plan->flows, &plan->flow_capacity, plan->flow_count,
                                      sizeof plan->flows[0]);
    }
    if (collector->rc == 0) {
        plan->flows[plan->flow_count++] = (struct plan_flow){
            .src = demand->src,
            .dst = demand->dst,
            .job = collector->job,
            .bytes = demand->bytes,
        };
    }
}

static int compare_u32(uint32_t a, uint32_t b) {
    return (a > b) - (a < b);
}

static int compare_flows(const void *left, const void *right) {
    const struct plan_flow *a = left;
    const struct plan_flow *b = right;
    int order = compare_u32(a->src.i, b->src.i);
    if (order == 0) {
        order = compare_u32(a->dst.i, b->dst.i);
    }
    return order != 0 ? order : compare_u32(a->job, b->job);
}

void flows_sort(struct plan *plan) {
    if (plan->flow_count > 1) {
        qsort(plan->flows, plan->flow_count, sizeof plan->flows[0], compare_flows);
    }
}

static void sort_and_merge(struct plan *plan) {
    if (plan->flow_count == 0) {
        return;
    }
    flows_sort(plan);
    uint32_t kept = 0;
    for (uint32_t i = 1; i < plan->flow_count; i++) {
        if (compare_flows(&plan->flows[kept], &plan->flows[i]) == 0) {
            plan->flows[kept].bytes += plan->flows[i].bytes;
        } else {
            plan->flows[++kept] = plan->flows[i];
        }
    }
    plan->flow_count = kept + 1;
}

static void collect_job(const struct plan_input *input, node_id host, struct collector *collector) {
    const struct fabric_node *node = &input->fabric->nodes[host.i];
    const struct plan_job *job = &input->jobs[collector->job];
    for (uint32_t rank = 0; rank < job->rank_count && collector->rc == 0; rank++) {
        uint32_t port = job->ranks[rank].i;
        if (port >= node->first_port && port - node->first_port < node->port_count) {
            job_demands(job->job, input->fabric, job->ranks, job->rank_count, rank,
                        job->permutations, on_demand, collector);
        }
    }
}

int demands_collect(const struct plan_input *input, node_id host, struct plan *plan) {
    struct collector collector = {.plan = plan};
    for (uint32_t i = 0; i < input->job_count && collector.rc == 0; i++) {
        collector.job = i;
        collect_job(input, host, &collector);
    }
    sort_and_merge(plan);
    return collector.rc;
}
