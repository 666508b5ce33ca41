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

static int read_collective(json_t *from, struct collective *to, struct error *error) {
    const char *type = json_string_value(json_object_get(from, "type"));
    json_t *bytes = json_object_get(from, "bytes"), *seed = json_object_get(from, "seed");
    if (type == NULL || !collective_type_parse(type, &to->type)) {
        return error_set(error, -EINVAL, "job: collectives: unknown type %.40s",
                         type != NULL ? type : "(none)");
    }
    if (!json_is_integer(bytes) || json_integer_value(bytes) <= 0) {
        return error_set(error, -EINVAL, "job: collectives: bytes: a number above 0 expected");
    }
    if (seed != NULL && !json_is_integer(seed)) {
        return error_set(error, -EINVAL, "job: collectives: seed: a number expected");
    }
    to->bytes = (uint64_t)json_integer_value(bytes);
    to->seed = (uint64_t)json_integer_value(seed);
    return read_pairs(json_object_get(from, "pairs"), to, error);
}

static int read_job(json_t *from, struct job *job, struct error *error) {
    json_t *collectives = json_object_get(from, "collectives");
    json_t *algorithm = json_object_get(from, "algorithm");
    json_t *generation = json_object_get(from, "generation");
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
    if (rc == 0 && generation != NULL &&
        (!json_is_integer(generation) || json_integer_value(generation) < 0)) {
        rc = error_set(error, -EINVAL, "job: generation: a number expected");
    }
    job->generation = (uint64_t)json_integer_value(generation);
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
