// SPDX-License-Identifier: Apache-2.0
// Two ids of one encap become one again, in steps that change flow entries anyway.
#include <stdlib.h>
#include <string.h>

#include "mlx5_layout_draft.h"

static bool is_kept(const struct draft *draft, uint32_t flow) {
    uint32_t origin = draft->origin[flow];
    return origin != MLX5_NONE &&
           draft->slots[draft->flows[flow].path_id].id == draft->now->flows[origin].path_id;
}

// Flow entries that change anyway.
static uint32_t count_flow_changes(const struct draft *draft) {
    uint32_t count = 0;
    for (uint32_t f = 0; f < draft->flow_count; f++) {
        count += is_kept(draft, f) ? 0 : 1;
    }
    for (uint32_t f = 0; f < draft->now->flow_count; f++) {
        count += draft->successor[f] == MLX5_NONE ? 1 : 0;
    }
    return count;
}

// How many ids there are above twice the encaps that they lead to.
static uint32_t count_excess(struct draft *draft) {
    uint32_t ids = 0, encaps = 0;
    for (uint32_t s = 0; s < draft->slot_count; s++) {
        if (draft->slots[s].users > 0) {
            ids++;
            encaps += draft->tally[draft->slots[s].after]++ == 0 ? 1 : 0;
        }
    }
    memset(draft->tally, 0, draft->wanted->encap_count * sizeof draft->tally[0]);
    return ids > 2 * encaps ? ids - 2 * encaps : 0;
}

static int compare_doubles(const void *left, const void *right, void *context) {
    const struct draft *draft = context;
    const uint32_t *a = left, *b = right;
    uint32_t users_a = draft->slots[*a].users, users_b = draft->slots[*b].users;
    if (users_a != users_b) {
        return users_a < users_b ? -1 : 1;
    }
    return *a < *b ? -1 : *a > *b;
}

static void find_doubles(struct draft *draft) {
    draft->double_count = 0;
    for (uint32_t s = 0; s < draft->slot_count; s++) {
        const struct slot *slot = &draft->slots[s];
        if (slot->users > 0 && draft->settled[slot->after] != MLX5_NONE &&
            draft->settled[slot->after] != s) {
            draft->doubles[draft->double_count++] = s;
        }
    }
    qsort_r(draft->doubles, draft->double_count, sizeof draft->doubles[0], compare_doubles, draft);
}

static void merge_flows(struct draft *draft) {
    for (uint32_t f = 0; f < draft->flow_count; f++) {
        struct slot *slot = &draft->slots[draft->flows[f].path_id];
        if (slot->merged > 0) {
            slot->merged--;
            slot->users--;
            draft->flows[f].path_id = draft->settled[slot->after];
            draft->slots[draft->settled[slot->after]].users++;
        }
    }
}

// The smallest doubles first, so that what a step can spend ends most of them.
void draft_merge(struct draft *draft) {
    uint32_t excess = count_excess(draft), budget = excess > 0 ? count_flow_changes(draft) : 0;
    if (budget == 0) {
        return;
    }
    find_doubles(draft);
    for (uint32_t d = 0; d < draft->double_count && excess > 0 && budget > 0; d++, excess--) {
        struct slot *slot = &draft->slots[draft->doubles[d]];
        slot->merged = slot->users < budget ? slot->users : budget;
        budget -= slot->merged;
    }
    merge_flows(draft);
}
