// SPDX-License-Identifier: Apache-2.0
// Path ids. Most entries of an id decide where it goes: they follow it by one change of the path
// entry. The others, and entries that are new, lead to a settled id of their encap, one that means
// the same before and after; where there is none, to a new one.
#include <errno.h>
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

static void take_slots(struct draft *draft) {
    const struct mlx5_layout *now = draft->now;
    for (uint32_t p = 0; p < now->path_count; p++) {
        uint32_t encap = find_encap(draft->wanted, &now->paths[p].encap);
        draft->slots[p] = (struct slot){.id = now->paths[p].id, .before = encap, .after = encap};
        draft->slot_of[now->paths[p].id] = p;
    }
    draft->slot_count = now->path_count;
}

// The slot of an old flow entry.
static uint32_t old_slot(const struct draft *draft, uint32_t old_flow) {
    return draft->slot_of[draft->now->flows[old_flow].path_id];
}

// A vote is where an entry that stays wants to go. first_vote[s + 1] ends up as the end of slot s,
// which is where the next begins.
static void take_votes(struct draft *draft) {
    uint32_t *end = draft->first_vote + 1;
    for (uint32_t f = 0; f < draft->now->flow_count; f++) {
        if (draft->successor[f] != MLX5_NONE) {
            end[old_slot(draft, f)]++;
        }
    }
    uint32_t sum = 0;
    for (uint32_t s = 0; s < draft->slot_count; s++) {
        uint32_t count = end[s];
        end[s] = sum;
        sum += count;
    }
    for (uint32_t f = 0; f < draft->now->flow_count; f++) {
        uint32_t successor = draft->successor[f];
        if (successor != MLX5_NONE) {
            uint32_t place = end[old_slot(draft, f)]++;
            draft->votes[place] = draft->encaps[successor];
        }
    }
}

// Most votes win; where two have as many, what is now, or who comes first.
static bool is_better(const struct draft *draft, uint32_t encap, const struct slot *slot,
                      uint32_t most) {
    uint32_t votes = draft->tally[encap];
    return votes > most || (votes == most && encap == slot->before);
}

static void count_votes(struct draft *draft) {
    for (uint32_t s = 0; s < draft->slot_count; s++) {
        struct slot *slot = &draft->slots[s];
        uint32_t first = draft->first_vote[s], end = draft->first_vote[s + 1], most = 0;
        for (uint32_t v = first; v < end; v++) {
            draft->tally[draft->votes[v]]++;
        }
        for (uint32_t v = first; v < end; v++) {
            if (is_better(draft, draft->votes[v], slot, most)) {
                slot->after = draft->votes[v];
                most = draft->tally[slot->after];
            }
        }
        for (uint32_t v = first; v < end; v++) {
            draft->tally[draft->votes[v]] = 0;
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
        struct slot *slot = &draft->slots[old_slot(draft, f)];
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

// Ids below free->id are taken, and free->path is the first old path that has none of them.
struct free_ids {
    uint32_t id, path;
};

static int settle_anew(struct draft *draft, uint32_t encap, struct free_ids *free,
                       struct error *error) {
    const struct mlx5_layout *now = draft->now;
    while (free->path < now->path_count && now->paths[free->path].id == free->id) {
        free->path++;
        free->id++;
    }
    if (free->id > MLX5_PATHS_MAX) {
        return error_set(error, -ENOSPC, "more than %d paths, old and new ones together",
                         MLX5_PATHS_MAX);
    }
    draft->settled[encap] = draft->slot_count;
    draft->slots[draft->slot_count++] =
        (struct slot){.id = free->id++, .before = MLX5_NONE, .after = encap};
    return 0;
}

static int assign_flows(struct draft *draft, struct error *error) {
    struct free_ids free = {.id = 1};
    for (uint32_t f = 0; f < draft->flow_count; f++) {
        struct mlx5_flow *flow = &draft->flows[f];
        uint32_t encap = draft->encaps[f], slot = MLX5_NONE;
        if (draft->origin[f] != MLX5_NONE) {
            slot = old_slot(draft, draft->origin[f]);
        }
        if (slot == MLX5_NONE || draft->slots[slot].after != encap) {
            if (draft->settled[encap] == MLX5_NONE) {
                int rc = settle_anew(draft, encap, &free, error);
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

int draft_assign(struct draft *draft, struct error *error) {
    take_slots(draft);
    take_votes(draft);
    count_votes(draft);
    hold_for_leavers(draft);
    settle(draft);
    int rc = assign_flows(draft, error);
    if (rc == 0) {
        draft_merge(draft);
    }
    return rc;
}
