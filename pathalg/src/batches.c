// SPDX-License-Identifier: Apache-2.0
// The flows are cut into batches (source port, destination leaf, job); an algorithm assigns each
// batch's flows to candidates; every part gets a backup, and where the algorithm wants repair
// (algorithm.h), a part whose path is broken takes it. Candidates are found once per source port
// and destination leaf, so a host that sends to 16,383 others looks at as many candidate sets as
// there are leaves.
#include "batches.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backup.h"
#include "demands.h"
#include "live.h"
#include "model/rng.h"
#include "pathalg/candidates.h"
#include "planner.h"

// A flow's place in the order of batches.
struct slot {
    uint32_t src, leaf, job;
    uint64_t bytes;
    uint32_t flow; // in the plan
};

struct builder {
    const struct plan_input *input;
    struct plan *plan;
    struct slot *slots; // one per flow, in the order of batches
    uint32_t slot_count;
    struct assign_flow *batch; // the reachable flows of the current batch
    // Of the current (source port, destination leaf): all candidates of the healthy fabric, which
    // of them live, and these alone.
    struct path *candidates, *living;
    bool *live;
    uint32_t candidate_count, living_count;
    const struct path *choices; // what the current batch is placed on: one of the two
    const bool *choice_live;    // by choice; NULL: all
    uint32_t choice_count;
    uint32_t turns[CANDIDATES_MAX]; // backups given so far to parts on each choice
};

static int compare_u64(uint64_t a, uint64_t b) {
    return (a > b) - (a < b);
}

static int compare_slots(const void *left, const void *right) {
    const struct slot *a = left;
    const struct slot *b = right;
    const int orders[] = {
        compare_u64(a->src, b->src),     compare_u64(a->leaf, b->leaf), compare_u64(a->job, b->job),
        compare_u64(a->bytes, b->bytes), compare_u64(a->flow, b->flow),
    };
    for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++) {
        if (orders[i] != 0) {
            return orders[i];
        }
    }
    return 0;
}

static void sort_slots(struct builder *builder) {
    const struct plan *plan = builder->plan;
    for (uint32_t i = 0; i < plan->flow_count; i++) {
        const struct plan_flow *flow = &plan->flows[i];
        if (job_is_shared(builder->input, flow->job)) {
            continue;
        }
        builder->slots[builder->slot_count++] = (struct slot){
            .src = flow->src.i,
            .leaf = builder->input->fabric->ports[flow->dst.i].leaf.i,
            .job = flow->job,
            .bytes = flow->bytes,
            .flow = i,
        };
    }
    qsort(builder->slots, builder->slot_count, sizeof builder->slots[0], compare_slots);
}

// The candidates of the batch lead to its first flow's port; the last link is the flow's own.
static void path_to_port(const struct fabric *fabric, port_id dst, struct path *path) {
    path->links[path->link_count - 1] = port_downlink(fabric, dst);
}

// The choice itself while it lives; else its backup of the healthy plan; else anything that lives.
static uint32_t repaired(const struct builder *builder, uint32_t choice, uint64_t turn) {
    if (builder->choice_live == NULL || builder->choice_live[choice]) {
        return choice;
    }
    uint32_t other = backup_rotate(builder->input->fabric, builder->choices, builder->choice_live,
                                   builder->choice_count, choice, turn);
    for (uint32_t i = 0; other == ID_NONE && i < builder->choice_count; i++) {
        uint32_t at = (uint32_t)((choice + 1 + turn + i) % builder->choice_count);
        other = builder->choice_live[at] ? at : ID_NONE;
    }
    assert(other != ID_NONE); // batches without a live choice are not assigned
    return other;
}

static int on_part(void *context, uint32_t index, uint32_t candidate, uint64_t bytes) {
    struct builder *builder = context;
    const struct fabric *fabric = builder->input->fabric;
    struct plan *plan = builder->plan;
    const struct assign_flow *assigned = &builder->batch[index];
    struct plan_flow *flow = &plan->flows[assigned->index];
    assert(candidate < builder->choice_count);
    int rc = array_reserve((void **)&plan->parts, &plan->part_capacity, plan->part_count,
                           sizeof plan->parts[0]);
    if (rc != 0) {
        return rc;
    }
    if (flow->part_count == 0) {
        flow->first_part = plan->part_count;
    }
    assert(flow->first_part + flow->part_count ==
           plan->part_count); // a flow's parts are neighbours
    struct plan_part *part = &plan->parts[plan->part_count++];
    flow->part_count++;

    uint64_t turn =
        (uint64_t)builder->turns[candidate]++ + flow->src.i + fabric->ports[flow->dst.i].leaf.i;
    uint32_t place = repaired(builder, candidate, turn);
    *part = (struct plan_part){.bytes = bytes, .path = builder->choices[place]};
    path_to_port(fabric, flow->dst, &part->path);
    uint32_t backup = backup_rotate(fabric, builder->choices, builder->choice_live,
                                    builder->choice_count, place, turn);
    if (backup != ID_NONE) {
        part->backup = builder->choices[backup];
        path_to_port(fabric, flow->dst, &part->backup);
    }
    return 0;
}

// Flows whose destination's own cable is dead get no parts. Returns how many are left.
static uint32_t fill_batch(struct builder *builder, uint32_t first, uint32_t end) {
    const struct plan_input *input = builder->input;
    uint32_t count = 0;
    for (uint32_t i = first; i < end; i++) {
        const struct plan_flow *flow = &builder->plan->flows[builder->slots[i].flow];
        if (link_is_live(input->fabric, input->beliefs, port_downlink(input->fabric, flow->dst))) {
            builder->batch[count++] = (struct assign_flow){
                .src = flow->src,
                .dst = flow->dst,
                .bytes = flow->bytes,
                .index = builder->slots[i].flow,
            };
        }
    }
    return count;
}

static void set_choices(struct builder *builder, bool repaired_later) {
    builder->choices = repaired_later ? builder->candidates : builder->living;
    builder->choice_count = repaired_later ? builder->candidate_count : builder->living_count;
    builder->choice_live = repaired_later ? builder->live : NULL;
}

static int assign_slots(struct builder *builder, uint32_t first, uint32_t end) {
    const struct plan_input *input = builder->input;
    const struct slot *slot = &builder->slots[first];
    const struct algorithm *algorithm = job_algorithm(input, slot->job);
    set_choices(builder, algorithm->repaired);
    struct assign_batch batch = {
        .fabric = input->fabric,
        .beliefs = algorithm->repaired ? NULL : input->beliefs,
        .flows = builder->batch,
        .flow_count = fill_batch(builder, first, end),
        .candidates = builder->choices,
        .candidate_count = builder->choice_count,
    };
    const char *name = input->jobs[slot->job].job->name;
    batch.salt = hash_pair(hash_bytes(name, strlen(name), 0), hash_pair(slot->src, slot->leaf));
    if (batch.flow_count == 0 || builder->living_count == 0) {
        return 0;
    }
    memset(builder->turns, 0, batch.candidate_count * sizeof builder->turns[0]);
    return algorithm->assign(&batch, on_part, builder);
}

// Whether a candidate lives up to the destination's own cable, which is each flow's own matter.
static bool candidate_lives(const struct plan_input *input, const struct path *path) {
    for (unsigned i = 0; i + 1 < path->link_count; i++) {
        if (!link_is_live(input->fabric, input->beliefs, path->links[i])) {
            return false;
        }
    }
    return true;
}

static void find_choices(struct builder *builder, const struct slot *slot,
                         const struct link_belief *beliefs, port_id dst) {
    const struct plan_input *input = builder->input;
    uint32_t found = candidates_find(input->fabric, beliefs, (port_id){slot->src}, dst,
                                     builder->candidates, CANDIDATES_MAX);
    builder->candidate_count = found < CANDIDATES_MAX ? found : CANDIDATES_MAX;
    builder->living_count = 0;
    for (uint32_t i = 0; i < builder->candidate_count; i++) {
        builder->live[i] = candidate_lives(input, &builder->candidates[i]);
        if (builder->live[i]) {
            builder->living[builder->living_count++] = builder->candidates[i];
        }
    }
}

// The candidates of the healthy fabric. Where none of them lives there may be longer ways (within a
// pod, by way of a core), which only appear when the broken links are left out.
static void find_candidates(struct builder *builder, uint32_t first) {
    const struct slot *slot = &builder->slots[first];
    const struct plan *plan = builder->plan;
    find_choices(builder, slot, NULL, plan->flows[slot->flow].dst);
    for (uint32_t i = first;
         builder->living_count == 0 && i < builder->slot_count &&
         builder->slots[i].src == slot->src && builder->slots[i].leaf == slot->leaf;
         i++) {
        find_choices(builder, slot, builder->input->beliefs,
                     plan->flows[builder->slots[i].flow].dst);
    }
}

static int assign_all(struct builder *builder) {
    uint32_t count = builder->slot_count;
    const struct slot *slots = builder->slots;
    for (uint32_t first = 0, end; first < count; first = end) {
        if (first == 0 || slots[first].src != slots[first - 1].src ||
            slots[first].leaf != slots[first - 1].leaf) {
            find_candidates(builder, first);
        }
        end = first + 1;
        while (end < count && slots[end].src == slots[first].src &&
               slots[end].leaf == slots[first].leaf && slots[end].job == slots[first].job) {
            end++;
        }
        int rc = assign_slots(builder, first, end);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

static bool any_batched(const struct plan_input *input) {
    for (uint32_t i = 0; i < input->job_count; i++) {
        if (!job_is_shared(input, i)) {
            return true;
        }
    }
    return false;
}

int batches_assign(const struct plan_input *input, struct plan *plan) {
    if (plan->flow_count == 0 || !any_batched(input)) {
        return 0;
    }
    struct builder builder = {
        .input = input,
        .plan = plan,
        .slots = calloc(plan->flow_count, sizeof builder.slots[0]),
        .batch = calloc(plan->flow_count, sizeof builder.batch[0]),
        .candidates = calloc(CANDIDATES_MAX, sizeof builder.candidates[0]),
        .living = calloc(CANDIDATES_MAX, sizeof builder.living[0]),
        .live = calloc(CANDIDATES_MAX, sizeof builder.live[0]),
    };
    int rc = -ENOMEM;
    if (builder.slots != NULL && builder.batch != NULL && builder.candidates != NULL &&
        builder.living != NULL && builder.live != NULL) {
        sort_slots(&builder);
        rc = assign_all(&builder);
    }
    free(builder.slots);
    free(builder.batch);
    free(builder.candidates);
    free(builder.living);
    free(builder.live);
    return rc;
}
