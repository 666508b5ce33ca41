// SPDX-License-Identifier: Apache-2.0
#include "plan_command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inputs.h"
#include "options.h"
#include "pathalg/algorithm.h"
#include "plan_run.h"
#include "tool/tool.h"

static const char usage[] =
    "usage: srv6-sim plan --fabric FILE --job FILE [--algorithm NAME] [--fail LINK[=FRACTION]]... "
    "[--host NAME] [--stale SHARE [--seed N]] [--exact] [--summary] [--json]\n"
    "\n"
    "Prints every flow of the job with the paths that its sending host chooses, and how far the\n"
    "most loaded link is from the least possible.\n"
    "\n"
    "  --fabric FILE           the fabric (YAML)\n"
    "  --job FILE              a training job (YAML); may be given several times\n"
    "  --algorithm NAME        how paths are chosen, whatever the job says\n"
    "  --fail LINK[=FRACTION]  leaf0-spine3 (both directions, all parallel cables), leaf0>spine3\n"
    "                          (one direction), leaf0-spine3.1 (one cable); FRACTION of the\n"
    "                          capacity is left, 0 without it\n"
    "  --host NAME             only the flows that this host sends, and how long their plan takes\n"
    "  --stale SHARE           this share of the hosts, 0 to 1, plans as if nothing had failed\n"
    "  --seed N                draws who these are, instead of spacing them evenly\n"
    "  --exact                 the bound of a linear program, whatever the fabric\n"
    "  --summary               the score without the flows\n"
    "  --json                  one JSON document\n"
    "  --help, --version\n"
    "\n"
    "Algorithms: ";

enum {
    OPTION_FABRIC = OPTION_OWN,
    OPTION_JOB,
    OPTION_ALGORITHM,
    OPTION_FAIL,
    OPTION_HOST,
    OPTION_STALE,
    OPTION_EXACT,
    OPTION_SUMMARY,
};

static const struct option long_options[] = {
    OPTIONS_COMMON,
    {"fabric", required_argument, NULL, OPTION_FABRIC},
    {"job", required_argument, NULL, OPTION_JOB},
    {"algorithm", required_argument, NULL, OPTION_ALGORITHM},
    {"fail", required_argument, NULL, OPTION_FAIL},
    {"host", required_argument, NULL, OPTION_HOST},
    {"stale", required_argument, NULL, OPTION_STALE},
    {"exact", no_argument, NULL, OPTION_EXACT},
    {"summary", no_argument, NULL, OPTION_SUMMARY},
    {0},
};

static int take_job(struct plan_options *options, const char *file) {
    if (options->job_count == INPUT_JOBS_MAX) {
        return tool_usage_error(SIM_NAME, usage, "more than %d jobs", INPUT_JOBS_MAX);
    }
    options->jobs[options->job_count++] = file;
    return GO_ON;
}

static int take_option(void *context, int option) {
    struct plan_options *options = context;
    switch (option) {
    case OPTION_FABRIC:
        options->fabric = optarg;
        return GO_ON;
    case OPTION_JOB:
        return take_job(options, optarg);
    case OPTION_ALGORITHM:
        options->algorithm = optarg;
        return GO_ON;
    case OPTION_FAIL:
        options->fails[options->fail_count++] = optarg; // as many places as arguments
        return GO_ON;
    case OPTION_HOST:
        options->host = optarg;
        return GO_ON;
    case OPTION_STALE:
        return options_share(usage, "--stale", optarg, &options->stale);
    case OPTION_SEED:
        options->seeded = true;
        return options_seed(usage, optarg, &options->seed);
    case OPTION_SUMMARY:
        options->summary = true;
        return GO_ON;
    case OPTION_EXACT:
        options->exact = true;
        return GO_ON;
    case OPTION_JSON:
        options->json = true;
        return GO_ON;
    }
    return GO_ON;
}

static const struct option_set option_set = {.usage = usage,
                                             .usage_end = algorithm_names,
                                             .table = long_options,
                                             .take = take_option};

static int check_options(const struct plan_options *options) {
    if (options->fabric == NULL || options->job_count == 0) {
        return tool_usage_error(SIM_NAME, usage, "%s is missing",
                                options->fabric == NULL ? "--fabric FILE" : "--job FILE");
    }
    if (options->algorithm != NULL && algorithm_find(options->algorithm) == NULL) {
        return tool_usage_error(SIM_NAME, usage, "unknown algorithm %s (there are %s)",
                                options->algorithm, algorithm_names());
    }
    if (options->stale > 0 && options->host != NULL) {
        return tool_usage_error(SIM_NAME, usage, "--stale is about all hosts, --host about one");
    }
    return GO_ON;
}

static int parse_options(struct plan_options *options, int argc, char **argv) {
    int rc = options_read_all(&option_set, options, argc, argv);
    if (rc != GO_ON) {
        return rc;
    }
    return check_options(options);
}

int plan_command(int argc, char **argv) {
    struct plan_options options = {0};
    options.fails = calloc((size_t)argc, sizeof options.fails[0]);
    struct inputs *inputs = calloc(1, sizeof *inputs);
    if (options.fails == NULL || inputs == NULL) {
        free(options.fails);
        free(inputs);
        return tool_error(SIM_NAME, TOOL_FAILED, NULL, "out of memory");
    }
    int code = parse_options(&options, argc, argv);
    if (code == GO_ON) {
        code = inputs_open(&options, inputs);
        if (code == TOOL_OK) {
            code = plan_run(inputs, &options);
            inputs_close(inputs);
        }
    }
    free(options.fails);
    free(inputs);
    return code;
}
