// SPDX-License-Identifier: Apache-2.0
// A job as the control socket carries it -> struct job. job_check judges its contents; here only
// types and lengths are checked.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent.h"

static int copy_name(json_t *from, char *to, size_t size, const char *what, struct error *error) {
    const char *text = json_string_value(from);
    if (text == NULL || text[0] == '\0' || strlen(text) >= size) {
        return error_set(error, -EINVAL, "job: %s: a name of 1 to %zu characters expected", what,
                         size - 1);
    }
    memcpy(to, text, strlen(text) + 1);
    return 0;
}

static int read_ranks(json_t *from, struct job *job, struct error *error) {
    const char *word = json_string_value(from);
    size_t count = json_array_size(from);
    if (word != NULL && strcmp(word, "all") == 0) {
        job->all_ranks = true;
        return 0;
    }
    if (!json_is_array(from) || count == 0 || count > JOB_RANKS_MAX) {
        return error_set(error, -EINVAL, "job: ranks: \"all\" or a list of 1 to %d ports expected",
                         JOB_RANKS_MAX);
    }
    job->ranks = calloc(count, sizeof(*job->ranks));
    if (job->ranks == NULL) {
        return error_set(error, -ENOMEM, "no memory for the job");
    }
    job->rank_count = (uint32_t)count;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < count; i++) {
        rc = copy_name(json_array_get(from, i), job->ranks[i], NAME_SIZE, "ranks", error);
    }
    return rc;
}

static bool read_rank(json_t *from, uint32_t *to) {
    json_int_t value = json_integer_value(from);
    *to = (uint32_t)value;
    return json_is_integer(from) && value >= 0 && value < JOB_RANKS_MAX;
}

static int read_pairs(json_t *from, struct collective *to, struct error *error) {
    size_t count = json_array_size(from);
    if (from == NULL) {
        return 0;
    }
    if (!json_is_array(from) || count > JOB_PAIRS_MAX) {
        return error_set(error, -EINVAL, "job: pairs: a list of up to %d pairs expected",
                         JOB_PAIRS_MAX);
    }
    to->pairs = calloc(count + 1, sizeof(*to->pairs));
    if (to->pairs == NULL) {
        return error_set(error, -ENOMEM, "no memory for the job");
    }
    for (size_t i = 0; i < count; i++) {
        json_t *pair = json_array_get(from, i);
        if (json_array_size(pair) != 2 ||
            !read_rank(json_array_get(pair, 0), &to->pairs[i].src_rank) ||
            !read_rank(json_array_get(pair, 1), &to->pairs[i].dst_rank)) {
            return error_set(error, -EINVAL, "job: pairs: [sending rank, receiving rank] expected");
        }
    }
    to->pair_count = (uint32_t)count;
    return 0;
}

static bool read_u64(json_t *from, uint64_t max, uint64_t *to) {
    json_int_t value = json_integer_value(from);
    *to = (uint64_t)value;
    return json_is_integer(from) && value >= 0 && *to <= max;
}

static int read_matrix(json_t *from, struct collective *to, struct error *error) {
    size_t ranks = json_array_size(from);
    if (from == NULL) {
        return 0;
    }
    if (ranks == 0 || ranks * ranks > JOB_MATRIX_MAX) {
        return error_set(error, -EINVAL, "job: matrix: a list of rows of up to %d sizes expected",
                         JOB_MATRIX_MAX);
    }
    to->matrix = calloc(ranks * ranks, sizeof(*to->matrix));
    if (to->matrix == NULL) {
        return error_set(error, -ENOMEM, "no memory for the job");
    }
    to->matrix_ranks = (uint32_t)ranks;
    for (size_t i = 0; i < ranks * ranks; i++) {
        json_t *row = json_array_get(from, i / ranks);
        if (json_array_size(row) != ranks) {
            return error_set(error, -EINVAL, "job: matrix: row %zu: a list of %zu sizes expected",
                             i / ranks, ranks);
        }
        if (!read_u64(json_array_get(row, i % ranks), JOB_BYTES_MAX, &to->matrix[i])) {
            return error_set(error, -EINVAL,
                             "job: matrix: row %zu, column %zu: a size of 0 to 2^62 expected",
                             i / ranks, i % ranks);
        }
    }
    return 0;
}

static int read_weights(json_t *from, struct collective *to, struct error *error) {
    size_t count = json_array_size(from);
    if (from == NULL) {
        return 0;
    }
    if (count == 0 || count > JOB_RANKS_MAX) {
        return error_set(error, -EINVAL, "job: weights: a list of 1 to %d weights expected",
                         JOB_RANKS_MAX);
    }
    to->weights = calloc(count, sizeof(*to->weights));
    if (to->weights == NULL) {
        return error_set(error, -ENOMEM, "no memory for the job");
    }
    to->weight_count = (uint32_t)count;
    for (size_t i = 0; i < count; i++) {
        uint64_t weight;
        if (!read_u64(json_array_get(from, i), UINT32_MAX, &weight)) {
            return error_set(error, -EINVAL, "job: weights: %zu: a number of 0 to %u expected", i,
                             UINT32_MAX);
        }
        to->weights[i] = (uint32_t)weight;
    }
    return 0;
}

static int read_lists(json_t *from, struct collective *to, struct error *error) {
    int rc = read_pairs(json_object_get(from, "pairs"), to, error);
    rc = rc != 0 ? rc : read_matrix(json_object_get(from, "matrix"), to, error);
    return rc != 0 ? rc : read_weights(json_object_get(from, "weights"), to, error);
}

static int read_collective(json_t *from, struct collective *to, struct error *error) {
    const char *type = json_string_value(json_object_get(from, "type"));
    json_t *bytes = json_object_get(from, "bytes"), *seed = json_object_get(from, "seed");
    bool has_matrix = json_object_get(from, "matrix") != NULL;
    if (type == NULL || !collective_type_parse(type, &to->type)) {
        return error_set(error, -EINVAL, "job: collectives: unknown type %.40s",
                         type != NULL ? type : "(none)");
    }
    if (!(bytes == NULL && has_matrix) &&
        (!json_is_integer(bytes) || json_integer_value(bytes) < (has_matrix ? 0 : 1))) {
        return error_set(error, -EINVAL, "job: collectives: bytes: a number above 0 expected");
    }
    if (seed != NULL && !json_is_integer(seed)) {
        return error_set(error, -EINVAL, "job: collectives: seed: a number expected");
    }
    to->bytes = (uint64_t)json_integer_value(bytes);
    to->seed = (uint64_t)json_integer_value(seed);
    return read_lists(from, to, error);
}

static int read_numbers(json_t *from, struct job *job, struct error *error) {
    json_t *generation = json_object_get(from, "generation");
    json_t *reserve = json_object_get(from, "reserve_bps");
    if (generation != NULL && !read_u64(generation, INT64_MAX, &job->generation)) {
        return error_set(error, -EINVAL, "job: generation: a number expected");
    }
    if (reserve != NULL && !read_u64(reserve, JOB_RESERVED_BPS_MAX, &job->reserved_bps)) {
        return error_set(error, -EINVAL, "job: reserve_bps: a rate of 0 to %llu expected",
                         (unsigned long long)JOB_RESERVED_BPS_MAX);
    }
    return 0;
}

static int read_job(json_t *from, struct job *job, struct error *error) {
    json_t *collectives = json_object_get(from, "collectives");
    json_t *algorithm = json_object_get(from, "algorithm");
    size_t count = json_array_size(collectives);
    int rc = copy_name(json_object_get(from, "job"), job->name, sizeof(job->name), "job", error);
    bool is_default = algorithm == NULL || json_is_null(algorithm) ||
                      (json_is_string(algorithm) && json_string_length(algorithm) == 0);
    if (rc == 0 && !is_default) {
        rc = copy_name(algorithm, job->algorithm, sizeof(job->algorithm), "algorithm", error);
    }
    rc = rc != 0 ? rc : read_ranks(json_object_get(from, "ranks"), job, error);
    if (rc == 0 && (!json_is_array(collectives) || count == 0 || count > JOB_COLLECTIVES_MAX)) {
        rc = error_set(error, -EINVAL, "job: collectives: a list of 1 to %d expected",
                       JOB_COLLECTIVES_MAX);
    }
    rc = rc != 0 ? rc : read_numbers(from, job, error);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        job->collective_count = (uint32_t)i + 1; // so that job_fini frees its pairs
        rc = read_collective(json_array_get(collectives, i), &job->collectives[i], error);
    }
    return rc != 0 ? rc : job_check(job, error);
}

int job_from_json(json_t *from, struct job *out, struct error *error) {
    struct job job;
    if (!json_is_object(from)) {
        return error_set(error, -EINVAL, "job: an object expected");
    }
    job_init(&job);
    int rc = read_job(from, &job, error);
    if (rc != 0) {
        job_fini(&job);
        return rc;
    }
    *out = job;
    return 0;
}
