// SPDX-License-Identifier: Apache-2.0
#include "pathalg/candidates.h"

#include "backup.h"
#include "enumerate.h"
#include "model/rng.h"

struct choice {
    const struct fabric *fabric;
    const struct path *path;
    uint64_t salt;
    uint64_t best_rank;
    struct path best; // link_count 0: none yet
};

// Rendezvous hashing: when another candidate dies, a backup that still lives stays chosen.
static void visit_choose(void *context, uint32_t ordinal, const struct path *path) {
    (void)ordinal;
    struct choice *choice = context;
    if (path_shares_cable(choice->fabric, path, choice->path)) {
        return;
    }
    uint64_t rank = choice->salt;
    for (unsigned i = 1; i + 1 < path->link_count; i++) {
        rank = hash_pair(rank, path->links[i].i);
    }
    if (choice->best.link_count == 0 || rank > choice->best_rank) {
        choice->best = *path;
        choice->best_rank = rank;
    }
}

void backup_find(const struct fabric *fabric, const struct link_belief *beliefs, port_id src,
                 port_id dst, const struct path *path, uint64_t salt, struct path *backup) {
    struct choice choice = {.fabric = fabric, .path = path, .salt = salt};
    // The one path within a leaf has no link between switches, so nothing could be disjoint from
    // it.
    if (path->link_count > 2) {
        candidates_enumerate(fabric, beliefs, src, dst, visit_choose, &choice);
    }
    *backup = choice.best;
}

uint32_t backup_rotate(const struct fabric *fabric, const struct path *candidates, const bool *live,
                       uint32_t count, uint32_t primary, uint64_t turn) {
    if (count < 2) {
        return ID_NONE;
    }
    uint32_t others = count - 1;
    uint32_t first = (uint32_t)(turn % others);
    for (uint32_t i = 0; i < others; i++) {
        uint32_t at = (primary + 1 + (first + i) % others) % count;
        bool usable = live == NULL || live[at];
        if (usable && !path_shares_cable(fabric, &candidates[at], &candidates[primary])) {
            return at;
        }
    }
    return ID_NONE;
}
