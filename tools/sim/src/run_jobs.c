// SPDX-License-Identifier: Apache-2.0
// Jobs of a run: submitted to an agent, begun as flows, ended or removed.
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/rng.h"
#include "run_internal.h"
#include "traffic.h"

// A job on the fabric, and what plan_job borrows.
struct resolved {
    const struct fabric *fabric;
    port_id *ranks;
    uint32_t rank_count;
    uint32_t *maps[JOB_COLLECTIVES_MAX];
    struct plan_job plan;
};

static void resolved_fini(struct resolved *resolved) {
    free(resolved->ranks);
    for (uint32_t i = 0; i < JOB_COLLECTIVES_MAX; i++) {
        free(resolved->maps[i]);
    }
}

static int resolve(const struct job *job, const struct fabric *fabric, struct resolved *resolved) {
    *resolved = (struct resolved){.fabric = fabric, .rank_count = job_rank_count(job, fabric)};
    resolved->ranks = calloc(resolved->rank_count + 1U, sizeof resolved->ranks[0]);
    if (resolved->ranks == NULL) {
        return -ENOMEM;
    }
    job_resolve(job, fabric, resolved->ranks);
    for (uint32_t i = 0; i < job->collective_count; i++) {
        if (!collective_has_map(job->collectives[i].type)) {
            continue;
        }
        resolved->maps[i] = calloc(resolved->rank_count + 1U, sizeof resolved->maps[i][0]);
        if (resolved->maps[i] == NULL ||
            job_permutation(job, i, fabric, resolved->ranks, resolved->rank_count,
                            resolved->maps[i]) != 0) {
            resolved_fini(resolved);
            return -ENOMEM;
        }
    }
    resolved->plan = (struct plan_job){.job = job,
                                       .ranks = resolved->ranks,
                                       .rank_count = resolved->rank_count,
                                       .permutations = (const uint32_t *const *)resolved->maps};
    return 0;
}

// ---- its flows: one for each pair of ports

struct gathering {
    struct demand *list;
    uint32_t count, capacity;
    bool out_of_memory;
};

static void gather_demand(void *context, const struct demand *demand) {
    struct gathering *gathering = context;
    if (gathering->count == gathering->capacity) {
        uint32_t capacity = gathering->capacity == 0 ? 1024 : 2 * gathering->capacity;
        struct demand *list = realloc(gathering->list, capacity * sizeof list[0]);
        if (list == NULL) {
            gathering->out_of_memory = true;
            return;
        }
        gathering->list = list;
        gathering->capacity = capacity;
    }
    gathering->list[gathering->count++] = *demand;
}

static int compare_demands(const void *left, const void *right) {
    const struct demand *a = left, *b = right;
    if (a->src.i != b->src.i) {
        return a->src.i < b->src.i ? -1 : 1;
    }
    return a->dst.i < b->dst.i ? -1 : a->dst.i > b->dst.i;
}

static int add_flows(struct run *run, uint32_t index, const struct resolved *resolved) {
    struct gathering gathering = {0};
    for (uint32_t rank = 0; rank < resolved->rank_count; rank++) {
        job_demands(resolved->plan.job, resolved->fabric, resolved->ranks, resolved->rank_count,
                    rank, resolved->plan.permutations, gather_demand, &gathering);
    }
    if (gathering.out_of_memory) {
        free(gathering.list);
        return -ENOMEM;
    }
    if (gathering.count > 0) {
        qsort(gathering.list, gathering.count, sizeof gathering.list[0], compare_demands);
    }
    for (uint32_t i = 0; i < gathering.count;) {
        const struct demand *first = &gathering.list[i];
        uint64_t bytes = 0;
        for (; i < gathering.count && compare_demands(first, &gathering.list[i]) == 0; i++) {
            bytes += gathering.list[i].bytes;
        }
        flows_add(&run->flows, index, first->src, first->dst, bytes);
        run->jobs[index].bytes += bytes;
    }
    free(gathering.list);
    return run->flows.error;
}

// ---- the bound: alone, on the links as they are now

static int find_bound(struct run *run, const struct resolved *resolved, struct trace_job *job) {
    struct plan_input input = {.fabric = resolved->fabric,
                               .beliefs = run->physical,
                               .jobs = &resolved->plan,
                               .job_count = 1,
                               .algorithm = ""};
    struct traffic *traffic;
    int rc = traffic_open(&input, (node_id){ID_NONE}, &traffic);
    if (rc != 0) {
        return rc;
    }
    double cut_s = traffic_cut_s(traffic), nic_s = traffic_nic_s(traffic);
    double bound_s = fmax(cut_s, nic_s);
    job->bound_ns = isfinite(bound_s) && bound_s < 1e9 ? (uint64_t)llround(bound_s * 1e9) : 0;
    job->bound_kind = cut_s > nic_s ? "cut" : "nic";
    traffic_close(traffic);
    return 0;
}

// ---- what happens to it

int run_submit(struct run *run, uint32_t index, struct error *error) {
    const struct job *job = &run->scenario->jobs[index].job;
    uint32_t host = run_live_host(run);
    if (host == ID_NONE) {
        run_say(run, "job", job->name, "no agent lives to submit it to: it goes plain");
        return 0;
    }
    int rc = fleet_submit(run->fleet, host, job, error);
    if (rc != 0 && rc != -ENOMEM) {
        run_say(run, "job", job->name, "refused: %s", error->text);
        rc = 0;
    }
    return rc;
}

int run_begin(struct run *run, uint32_t index, struct error *error) {
    const struct job *job = &run->scenario->jobs[index].job;
    struct trace_job *told = &run->jobs[index];
    struct resolved resolved;
    uint32_t before = run->flows.count;
    int rc = resolve(job, run->scenario->fabric, &resolved);
    if (rc == 0) {
        rc = find_bound(run, &resolved, told);
        rc = rc == 0 ? add_flows(run, index, &resolved) : rc;
        resolved_fini(&resolved);
    }
    if (rc != 0) {
        return error_set(error, rc, "out of memory");
    }
    told->begun = true;
    told->begin_at_ns = fluid_now_ns(run->fluid);
    run->paths_changed = true;
    flows_follow(&run->flows, ID_NONE, &run->moves.moved);
    if (strcmp(told->algorithm, "adaptive") == 0 &&
        adaptive_open(&run->flows, run->fleet, before, run->scenario->adaptive_round_ns,
                      hash_pair(run->seed, index), &run->adaptive[index]) != 0) {
        return error_set(error, -ENOMEM, "out of memory");
    }
    run_say(run, "job", job->name, "begins: %u flows, %.3f MiB, bound %.3f ms (%s)",
            run->flows.count - before, (double)told->bytes / 1048576.0,
            (double)told->bound_ns / 1e6, told->bound_kind);
    if (run->adaptive[index] != NULL) {
        run_say(run, "adaptive", job->name, "begins at %.3f of the optimum",
                run->adaptive[index]->ratio);
    }
    return 0;
}

void run_leave_adaptive(struct run *run, uint32_t index) {
    struct run_adaptive *adaptive = run->adaptive[index];
    if (adaptive != NULL) {
        run->jobs[index].adaptive = true;
        run->jobs[index].rounds = adaptive->rounds;
        run->jobs[index].moves = adaptive->moves;
        run->jobs[index].near_after = adaptive->near_after;
        adaptive_close(adaptive);
        run->adaptive[index] = NULL;
    }
}

void run_adapt(struct run *run) {
    uint64_t now_ns = fluid_now_ns(run->fluid);
    for (uint32_t i = 0; i < run->scenario->job_count; i++) {
        struct run_adaptive *adaptive = run->adaptive[i];
        if (adaptive == NULL || adaptive->next_at_ns > now_ns) {
            continue;
        }
        bool was_near = adaptive->near_after != ID_NONE;
        run->paths_changed = adaptive_round(adaptive, now_ns) || run->paths_changed;
        if (!was_near && adaptive->near_after != ID_NONE) {
            run_say(run, "adaptive", run->jobs[i].name,
                    "is within %g of the optimum (%.3f) after %u rounds and %u moves",
                    ADAPTIVE_NEAR, adaptive->ratio, adaptive->near_after, adaptive->moves);
        }
    }
}

void run_remove(struct run *run, uint32_t index) {
    const struct job *job = &run->scenario->jobs[index].job;
    struct trace_job *told = &run->jobs[index];
    uint32_t host = run_live_host(run);
    struct error error;
    run_leave_adaptive(run, index);
    told->left_bytes = (uint64_t)llround(flows_remove(&run->flows, index));
    told->removed = !told->ended;
    run_say(run, "job", job->name, "removed, %.3f MiB left", (double)told->left_bytes / 1048576.0);
    struct engine_event removal = {.kind = ENGINE_JOB_REMOVE, .name = job->name};
    if (host != ID_NONE && fleet_event(run->fleet, host, &removal, &error) != 0) {
        run_say(run, "refused", job->name, "%s", error.text);
    }
}

void run_end_jobs(struct run *run) {
    for (uint32_t i = 0; i < run->scenario->job_count; i++) {
        struct trace_job *job = &run->jobs[i];
        if (!job->begun || job->ended || job->removed || run->flows.jobs[i].live_count > 0) {
            continue;
        }
        job->ended = true;
        run_leave_adaptive(run, i);
        uint64_t end_ns = run->flows.jobs[i].end_at_ns;
        job->end_at_ns = end_ns > job->begin_at_ns ? end_ns : job->begin_at_ns;
        double took_ns = (double)(job->end_at_ns - job->begin_at_ns);
        struct trace_line line = {.kind = "job", .values = {{"duration_ns", (uint64_t)took_ns}}};
        line.value_count = 1;
        snprintf(line.subject, sizeof line.subject, "%s", job->name);
        snprintf(line.text, sizeof line.text, "ends after %.3f ms, %.4f of the bound",
                 took_ns / 1e6, job->bound_ns > 0 ? took_ns / (double)job->bound_ns : 1.0);
        run_write(run, &line);
    }
}
