// SPDX-License-Identifier: Apache-2.0
#include "inputs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fail.h"
#include "model_yaml/fabric_file.h"
#include "model_yaml/job_file.h"
#include "tool/tool.h"

static void complain(void *context, const struct error *error) {
    (void)context;
    tool_error(SIM_NAME, TOOL_FAILED, NULL, "%s", error->text);
}

static int out_of_memory(void) {
    return tool_error(SIM_NAME, TOOL_FAILED, NULL, "out of memory");
}

static int compare_jobs(const void *left, const void *right) {
    const struct input_job *a = left;
    const struct input_job *b = right;
    return strcmp(a->job.name, b->job.name);
}

// Reads all files, so that a user sees everything that is wrong at once.
static int load_files(const struct plan_options *options, struct inputs *inputs) {
    int code = TOOL_OK;
    if (fabric_file_load(options->fabric, complain, NULL, &inputs->fabric) != 0) {
        code = TOOL_FAILED;
    }
    for (uint32_t i = 0; i < options->job_count; i++) {
        struct input_job *input = &inputs->jobs[inputs->job_count];
        if (job_file_load(options->jobs[i], complain, NULL, &input->job) == 0) {
            input->file = options->jobs[i];
            inputs->job_count++;
        } else {
            code = TOOL_FAILED;
        }
    }
    return code;
}

static int sort_jobs(struct inputs *inputs) {
    qsort(inputs->jobs, inputs->job_count, sizeof inputs->jobs[0], compare_jobs);
    for (uint32_t i = 1; i < inputs->job_count; i++) {
        if (compare_jobs(&inputs->jobs[i - 1], &inputs->jobs[i]) == 0) {
            return tool_error(SIM_NAME, TOOL_FAILED, inputs->jobs[i].file, "two jobs are named %s",
                              inputs->jobs[i].job.name);
        }
    }
    return TOOL_OK;
}

// Ranks that the fabric lacks stay unresolved: plan_problems names them, and the rest is planned.
static int resolve_ranks(const struct fabric *fabric, struct input_job *input) {
    input->rank_count = job_rank_count(&input->job, fabric);
    input->ranks = calloc((size_t)input->rank_count + 1, sizeof input->ranks[0]);
    if (input->ranks == NULL) {
        return out_of_memory();
    }
    job_resolve(&input->job, fabric, input->ranks);
    return TOOL_OK;
}

static int compute_maps(const struct fabric *fabric, struct input_job *input) {
    for (uint32_t i = 0; i < input->job.collective_count; i++) {
        if (!collective_has_map(input->job.collectives[i].type)) {
            continue;
        }
        uint32_t *map = calloc((size_t)input->rank_count + 1, sizeof map[0]);
        input->maps[i] = map;
        if (map == NULL ||
            job_permutation(&input->job, i, fabric, input->ranks, input->rank_count, map) != 0) {
            return out_of_memory();
        }
    }
    return TOOL_OK;
}

static int resolve_job(struct inputs *inputs, uint32_t index, const char *algorithm) {
    struct input_job *input = &inputs->jobs[index];
    if (algorithm != NULL) {
        snprintf(input->job.algorithm, sizeof input->job.algorithm, "%s", algorithm);
    }
    int code = resolve_ranks(inputs->fabric, input);
    if (code == TOOL_OK) {
        code = compute_maps(inputs->fabric, input);
    }
    inputs->plan_jobs[index] = (struct plan_job){
        .job = &input->job,
        .ranks = input->ranks,
        .rank_count = input->rank_count,
        .permutations = input->maps,
    };
    return code;
}

static int apply_fails(const struct plan_options *options, struct inputs *inputs) {
    inputs->beliefs = beliefs_healthy(inputs->fabric);
    if (inputs->beliefs == NULL) {
        return out_of_memory();
    }
    int code = TOOL_OK;
    for (uint32_t i = 0; i < options->fail_count; i++) {
        struct error error;
        if (fail_apply(inputs->fabric, options->fails[i], inputs->beliefs, &error) != 0) {
            code = tool_error(SIM_NAME, TOOL_FAILED, "--fail", "%s", error.text);
        }
    }
    return code;
}

static int resolve_all(const struct plan_options *options, struct inputs *inputs) {
    int code = sort_jobs(inputs);
    for (uint32_t i = 0; i < inputs->job_count; i++) {
        int rc = resolve_job(inputs, i, options->algorithm);
        code = code == TOOL_OK ? rc : code;
    }
    int rc = apply_fails(options, inputs);
    return code == TOOL_OK ? rc : code;
}

int inputs_open(const struct plan_options *options, struct inputs *inputs) {
    int code = load_files(options, inputs);
    if (code == TOOL_OK) {
        code = resolve_all(options, inputs);
    }
    if (code != TOOL_OK) {
        inputs_close(inputs);
        return code;
    }
    inputs->plan = (struct plan_input){
        .fabric = inputs->fabric,
        .beliefs = inputs->beliefs,
        .jobs = inputs->plan_jobs,
        .job_count = inputs->job_count,
        .algorithm = "",
    };
    return TOOL_OK;
}

void inputs_close(struct inputs *inputs) {
    for (uint32_t i = 0; i < inputs->job_count; i++) {
        struct input_job *input = &inputs->jobs[i];
        for (uint32_t j = 0; j < JOB_COLLECTIVES_MAX; j++) {
            free((void *)input->maps[j]);
        }
        free(input->ranks);
        job_fini(&input->job);
    }
    free(inputs->beliefs);
    fabric_close(inputs->fabric);
    *inputs = (struct inputs){0};
}
