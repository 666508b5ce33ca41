// SPDX-License-Identifier: Apache-2.0
// Path ids. Most entries of an id decide where it goes: they follow it by one change of the path
// entry. The others, and entries that are new, lead to a settled id of their encap, one that means
// the same before and after; where there is none, to a new one.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mlx5_layout_draft.h"

static uint32_t find_encap(const struct rule_set *set, const struct encap *encap) {
    uint32_t low = 0, high = set->encap_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = memcmp(&set->encaps[middle], encap, sizeof *encap);
        if (order == 0) {
            return middle;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return MLX5_NONE;
}

static uint32_t find_slot(const struct mlx5_layout *now, uint32_t id) {
    uint32_t low = 0, high = now->path_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (now->paths[middle].id < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static void take_slots(struct draft *draft) {
    const struct mlx5_layout *now = draft->now;
    for (uint32_t p = 0; p < now->path_count; p++) {
        uint32_t encap = find_encap(draft->wanted, &now->paths[p].encap);
        draft->slots[p] = (struct slot){.id = now->paths[p].id, .before = encap, .after = encap};
    }
    draft->slot_count = now->path_count;
}

static int compare_votes(const void *left, const void *right) {
    const struct vote *a = left, *b = right;
    if (a->slot != b->slot) {
        return a->slot < b->slot ? -1 : 1;
    }
    return a->encap < b->encap ? -1 : a->encap > b->encap;
}

static void take_votes(struct draft *draft) {
    for (uint32_t f = 0; f < draft->flow_count; f++) {
        if (draft->origin[f] != MLX5_NONE) {
            uint32_t id = draft->now->flows[draft->origin[f]].path_id;
            draft->votes[draft->vote_count++] = (struct vote){
                .slot = find_slot(draft->now, id),
                .encap = draft_encap(draft, &draft->flows[f]),
            };
        }
    }
    if (draft->vote_count > 0) {
        qsort(draft->votes, draft->vote_count, sizeof draft->votes[0], compare_votes);
    }
}

// Most votes win, and what is now where that has as many.
static void count_votes(struct draft *draft) {
    uint32_t most = 0;
    for (uint32_t first = 0, end; first < draft->vote_count; first = end) {
        const struct vote *vote = &draft->votes[first];
        for (end = first;
             end < draft->vote_count && compare_votes(&draft->votes[end], vote) == 0;) {
            end++;
        }
        struct slot *slot = &draft->slots[vote->slot];
        most = first == 0 || draft->votes[first - 1].slot != vote->slot ? 0 : most;
        if (end - first > most || (end - first == most && vote->encap == slot->before)) {
            most = end - first;
            slot->after = vote->encap;
        }
    }
}

// An entry goes away last: until then its packets meet their old path, or the one that they fall
// to.
static void hold_for_leavers(struct draft *draft) {
    const struct mlx5_layout *now = draft->now;
    for (uint32_t f = 0; f < now->flow_count; f++) {
        if (draft->successor[f] != MLX5_NONE) {
            continue;
        }
        struct slot *slot = &draft->slots[find_slot(now, now->flows[f].path_id)];
        uint32_t fallback = draft_fallback(draft, &now->flows[f]);
        if (fallback != DRAFT_PLAIN && fallback != slot->after) {
            slot->after = slot->before;
        }
    }
}

static void settle(struct draft *draft) {
    for (uint32_t e = 0; e < draft->wanted->encap_count; e++) {
        draft->settled[e] = MLX5_NONE;
    }
    for (uint32_t s = 0; s < draft->slot_count; s++) {
        const struct slot *slot = &draft->slots[s];
        if (slot->before != slot->after || slot->after == MLX5_NONE) {
            continue;
        }
        uint32_t *settled = &draft->settled[slot->after];
        if (*settled == MLX5_NONE ||
            draft->now->paths[s].users > draft->now->paths[*settled].users) {
            *settled = s;
        }
    }
}

// `free_id` is a number below which none is free.
static int settle_anew(struct draft *draft, uint32_t encap, uint32_t *free_id,
                       struct error *error) {
    const struct mlx5_layout *now = draft->now;
    uint32_t at = find_slot(now, *free_id);
    while (at < now->path_count && now->paths[at].id == *free_id) {
        at++;
        (*free_id)++;
    }
    if (*free_id > MLX5_PATHS_MAX) {
        return error_set(error, -ENOSPC, "more than %d paths, old and new ones together",
                         MLX5_PATHS_MAX);
    }
    draft->settled[encap] = draft->slot_count;
    draft->slots[draft->slot_count++] =
        (struct slot){.id = (*free_id)++, .before = MLX5_NONE, .after = encap};
    return 0;
}

static int assign_flows(struct draft *draft, struct error *error) {
    uint32_t free_id = 1;
    for (uint32_t f = 0; f < draft->flow_count; f++) {
        struct mlx5_flow *flow = &draft->flows[f];
        uint32_t encap = draft_encap(draft, flow), slot = MLX5_NONE;
        if (draft->origin[f] != MLX5_NONE) {
            slot = find_slot(draft->now, draft->now->flows[draft->origin[f]].path_id);
        }
        if (slot == MLX5_NONE || draft->slots[slot].after != encap) {
            if (draft->settled[encap] == MLX5_NONE) {
                int rc = settle_anew(draft, encap, &free_id, error);
                if (rc != 0) {
                    return rc;
                }
            }
            slot = draft->settled[encap];
        }
        flow->path_id = slot;
        draft->slots[slot].users++;
    }
    return 0;
}

// ---- doubles

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

// How many ids there are above twice the encaps that they lead to. The room of the doubles, not yet
// found, serves to mark the encaps.
static uint32_t count_excess(struct draft *draft) {
    uint32_t ids = 0, encaps = 0;
    for (uint32_t e = 0; e < draft->wanted->encap_count; e++) {
        draft->doubles[e] = 0;
    }
    for (uint32_t s = 0; s < draft->slot_count; s++) {
        if (draft->slots[s].users > 0) {
            ids++;
            encaps += draft->doubles[draft->slots[s].after]++ == 0 ? 1 : 0;
        }
    }
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
static void merge_doubles(struct draft *draft) {
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

int draft_assign(struct draft *draft, struct error *error) {
    take_slots(draft);
    take_votes(draft);
    count_votes(draft);
    hold_for_leavers(draft);
    settle(draft);
    int rc = assign_flows(draft, error);
    if (rc == 0) {
        merge_doubles(draft);
    }
    return rc;
}
