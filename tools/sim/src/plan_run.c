// SPDX-License-Identifier: Apache-2.0
// Two planners at most: `now` plans with what is believed, `before` as if nothing had failed. Hosts
// that are stale send by the latter's plans, and the difference of the two is the churn.
#include "plan_run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "bound_lp.h"
#include "ethereal_splits.h"
#include "model/rng.h"
#include "model/time.h"
#include "pathalg/algorithm.h"
#include "plan_print.h"
#include "tool/tool.h"

#define LP_HOSTS_MAX 512 // fabrics up to this size get the bound of a linear program unasked

struct run {
    const struct inputs *inputs;
    const struct plan_options *options;
    struct plan_input healthy; // the input without beliefs
    node_id host;              // ID_NONE: all
    uint32_t first, end;       // hosts that plan
    struct traffic *traffic;
    struct planner *now, *before;
    struct plan plan, plan_before;
    uint64_t *loads, *loads_before; // by directed link
    bool *stale;                    // by host
    uint32_t *leaf_counts;          // scratch
    struct problems problems;
    struct plan_printer printer;
    struct plan_summary summary;
};

// The processor's time: planning is one thread, and other work on the machine does not count.
static uint64_t cpu_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static uint64_t peak_memory_bytes(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (uint64_t)usage.ru_maxrss * 1024;
}

static int say(int rc, const struct error *error) {
    return rc == -ENOMEM ? tool_error(SIM_NAME, TOOL_FAILED, NULL, "out of memory")
                         : tool_error(SIM_NAME, TOOL_FAILED, NULL, "%s", error->text);
}

// The name of what was used; jobs may differ.
static const char *algorithm_used(const struct inputs *inputs) {
    const struct algorithm *used = NULL;
    for (uint32_t i = 0; i < inputs->job_count; i++) {
        const char *name = inputs->jobs[i].job.algorithm;
        const struct algorithm *found =
            algorithm_find(name[0] != '\0' ? name : inputs->plan.algorithm);
        if (used != NULL && found != used) {
            return "mixed";
        }
        used = found;
    }
    return used != NULL ? used->name : "";
}

static bool choose_hosts(struct run *run) {
    const struct fabric *fabric = run->inputs->fabric;
    run->host = (node_id){ID_NONE};
    run->end = fabric->host_count;
    if (run->options->host == NULL) {
        return true;
    }
    if (!fabric_find_node(fabric, run->options->host, &run->host) ||
        run->host.i >= fabric->host_count) {
        return false;
    }
    run->first = run->host.i;
    run->end = run->host.i + 1;
    return true;
}

// Evenly spaced over the hosts, which are numbered leaf by leaf; with a seed, any as many.
static void choose_stale(struct run *run) {
    uint32_t count = run->inputs->fabric->host_count;
    uint32_t wanted = (uint32_t)(run->options->stale * count + 0.5);
    for (uint32_t i = 0; i < count; i++) {
        run->stale[i] = (uint64_t)(i + 1) * wanted / count > (uint64_t)i * wanted / count;
    }
    if (run->options->seeded) {
        struct rng rng;
        rng_init(&rng, run->options->seed);
        for (uint32_t i = count; i > 1; i--) {
            uint32_t other = (uint32_t)rng_below(&rng, i);
            bool kept = run->stale[i - 1];
            run->stale[i - 1] = run->stale[other];
            run->stale[other] = kept;
        }
    }
    run->summary.stale_count = wanted;
}

static int allocate(struct run *run) {
    const struct fabric *fabric = run->inputs->fabric;
    uint32_t links = fabric_link_count(fabric);
    run->loads = calloc((size_t)links + 1, sizeof run->loads[0]);
    run->loads_before = calloc((size_t)links + 1, sizeof run->loads_before[0]);
    run->stale = calloc((size_t)fabric->host_count + 1, sizeof run->stale[0]);
    run->leaf_counts = calloc((size_t)fabric->node_count + 1, sizeof run->leaf_counts[0]);
    return run->loads != NULL && run->loads_before != NULL && run->stale != NULL &&
                   run->leaf_counts != NULL
               ? 0
               : -ENOMEM;
}

// ---- bounds

static bool has_cores(const struct fabric *fabric) {
    for (uint32_t i = fabric->host_count; i < fabric->node_count; i++) {
        if (fabric->nodes[i].tier > 2) {
            return true;
        }
    }
    return false;
}

// Cuts tell the whole truth of a leaf-spine fabric in all but contrived cases.
static bool wants_lp(const struct run *run) {
    const struct fabric *fabric = run->inputs->fabric;
    if (run->options->exact) {
        return true;
    }
    bool two_tiers = strcmp(fabric->kind, "leaf-spine") == 0 ||
                     (strcmp(fabric->kind, "explicit") == 0 && !has_cores(fabric));
    return !two_tiers && run->host.i == ID_NONE && fabric->host_count <= LP_HOSTS_MAX;
}

static int find_bounds(struct run *run) {
    struct plan_score *score = &run->summary.score;
    struct error error = {0};
    int rc = traffic_open(&run->inputs->plan, run->host, &run->traffic);
    if (rc != 0) {
        return say(rc, &error);
    }
    score->lower_bound_s = traffic_cut_s(run->traffic);
    score->bound_kind = "cut";
    score->nic_bound_s = traffic_nic_s(run->traffic);
    if (!wants_lp(run)) {
        return TOOL_OK;
    }
    struct lp_bound bound;
    rc = bound_lp(run->traffic, &bound, &error);
    if (rc != 0) { // unasked, the cut is what there is
        int code = tool_error(SIM_NAME, TOOL_FAILED, run->options->exact ? "--exact" : NULL, "%s",
                              error.text);
        return run->options->exact ? code : TOOL_OK;
    }
    score->lower_bound_s = bound.bound_s;
    score->bound_kind = "lp";
    run->summary.program = bound.program;
    return TOOL_OK;
}

// ---- plans

static int open_planners(struct run *run) {
    uint64_t start_ns = cpu_ns();
    int rc = planner_open(run->inputs->fabric, &run->now);
    run->summary.elapsed_ns += cpu_ns() - start_ns;
    if (rc == 0 && run->summary.changed) {
        rc = planner_open(run->inputs->fabric, &run->before);
    }
    return rc;
}

static bool part_arrives(const struct traffic *traffic, const struct plan_part *part) {
    for (unsigned i = 0; i < part->path.link_count; i++) {
        if (traffic->rate_bps[part->path.links[i].i] == 0) {
            return false;
        }
    }
    return true;
}

// Bytes over a dead link never drain; they are told apart from what loads the others.
static void add_loads(struct run *run, const struct plan *plan) {
    plan_add_loads(plan, run->loads);
    for (uint32_t i = 0; i < plan->part_count; i++) {
        if (!part_arrives(run->traffic, &plan->parts[i])) {
            run->summary.lost_bytes += plan->parts[i].bytes;
        }
    }
}

static int print_plan(struct run *run, node_id host, struct error *error) {
    const struct plan *plan = run->stale[host.i] ? &run->plan_before : &run->plan;
    add_loads(run, plan);
    run->summary.score.split_count += plan->split_count;
    run->summary.ethereal_splits +=
        ethereal_splits(run->traffic, plan, run->inputs->job_count, run->leaf_counts);
    if (run->summary.changed) {
        plan_add_loads(&run->plan_before, run->loads_before);
        plan_churn(&run->plan_before, plan, &run->summary.churn);
    }
    return plan_print_flows(&run->printer, plan, error);
}

static int plan_and_print(struct run *run, node_id host, struct error *error) {
    int rc = 0;
    if (run->summary.changed) {
        rc = planner_plan(run->before, &run->healthy, host, &run->plan_before, error);
    }
    if (rc == 0 && !run->stale[host.i]) {
        uint64_t start_ns = cpu_ns();
        rc = planner_plan(run->now, &run->inputs->plan, host, &run->plan, error);
        run->summary.elapsed_ns += cpu_ns() - start_ns;
    }
    run->summary.memory_bytes = peak_memory_bytes();
    return rc == 0 ? print_plan(run, host, error) : rc;
}

// What an agent does when it hears of the failure: the same plan as from scratch, but sooner.
static int plan_again(struct run *run, struct error *error) {
    struct plan again;
    plan_init(&again);
    uint64_t start_ns = cpu_ns();
    planner_forget_beliefs(run->before);
    int rc = planner_plan(run->before, &run->inputs->plan, run->host, &again, error);
    run->summary.replan_ns = cpu_ns() - start_ns;
    if (rc == 0 && !plan_equal(&again, &run->plan)) {
        rc = error_set(error, -EIO, "planned again, %s decides otherwise than from scratch",
                       run->options->host);
    }
    plan_fini(&again);
    return rc;
}

static void judge(struct run *run) {
    struct plan_score *score = &run->summary.score;
    struct plan_score loads;
    for (uint32_t i = 0; i < fabric_link_count(run->inputs->fabric); i++) {
        run->loads[i] = run->traffic->rate_bps[i] > 0 ? run->loads[i] : 0;
    }
    plan_score(&run->inputs->plan, run->loads, &loads);
    score->max_link_load_s = loads.max_link_load_s;
    score->max_link = loads.max_link;
    if (run->summary.changed && !run->summary.alone) {
        run->summary.least_moved_bytes =
            plan_least_moved_bytes(&run->inputs->plan, run->loads_before);
    }
}

static int plan_all(struct run *run) {
    struct error error = {0};
    int rc = open_planners(run);
    if (rc == 0) {
        plan_print_begin(&run->printer);
    }
    for (uint32_t i = run->first; i < run->end && rc == 0; i++) {
        rc = plan_and_print(run, (node_id){i}, &error);
    }
    if (rc == 0 && run->summary.alone && run->summary.changed) {
        rc = plan_again(run, &error);
    }
    if (rc != 0) {
        return say(rc, &error);
    }
    judge(run);
    plan_print_end(&run->printer, &run->summary);
    return tool_flush(SIM_NAME);
}

static int prepare(struct run *run) {
    const struct inputs *inputs = run->inputs;
    run->summary.problems = &run->problems;
    run->summary.changed = run->options->fail_count > 0;
    run->summary.host_count = run->end - run->first;
    run->summary.alone = run->host.i != ID_NONE;
    struct error error = {0};
    int rc = allocate(run);
    if (rc == 0) {
        choose_stale(run);
        rc = problems_find(&run->problems, &inputs->plan, run->host);
    }
    return rc == 0 ? find_bounds(run) : say(rc, &error);
}

static void close_run(struct run *run) {
    plan_fini(&run->plan);
    plan_fini(&run->plan_before);
    planner_close(run->now);
    planner_close(run->before);
    traffic_close(run->traffic);
    problems_fini(&run->problems);
    free(run->loads);
    free(run->loads_before);
    free(run->stale);
    free(run->leaf_counts);
}

int plan_run(const struct inputs *inputs, const struct plan_options *options) {
    struct run run = {
        .inputs = inputs,
        .options = options,
        .healthy = inputs->plan,
        .printer = {.input = &inputs->plan,
                    .algorithm = algorithm_used(inputs),
                    .json = options->json,
                    .summary = options->summary,
                    .writer = {.out = stdout}},
    };
    run.healthy.beliefs = NULL;
    plan_init(&run.plan);
    plan_init(&run.plan_before);
    if (!choose_hosts(&run)) {
        return tool_error(SIM_NAME, TOOL_FAILED, options->fabric, "the fabric has no host %s",
                          options->host);
    }
    int code = prepare(&run);
    if (code == TOOL_OK) {
        code = plan_all(&run);
    }
    close_run(&run);
    return code;
}
