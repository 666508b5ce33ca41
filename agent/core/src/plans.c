// SPDX-License-Identifier: Apache-2.0
// The plan of own flows from the shared facts: which version of plans, by which planner, and what
// of the facts cannot be planned.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/rng.h"
#include "pathalg/algorithm.h"
#include "state.h"

uint32_t plans_own_version(const struct engine *engine) {
    return engine->config.plan_version != 0 ? engine->config.plan_version : PLAN_VERSION;
}

void plans_choose_version(struct engine *engine) {
    uint32_t version = plans_own_version(engine);
    const char *who = engine->config.host;
    for (uint32_t i = 0; i < engine->fabric->host_count; i++) {
        const struct host_view *host = &engine->hosts[i];
        bool counts = i != engine->self.i && host_is_live(host) && host->has_facts;
        if (counts && host->facts.plan_version != 0 && host->facts.plan_version < version) {
            version = host->facts.plan_version;
            who = engine->fabric->nodes[i].name;
        }
    }
    if (version == engine->plan_version) {
        return;
    }
    engine_note(engine, NOTE_INFO, "plan_version", engine->config.host,
                "plans are of version %u now, the lowest of all live members, of %s first", version,
                who);
    engine->plan_version = version;
    engine->jobs_changed = true; // which of them can be planned, and how
}

const struct algorithm *plans_algorithm(const struct engine *engine, const struct job *job) {
    const char *name = job->algorithm[0] != '\0' ? job->algorithm : engine->config.algorithm;
    const struct algorithm *found = algorithm_find_version(name, engine->plan_version);
    return found != NULL || job->algorithm[0] != '\0'
               ? found
               : algorithm_find_version("", engine->plan_version);
}

// ---- input

static bool *decap_ready_ports(const struct engine *engine) {
    const struct fabric *fabric = engine->fabric;
    bool *ready = calloc(fabric->port_count, sizeof *ready);
    for (uint32_t i = 0; ready != NULL && i < fabric->port_count; i++) {
        const struct host_view *host = &engine->hosts[fabric->ports[i].host.i];
        ready[i] = host->has_facts && host->facts.decap_ready;
    }
    return ready;
}

// What the input borrows of the heap.
struct loan {
    struct plan_job *jobs;
    bool *ready;
};

static void give_back(struct loan *loan) {
    free(loan->jobs);
    free(loan->ready);
}

static int make_input(const struct engine *engine, struct loan *loan, struct plan_input *out) {
    const struct job none = {.algorithm = ""};
    *loan = (struct loan){
        .jobs = calloc(engine->job_count > 0 ? engine->job_count : 1, sizeof loan->jobs[0]),
        .ready = decap_ready_ports(engine),
    };
    if (loan->jobs == NULL || loan->ready == NULL) {
        give_back(loan);
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < engine->job_count; i++) {
        const struct job_view *view = &engine->jobs[i];
        loan->jobs[i] =
            (struct plan_job){.job = &view->record->job,
                              .ranks = view->ranks,
                              .rank_count = view->rank_count,
                              .permutations = (const uint32_t *const *)view->permutations};
    }
    *out = (struct plan_input){.fabric = engine->fabric,
                               .beliefs = engine->beliefs,
                               .jobs = loan->jobs,
                               .job_count = engine->job_count,
                               .algorithm = plans_algorithm(engine, &none)->name,
                               .decap_ready = loan->ready,
                               .version = engine->plan_version};
    return 0;
}

// ---- problems

struct listing {
    struct plan_problems_list list;
    uint64_t hash;
};

static void on_problem(void *context, const struct error *error) {
    struct listing *listing = context;
    struct plan_problems_list *list = &listing->list;
    if (list->count < ENGINE_PROBLEMS_MAX) {
        memcpy(list->texts[list->count], error->text, sizeof error->text);
    }
    list->count++;
    listing->hash = hash_bytes(error->text, strlen(error->text), listing->hash);
}

static void find_problems(struct engine *engine, const struct plan_input *input) {
    struct listing *found = calloc(1, sizeof *found);
    if (found == NULL || plan_problems(input, engine->self, on_problem, found) != 0) {
        free(found);
        return; // what was told stays
    }
    struct router *router = &engine->router;
    if (found->hash != router->problems_hash && found->list.count > 0) {
        engine_note(engine, NOTE_WARNING, "plan_problems", engine->config.host, "%u: %.120s",
                    found->list.count, found->list.texts[0]);
    }
    router->problems = found->list;
    router->problems_hash = found->hash;
    free(found);
}

// ---- the plan

bool plans_wanted(const struct engine *engine) {
    const struct router *router = &engine->router;
    return engine->job_count > 0 || router->plan.flow_count > 0 || router->problems.count > 0;
}

int plans_make(struct engine *engine, struct plan *plan) {
    struct router *router = &engine->router;
    struct loan loan;
    struct plan_input input;
    int rc = make_input(engine, &loan, &input);
    if (rc != 0) {
        return rc;
    }
    rc = router->planner == NULL ? planner_open(engine->fabric, &router->planner) : 0;
    if (rc == 0) {
        if (engine->plans_stale) {
            planner_forget(router->planner);
        } else if (engine->rates_changed) {
            planner_forget_beliefs(router->planner);
        }
        if (engine->plans_stale || engine->rates_changed) {
            find_problems(engine, &input);
        }
        engine->plans_stale = engine->rates_changed = false;
        rc = planner_plan(router->planner, &input, engine->self, plan, NULL);
    }
    give_back(&loan);
    return rc;
}
