// SPDX-License-Identifier: Apache-2.0
// A rank that sends by a port of leaf l (a unit) has the same for leaf m whichever it is, but for
// ranks on its own host, which the fabric does not see. Those matter where hosts have ports on
// several leaves of a plane.
#include "shared_sums.h"

#include <errno.h>
#include <stdlib.h>

static uint32_t leaf_of(const struct grid *grid, uint32_t port) {
    return grid->leaf_index[grid->fabric->ports[port].leaf.i];
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

static int take_jobs(struct sums *sums, const struct demand_jobs *jobs) {
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

double sums_pair_bytes(const struct sums *sums, uint32_t from, uint32_t to) {
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

// ---- all together

void sums_fini(struct sums *sums) {
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

int sums_init(const struct grid *grid, struct sums *sums) {
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

int sums_take(struct sums *sums, const struct demand_jobs *jobs) {
    int rc = take_jobs(sums, jobs);
    if (rc == 0) {
        sum_by_leaf(sums);
        find_groups(sums);
        list_ports(sums);
    }
    return rc;
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
    rc = rc != 0 ? rc : sums_take(&sums, &jobs);
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
