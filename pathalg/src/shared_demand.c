// SPDX-License-Identifier: Apache-2.0
// Leaves are of one kind when they are in one plane and have equal units and weights in every
// component. Leaves that hosts join within a plane (rails) also send each other less than others:
// they form groups, and kinds end at groups.
#include "shared_demand.h"

#include <errno.h>
#include <stdlib.h>

#include "model/rng.h"
#include "shared_sums.h"

// Groups beyond this size are not looked through: each of their leaves is a kind.
#define GROUP_LEAVES_MAX 32U

static uint64_t hash_double(uint64_t hash, double value) {
    return hash_bytes(&value, sizeof value, hash);
}

static uint64_t sign_leaf(const struct sums *sums, uint32_t leaf) {
    uint64_t hash =
        hash_pair(plane_of(sums->grid, leaf), sums->in_matrix[leaf] ? (uint64_t)leaf + 1 : 0);
    for (uint32_t c = 0; c < sums->component_count; c++) {
        hash = hash_double(hash, sums->components[c].leaf_units[leaf]);
        hash = hash_double(hash, sums->components[c].leaf_weights[leaf]);
    }
    return hash;
}

// Whether the group's leaves are alike and have as much for each other.
static bool group_is_uniform(const struct sums *sums, const uint32_t *leaves, uint32_t count) {
    if (count > GROUP_LEAVES_MAX) {
        return false;
    }
    double bytes = count > 1 ? sums_pair_bytes(sums, leaves[0], leaves[1]) : 0;
    for (uint32_t i = 0; i < count; i++) {
        if (sums->kind_of[leaves[i]] != sums->kind_of[leaves[0]]) {
            return false;
        }
        for (uint32_t j = 0; j < count; j++) {
            if (i != j && sums_pair_bytes(sums, leaves[i], leaves[j]) != bytes) {
                return false;
            }
        }
    }
    return true;
}

// Leaves of a group become kinds of their own: one for the group, or one for each.
static void part_group(struct sums *sums, const uint32_t *leaves, uint32_t count) {
    bool uniform = group_is_uniform(sums, leaves, count);
    for (uint32_t i = 0; i < count; i++) {
        sums->kind_of[leaves[i]] =
            hash_pair(sums->kind_of[leaves[i]], uniform ? leaves[0] : leaves[i]);
    }
}

struct member {
    uint64_t key;
    uint32_t leaf;
};

static int compare_members(const void *left, const void *right) {
    const struct member *a = left, *b = right;
    if (a->key != b->key) {
        return a->key < b->key ? -1 : 1;
    }
    return a->leaf < b->leaf ? -1 : a->leaf > b->leaf;
}

static void sort_by_group(const struct sums *sums, struct member *members) {
    for (uint32_t i = 0; i < sums->grid->leaf_count; i++) {
        members[i] = (struct member){sums->group[i], i};
    }
    qsort(members, sums->grid->leaf_count, sizeof members[0], compare_members);
}

static void part_groups(struct sums *sums, struct member *members, uint32_t *leaves) {
    uint32_t count = sums->grid->leaf_count;
    sort_by_group(sums, members);
    for (uint32_t first = 0, end; first < count; first = end) {
        for (end = first; end < count && members[end].key == members[first].key; end++) {
            leaves[end - first] = members[end].leaf;
        }
        if (end - first > 1) {
            part_group(sums, leaves, end - first);
        }
    }
}

// Numbers the kinds in the order of their signatures. firsts: by kind, its first two leaves.
static uint32_t number_kinds(const struct sums *sums, struct member *members, uint32_t *kind,
                             uint32_t (*firsts)[2]) {
    uint32_t count = sums->grid->leaf_count, kinds = 0;
    for (uint32_t i = 0; i < count; i++) {
        members[i] = (struct member){sums->kind_of[i], i};
    }
    qsort(members, count, sizeof members[0], compare_members);
    for (uint32_t i = 0; i < count; i++) {
        bool new_kind = i == 0 || members[i].key != members[i - 1].key;
        if (new_kind) {
            firsts[kinds][0] = members[i].leaf;
            firsts[kinds++][1] = ID_NONE;
        } else if (firsts[kinds - 1][1] == ID_NONE) {
            firsts[kinds - 1][1] = members[i].leaf;
        }
        kind[members[i].leaf] = kinds - 1;
    }
    return kinds;
}

static int fill_bytes(const struct sums *sums, uint32_t (*firsts)[2], uint32_t *kind,
                      uint32_t kinds, struct leaf_demand *out) {
    double *bytes = calloc((size_t)kinds * kinds, sizeof bytes[0]);
    if (bytes == NULL) {
        return -ENOMEM;
    }
    for (uint32_t a = 0; a < kinds; a++) {
        for (uint32_t b = 0; b < kinds; b++) {
            uint32_t to = firsts[b][a == b ? 1 : 0];
            bytes[(size_t)a * kinds + b] =
                to != ID_NONE ? sums_pair_bytes(sums, firsts[a][0], to) : 0;
        }
    }
    *out = (struct leaf_demand){.kind_count = kinds, .kind = kind, .bytes = bytes};
    return 0;
}

static int find_kinds(struct sums *sums, struct leaf_demand *out) {
    uint32_t count = sums->grid->leaf_count;
    struct member *members = calloc(count, sizeof members[0]);
    uint32_t(*firsts)[2] = calloc(count, sizeof firsts[0]);
    uint32_t *kind = calloc(count, sizeof kind[0]);
    int rc = -ENOMEM;
    if (members != NULL && firsts != NULL && kind != NULL) {
        for (uint32_t i = 0; i < count; i++) {
            sums->kind_of[i] = sign_leaf(sums, i);
        }
        part_groups(sums, members, kind); // kind: as a scratch list of leaves
        uint32_t kinds = number_kinds(sums, members, kind, firsts);
        rc = fill_bytes(sums, firsts, kind, kinds, out);
    }
    free(members);
    free(firsts);
    if (rc != 0) {
        free(kind);
    }
    return rc;
}

static bool any_dense(const struct demand_jobs *jobs) {
    for (uint32_t i = 0; i < jobs->member_count; i++) {
        if (jobs->shapes[jobs->members[i]].dense != 0) {
            return true;
        }
    }
    return false;
}

int demand_build(const struct grid *grid, const struct demand_jobs *jobs, struct leaf_demand *out) {
    if (!any_dense(jobs)) {
        *out = (struct leaf_demand){0};
        return 0;
    }
    struct sums sums;
    int rc = sums_init(grid, &sums);
    rc = rc != 0 ? rc : sums_take(&sums, jobs);
    rc = rc != 0 ? rc : find_kinds(&sums, out);
    sums_fini(&sums);
    return rc;
}

void demand_fini(struct leaf_demand *demand) {
    free(demand->kind);
    free(demand->bytes);
    *demand = (struct leaf_demand){0};
}
