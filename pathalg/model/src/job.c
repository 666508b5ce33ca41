// SPDX-License-Identifier: Apache-2.0
#include "model/job.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const type_names[] = {
    [COLLECTIVE_ALLTOALL] = "alltoall",       [COLLECTIVE_RING] = "ring",
    [COLLECTIVE_PERMUTATION] = "permutation", [COLLECTIVE_PAIRS] = "pairs",
    [COLLECTIVE_ALLTOALLV] = "alltoallv",     [COLLECTIVE_TREE] = "tree",
};
#define TYPE_COUNT (sizeof type_names / sizeof type_names[0])

const char *collective_type_name(enum collective_type type) {
    return (size_t)type < TYPE_COUNT ? type_names[type] : "unknown";
}

bool collective_type_parse(const char *text, enum collective_type *out) {
    for (size_t i = 0; i < TYPE_COUNT; i++) {
        if (strcmp(text, type_names[i]) == 0) {
            *out = (enum collective_type)i;
            return true;
        }
    }
    return false;
}

bool collective_has_map(enum collective_type type) {
    return type == COLLECTIVE_RING || type == COLLECTIVE_PERMUTATION;
}

void job_init(struct job *job) {
    *job = (struct job){0};
}

void job_fini(struct job *job) {
    free(job->ranks);
    for (uint32_t i = 0; i < JOB_COLLECTIVES_MAX; i++) {
        free(job->collectives[i].pairs);
        free(job->collectives[i].matrix);
        free(job->collectives[i].weights);
    }
    job_init(job);
}

// A copy of `count` elements; NULL for none, and for no memory (then *failed is set).
static void *copy_array(const void *from, size_t count, size_t size, bool *failed) {
    if (count == 0) {
        return NULL;
    }
    void *to = malloc(count * size);
    if (to == NULL) {
        *failed = true;
        return NULL;
    }
    return memcpy(to, from, count * size);
}

int job_copy(const struct job *job, struct job *out) {
    bool failed = false;
    struct job copy = *job;
    copy.ranks = copy_array(job->ranks, job->rank_count, sizeof job->ranks[0], &failed);
    for (uint32_t i = 0; i < JOB_COLLECTIVES_MAX; i++) {
        const struct collective *from = &job->collectives[i];
        struct collective *to = &copy.collectives[i];
        to->pairs = copy_array(from->pairs, from->pair_count, sizeof from->pairs[0], &failed);
        to->matrix = copy_array(from->matrix, (size_t)from->matrix_ranks * from->matrix_ranks,
                                sizeof from->matrix[0], &failed);
        to->weights =
            copy_array(from->weights, from->weight_count, sizeof from->weights[0], &failed);
    }
    if (failed) {
        job_fini(&copy);
        return -ENOMEM;
    }
    *out = copy;
    return 0;
}
