// SPDX-License-Identifier: Apache-2.0
// A trial of the agents' own scheme.
#include "locate_trial.h"

// Probes go on for so many a cable after the last fault was named: what is then named is false.
#define AFTERWARDS 2

static bool is_fault(const struct world_fault *fault, const struct locate_verdict *verdict) {
    return fault->fault == verdict->fault && fault->place == verdict->what.place &&
           fault->link.i == verdict->what.link.i && fault->node.i == verdict->what.node.i;
}

static void hear(struct world *world, const struct locate_verdict *verdict,
                 struct trial_outcome *outcome) {
    for (uint32_t i = 0; i < world->fault_count; i++) {
        if (is_fault(&world->faults[i], verdict)) {
            world->faults[i].found = true;
            return;
        }
    }
    outcome->false_down += verdict->fault == LOCATE_DOWN;
    outcome->false_other += verdict->fault != LOCATE_DOWN;
}

static bool all_found(const struct world *world) {
    for (uint32_t i = 0; i < world->fault_count; i++) {
        if (!world->faults[i].found) {
            return false;
        }
    }
    return world->fault_count > 0;
}

static void probe(const struct trial *trial, struct locate *locate, uint32_t loop,
                  struct rng *rng) {
    const struct walk *walk = &trial->loops->specs[loop].walk;
    struct locate_result result = {.loop = loop};
    result.lost = !world_probe(trial->world, walk->links, walk->link_count, rng, &result.delay_ns);
    locate_result(locate, &result);
}

static void run(const struct trial *trial, struct locate *locate, struct rng *rng,
                struct trial_outcome *outcome) {
    uint64_t end = trial->cap, sent = 0;
    uint32_t loop;
    while (sent < end && locate_choose(locate, rng, 1, &loop) == 1) {
        probe(trial, locate, loop, rng);
        sent++;
        struct locate_verdict verdict;
        while (locate_take(locate, &verdict)) {
            hear(trial->world, &verdict, outcome);
        }
        if (!outcome->located && all_found(trial->world)) {
            outcome->located = true;
            outcome->probes = sent;
            end = sent + AFTERWARDS * trial->world->fabric->cable_count;
        }
    }
}

int trial_run_ours(const struct trial *trial, struct rng *rng, struct trial_outcome *outcome) {
    struct locate *locate;
    *outcome = (struct trial_outcome){.probes = trial->cap};
    int rc = locate_open(&locate, trial->world->fabric, trial->loops->specs, trial->loops->count,
                         (uint32_t)(WORLD_BACKGROUND * 1e6));
    if (rc != 0) {
        return rc;
    }
    run(trial, locate, rng, outcome);
    locate_close(locate);
    bool complete = outcome->located || trial->world->fault_count == 0;
    outcome->right = complete && outcome->false_down + outcome->false_other == 0;
    return 0;
}
