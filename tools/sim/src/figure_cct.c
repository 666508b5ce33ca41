// SPDX-License-Identifier: Apache-2.0
#include "figure_cct.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fluid.h"
#include "pathalg/plan.h"
#include "traffic.h"

// The job, and the input made of it. Points into itself.
struct setting {
    struct job job;
    port_id *ranks;
    struct plan_job plan_job;
    const uint32_t *maps[JOB_COLLECTIVES_MAX]; // an AlltoAll has none
    struct plan_input input;
};

static int setting_init(struct setting *setting, const struct cct_case *cct_case) {
    job_init(&setting->job);
    strcpy(setting->job.name, "alltoall");
    setting->job.all_ranks = true;
    setting->job.collective_count = 1;
    setting->job.collectives[0] =
        (struct collective){.type = COLLECTIVE_ALLTOALL, .bytes = cct_case->bytes};
    uint32_t count = job_rank_count(&setting->job, cct_case->fabric);
    setting->ranks = calloc((size_t)count + 1, sizeof setting->ranks[0]);
    if (setting->ranks == NULL) {
        job_fini(&setting->job);
        return -ENOMEM;
    }
    job_resolve(&setting->job, cct_case->fabric, setting->ranks);
    setting->plan_job = (struct plan_job){
        .job = &setting->job,
        .ranks = setting->ranks,
        .rank_count = count,
        .permutations = setting->maps,
    };
    setting->input = (struct plan_input){
        .fabric = cct_case->fabric,
        .beliefs = cct_case->beliefs,
        .jobs = &setting->plan_job,
        .job_count = 1,
        .algorithm = cct_case->algorithm,
    };
    return 0;
}

static void setting_fini(struct setting *setting) {
    free(setting->ranks);
    job_fini(&setting->job);
}

// Every flow weighs the same, and its parts share its weight by their bytes, as evenly loaded QPs
// do.
static int add_flow(struct fluid *fluid, const struct plan *plan, const struct plan_flow *flow) {
    for (uint32_t i = 0; i < flow->part_count; i++) {
        const struct plan_part *part = &plan->parts[flow->first_part + i];
        fluid_id id;
        if (part->bytes == 0) {
            continue;
        }
        int rc = fluid_add(fluid, part->path.links, part->path.link_count, part->bytes,
                           part->path.link_count, &id);
        if (rc != 0) {
            return rc;
        }
        fluid_weigh(fluid, id, (double)part->bytes / (double)flow->bytes);
    }
    return 0;
}

static int add_parts(struct fluid *fluid, const struct plan *plan) {
    int rc = 0;
    for (uint32_t i = 0; i < plan->flow_count && rc == 0; i++) {
        rc = add_flow(fluid, plan, &plan->flows[i]);
    }
    return rc;
}

static int add_plans(struct fluid *fluid, const struct plan_input *input, struct error *error) {
    struct planner *planner = NULL;
    struct plan plan;
    plan_init(&plan);
    int rc = planner_open(input->fabric, &planner);
    if (rc != 0) {
        return error_set(error, rc, "out of memory");
    }
    for (uint32_t i = 0; i < input->fabric->host_count && rc == 0; i++) {
        rc = planner_plan(planner, input, (node_id){i}, &plan, error);
        if (rc == 0 && add_parts(fluid, &plan) != 0) {
            rc = error_set(error, -ENOMEM, "out of memory");
        }
    }
    plan_fini(&plan);
    planner_close(planner);
    return rc;
}

// A part's tag is the length of its path.
static void on_done(void *context, uint64_t links, uint64_t done_at_ns) {
    struct cct *cct = context;
    uint64_t arrived_ns = done_at_ns + links * CCT_LINK_LATENCY_NS;
    cct->drained_ns = done_at_ns > cct->drained_ns ? done_at_ns : cct->drained_ns;
    cct->cct_ns = arrived_ns > cct->cct_ns ? arrived_ns : cct->cct_ns;
}

static void set_rates(struct fluid *fluid, const struct cct_case *cct_case) {
    for (uint32_t i = 0; i < fabric_link_count(cct_case->fabric); i++) {
        link_id link = {i};
        fluid_set_rate(fluid, link, belief_rate_bps(cct_case->fabric, &cct_case->beliefs[i], link));
    }
}

int cct_measure(const struct cct_case *cct_case, struct cct *out, struct error *error) {
    struct setting setting = {0};
    struct fluid *fluid = fluid_open(fabric_link_count(cct_case->fabric));
    if (fluid == NULL || setting_init(&setting, cct_case) != 0) {
        fluid_close(fluid);
        return error_set(error, -ENOMEM, "out of memory");
    }
    set_rates(fluid, cct_case);
    struct cct cct = {0};
    int rc = add_plans(fluid, &setting.input, error);
    while (rc == 0 && fluid_part_count(fluid) > 0) {
        uint64_t next_ns = fluid_next_at_ns(fluid);
        assert(next_ns != NEVER_NS); // beliefs are the truth here, so nothing stalls
        fluid_advance(fluid, next_ns, on_done, &cct);
    }
    setting_fini(&setting);
    fluid_close(fluid);
    if (rc == 0) {
        *out = cct;
    }
    return rc;
}

int cct_bound(const struct cct_case *cct_case, uint64_t *bound_ns, struct error *error) {
    struct setting setting = {0};
    int rc = setting_init(&setting, cct_case);
    struct traffic *traffic = NULL;
    if (rc == 0) {
        rc = traffic_open(&setting.input, (node_id){ID_NONE}, &traffic);
        setting_fini(&setting);
    }
    if (rc != 0) {
        return error_set(error, rc, "out of memory");
    }
    *bound_ns = (uint64_t)(fmax(traffic_cut_s(traffic), traffic_nic_s(traffic)) * 1e9 + 0.5);
    traffic_close(traffic);
    return 0;
}
