// SPDX-License-Identifier: Apache-2.0
#include "model/job.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const type_names[] = {
    [COLLECTIVE_ALLTOALL] = "alltoall",
    [COLLECTIVE_RING] = "ring",
    [COLLECTIVE_PERMUTATION] = "permutation",
    [COLLECTIVE_PAIRS] = "pairs",
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
        copy.collectives[i].pairs =
            copy_array(from->pairs, from->pair_count, sizeof from->pairs[0], &failed);
    }
    if (failed) {
        job_fini(&copy);
        return -ENOMEM;
    }
    *out = copy;
    return 0;
}

static int compare_ranks(const void *a, const void *b) {
    return strncmp(*(char *const *)a, *(char *const *)b, NAME_SIZE);
}

static int check_ranks(const struct job *job, struct error *error) {
    if (job->all_ranks) {
        return job->rank_count == 0
                   ? 0
                   : error_set(error, -EINVAL, "%s: ranks: all, and a list beside it", job->name);
    }
    if (job->rank_count == 0 || job->rank_count > JOB_RANKS_MAX) {
        return error_set(error, -EINVAL, "%s: %u ranks: 1 to %d", job->name, job->rank_count,
                         JOB_RANKS_MAX);
    }
    const char **names = malloc(job->rank_count * sizeof *names);
    if (names == NULL) {
        return error_set(error, -ENOMEM, "%s: out of memory", job->name);
    }
    for (uint32_t i = 0; i < job->rank_count; i++) {
        names[i] = job->ranks[i];
    }
    qsort(names, job->rank_count, sizeof *names, compare_ranks);
    int rc = 0;
    for (uint32_t i = 0; i < job->rank_count && rc == 0; i++) {
        if (names[i][0] == '\0' || memchr(names[i], '\0', NAME_SIZE) == NULL) {
            rc = error_set(error, -EINVAL, "%s: a rank without a name, or a longer one than %d",
                           job->name, NAME_SIZE - 1);
        } else if (i > 0 && compare_ranks(&names[i - 1], &names[i]) == 0) {
            rc = error_set(error, -EINVAL, "%s: rank %s: listed twice", job->name, names[i]);
        }
    }
    free(names);
    return rc;
}

static int check_pairs(const struct job *job, uint32_t index, struct error *error) {
    const struct collective *collective = &job->collectives[index];
    if (collective->pair_count == 0 || collective->pair_count > JOB_PAIRS_MAX) {
        return error_set(error, -EINVAL, "%s: collective %u: %u pairs: 1 to %d", job->name, index,
                         collective->pair_count, JOB_PAIRS_MAX);
    }
    uint32_t limit = job->all_ranks ? JOB_RANKS_MAX : job->rank_count;
    for (uint32_t i = 0; i < collective->pair_count; i++) {
        const struct job_pair *pair = &collective->pairs[i];
        if (pair->src_rank >= limit || pair->dst_rank >= limit) {
            return error_set(error, -EINVAL, "%s: collective %u: pair [%u, %u]: %u ranks",
                             job->name, index, pair->src_rank, pair->dst_rank, limit);
        }
        if (pair->src_rank == pair->dst_rank) {
            return error_set(error, -EINVAL, "%s: collective %u: pair [%u, %u]: to itself",
                             job->name, index, pair->src_rank, pair->dst_rank);
        }
    }
    return 0;
}

static int check_collective(const struct job *job, uint32_t index, struct error *error) {
    const struct collective *collective = &job->collectives[index];
    if ((size_t)collective->type >= TYPE_COUNT) {
        return error_set(error, -EINVAL, "%s: collective %u: unknown type", job->name, index);
    }
    if (collective->bytes == 0) {
        return error_set(error, -EINVAL, "%s: collective %u: bytes: must be above 0", job->name,
                         index);
    }
    if (collective->type == COLLECTIVE_PAIRS) {
        return check_pairs(job, index, error);
    }
    return collective->pair_count == 0
               ? 0
               : error_set(error, -EINVAL, "%s: collective %u: pairs: not with type %s", job->name,
                           index, collective_type_name(collective->type));
}

int job_check(const struct job *job, struct error *error) {
    if (job->name[0] == '\0' || memchr(job->name, '\0', sizeof job->name) == NULL) {
        return error_set(error, -EINVAL, "job: no name, or a longer one than %d",
                         JOB_NAME_SIZE - 1);
    }
    if (memchr(job->algorithm, '\0', sizeof job->algorithm) == NULL) {
        return error_set(error, -EINVAL, "%s: algorithm: at most %d characters", job->name,
                         NAME_SIZE - 1);
    }
    if (job->removed && job->collective_count == 0) {
        return check_ranks(job, error);
    }
    if (job->removed || job->collective_count == 0 || job->collective_count > JOB_COLLECTIVES_MAX) {
        return error_set(error, -EINVAL, "%s: %u collectives: 1 to %d", job->name,
                         job->collective_count, JOB_COLLECTIVES_MAX);
    }
    int rc = check_ranks(job, error);
    for (uint32_t i = 0; i < job->collective_count && rc == 0; i++) {
        rc = check_collective(job, i, error);
    }
    return rc;
}
