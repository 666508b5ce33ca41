// SPDX-License-Identifier: Apache-2.0
// Jobs: a YAML file is read and checked here, so that every error in it is told before an agent is
// asked.
#include <errno.h>

#include "commands.h"
#include "model_yaml/job_file.h"
#include "tool/json.h"
#include "tool/tool.h"

static void complain(void *context, const struct error *error) {
    (void)context;
    fprintf(stderr, CTL_NAME ": %s\n", error->text);
}

static json_t *ranks_json(const struct job *job) {
    if (job->all_ranks) {
        return json_string("all");
    }
    json_t *ranks = json_array();
    for (uint32_t i = 0; i < job->rank_count; i++) {
        json_array_append_new(ranks, json_string(job->ranks[i]));
    }
    return ranks;
}

static json_t *pairs_json(const struct collective *collective) {
    json_t *pairs = json_array();
    for (uint32_t i = 0; i < collective->pair_count; i++) {
        json_array_append_new(pairs, json_pack("[I,I]", (json_int_t)collective->pairs[i].src_rank,
                                               (json_int_t)collective->pairs[i].dst_rank));
    }
    return pairs;
}

static json_t *matrix_json(const struct collective *collective) {
    json_t *rows = json_array();
    for (uint32_t i = 0; i < collective->matrix_ranks; i++) {
        json_t *row = json_array();
        for (uint32_t k = 0; k < collective->matrix_ranks; k++) {
            uint64_t bytes = collective->matrix[(uint64_t)i * collective->matrix_ranks + k];
            json_array_append_new(row, json_integer((json_int_t)bytes));
        }
        json_array_append_new(rows, row);
    }
    return rows;
}

static json_t *weights_json(const struct collective *collective) {
    json_t *weights = json_array();
    for (uint32_t i = 0; i < collective->weight_count; i++) {
        json_array_append_new(weights, json_integer((json_int_t)collective->weights[i]));
    }
    return weights;
}

static json_t *collective_json(const struct collective *collective) {
    json_t *object = json_pack("{s:s}", "type", collective_type_name(collective->type));
    if (collective->bytes > 0) {
        json_object_set_new(object, "bytes", json_integer((json_int_t)collective->bytes));
    }
    if (collective->type == COLLECTIVE_PERMUTATION) {
        json_object_set_new(object, "seed", json_integer((json_int_t)collective->seed));
    }
    if (collective->type == COLLECTIVE_PAIRS) {
        json_object_set_new(object, "pairs", pairs_json(collective));
    }
    if (collective->matrix_ranks > 0) {
        json_object_set_new(object, "matrix", matrix_json(collective));
    }
    if (collective->weight_count > 0) {
        json_object_set_new(object, "weights", weights_json(collective));
    }
    return object;
}

static json_t *job_json(const struct job *job) {
    json_t *collectives = json_array();
    for (uint32_t i = 0; i < job->collective_count; i++) {
        json_array_append_new(collectives, collective_json(&job->collectives[i]));
    }
    json_t *object = json_pack("{s:s,s:s,s:o,s:o}", "job", job->name, "algorithm", job->algorithm,
                               "ranks", ranks_json(job), "collectives", collectives);
    if (job->reserved_bps > 0) {
        json_object_set_new(object, "reserve_bps", json_integer((json_int_t)job->reserved_bps));
    }
    return object;
}

int run_job_submit(const struct ctl *ctl) {
    struct job job;
    int rc = job_file_load(ctl->operands[0], complain, NULL, &job);
    if (rc != 0) {
        return rc == -EACCES ? TOOL_PERMISSION : TOOL_FAILED; // complain has said why
    }
    json_t *document = job_json(&job);
    char name[JOB_NAME_SIZE];
    snprintf(name, sizeof name, "%s", job.name);
    job_fini(&job);
    if (document == NULL) {
        return tool_error(CTL_NAME, TOOL_FAILED, NULL, "out of memory");
    }
    return ctl_change(ctl, "job_submit", json_pack("{s:o}", "job", document), "job %s submitted",
                      name);
}

int run_job_remove(const struct ctl *ctl) {
    return ctl_change(ctl, "job_remove", json_pack("{s:s}", "job", ctl->operands[0]),
                      "job %s removed", ctl->operands[0]);
}
