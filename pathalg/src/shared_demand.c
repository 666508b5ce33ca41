// SPDX-License-Identifier: Apache-2.0
// Leaves are of one kind when they are in one plane and have equal units and weights in every
// component. Leaves that hosts join within a plane (rails) also send each other less than others:
// they form groups, and kinds end at groups.
#include "shared_demand.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/rng.h"

// Groups beyond this size are not looked through: each of their leaves is a kind.
#define GROUP_LEAVES_MAX 32U

// Collectives in which the same ranks take part.
struct component {
    uint32_t job, takers;
    uint32_t *units;                   // by port
    uint64_t *weights;                 // by port: what one unit has for it
    double *leaf_units, *leaf_weights; // by leaf
};

struct sums {
    const struct grid *grid;
    struct component *components;
    uint32_t component_count;
    double *matrix;    // by pair of leaves; NULL: no matrix
    bool *in_matrix;   // by leaf
    uint32_t *group;   // by leaf: the first leaf that hosts join it with; ID_NONE: none
    uint32_t *ports;   // leaf by leaf
    uint32_t *first;   // by leaf, in ports; one more at the end
    uint64_t *kind_of; // by leaf: equal for leaves of one kind
};

static uint32_t leaf_of(const struct grid *grid, uint32_t port) {
    return grid->leaf_index[grid->fabric->ports[port].leaf.i];
}

static uint32_t plane_of(const struct grid *grid, uint32_t leaf) {
    return grid->fabric->nodes[grid->leaves[leaf].i].plane;
}

// ---- components

static void component_fini(struct component *component) {
    free(component->units);
    free(component->weights);
    free(component->leaf_units);
    free(component->leaf_weights);
}

static int component_init(const struct grid *grid, const struct plan_job *job, uint32_t index,
                          uint32_t takers, struct component *out) {
    struct component component = {
        .job = index,
        .takers = takers,
        .units = calloc(grid->fabric->port_count, sizeof(uint32_t)),
        .weights = calloc(grid->fabric->port_count, sizeof(uint64_t)),
        .leaf_units = calloc(grid->leaf_count, sizeof(double)),
        .leaf_weights = calloc(grid->leaf_count, sizeof(double)),
    };
    if (component.units == NULL || component.weights == NULL || component.leaf_units == NULL ||
        component.leaf_weights == NULL) {
        component_fini(&component);
        return -ENOMEM;
    }
    shape_count_units(grid->fabric, job, takers, component.units);
    *out = component;
    return 0;
}

// What any rank sends to rank `to` of another host; 0 with a matrix, where it is not the same for
// all.
static uint64_t weight_for(const struct collective *collective, uint32_t rank_count, uint64_t sum,
                           uint32_t to) {
    if (collective->type == COLLECTIVE_ALLTOALL) {
        return collective->bytes / rank_count;
    }
    return to < collective->weight_count
               ? collective_pair_bytes(collective, rank_count, sum, to == 0 ? 1 : 0, to)
               : 0;
}

static void add_weights(const struct plan_job *job, const struct collective *collective,
                        struct component *component) {
    uint64_t sum = collective_weight_sum(collective);
    for (uint32_t i = 0; i < job->rank_count; i++) {
        if (job->ranks[i].i != ID_NONE) {
            component->weights[job->ranks[i].i] += weight_for(collective, job->rank_count, sum, i);
        }
    }
}

static int find_component(struct sums *sums, const struct plan_job *job, uint32_t index,
                          uint32_t takers, struct component **out) {
    for (uint32_t i = 0; i < sums->component_count; i++) {
        if (sums->components[i].job == index && sums->components[i].takers == takers) {
            *out = &sums->components[i];
            return 0;
        }
    }
    struct component *grown =
        realloc(sums->components, (sums->component_count + 1) * sizeof grown[0]);
    if (grown == NULL) {
        return -ENOMEM;
    }
    sums->components = grown;
    int rc = component_init(sums->grid, job, index, takers, &grown[sums->component_count]);
    if (rc == 0) {
        *out = &grown[sums->component_count++];
    }
    return rc;
}

// ---- matrices

static void add_matrix(const struct plan_job *job, const struct collective *collective,
                       struct sums *sums) {
    const struct grid *grid = sums->grid;
    for (uint32_t i = 0; i < job->rank_count && i < collective->matrix_ranks; i++) {
        for (uint32_t j = 0; j < job->rank_count && j < collective->matrix_ranks; j++) {
            uint64_t bytes = collective_pair_bytes(collective, job->rank_count, 0, i, j);
            port_id src;
            if (bytes == 0 || job->ranks[i].i == ID_NONE || job->ranks[j].i == ID_NONE ||
                !job_sender(grid->fabric, job->ranks[i], job->ranks[j], &src)) {
                continue;
            }
            uint32_t from = leaf_of(grid, src.i), to = leaf_of(grid, job->ranks[j].i);
            sums->matrix[(size_t)from * grid->leaf_count + to] += (double)bytes;
            sums->in_matrix[from] = sums->in_matrix[to] = true;
        }
    }
}

static int take_matrix(const struct plan_job *job, const struct collective *collective,
                       struct sums *sums) {
    size_t leaves = sums->grid->leaf_count;
    if (sums->matrix == NULL) {
        sums->matrix = calloc(leaves * leaves, sizeof sums->matrix[0]);
        if (sums->matrix == NULL) {
            return -ENOMEM;
        }
    }
    add_matrix(job, collective, sums);
    return 0;
}

static int take_collective(const struct plan_job *job, uint32_t index,
                           const struct collective *collective, struct sums *sums) {
    if (collective->matrix != NULL) {
        return take_matrix(job, collective, sums);
    }
    uint32_t takers =
        collective->type == COLLECTIVE_ALLTOALL || collective->weight_count > job->rank_count
            ? job->rank_count
            : collective->weight_count;
    struct component *component;
    int rc = find_component(sums, job, index, takers, &component);
    if (rc == 0) {
        add_weights(job, collective, component);
    }
    return rc;
}

static int take_jobs(const struct demand_jobs *jobs, struct sums *sums) {
    for (uint32_t i = 0; i < jobs->member_count; i++) {
        const struct plan_job *job = &jobs->jobs[jobs->members[i]];
        for (unsigned c = 0; c < job->job->collective_count; c++) {
            if ((jobs->shapes[jobs->members[i]].dense >> c & 1) == 0) {
                continue;
            }
            int rc = take_collective(job, i, &job->job->collectives[c], sums);
            if (rc != 0) {
                return rc;
            }
        }
    }
    return 0;
}

static void sum_by_leaf(struct sums *sums) {
    for (uint32_t c = 0; c < sums->component_count; c++) {
        struct component *component = &sums->components[c];
        for (uint32_t i = 0; i < sums->grid->fabric->port_count; i++) {
            component->leaf_units[leaf_of(sums->grid, i)] += component->units[i];
            component->leaf_weights[leaf_of(sums->grid, i)] += (double)component->weights[i];
        }
    }
}

// ---- groups of leaves that hosts join

static uint32_t find_root(const uint32_t *parent, uint32_t leaf) {
    while (parent[leaf] != leaf) {
        leaf = parent[leaf];
    }
    return leaf;
}

// The lower leaf is the root, so that groups do not depend on the order of joins.
static void join(uint32_t *parent, uint32_t a, uint32_t b) {
    a = find_root(parent, a);
    b = find_root(parent, b);
    if (a < b) {
        parent[b] = a;
    } else {
        parent[a] = b;
    }
}

static void find_groups(struct sums *sums) {
    const struct grid *grid = sums->grid;
    const struct fabric *fabric = grid->fabric;
    uint32_t *parent = sums->group;
    for (uint32_t i = 0; i < grid->leaf_count; i++) {
        parent[i] = i;
    }
    for (uint32_t i = 0; i < fabric->host_count; i++) {
        const struct fabric_node *host = &fabric->nodes[i];
        for (uint32_t p = 1; p < host->port_count; p++) {
            uint32_t leaf = leaf_of(grid, host->first_port + p);
            for (uint32_t q = 0; q < p; q++) {
                uint32_t other = leaf_of(grid, host->first_port + q);
                if (plane_of(grid, leaf) == plane_of(grid, other)) {
                    join(parent, leaf, other);
                }
            }
        }
    }
    for (uint32_t i = grid->leaf_count; i-- > 0;) {
        parent[i] = find_root(parent, i);
    }
}

static void list_ports(struct sums *sums) {
    const struct grid *grid = sums->grid;
    uint32_t ports = grid->fabric->port_count;
    for (uint32_t i = 0; i < ports; i++) {
        sums->first[leaf_of(grid, i) + 1]++;
    }
    for (uint32_t i = 0; i < grid->leaf_count; i++) {
        sums->first[i + 1] += sums->first[i];
    }
    for (uint32_t i = ports; i-- > 0;) { // each leaf's from its end; first[] is shifted by that
        sums->ports[--sums->first[leaf_of(grid, i) + 1]] = i;
    }
    for (uint32_t i = 0; i < grid->leaf_count; i++) {
        sums->first[i] = sums->first[i + 1];
    }
    sums->first[grid->leaf_count] = ports;
}

// ---- pairs of leaves

// What units of the leaf's ports would have for their own hosts' ports on the other leaf.
static double within_hosts(const struct sums *sums, const struct component *component,
                           uint32_t from, uint32_t to) {
    const struct fabric *fabric = sums->grid->fabric;
    double bytes = 0;
    for (uint32_t i = sums->first[from]; i < sums->first[from + 1]; i++) {
        uint32_t port = sums->ports[i];
        const struct fabric_node *host = &fabric->nodes[fabric->ports[port].host.i];
        for (uint32_t p = host->first_port; p < host->first_port + host->port_count; p++) {
            if (leaf_of(sums->grid, p) == to) {
                bytes += (double)component->units[port] * (double)component->weights[p];
            }
        }
    }
    return bytes;
}

static double pair_bytes(const struct sums *sums, uint32_t from, uint32_t to) {
    double bytes = 0;
    bool one_plane = plane_of(sums->grid, from) == plane_of(sums->grid, to);
    for (uint32_t c = 0; c < sums->component_count && one_plane; c++) {
        const struct component *component = &sums->components[c];
        bytes += component->leaf_units[from] * component->leaf_weights[to];
        if (sums->group[from] == sums->group[to]) {
            bytes -= within_hosts(sums, component, from, to);
        }
    }
    return bytes +
           (sums->matrix != NULL ? sums->matrix[(size_t)from * sums->grid->leaf_count + to] : 0);
}

// ---- kinds

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
    double bytes = count > 1 ? pair_bytes(sums, leaves[0], leaves[1]) : 0;
    for (uint32_t i = 0; i < count; i++) {
        if (sums->kind_of[leaves[i]] != sums->kind_of[leaves[0]]) {
            return false;
        }
        for (uint32_t j = 0; j < count; j++) {
            if (i != j && pair_bytes(sums, leaves[i], leaves[j]) != bytes) {
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
            bytes[(size_t)a * kinds + b] = to != ID_NONE ? pair_bytes(sums, firsts[a][0], to) : 0;
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

// ---- all together

static void sums_fini(struct sums *sums) {
    for (uint32_t i = 0; i < sums->component_count; i++) {
        component_fini(&sums->components[i]);
    }
    free(sums->components);
    free(sums->matrix);
    free(sums->in_matrix);
    free(sums->group);
    free(sums->ports);
    free(sums->first);
    free(sums->kind_of);
}

static int sums_init(const struct grid *grid, struct sums *sums) {
    *sums = (struct sums){
        .grid = grid,
        .in_matrix = calloc(grid->leaf_count, sizeof(bool)),
        .group = calloc(grid->leaf_count, sizeof(uint32_t)),
        .ports = calloc(grid->fabric->port_count, sizeof(uint32_t)),
        .first = calloc((size_t)grid->leaf_count + 1, sizeof(uint32_t)),
        .kind_of = calloc(grid->leaf_count, sizeof(uint64_t)),
    };
    return sums->in_matrix == NULL || sums->group == NULL || sums->ports == NULL ||
                   sums->first == NULL || sums->kind_of == NULL
               ? -ENOMEM
               : 0;
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
    rc = rc != 0 ? rc : take_jobs(jobs, &sums);
    if (rc == 0) {
        sum_by_leaf(&sums);
        find_groups(&sums);
        list_ports(&sums);
        rc = find_kinds(&sums, out);
    }
    sums_fini(&sums);
    return rc;
}

void demand_fini(struct leaf_demand *demand) {
    free(demand->kind);
    free(demand->bytes);
    *demand = (struct leaf_demand){0};
}

// ---- what ranks send

static uint64_t host_weight(const struct fabric *fabric, const struct component *component,
                            port_id port) {
    const struct fabric_node *host = &fabric->nodes[fabric->ports[port.i].host.i];
    uint64_t bytes = 0;
    for (uint32_t p = host->first_port; p < host->first_port + host->port_count; p++) {
        bytes += component->weights[p];
    }
    return bytes;
}

static void add_component_sent(const struct fabric *fabric, const struct plan_job *job,
                               const struct component *component, uint64_t *sent) {
    uint64_t all = 0;
    for (uint32_t p = 0; p < fabric->port_count; p++) {
        all += component->weights[p];
    }
    for (uint32_t i = 0; i < job->rank_count && i < component->takers; i++) {
        if (job->ranks[i].i != ID_NONE) {
            sent[i] += all - host_weight(fabric, component, job->ranks[i]);
        }
    }
}

static void add_matrix_sent(const struct plan_job *job, const struct collective *collective,
                            const struct fabric *fabric, uint64_t *sent) {
    for (uint32_t i = 0; i < job->rank_count && i < collective->matrix_ranks; i++) {
        for (uint32_t j = 0; j < job->rank_count && j < collective->matrix_ranks; j++) {
            port_id src;
            if (job->ranks[i].i != ID_NONE && job->ranks[j].i != ID_NONE &&
                job_sender(fabric, job->ranks[i], job->ranks[j], &src)) {
                sent[i] += collective_pair_bytes(collective, job->rank_count, 0, i, j);
            }
        }
    }
}

int demand_add_sent(const struct grid *grid, const struct plan_job *job, const struct shape *shape,
                    uint64_t *sent) {
    const uint32_t only = 0;
    struct demand_jobs jobs = {job, shape, &only, 1};
    struct sums sums;
    int rc = sums_init(grid, &sums);
    rc = rc != 0 ? rc : take_jobs(&jobs, &sums);
    for (uint32_t c = 0; rc == 0 && c < sums.component_count; c++) {
        add_component_sent(grid->fabric, job, &sums.components[c], sent);
    }
    for (unsigned c = 0; rc == 0 && c < job->job->collective_count; c++) {
        const struct collective *collective = &job->job->collectives[c];
        if ((shape->dense >> c & 1) != 0 && collective->matrix != NULL) {
            add_matrix_sent(job, collective, grid->fabric, sent);
        }
    }
    sums_fini(&sums);
    return rc;
}
