// SPDX-License-Identifier: Apache-2.0
#include "model_yaml/job_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "job_file_internal.h"

#define JOB_FILE_VERSION 1
#define RANKS_ALL "all"

// ---- what a file holds, as libcyaml loads it

struct pair_yaml {
    uint32_t ranks[2];
};
struct collective_yaml {
    enum collective_type type;
    char *bytes;
    uint64_t seed;
    struct pair_yaml *pairs;
    uint32_t pair_count;
    uint32_t *weights;
    uint32_t weight_count;
};
struct job_yaml {
    uint32_t version;
    uint64_t generation;
    char *job, *algorithm;
    double reserve_gbps;
    char *ranks_word; // either "all"
    char **ranks;     // or a list
    uint32_t rank_count;
    struct collective_yaml *collectives;
    uint32_t collective_count;
};

#define MUST CYAML_FLAG_DEFAULT
#define MAY CYAML_FLAG_OPTIONAL
#define BYTES_TEXT_MAX 32
#define GBPS_MAX ((double)JOB_RESERVED_BPS_MAX / 1e9)

static const cyaml_strval_t collective_types[] = {
    {"alltoall", COLLECTIVE_ALLTOALL},       {"ring", COLLECTIVE_RING},
    {"permutation", COLLECTIVE_PERMUTATION}, {"pairs", COLLECTIVE_PAIRS},
    {"alltoallv", COLLECTIVE_ALLTOALLV},     {"tree", COLLECTIVE_TREE},
};
static const cyaml_schema_value_t rank_number_schema = {CYAML_VALUE_UINT(MUST, uint32_t)};
static const cyaml_schema_value_t pair_schema = {
    CYAML_VALUE_SEQUENCE_FIXED(MUST, uint32_t, &rank_number_schema, 2),
};
static const cyaml_schema_value_t weight_schema = {CYAML_VALUE_UINT(MUST, uint32_t)};
static const cyaml_schema_field_t collective_fields[] = {
    CYAML_FIELD_ENUM("type", CYAML_FLAG_STRICT, struct collective_yaml, type, collective_types,
                     CYAML_ARRAY_LEN(collective_types)),
    CYAML_FIELD_STRING_PTR("bytes", CYAML_FLAG_POINTER | MAY, struct collective_yaml, bytes, 1,
                           BYTES_TEXT_MAX),
    CYAML_FIELD_UINT("seed", MAY, struct collective_yaml, seed),
    CYAML_FIELD_SEQUENCE_COUNT("pairs", CYAML_FLAG_POINTER | MAY, struct collective_yaml, pairs,
                               pair_count, &pair_schema, 0, JOB_PAIRS_MAX),
    CYAML_FIELD_SEQUENCE_COUNT("weights", CYAML_FLAG_POINTER | MAY, struct collective_yaml, weights,
                               weight_count, &weight_schema, 1, JOB_RANKS_MAX),
    CYAML_FIELD_IGNORE("matrix", MAY), // libcyaml takes no list of lists: matrix_read does
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t collective_schema = {
    CYAML_VALUE_MAPPING(MUST, struct collective_yaml, collective_fields),
};
static const cyaml_schema_value_t rank_schema = {
    CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 1, NAME_SIZE - 1),
};

// The two forms differ in the type of `ranks`, which a schema cannot leave open.
#define JOB_FIELDS(RANKS)                                                                          \
    {                                                                                              \
        CYAML_FIELD_UINT("version", MUST, struct job_yaml, version),                               \
            CYAML_FIELD_UINT("generation", MAY, struct job_yaml, generation),                      \
            CYAML_FIELD_STRING_PTR("job", CYAML_FLAG_POINTER, struct job_yaml, job, 1,             \
                                   JOB_NAME_SIZE - 1),                                             \
            CYAML_FIELD_STRING_PTR("algorithm", CYAML_FLAG_POINTER | MAY, struct job_yaml,         \
                                   algorithm, 1, NAME_SIZE - 1),                                   \
            CYAML_FIELD_FLOAT("reserve_gbps", MAY, struct job_yaml, reserve_gbps), RANKS,          \
            CYAML_FIELD_SEQUENCE_COUNT("collectives", CYAML_FLAG_POINTER, struct job_yaml,         \
                                       collectives, collective_count, &collective_schema, 1,       \
                                       JOB_COLLECTIVES_MAX),                                       \
            CYAML_FIELD_END,                                                                       \
    }
static const cyaml_schema_field_t all_fields[] =
    JOB_FIELDS(CYAML_FIELD_STRING_PTR("ranks", CYAML_FLAG_POINTER, struct job_yaml, ranks_word, 1,
                                      NAME_SIZE - 1));
static const cyaml_schema_field_t list_fields[] =
    JOB_FIELDS(CYAML_FIELD_SEQUENCE_COUNT("ranks", CYAML_FLAG_POINTER, struct job_yaml, ranks,
                                          rank_count, &rank_schema, 1, JOB_RANKS_MAX));
static const cyaml_schema_value_t all_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct job_yaml, all_fields),
};
static const cyaml_schema_value_t list_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct job_yaml, list_fields),
};

// ---- from there to a job

static void read_bytes(const struct yaml_text *yaml, const struct collective_yaml *from,
                       const char *path, struct complaints *complaints, struct collective *to) {
    char bytes[48];
    snprintf(bytes, sizeof bytes, "%s.bytes", path);
    if (from->bytes == NULL) {
        if (to->matrix_ranks == 0) {
            complaints_add(complaints, yaml_text_line(yaml, path), "%s: key bytes is missing",
                           path);
        }
    } else if (!bytes_text_parse(from->bytes, &to->bytes) || to->bytes == 0) {
        complaints_add(complaints, yaml_text_line(yaml, bytes),
                       "%s: %s: a size above 0 such as 64MiB expected", bytes, from->bytes);
    }
}

// A copy of `count` elements; NULL for none.
static void *copy_list(const void *from, size_t count, size_t size, struct complaints *complaints) {
    void *to = count > 0 ? malloc(count * size) : NULL;
    if (to != NULL) {
        memcpy(to, from, count * size);
    } else if (count > 0) {
        complaints_no_memory(complaints);
    }
    return to;
}

static void read_collective(const struct yaml_text *yaml, const struct collective_yaml *from,
                            uint32_t index, struct complaints *complaints, struct collective *to) {
    char path[32], matrix[48];
    snprintf(path, sizeof path, "collectives[%u]", index);
    snprintf(matrix, sizeof matrix, "%s.matrix", path);
    *to = (struct collective){.type = from->type, .seed = from->seed};
    matrix_read(yaml, matrix, complaints, to);
    read_bytes(yaml, from, path, complaints, to);
    to->weights = copy_list(from->weights, from->weight_count, sizeof to->weights[0], complaints);
    to->weight_count = to->weights != NULL ? from->weight_count : 0;
    if (from->pair_count == 0) {
        return;
    }
    to->pairs = calloc(from->pair_count, sizeof to->pairs[0]);
    if (to->pairs == NULL) {
        complaints_no_memory(complaints);
        return;
    }
    to->pair_count = from->pair_count;
    for (uint32_t i = 0; i < from->pair_count; i++) {
        to->pairs[i] = (struct job_pair){from->pairs[i].ranks[0], from->pairs[i].ranks[1]};
    }
}

static void read_reserve(const struct yaml_text *yaml, double gbps, struct complaints *complaints,
                         struct job *job) {
    if (gbps >= 0 && gbps <= GBPS_MAX) {
        job->reserved_bps = (uint64_t)(gbps * 1e9 + 0.5);
        return;
    }
    complaints_add(complaints, yaml_text_line(yaml, "reserve_gbps"),
                   "reserve_gbps %g: 0 to %g for each rank", gbps, GBPS_MAX);
}

static void read_ranks(const struct yaml_text *yaml, const struct job_yaml *file,
                       struct complaints *complaints, struct job *job) {
    job->all_ranks = file->ranks_word != NULL;
    if (job->all_ranks) {
        if (strcmp(file->ranks_word, RANKS_ALL) != 0) {
            complaints_add(complaints, yaml_text_line(yaml, "ranks"),
                           "ranks: %s: " RANKS_ALL " or a list of ports expected",
                           file->ranks_word);
        }
        return;
    }
    job->ranks = calloc(file->rank_count, sizeof job->ranks[0]);
    if (job->ranks == NULL) {
        complaints_no_memory(complaints);
        return;
    }
    job->rank_count = file->rank_count;
    for (uint32_t i = 0; i < file->rank_count; i++) {
        snprintf(job->ranks[i], NAME_SIZE, "%s", file->ranks[i]);
    }
}

static void read_job(const struct yaml_text *yaml, const struct job_yaml *file,
                     struct complaints *complaints, struct job *job) {
    if (file->version != JOB_FILE_VERSION) {
        complaints_add(complaints, yaml_text_line(yaml, "version"),
                       "version %u: this program reads version %d", file->version,
                       JOB_FILE_VERSION);
    }
    snprintf(job->name, sizeof job->name, "%s", file->job);
    snprintf(job->algorithm, sizeof job->algorithm, "%s",
             file->algorithm != NULL ? file->algorithm : "");
    job->generation = file->generation;
    read_reserve(yaml, file->reserve_gbps, complaints, job);
    read_ranks(yaml, file, complaints, job);
    job->collective_count = file->collective_count;
    for (uint32_t i = 0; i < file->collective_count; i++) {
        read_collective(yaml, &file->collectives[i], i, complaints, &job->collectives[i]);
    }
}

int job_file_parse(const char *name, const char *text, size_t size, fabric_complain_fn *complain,
                   void *context, struct job *out) {
    struct complaints complaints;
    struct job job;
    void *file = NULL;
    job_init(&job);
    complaints_init(&complaints, name);
    struct yaml_text *yaml = yaml_text_open(name, text, size, &complaints);
    if (yaml != NULL) {
        const cyaml_schema_value_t *schema =
            yaml_text_is_sequence(yaml, "ranks") ? &list_schema : &all_schema;
        yaml_text_check(yaml, schema, &complaints);
        if (complaints.total == 0 && yaml_text_load(yaml, schema, &complaints, &file) == 0) {
            read_job(yaml, file, &complaints, &job);
            job_file_check(yaml, &job, &complaints);
            cyaml_free(yaml_cyaml_config(), schema, file, 0);
        }
    }
    yaml_text_close(yaml);
    if (complaints_flush(&complaints, complain, context)) {
        job_fini(&job);
        return -EINVAL;
    }
    *out = job;
    return 0;
}

int job_file_load(const char *path, fabric_complain_fn *complain, void *context, struct job *out) {
    char *text;
    size_t size;
    int rc = yaml_file_read(path, complain, context, &text, &size);
    if (rc == 0) {
        rc = job_file_parse(path, text, size, complain, context, out);
        free(text);
    }
    return rc;
}
