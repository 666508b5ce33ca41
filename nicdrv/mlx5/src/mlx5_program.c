// SPDX-License-Identifier: Apache-2.0
#include "mlx5_program.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mlx5_layout.h"
#include "nicdrv/diff.h"

int mlx5_program_init(struct mlx5_program *program, struct mlx5_card *card) {
    *program = (struct mlx5_program){.card = card};
    return mlx5_tally_init(&program->tally);
}

void mlx5_program_fini(struct mlx5_program *program) {
    if (program->card == NULL) {
        return;
    }
    struct mlx5_journal journal;
    mlx5_journal_init(&journal, &program->card->steer, &program->card->reformats,
                      &program->card->counters);
    journal.at_once = true;
    mlx5_held_retire(&journal, &program->held);
    mlx5_held_fini(&program->held);
    mlx5_tally_fini(&program->tally);
    *program = (struct mlx5_program){0};
}

// ---- making

static bool same_leaf(const struct mlx5_ethernet *a, const struct mlx5_ethernet *b) {
    return memcmp(a, b, sizeof *a) == 0;
}

// Also in the versions of flows that lead there until they are removed.
static int replace_path(struct mlx5_work *work, const struct mlx5_held_path *old, uint32_t index,
                        uint8_t versions) {
    work->after->paths[index] = (struct mlx5_held_path){.set_id = old->set_id};
    int rc = mlx5_work_path(work, index, versions | old->versions);
    return rc < 0 ? rc : mlx5_held_retire_path(&work->journal, old, false);
}

static int replace_flow(struct mlx5_work *work, const struct mlx5_held_flow *old, uint32_t index) {
    int rc = mlx5_work_flow(work, index);
    return rc < 0 ? rc : mlx5_held_retire_flow(&work->journal, old);
}

static int make_change(struct mlx5_work *work, const struct mlx5_held *before,
                       const struct mlx5_change *change, const uint8_t *versions) {
    switch ((enum mlx5_change_kind)change->kind) {
    case MLX5_SID_ADD:
        return mlx5_work_sid(work, change->after);
    case MLX5_PATH_ADD:
        return mlx5_work_path(work, change->after, versions[change->after]);
    case MLX5_PATH_REPLACE:
        return replace_path(work, &before->paths[change->before], change->after,
                            versions[change->after]);
    case MLX5_FLOW_ADD:
        return mlx5_work_flow(work, change->after);
    case MLX5_FLOW_REPLACE:
        return replace_flow(work, &before->flows[change->before], change->after);
    case MLX5_FLOW_REMOVE:
        return mlx5_held_retire_flow(&work->journal, &before->flows[change->before]);
    case MLX5_PATH_REMOVE:
        return mlx5_held_retire_path(&work->journal, &before->paths[change->before], true);
    case MLX5_SID_REMOVE:
        return mlx5_held_retire_sid(&work->journal, &before->sids[change->before]);
    }
    return -EINVAL;
}

// Paths that stay, but whose flows now come in another version of IP, or behind another leaf.
static int renew_paths(struct mlx5_work *work, const struct mlx5_held *before,
                       const struct mlx5_changes *changes, const uint8_t *versions) {
    bool moved = !same_leaf(&before->ethernet, work->leaf);
    for (uint32_t i = 0; i < changes->count; i++) {
        if (changes->items[i].kind == MLX5_PATH_REPLACE) { // made whole when its turn comes
            work->after->paths[changes->items[i].after] = (struct mlx5_held_path){0};
        }
    }
    for (uint32_t p = 0; p < work->after->layout.path_count; p++) {
        struct mlx5_held_path old = work->after->paths[p];
        int rc = 0;
        if (old.set_id == NULL) {
            continue;
        }
        if (moved) {
            rc = replace_path(work, &old, p, versions[p]);
        } else if ((versions[p] & ~old.versions) != 0) {
            rc = mlx5_work_path(work, p, versions[p]);
        }
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

static uint8_t all_versions(const struct mlx5_layout *layout, const uint8_t *versions) {
    uint8_t all = 0;
    for (uint32_t p = 0; p < layout->path_count; p++) {
        all |= versions[p];
    }
    return all;
}

static int retire_roots(struct mlx5_work *work, uint8_t versions) {
    int rc = 0;
    for (int version = 0; version < MLX5_VERSIONS && rc == 0; version++) {
        if ((versions & 1U << version) == 0) {
            rc = mlx5_journal_retire(&work->journal, MLX5_DEED_RULE, work->after->root[version]);
            work->after->root[version] = NULL;
        }
    }
    return rc;
}

static int make_roots(struct mlx5_work *work, uint8_t versions) {
    int rc = 0;
    for (int version = 0; version < MLX5_VERSIONS && rc == 0; version++) {
        if ((versions & 1U << version) != 0 && work->after->root[version] == NULL) {
            rc = mlx5_work_root(work, (enum mlx5_version)version);
        }
    }
    return rc;
}

static int make_all(struct mlx5_work *work, const struct mlx5_held *before,
                    const struct mlx5_changes *changes, const uint8_t *versions) {
    uint8_t all = all_versions(&work->after->layout, versions);
    int rc = retire_roots(work, all);
    rc = rc < 0 ? rc : renew_paths(work, before, changes, versions);
    for (uint32_t i = 0; i < changes->count && rc == 0; i++) {
        rc = make_change(work, before, &changes->items[i], versions);
    }
    rc = rc < 0 ? rc : make_roots(work, all);
    if (rc == 0) {
        work->after->ethernet = *work->leaf;
    }
    return rc;
}

// ---- counters

// Flows that stay and go on counting for the same path share their counter with new ones.
static void share_counters(struct mlx5_work *work) {
    const struct mlx5_held *after = work->after;
    for (uint32_t f = 0; f < after->layout.flow_count; f++) {
        struct mlx5_counter *counter = after->flows[f].counter;
        const struct mlx5_flow *flow = &after->layout.flows[f];
        uint32_t number = work->tally->first[flow->rule] + flow->path;
        if (counter != NULL && work->tally->origin[counter->owner] == number) {
            work->counters[number] = counter;
        }
    }
}

// ---- the whole

// What an apply needs beside the NIC's objects.
struct room {
    struct mlx5_held after;
    struct mlx5_tally tally;
    struct mlx5_changes changes;
    struct mlx5_counter **counters;
    uint8_t *versions;
};

static void room_fini(struct room *room) {
    mlx5_held_fini(&room->after);
    mlx5_tally_fini(&room->tally);
    mlx5_changes_fini(&room->changes);
    free(room->counters);
    free(room->versions);
}

static int room_init(struct room *room, const struct mlx5_program *program,
                     const struct rule_set *before, const struct rule_set *wanted,
                     struct error *error) {
    struct mlx5_layout layout = {0};
    *room = (struct room){0};
    int rc = mlx5_layout_next(&program->held.layout, wanted, program->card->per_qp, &layout,
                              &room->changes, error);
    if (rc < 0) {
        return rc;
    }
    rc = mlx5_held_init(&room->after, &layout);
    rc = rc < 0 ? rc : mlx5_tally_prepare(before, &program->tally, wanted, &room->tally);
    if (rc == 0) {
        room->counters =
            calloc((size_t)room->tally.first[wanted->rule_count] + 1, sizeof(*room->counters));
        room->versions = calloc((size_t)room->after.layout.path_count + 1, 1);
    }
    if (rc < 0 || room->counters == NULL || room->versions == NULL) {
        room_fini(room);
        return error_set(error, -ENOMEM, "%s: no memory for %u rules", program->card->device.netdev,
                         wanted->rule_count);
    }
    mlx5_held_carry(&program->held, &room->after);
    mlx5_held_versions(&room->after.layout, room->versions);
    return 0;
}

static void commit(struct mlx5_program *program, struct mlx5_work *work, struct room *room) {
    struct mlx5_card *card = program->card;
    mlx5_journal_commit(&work->journal);
    mlx5_tally_settle(&room->tally, &program->tally, &room->after, &card->counters);
    struct mlx5_held held = program->held;
    program->held = room->after;
    room->after = held;
    struct mlx5_tally tally = program->tally;
    program->tally = room->tally;
    room->tally = tally;
}

static void undo(struct mlx5_card *card, struct mlx5_work *work) {
    mlx5_journal_undo(&work->journal);
    if (!mlx5_events_failed(&card->events) && mlx5_counters_read(&card->counters, false) == 0) {
        mlx5_counters_clean(&card->counters);
    }
}

struct encap_list {
    const struct encap *list; // sorted
    uint32_t count;
};

// Reformats of the paths in `wanted` that are not in `before`.
static void make_ahead(const struct mlx5_program *program, struct encap_list before,
                       struct encap_list wanted, uint8_t versions) {
    uint32_t b = 0;
    for (uint32_t e = 0; e < wanted.count; e++) {
        int order = 1;
        while (b < before.count &&
               (order = memcmp(&before.list[b], &wanted.list[e], sizeof(struct encap))) < 0) {
            b++;
        }
        if (b == before.count || order != 0) {
            mlx5_work_ahead(program->card, &program->held.ethernet, &wanted.list[e], versions);
        }
    }
}

int mlx5_program_apply(struct mlx5_program *program, const struct rule_set *before,
                       const struct rule_set *wanted, const struct mlx5_ethernet *leaf,
                       struct error *error) {
    struct room room;
    int rc = room_init(&room, program, before, wanted, error);
    if (rc < 0) {
        return rc;
    }
    struct error none = {0};
    struct mlx5_work work = {.card = program->card,
                             .after = &room.after,
                             .tally = &room.tally,
                             .counters = room.counters,
                             .leaf = leaf,
                             .error = &none};
    mlx5_journal_init(&work.journal, &program->card->steer, &program->card->reformats,
                      &program->card->counters);
    share_counters(&work);
    rc = make_all(&work, &program->held, &room.changes, room.versions);
    uint8_t versions = all_versions(&room.after.layout, room.versions);
    if (rc < 0) {
        undo(program->card, &work);
        error_set(error, rc, "%s",
                  none.code != 0 ? none.text : "no memory for what an apply makes");
    } else {
        commit(program, &work, &room);
        make_ahead(program, (struct encap_list){before->encaps, before->encap_count},
                   (struct encap_list){wanted->encaps, wanted->encap_count}, versions);
        make_ahead(program, (struct encap_list){before->spares, before->spare_count},
                   (struct encap_list){wanted->spares, wanted->spare_count}, versions);
    }
    room_fini(&room);
    return rc;
}
