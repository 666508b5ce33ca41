// SPDX-License-Identifier: Apache-2.0
// What a job must be like, wherever it comes from: a file, the control socket, another agent.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/job.h"

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

static int check_matrix(const struct job *job, uint32_t index, struct error *error) {
    const struct collective *collective = &job->collectives[index];
    uint32_t ranks = collective->matrix_ranks;
    if (collective->bytes != 0) {
        return error_set(error, -EINVAL, "%s: collective %u: bytes: not with a matrix", job->name,
                         index);
    }
    if ((uint64_t)ranks * ranks > JOB_MATRIX_MAX) {
        return error_set(error, -EINVAL,
                         "%s: collective %u: matrix of %u ranks: at most %d numbers", job->name,
                         index, ranks, JOB_MATRIX_MAX);
    }
    if (!job->all_ranks && ranks != job->rank_count) {
        return error_set(error, -EINVAL, "%s: collective %u: matrix of %u ranks, the job has %u",
                         job->name, index, ranks, job->rank_count);
    }
    for (uint32_t i = 0; i < ranks * ranks; i++) {
        if (collective->matrix[i] > 0 && i / ranks != i % ranks) {
            return 0;
        }
    }
    return error_set(error, -EINVAL, "%s: collective %u: matrix: nobody sends anything", job->name,
                     index);
}

static int check_weights(const struct job *job, uint32_t index, struct error *error) {
    const struct collective *collective = &job->collectives[index];
    if (collective->weight_count > JOB_RANKS_MAX) {
        return error_set(error, -EINVAL, "%s: collective %u: %u weights: at most %d", job->name,
                         index, collective->weight_count, JOB_RANKS_MAX);
    }
    if (!job->all_ranks && collective->weight_count != job->rank_count) {
        return error_set(error, -EINVAL, "%s: collective %u: %u weights, the job has %u ranks",
                         job->name, index, collective->weight_count, job->rank_count);
    }
    uint64_t sum = collective_weight_sum(collective);
    if (sum == 0) {
        return error_set(error, -EINVAL, "%s: collective %u: weights: all are 0", job->name, index);
    }
    if (collective->bytes > JOB_BYTES_MAX / sum) {
        return error_set(
            error, -EINVAL,
            "%s: collective %u: bytes times the sum of weights, %llu x %llu: above 2^62", job->name,
            index, (unsigned long long)collective->bytes, (unsigned long long)sum);
    }
    return 0;
}

static int check_alltoallv(const struct job *job, uint32_t index, struct error *error) {
    const struct collective *collective = &job->collectives[index];
    if ((collective->matrix_ranks > 0) == (collective->weight_count > 0)) {
        return error_set(error, -EINVAL,
                         "%s: collective %u: alltoallv needs a matrix or weights, not both",
                         job->name, index);
    }
    return collective->matrix_ranks > 0 ? check_matrix(job, index, error)
                                        : check_weights(job, index, error);
}

// Lists that belong to another type.
static int check_foreign(const struct job *job, uint32_t index, struct error *error) {
    const struct collective *collective = &job->collectives[index];
    const char *foreign = NULL;
    if (collective->pair_count > 0 && collective->type != COLLECTIVE_PAIRS) {
        foreign = "pairs";
    } else if (collective->type != COLLECTIVE_ALLTOALLV) {
        foreign = collective->matrix_ranks > 0   ? "matrix"
                  : collective->weight_count > 0 ? "weights"
                                                 : NULL;
    }
    return foreign == NULL
               ? 0
               : error_set(error, -EINVAL, "%s: collective %u: %s: not with type %s", job->name,
                           index, foreign, collective_type_name(collective->type));
}

static int check_collective(const struct job *job, uint32_t index, struct error *error) {
    const struct collective *collective = &job->collectives[index];
    if ((size_t)collective->type > COLLECTIVE_TREE) {
        return error_set(error, -EINVAL, "%s: collective %u: unknown type", job->name, index);
    }
    int rc = check_foreign(job, index, error);
    if (rc != 0) {
        return rc;
    }
    if (collective->bytes == 0 && collective->matrix_ranks == 0) {
        return error_set(error, -EINVAL, "%s: collective %u: bytes: must be above 0", job->name,
                         index);
    }
    if (collective->type == COLLECTIVE_PAIRS) {
        return check_pairs(job, index, error);
    }
    return collective->type == COLLECTIVE_ALLTOALLV ? check_alltoallv(job, index, error) : 0;
}

// ---- sums

// False when *total + bytes * times exceeds JOB_BYTES_MAX.
static bool add_bytes(uint64_t *total, uint64_t bytes, uint64_t times) {
    if (times > 0 && bytes > (JOB_BYTES_MAX - *total) / times) {
        return false;
    }
    *total += bytes * times;
    return true;
}

// At least what a collective moves; with all ranks, for as many as there can be.
static bool add_collective(uint64_t *total, const struct job *job, uint32_t index) {
    const struct collective *collective = &job->collectives[index];
    uint64_t ranks = job->all_ranks ? JOB_RANKS_MAX : job->rank_count;
    switch (collective->type) {
    case COLLECTIVE_PAIRS:
        return add_bytes(total, collective->bytes, collective->pair_count);
    case COLLECTIVE_TREE: // up and down
        return add_bytes(total, collective->bytes, 2 * ranks);
    case COLLECTIVE_ALLTOALL:
    case COLLECTIVE_RING:
    case COLLECTIVE_PERMUTATION:
    case COLLECTIVE_ALLTOALLV:
        break;
    }
    uint32_t entries = collective->matrix_ranks * collective->matrix_ranks;
    for (uint32_t i = 0; i < entries; i++) {
        if (!add_bytes(total, collective->matrix[i], 1)) {
            return false;
        }
    }
    return add_bytes(total, collective->bytes, ranks);
}

int job_check_collective(const struct job *job, uint32_t index, uint64_t *total,
                         struct error *error) {
    int rc = check_collective(job, index, error);
    if (rc == 0 && !add_collective(total, job, index)) {
        rc =
            error_set(error, -EINVAL, "%s: collective %u: all ranks together send above 2^62 bytes",
                      job->name, index);
    }
    return rc;
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
    if (job->reserved_bps > JOB_RESERVED_BPS_MAX) {
        return error_set(error, -EINVAL, "%s: %llu bit/s reserved: at most %llu a rank", job->name,
                         (unsigned long long)job->reserved_bps,
                         (unsigned long long)JOB_RESERVED_BPS_MAX);
    }
    if (job->removed && job->collective_count == 0) {
        return check_ranks(job, error);
    }
    if (job->removed || job->collective_count == 0 || job->collective_count > JOB_COLLECTIVES_MAX) {
        return error_set(error, -EINVAL, "%s: %u collectives: 1 to %d", job->name,
                         job->collective_count, JOB_COLLECTIVES_MAX);
    }
    int rc = check_ranks(job, error);
    uint64_t total = 0;
    for (uint32_t i = 0; i < job->collective_count && rc == 0; i++) {
        rc = job_check_collective(job, i, &total, error);
    }
    return rc;
}

int job_check_fabric(const struct job *job, const struct fabric *fabric, struct error *error) {
    uint32_t ranks = job_rank_count(job, fabric);
    for (uint32_t i = 0; i < job->collective_count; i++) {
        const struct collective *collective = &job->collectives[i];
        uint32_t listed =
            collective->matrix_ranks > 0 ? collective->matrix_ranks : collective->weight_count;
        if (listed > 0 && listed != ranks) {
            return error_set(error, -EINVAL, "%s: collective %u: %s for %u ranks, %s has %u ports",
                             job->name, i, collective->matrix_ranks > 0 ? "matrix" : "weights",
                             listed, fabric->name, ranks);
        }
    }
    return 0;
}
