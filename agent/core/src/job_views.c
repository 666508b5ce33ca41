// SPDX-License-Identifier: Apache-2.0
// What the jobs in force mean on the active fabric: ranks resolved to ports, rank maps of
// permutations and rings.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pathalg/algorithm.h"
#include "state.h"

static void fini_view(struct job_view *view) {
    free(view->ranks);
    for (unsigned i = 0; i < JOB_COLLECTIVES_MAX; i++) {
        free(view->permutations[i]);
    }
}

void jobs_fini_views(struct engine *engine) {
    for (uint32_t i = 0; i < engine->job_count; i++) {
        fini_view(&engine->jobs[i]);
    }
    free(engine->jobs);
    engine->jobs = NULL;
    engine->job_count = 0;
}

static int init_view(struct engine *engine, const struct job_record *record,
                     struct job_view *view) {
    const struct fabric *fabric = engine->fabric;
    *view = (struct job_view){.record = record};
    view->rank_count = job_rank_count(&record->job, fabric);
    view->ranks = calloc(view->rank_count > 0 ? view->rank_count : 1, sizeof *view->ranks);
    if (view->ranks == NULL) {
        return -ENOMEM;
    }
    job_resolve(&record->job, fabric, view->ranks);
    for (uint32_t i = 0; i < view->rank_count; i++) {
        view->own_rank_count +=
            view->ranks[i].i != ID_NONE && fabric->ports[view->ranks[i].i].host.i == engine->self.i;
    }
    for (uint32_t i = 0; i < record->job.collective_count; i++) {
        if (!collective_has_map(record->job.collectives[i].type)) {
            continue;
        }
        view->permutations[i] =
            calloc(view->rank_count > 0 ? view->rank_count : 1, sizeof(uint32_t));
        if (view->permutations[i] == NULL ||
            job_permutation(&record->job, i, fabric, view->ranks, view->rank_count,
                            view->permutations[i]) != 0) {
            fini_view(view);
            return -ENOMEM;
        }
    }
    return 0;
}

static int add_view(struct engine *engine, const struct job_record *record,
                    const struct pod_job *pods) {
    struct job_view *view = &engine->jobs[engine->job_count];
    int rc = init_view(engine, record, view);
    if (rc == 0) {
        view->pods = pods;
        engine->job_count++;
    }
    return rc;
}

static int compare_views(const void *left, const void *right) {
    const struct job_view *a = left, *b = right;
    return strcmp(a->record->job.name, b->record->job.name);
}

// A job of an algorithm that the plan version does not know is not planned, here nor by those whose
// version it is, so that it takes no other job's plan with it.
static bool is_plannable(struct engine *engine, const struct job *job) {
    if (job->removed || plans_algorithm(engine, job) != NULL) {
        return !job->removed;
    }
    if (algorithm_find(job->algorithm) != NULL) {
        engine_note(engine, NOTE_WARNING, "algorithm_waits", job->name,
                    "job %s wants algorithm %s, which plans of version %u do not know: its flows "
                    "leave plain until all members plan with a higher one",
                    job->name, job->algorithm, engine->plan_version);
    }
    return false;
}

void jobs_resolve(struct engine *engine) {
    jobs_fini_views(engine);
    pods_resolve(engine);
    engine->jobs =
        calloc((size_t)engine->record_count + engine->pod_job_count + 1, sizeof *engine->jobs);
    if (engine->jobs == NULL) {
        return;
    }
    for (uint32_t i = 0; i < engine->record_count; i++) {
        const struct job_record *record = engine->records[i];
        if (job_winner(engine, record->job.name) == record && is_plannable(engine, &record->job)) {
            (void)add_view(engine, record, NULL);
        }
    }
    for (uint32_t i = 0; i < engine->pod_job_count; i++) {
        const struct pod_job *pods = &engine->pod_jobs[i];
        const struct job_record *submitted = job_winner(engine, pods->record.job.name);
        bool hidden = submitted != NULL && !submitted->job.removed; // an operator's word counts
        if (pods->planned && !hidden && is_plannable(engine, &pods->record.job)) {
            (void)add_view(engine, &pods->record, pods);
        }
    }
    qsort(engine->jobs, engine->job_count, sizeof *engine->jobs, compare_views);
    engine->scopes_stale = true;
}
