// SPDX-License-Identifier: Apache-2.0
#include "mlx5_layout.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mlx5_layout_draft.h"

static void *room(uint32_t count, size_t size) {
    return calloc((size_t)count + 1, size);
}

// What may have been allocated of it; the finished layout takes the flows.
static void draft_fini(struct draft *draft) {
    free(draft->flows);
    free(draft->encaps);
    free(draft->origin);
    free(draft->successor);
    free(draft->slots);
    free(draft->settled);
    free(draft->slot_of);
    free(draft->votes);
    free(draft->first_vote);
    free(draft->tally);
    free(draft->doubles);
}

static int draft_init(struct draft *draft, const struct mlx5_layout *now,
                      const struct rule_set *wanted) {
    uint32_t flow_count = draft_count_flows(wanted);
    *draft = (struct draft){.now = now, .wanted = wanted};
    draft->slot_capacity = now->path_count + wanted->encap_count;
    draft->flows = room(flow_count, sizeof draft->flows[0]);
    draft->encaps = room(flow_count, sizeof draft->encaps[0]);
    draft->origin = room(flow_count, sizeof draft->origin[0]);
    draft->successor = room(now->flow_count, sizeof draft->successor[0]);
    draft->slots = room(draft->slot_capacity, sizeof draft->slots[0]);
    draft->settled = room(wanted->encap_count, sizeof draft->settled[0]);
    draft->slot_of = room(now->path_count > 0 ? now->paths[now->path_count - 1].id : 0,
                          sizeof draft->slot_of[0]);
    draft->votes = room(now->flow_count, sizeof draft->votes[0]);
    draft->first_vote = room(now->path_count, sizeof draft->first_vote[0]);
    draft->tally = room(wanted->encap_count, sizeof draft->tally[0]);
    draft->doubles = room(draft->slot_capacity, sizeof draft->doubles[0]);
    if (draft->flows == NULL || draft->encaps == NULL || draft->origin == NULL ||
        draft->successor == NULL || draft->slots == NULL || draft->settled == NULL ||
        draft->slot_of == NULL || draft->votes == NULL || draft->first_vote == NULL ||
        draft->tally == NULL || draft->doubles == NULL) {
        draft_fini(draft);
        return -ENOMEM;
    }
    return 0;
}

// ---- the finished layout

static void put_path(struct draft *draft, uint32_t slot_index, struct mlx5_layout *next) {
    struct slot *slot = &draft->slots[slot_index];
    if (slot->users == 0) {
        return;
    }
    slot->place = next->path_count;
    struct mlx5_path *path = &next->paths[next->path_count++];
    memset(path, 0, sizeof *path);
    path->id = slot->id;
    memcpy(&path->encap, &draft->wanted->encaps[slot->after], sizeof path->encap);
    path->users = slot->users;
}

// Old slots and new ones are each in the order of their ids.
static void put_paths(struct draft *draft, struct mlx5_layout *next) {
    uint32_t old = 0, new = draft->now->path_count;
    while (old < draft->now->path_count || new < draft->slot_count) {
        bool take_old = new == draft->slot_count || (old < draft->now->path_count &&
                                                     draft->slots[old].id < draft->slots[new].id);
        put_path(draft, take_old ? old++ : new ++, next);
    }
}

static void put_sids(const struct rule_set *wanted, struct mlx5_layout *next) {
    for (uint32_t s = 0; s < wanted->local_sid_count; s++) {
        const struct sid *sid = &wanted->local_sids[s];
        if (s == 0 || memcmp(sid, &wanted->local_sids[s - 1], sizeof *sid) != 0) {
            next->sids[next->sid_count++] = *sid;
        }
    }
}

static void put_flows(struct draft *draft, struct mlx5_layout *next) {
    for (uint32_t f = 0; f < draft->flow_count; f++) {
        draft->flows[f].path_id = draft->slots[draft->flows[f].path_id].id;
    }
    next->flows = draft->flows;
    next->flow_count = draft->flow_count;
    draft->flows = NULL;
}

// ---- the changes

static void add_change(struct mlx5_changes *changes, enum mlx5_change_kind kind, uint32_t before,
                       uint32_t after) {
    changes->items[changes->count++] =
        (struct mlx5_change){.kind = (uint8_t)kind, .before = before, .after = after};
}

static bool has_sid(const struct mlx5_layout *layout, const struct sid *sid) {
    for (uint32_t s = 0; s < layout->sid_count; s++) {
        if (memcmp(&layout->sids[s], sid, sizeof *sid) == 0) {
            return true;
        }
    }
    return false;
}

static void add_sids(const struct mlx5_layout *now, const struct mlx5_layout *next,
                     struct mlx5_changes *changes) {
    for (uint32_t s = 0; s < next->sid_count; s++) {
        if (!has_sid(now, &next->sids[s])) {
            add_change(changes, MLX5_SID_ADD, MLX5_NONE, s);
        }
    }
}

static void remove_sids(const struct mlx5_layout *now, const struct mlx5_layout *next,
                        struct mlx5_changes *changes) {
    for (uint32_t s = 0; s < now->sid_count; s++) {
        if (!has_sid(next, &now->sids[s])) {
            add_change(changes, MLX5_SID_REMOVE, s, MLX5_NONE);
        }
    }
}

static void change_flows(const struct draft *draft, const struct mlx5_layout *next, uint8_t kind,
                         struct mlx5_changes *changes) {
    for (uint32_t f = 0; f < next->flow_count; f++) {
        uint32_t origin = draft->origin[f];
        if (next->flows[f].kind != kind) {
            continue;
        }
        if (origin == MLX5_NONE) {
            add_change(changes, MLX5_FLOW_ADD, MLX5_NONE, f);
        } else if (draft->now->flows[origin].path_id != next->flows[f].path_id) {
            add_change(changes, MLX5_FLOW_REPLACE, origin, f);
        }
    }
}

static void remove_flows(const struct draft *draft, uint8_t kind, struct mlx5_changes *changes) {
    for (uint32_t f = 0; f < draft->now->flow_count; f++) {
        if (draft->now->flows[f].kind == kind && draft->successor[f] == MLX5_NONE) {
            add_change(changes, MLX5_FLOW_REMOVE, f, MLX5_NONE);
        }
    }
}

static void change_paths(const struct draft *draft, enum mlx5_change_kind kind,
                         struct mlx5_changes *changes) {
    for (uint32_t s = 0; s < draft->slot_count; s++) {
        const struct slot *slot = &draft->slots[s];
        bool is_old = s<draft->now->path_count, is_used = slot->users> 0;
        if (kind == MLX5_PATH_ADD && !is_old && is_used) {
            add_change(changes, kind, MLX5_NONE, slot->place);
        } else if (kind == MLX5_PATH_REPLACE && is_old && is_used && slot->before != slot->after) {
            add_change(changes, kind, s, slot->place);
        } else if (kind == MLX5_PATH_REMOVE && is_old && !is_used) {
            add_change(changes, kind, s, MLX5_NONE);
        }
    }
}

static void put_changes(const struct draft *draft, const struct mlx5_layout *next,
                        struct mlx5_changes *changes) {
    add_sids(draft->now, next, changes);
    change_paths(draft, MLX5_PATH_ADD, changes);
    for (uint8_t kind = 0; kind < MLX5_FLOW_KINDS; kind++) {
        change_flows(draft, next, kind, changes);
    }
    change_paths(draft, MLX5_PATH_REPLACE, changes);
    for (uint8_t kind = MLX5_FLOW_KINDS; kind > 0; kind--) {
        remove_flows(draft, (uint8_t)(kind - 1), changes);
    }
    change_paths(draft, MLX5_PATH_REMOVE, changes);
    remove_sids(draft->now, next, changes);
}

static int finish(struct draft *draft, struct mlx5_layout *next, struct mlx5_changes *changes) {
    uint32_t most = draft->slot_count + draft->now->flow_count + draft->flow_count;
    struct mlx5_path *paths = room(draft->slot_count, sizeof *paths);
    struct mlx5_change *items = room(most + 2 * LOCAL_SIDS_MAX, sizeof *items);
    if (paths == NULL || items == NULL) {
        free(paths);
        free(items);
        return -ENOMEM;
    }
    *next = (struct mlx5_layout){.paths = paths};
    *changes = (struct mlx5_changes){.items = items};
    put_paths(draft, next);
    put_sids(draft->wanted, next);
    put_flows(draft, next);
    put_changes(draft, next, changes);
    return 0;
}

int mlx5_layout_next(const struct mlx5_layout *now, const struct rule_set *wanted, bool per_qp,
                     struct mlx5_layout *next, struct mlx5_changes *changes, struct error *error) {
    int rc = draft_check(wanted, per_qp, error);
    if (rc != 0) {
        return rc;
    }
    struct draft draft;
    rc = draft_init(&draft, now, wanted);
    if (rc != 0) {
        return error_set(error, rc, "flow and path tables: out of memory");
    }
    draft_fill_flows(&draft);
    draft_match_flows(&draft);
    rc = draft_assign(&draft, error);
    if (rc == 0) {
        rc = finish(&draft, next, changes);
        rc = rc == 0 ? 0 : error_set(error, rc, "flow and path tables: out of memory");
    }
    draft_fini(&draft);
    return rc;
}

void mlx5_layout_fini(struct mlx5_layout *layout) {
    free(layout->flows);
    free(layout->paths);
    *layout = (struct mlx5_layout){0};
}

void mlx5_changes_fini(struct mlx5_changes *changes) {
    free(changes->items);
    *changes = (struct mlx5_changes){0};
}
