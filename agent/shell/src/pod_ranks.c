// SPDX-License-Identifier: Apache-2.0
// Ranks as JSON: what an agent remembers of its node's pods while it does not run.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pods.h"

json_t *pod_ranks_json(const struct pod_rank *ranks, uint32_t count) {
    json_t *list = json_array();
    for (uint32_t i = 0; i < count; i++) {
        const struct pod_rank *rank = &ranks[i];
        json_t *one =
            json_pack("{s:s, s:s, s:I, s:I, s:I, s:s, s:s, s:s, s:I}", "job", rank->job, "run",
                      rank->run, "created_s", (json_int_t)rank->created_s, "rank",
                      (json_int_t)rank->rank, "ranks", (json_int_t)rank->rank_count, "port",
                      rank->port, "algorithm", rank->algorithm, "collective",
                      collective_type_name(rank->collective), "bytes", (json_int_t)rank->bytes);
        if (json_array_append_new(list, one) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return json_pack("{s:i, s:o}", "version", 1, "ranks", list);
}

static bool copy_text(const json_t *from, const char *key, size_t least, char *to, size_t size) {
    const char *text = json_string_value(json_object_get(from, key));
    size_t length = text != NULL ? strlen(text) : size;
    if (length >= size || length < least) {
        return false;
    }
    memcpy(to, text, length + 1);
    return true;
}

static bool copy_number(const json_t *from, const char *key, uint64_t most, uint64_t *to) {
    const json_t *value = json_object_get(from, key);
    *to = (uint64_t)json_integer_value(value);
    return json_is_integer(value) && json_integer_value(value) >= 0 && *to <= most;
}

static bool read_one(const json_t *from, struct pod_rank *out) {
    char collective[16];
    uint64_t rank = 0, count = 0;
    bool good = copy_text(from, "job", 1, out->job, sizeof out->job) &&
                copy_text(from, "run", 0, out->run, sizeof out->run) &&
                copy_text(from, "port", 1, out->port, sizeof out->port) &&
                copy_text(from, "algorithm", 0, out->algorithm, sizeof out->algorithm) &&
                copy_text(from, "collective", 1, collective, sizeof collective) &&
                collective_type_parse(collective, &out->collective) &&
                copy_number(from, "created_s", INT64_MAX, &out->created_s) &&
                copy_number(from, "rank", JOB_RANKS_MAX - 1, &rank) &&
                copy_number(from, "ranks", JOB_RANKS_MAX, &count) &&
                copy_number(from, "bytes", JOB_BYTES_MAX, &out->bytes);
    out->rank = (uint32_t)rank;
    out->rank_count = (uint32_t)count;
    return good && pod_rank_is_sound(out);
}

int pod_ranks_from_json(const json_t *from, struct pod_rank **out, uint32_t *count,
                        struct error *error) {
    const json_t *list = json_object_get(from, "ranks");
    size_t size = json_array_size(list);
    if (json_integer_value(json_object_get(from, "version")) != 1 || !json_is_array(list) ||
        size > PODS_MAX) {
        return error_set(error, -EINVAL, "not a list of ranks of this version");
    }
    struct pod_rank *ranks = calloc(size + 1, sizeof *ranks);
    if (ranks == NULL) {
        return error_set(error, -ENOMEM, "no memory for %zu ranks", size);
    }
    for (size_t i = 0; i < size; i++) {
        if (!read_one(json_array_get(list, i), &ranks[i])) {
            free(ranks);
            return error_set(error, -EINVAL, "rank %zu of the list makes no sense", i);
        }
    }
    *out = ranks;
    *count = (uint32_t)size;
    return 0;
}
