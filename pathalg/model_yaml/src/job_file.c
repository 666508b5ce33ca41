// SPDX-License-Identifier: Apache-2.0
#include "model_yaml/job_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model_yaml/yaml_check.h"

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
};
struct job_yaml {
    uint32_t version;
    uint64_t generation;
    char *job, *algorithm;
    char *ranks_word; // either "all"
    char **ranks;     // or a list
    uint32_t rank_count;
    struct collective_yaml *collectives;
    uint32_t collective_count;
};

#define MUST CYAML_FLAG_DEFAULT
#define MAY CYAML_FLAG_OPTIONAL
#define BYTES_TEXT_MAX 32

static const cyaml_strval_t collective_types[] = {
    {"alltoall", COLLECTIVE_ALLTOALL},
    {"ring", COLLECTIVE_RING},
    {"permutation", COLLECTIVE_PERMUTATION},
    {"pairs", COLLECTIVE_PAIRS},
};
static const cyaml_schema_value_t rank_number_schema = {CYAML_VALUE_UINT(MUST, uint32_t)};
static const cyaml_schema_value_t pair_schema = {
    CYAML_VALUE_SEQUENCE_FIXED(MUST, uint32_t, &rank_number_schema, 2),
};
static const cyaml_schema_field_t collective_fields[] = {
    CYAML_FIELD_ENUM("type", CYAML_FLAG_STRICT, struct collective_yaml, type, collective_types,
                     CYAML_ARRAY_LEN(collective_types)),
    CYAML_FIELD_STRING_PTR("bytes", CYAML_FLAG_POINTER, struct collective_yaml, bytes, 1,
                           BYTES_TEXT_MAX),
    CYAML_FIELD_UINT("seed", MAY, struct collective_yaml, seed),
    CYAML_FIELD_SEQUENCE_COUNT("pairs", CYAML_FLAG_POINTER | MAY, struct collective_yaml, pairs,
                               pair_count, &pair_schema, 0, JOB_PAIRS_MAX),
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
            RANKS,                                                                                 \
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

static void read_collective(const struct yaml_text *yaml, const struct collective_yaml *from,
                            uint32_t index, struct complaints *complaints, struct collective *to) {
    char path[48];
    snprintf(path, sizeof path, "collectives[%u].bytes", index);
    *to = (struct collective){.type = from->type, .seed = from->seed};
    if (!bytes_text_parse(from->bytes, &to->bytes) || to->bytes == 0) {
        complaints_add(complaints, yaml_text_line(yaml, path),
                       "%s: %s: a size above 0 such as 64MiB expected", path, from->bytes);
        to->bytes = 1; // not to be complained about again
    }
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
    read_ranks(yaml, file, complaints, job);
    job->collective_count = file->collective_count;
    for (uint32_t i = 0; i < file->collective_count; i++) {
        read_collective(yaml, &file->collectives[i], i, complaints, &job->collectives[i]);
    }
}

// ---- what is wrong with it, all in one pass; job_check would stop at the first

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

static void complain_job(const struct yaml_text *yaml, const struct job *job,
                         struct complaints *complaints) {
    complain_ranks(yaml, job, complaints);
    for (uint32_t i = 0; i < job->collective_count; i++) {
        const struct collective *collective = &job->collectives[i];
        char path[32];
        snprintf(path, sizeof path, "collectives[%u]", i);
        if ((collective->type == COLLECTIVE_PAIRS) != (collective->pair_count > 0)) {
            complaints_add(complaints, yaml_text_line(yaml, path), "%s: %s: %s pairs", path,
                           collective_type_name(collective->type),
                           collective->pair_count > 0 ? "takes no" : "needs");
        }
        for (uint32_t k = 0; k < collective->pair_count; k++) {
            complain_pair(yaml, job, i, k, complaints);
        }
    }
    struct error error;
    if (complaints->total == 0 && job_check(job, &error) != 0) {
        complaints_add(complaints, 0, "%s", error.text);
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
            complain_job(yaml, &job, &complaints);
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
