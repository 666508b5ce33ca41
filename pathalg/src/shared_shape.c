// SPDX-License-Identifier: Apache-2.0
#include "shared_shape.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "demands.h"

// Up to so many flows all are listed: rounding would cost more than the list. Where a pair of
// leaves has few flows, up to the second number.
#define LISTED_FLOWS_MAX 4096U
#define LISTED_FLOWS_THIN_MAX 32768U
#define THIN_FLOWS 4U // per pair of leaves

// ---- who sends by which port

// Two ports of a plane on different hosts, so that for each rank one is not on its own.
struct plane_ports {
    port_id ports[2]; // ID_NONE: none
};

static struct plane_ports plane_ports_of(const struct fabric *fabric, const struct plan_job *job,
                                         uint32_t plane) {
    struct plane_ports found = {{{ID_NONE}, {ID_NONE}}};
    for (uint32_t i = 0; i < job->rank_count && found.ports[1].i == ID_NONE; i++) {
        port_id port = job->ranks[i];
        if (port.i == ID_NONE || fabric_port_plane(fabric, port) != plane) {
            continue;
        }
        if (found.ports[0].i == ID_NONE) {
            found.ports[0] = port;
        } else if (fabric->ports[port.i].host.i != fabric->ports[found.ports[0].i].host.i) {
            found.ports[1] = port;
        }
    }
    return found;
}

void shape_count_units(const struct fabric *fabric, const struct plan_job *job, uint32_t takers,
                       uint32_t *units) {
    for (uint32_t plane = 0; plane < fabric->plane_count; plane++) {
        struct plane_ports to = plane_ports_of(fabric, job, plane);
        for (uint32_t i = 0; i < job->rank_count && i < takers; i++) {
            for (unsigned other = 0; job->ranks[i].i != ID_NONE && other < 2; other++) {
                port_id sender;
                if (to.ports[other].i != ID_NONE &&
                    job_sender(fabric, job->ranks[i], to.ports[other], &sender)) {
                    units[sender.i]++;
                    break;
                }
            }
        }
    }
}

// ---- dense or listed

struct census {
    uint64_t ranks, leaves;
};

static int take_census(const struct grid *grid, const struct plan_job *job, struct census *out) {
    bool *seen = calloc(grid->leaf_count, sizeof seen[0]);
    if (seen == NULL) {
        return -ENOMEM;
    }
    *out = (struct census){0};
    for (uint32_t i = 0; i < job->rank_count; i++) {
        if (job->ranks[i].i != ID_NONE) {
            uint32_t leaf = grid->leaf_index[grid->fabric->ports[job->ranks[i].i].leaf.i];
            out->ranks++;
            out->leaves += !seen[leaf];
            seen[leaf] = true;
        }
    }
    free(seen);
    return 0;
}

static uint64_t nonzero_count(const uint64_t *matrix, uint64_t count) {
    uint64_t found = 0;
    for (uint64_t i = 0; i < count; i++) {
        found += matrix[i] != 0;
    }
    return found;
}

// About how many flows an AlltoAll or AlltoAllv has.
static uint64_t flow_count(const struct collective *collective, const struct plan_job *job,
                           const struct census *census) {
    if (collective->matrix != NULL) {
        return nonzero_count(collective->matrix,
                             (uint64_t)collective->matrix_ranks * collective->matrix_ranks);
    }
    if (collective->type == COLLECTIVE_ALLTOALL) {
        return collective->bytes / job->rank_count > 0 ? census->ranks * (census->ranks - 1) : 0;
    }
    uint64_t takers = 0;
    for (uint32_t i = 0; i < collective->weight_count; i++) {
        takers += collective->weights[i] != 0;
    }
    return takers * census->ranks;
}

static void classify(const struct plan_job *job, const struct census *census, struct shape *shape) {
    for (unsigned c = 0; c < job->job->collective_count && census->ranks > 1; c++) {
        const struct collective *collective = &job->job->collectives[c];
        bool all =
            collective->type == COLLECTIVE_ALLTOALL || collective->type == COLLECTIVE_ALLTOALLV;
        uint64_t flows = all ? flow_count(collective, job, census) : 1;
        bool thin =
            flows <= LISTED_FLOWS_THIN_MAX && flows < THIN_FLOWS * census->leaves * census->leaves;
        if (flows > LISTED_FLOWS_MAX && !thin) {
            shape->dense |= (uint16_t)(1U << c);
        } else if (flows > 0) {
            shape->listed |= (uint16_t)(1U << c);
        }
    }
}

// ---- ends of equal flows

static bool all_are_alltoall(const struct plan_job *job, uint16_t collectives) {
    for (unsigned c = 0; c < job->job->collective_count; c++) {
        if ((collectives >> c & 1) != 0 && job->job->collectives[c].type != COLLECTIVE_ALLTOALL) {
            return false;
        }
    }
    return true;
}

// Whether what is not 0 is all the same.
static bool is_uniform(const uint32_t *counts, uint32_t count) {
    uint32_t value = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (counts[i] != 0 && value != 0 && counts[i] != value) {
            return false;
        }
        value = counts[i] != 0 ? counts[i] : value;
    }
    return true;
}

// Numbers the ports that count, leaf by leaf. counts: by port; becomes the index.
static void number_ports(const struct grid *grid, uint32_t *counts, uint32_t *by_leaf) {
    for (uint32_t i = 0; i < grid->fabric->port_count; i++) {
        uint32_t leaf = grid->leaf_index[grid->fabric->ports[i].leaf.i];
        counts[i] = counts[i] != 0 ? by_leaf[leaf]++ : ID_NONE;
    }
}

static int find_ends(const struct grid *grid, const struct plan_job *job, struct shape *shape) {
    uint32_t ports = grid->fabric->port_count;
    shape->sources = calloc(grid->leaf_count, sizeof shape->sources[0]);
    shape->destinations = calloc(grid->leaf_count, sizeof shape->destinations[0]);
    shape->source_index = calloc(ports, sizeof shape->source_index[0]);
    shape->destination_index = calloc(ports, sizeof shape->destination_index[0]);
    if (shape->sources == NULL || shape->destinations == NULL || shape->source_index == NULL ||
        shape->destination_index == NULL) {
        return -ENOMEM;
    }
    shape_count_units(grid->fabric, job, job->rank_count, shape->source_index);
    for (uint32_t i = 0; i < job->rank_count; i++) {
        if (job->ranks[i].i != ID_NONE) {
            shape->destination_index[job->ranks[i].i]++;
        }
    }
    shape->equal = all_are_alltoall(job, shape->dense) && is_uniform(shape->source_index, ports) &&
                   is_uniform(shape->destination_index, ports);
    number_ports(grid, shape->source_index, shape->sources);
    number_ports(grid, shape->destination_index, shape->destinations);
    return 0;
}

int shape_open(const struct grid *grid, const struct plan_job *job, struct shape *out) {
    struct shape shape = {0};
    struct census census;
    int rc = take_census(grid, job, &census);
    if (rc != 0) {
        return rc;
    }
    classify(job, &census, &shape);
    if (shape.dense != 0) {
        rc = find_ends(grid, job, &shape);
    }
    if (rc != 0) {
        shape_fini(&shape);
        return rc;
    }
    *out = shape;
    return 0;
}

void shape_fini(struct shape *shape) {
    free(shape->sources);
    free(shape->destinations);
    free(shape->source_index);
    free(shape->destination_index);
    *shape = (struct shape){0};
}

void shape_select(const struct plan_job *job, uint16_t collectives, struct shape_job *out) {
    *out = (struct shape_job){.job = *job->job};
    out->job.collective_count = 0;
    for (unsigned c = 0; c < job->job->collective_count; c++) {
        if ((collectives >> c & 1) != 0) {
            out->permutations[out->job.collective_count] =
                job->permutations != NULL ? job->permutations[c] : NULL;
            out->job.collectives[out->job.collective_count++] = job->job->collectives[c];
        }
    }
}

// ---- listed flows

int flow_list_add(struct flow_list *list, const struct demand *demand) {
    int rc =
        array_reserve((void **)&list->flows, &list->capacity, list->count, sizeof list->flows[0]);
    if (rc == 0) {
        list->flows[list->count++] = (struct sparse_flow){demand->src, demand->dst, demand->bytes};
    }
    return rc;
}

struct lister {
    const struct fabric *fabric;
    struct flow_list *list;
    uint64_t sent; // by the current rank
    int rc;
};

static void on_demand(void *context, const struct demand *demand) {
    struct lister *lister = context;
    const struct fabric_port *ports = lister->fabric->ports;
    lister->sent += demand->bytes;
    if (lister->rc == 0 && ports[demand->src.i].leaf.i != ports[demand->dst.i].leaf.i) {
        lister->rc = flow_list_add(lister->list, demand);
    }
}

// job_demands would look through all pairs for each rank.
static void list_pairs(const struct plan_job *job, const struct collective *collective,
                       struct lister *lister, uint64_t *sent) {
    for (uint32_t i = 0; i < collective->pair_count; i++) {
        uint32_t from = collective->pairs[i].src_rank, to = collective->pairs[i].dst_rank;
        struct demand demand = {.bytes = collective->bytes};
        if (from >= job->rank_count || to >= job->rank_count || demand.bytes == 0 ||
            job->ranks[from].i == ID_NONE || job->ranks[to].i == ID_NONE) {
            continue;
        }
        demand.dst = job->ranks[to];
        if (job_sender(lister->fabric, job->ranks[from], demand.dst, &demand.src)) {
            on_demand(lister, &demand);
            if (sent != NULL) {
                sent[from] += demand.bytes;
            }
        }
    }
}

int shape_list(const struct grid *grid, const struct plan_job *job, const struct shape *shape,
               struct flow_list *list, uint64_t *sent) {
    struct lister lister = {.fabric = grid->fabric, .list = list};
    uint16_t others = shape->listed;
    for (unsigned c = 0; c < job->job->collective_count; c++) {
        const struct collective *collective = &job->job->collectives[c];
        if ((shape->listed >> c & 1) != 0 && collective->type == COLLECTIVE_PAIRS) {
            list_pairs(job, collective, &lister, sent);
            others &= (uint16_t) ~(1U << c);
        }
    }
    if (others == 0) {
        return lister.rc;
    }
    struct shape_job listed;
    shape_select(job, others, &listed);
    for (uint32_t i = 0; i < job->rank_count && lister.rc == 0; i++) {
        lister.sent = 0;
        job_demands(&listed.job, grid->fabric, job->ranks, job->rank_count, i, listed.permutations,
                    on_demand, &lister);
        if (sent != NULL) {
            sent[i] += lister.sent;
        }
    }
    return lister.rc;
}

static int compare_flows(const void *left, const void *right) {
    const struct sparse_flow *a = left, *b = right;
    if (a->src.i != b->src.i) {
        return a->src.i < b->src.i ? -1 : 1;
    }
    return a->dst.i < b->dst.i ? -1 : a->dst.i > b->dst.i;
}

void flow_list_merge(struct flow_list *list) {
    if (list->count == 0) {
        return;
    }
    qsort(list->flows, list->count, sizeof list->flows[0], compare_flows);
    uint32_t kept = 0;
    for (uint32_t i = 1; i < list->count; i++) {
        if (compare_flows(&list->flows[kept], &list->flows[i]) == 0) {
            list->flows[kept].bytes += list->flows[i].bytes;
        } else {
            list->flows[++kept] = list->flows[i];
        }
    }
    list->count = kept + 1;
}

bool flow_list_find(const struct flow_list *list, port_id src, port_id dst, uint32_t *index) {
    const struct sparse_flow wanted = {.src = src, .dst = dst};
    uint32_t low = 0, high = list->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = compare_flows(&list->flows[middle], &wanted);
        if (order == 0) {
            *index = middle;
            return true;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return false;
}
