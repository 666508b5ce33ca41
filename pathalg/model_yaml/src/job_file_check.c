// SPDX-License-Identifier: Apache-2.0
// What is wrong with a job that was read, all in one pass; job_check would stop at the first.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "job_file_internal.h"

struct numbered_rank {
    const char *name;
    uint32_t rank;
};

static int compare_ranks(const void *left, const void *right) {
    const struct numbered_rank *a = left, *b = right;
    int order = strcmp(a->name, b->name);
    return order != 0 ? order : a->rank < b->rank ? -1 : a->rank > b->rank;
}

static void complain_ranks(const struct yaml_text *yaml, const struct job *job,
                           struct complaints *complaints) {
    struct numbered_rank *list = calloc((size_t)job->rank_count + 1, sizeof *list);
    if (list == NULL) {
        complaints_no_memory(complaints);
        return;
    }
    for (uint32_t i = 0; i < job->rank_count; i++) {
        list[i] = (struct numbered_rank){job->ranks[i], i};
    }
    qsort(list, job->rank_count, sizeof list[0], compare_ranks);
    for (uint32_t i = 1; i < job->rank_count; i++) {
        if (strcmp(list[i].name, list[i - 1].name) == 0) {
            char path[48];
            snprintf(path, sizeof path, "ranks[%u]", list[i].rank);
            complaints_add(complaints, yaml_text_line(yaml, path), "%s: %s: listed twice", path,
                           list[i].name);
        }
    }
    free(list);
}

static void complain_pair(const struct yaml_text *yaml, const struct job *job, uint32_t collective,
                          uint32_t index, struct complaints *complaints) {
    const struct job_pair *pair = &job->collectives[collective].pairs[index];
    uint32_t limit = job->all_ranks ? JOB_RANKS_MAX : job->rank_count;
    char path[64];
    snprintf(path, sizeof path, "collectives[%u].pairs[%u]", collective, index);
    if (pair->src_rank >= limit || pair->dst_rank >= limit) {
        complaints_add(complaints, yaml_text_line(yaml, path), "%s: [%u, %u]: ranks are below %u",
                       path, pair->src_rank, pair->dst_rank, limit);
    } else if (pair->src_rank == pair->dst_rank) {
        complaints_add(complaints, yaml_text_line(yaml, path), "%s: [%u, %u]: to itself", path,
                       pair->src_rank, pair->dst_rank);
    }
}

static void complain_count(const struct yaml_text *yaml, const struct job *job, const char *path,
                           uint32_t count, const char *what, struct complaints *complaints) {
    if (count > 0 && !job->all_ranks && count != job->rank_count) {
        complaints_add(complaints, yaml_text_line(yaml, path), "%s: %u %s, the job has %u ranks",
                       path, count, what, job->rank_count);
    }
}

// Lists that a type needs or does not take.
static void complain_lists(const struct yaml_text *yaml, const struct collective *collective,
                           const char *path, struct complaints *complaints) {
    const char *type = collective_type_name(collective->type);
    uint32_t line = yaml_text_line(yaml, path);
    bool pairs = collective->type == COLLECTIVE_PAIRS;
    bool alltoallv = collective->type == COLLECTIVE_ALLTOALLV;
    bool matrix = collective->matrix_ranks > 0, weights = collective->weight_count > 0;
    if (pairs != (collective->pair_count > 0)) {
        complaints_add(complaints, line, "%s: %s: %s pairs", path, type,
                       pairs ? "needs" : "takes no");
    }
    if (alltoallv && matrix == weights) {
        complaints_add(complaints, line, "%s: alltoallv: needs a matrix or weights%s", path,
                       matrix ? ", not both" : "");
    } else if (!alltoallv && (matrix || weights)) {
        complaints_add(complaints, line, "%s: %s: takes no %s", path, type,
                       matrix ? "matrix" : "weights");
    }
    if (alltoallv && matrix && collective->bytes > 0) {
        complaints_add(complaints, line, "%s: alltoallv: takes no bytes with a matrix", path);
    }
}

static void complain_collective(const struct yaml_text *yaml, const struct job *job, uint32_t index,
                                struct complaints *complaints) {
    const struct collective *collective = &job->collectives[index];
    char path[32], list[48];
    snprintf(path, sizeof path, "collectives[%u]", index);
    complain_lists(yaml, collective, path, complaints);
    snprintf(list, sizeof list, "%s.matrix", path);
    complain_count(yaml, job, list, collective->matrix_ranks, "rows", complaints);
    snprintf(list, sizeof list, "%s.weights", path);
    complain_count(yaml, job, list, collective->weight_count, "weights", complaints);
    for (uint32_t k = 0; k < collective->pair_count; k++) {
        complain_pair(yaml, job, index, k, complaints);
    }
}

// What is left are zeros and sums, which a collective has alone or on top of those before it.
static void complain_sums(const struct yaml_text *yaml, const struct job *job,
                          struct complaints *complaints) {
    uint64_t total = 0;
    for (uint32_t i = 0; i < job->collective_count; i++) {
        struct error error;
        if (job_check_collective(job, i, &total, &error) != 0) {
            char path[32];
            snprintf(path, sizeof path, "collectives[%u]", i);
            complaints_add(complaints, yaml_text_line(yaml, path), "%s", error.text);
        }
    }
}

void job_file_check(const struct yaml_text *yaml, const struct job *job,
                    struct complaints *complaints) {
    complain_ranks(yaml, job, complaints);
    for (uint32_t i = 0; i < job->collective_count; i++) {
        complain_collective(yaml, job, i, complaints);
    }
    if (complaints->total == 0) {
        complain_sums(yaml, job, complaints);
    }
    struct error error;
    if (complaints->total == 0 && job_check(job, &error) != 0) {
        complaints_add(complaints, 0, "%s", error.text);
    }
}
