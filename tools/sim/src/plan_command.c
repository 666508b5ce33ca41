// SPDX-License-Identifier: Apache-2.0
#include "plan_command.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "inputs.h"
#include "model/time.h"
#include "pathalg/algorithm.h"
#include "plan_print.h"
#include "tool/tool.h"

static const char usage[] =
    "usage: srv6-sim plan --fabric FILE --job FILE [--algorithm NAME] [--fail LINK[=FRACTION]]... "
    "[--host NAME] [--json]\n"
    "\n"
    "Prints every flow of the job with the paths that its sending host chooses, and how far the\n"
    "most loaded link is from the least possible.\n"
    "\n"
    "  --fabric FILE           the fabric (YAML)\n"
    "  --job FILE              a training job (YAML); may be given several times\n"
    "  --algorithm NAME        ecmp, ethereal or spray, whatever the job says\n"
    "  --fail LINK[=FRACTION]  leaf0-spine3 (both directions, all parallel cables), leaf0>spine3\n"
    "                          (one direction), leaf0-spine3.1 (one cable); FRACTION of the\n"
    "                          capacity is left, 0 without it\n"
    "  --host NAME             only the flows that this host sends\n"
    "  --json                  one JSON document\n"
    "  --help, --version\n";

enum {
    OPTION_FABRIC = 1,
    OPTION_JOB,
    OPTION_ALGORITHM,
    OPTION_FAIL,
    OPTION_HOST,
    OPTION_EXACT,
    OPTION_JSON,
    OPTION_HELP,
    OPTION_VERSION,
};

static const struct option long_options[] = {
    {"fabric", required_argument, NULL, OPTION_FABRIC},
    {"job", required_argument, NULL, OPTION_JOB},
    {"algorithm", required_argument, NULL, OPTION_ALGORITHM},
    {"fail", required_argument, NULL, OPTION_FAIL},
    {"host", required_argument, NULL, OPTION_HOST},
    {"exact", no_argument, NULL, OPTION_EXACT},
    {"json", no_argument, NULL, OPTION_JSON},
    {"help", no_argument, NULL, OPTION_HELP},
    {"version", no_argument, NULL, OPTION_VERSION},
    {0},
};

#define GO_ON (-1) // no exit code yet

static int take_job(struct plan_options *options, const char *file) {
    if (options->job_count == INPUT_JOBS_MAX) {
        return tool_usage_error(SIM_NAME, usage, "more than %d jobs", INPUT_JOBS_MAX);
    }
    options->jobs[options->job_count++] = file;
    return GO_ON;
}

static int take_option(struct plan_options *options, int option, char **argv) {
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
    case OPTION_EXACT:
        options->exact = true;
        return GO_ON;
    case OPTION_JSON:
        options->json = true;
        return GO_ON;
    case OPTION_HELP:
        fputs(usage, stdout);
        return TOOL_OK;
    case OPTION_VERSION:
        tool_print_version(SIM_NAME);
        return TOOL_OK;
    case ':':
        return tool_usage_error(SIM_NAME, usage, "%s needs a value", argv[optind - 1]);
    default:
        return tool_usage_error(SIM_NAME, usage, "unknown option %s", argv[optind - 1]);
    }
}

static int check_options(const struct plan_options *options, int argc, char **argv) {
    if (optind < argc) {
        return tool_usage_error(SIM_NAME, usage, "unexpected argument %s", argv[optind]);
    }
    if (options->fabric == NULL || options->job_count == 0) {
        return tool_usage_error(SIM_NAME, usage, "%s is missing",
                                options->fabric == NULL ? "--fabric FILE" : "--job FILE");
    }
    if (options->algorithm != NULL && algorithm_find(options->algorithm) == NULL) {
        return tool_usage_error(SIM_NAME, usage, "unknown algorithm %s (there are %s)",
                                options->algorithm, algorithm_names());
    }
    if (options->exact) {
        return tool_error(SIM_NAME, TOOL_FAILED, NULL,
                          "--exact (a linear program's bound) is not in this version; without it "
                          "the bound is that of cuts");
    }
    return GO_ON;
}

static int parse_options(struct plan_options *options, int argc, char **argv) {
    for (int option; (option = getopt_long(argc, argv, ":", long_options, NULL)) != -1;) {
        int rc = take_option(options, option, argv);
        if (rc != GO_ON) {
            return rc;
        }
    }
    return check_options(options, argc, argv);
}

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

// The name of what was used; jobs may differ.
static const char *algorithm_used(const struct inputs *inputs) {
    const struct algorithm *used = NULL;
    for (uint32_t i = 0; i < inputs->job_count; i++) {
        const char *name = inputs->jobs[i].job.algorithm;
        const struct algorithm *found =
            algorithm_find(name[0] != '\0' ? name : inputs->plan.algorithm);
        if (used != NULL && found != used) {
            return "mixed";
        }
        used = found;
    }
    return used != NULL ? used->name : "";
}

static bool host_range(const struct inputs *inputs, const char *name, uint32_t *first,
                       uint32_t *end) {
    *first = 0;
    *end = inputs->fabric->host_count;
    node_id host;
    if (name == NULL) {
        return true;
    }
    if (!fabric_find_node(inputs->fabric, name, &host) || host.i >= *end) {
        return false;
    }
    *first = host.i;
    *end = host.i + 1;
    return true;
}

// Each host plans by itself; the sum of their loads is what the fabric would carry.
static int plan_hosts(const struct inputs *inputs, uint32_t first, uint32_t end,
                      struct plan_printer *printer, uint64_t *loads) {
    struct plan_summary summary = {.host_count = end - first};
    uint64_t split_count = 0;
    struct plan plan;
    struct error error;
    int rc = 0;
    plan_init(&plan);
    plan_print_begin(printer);
    for (uint32_t i = first; i < end && rc == 0; i++) {
        uint64_t start_ns = now_ns();
        rc = plan_host(&inputs->plan, (node_id){i}, &plan, &error);
        summary.elapsed_ns += now_ns() - start_ns;
        if (rc == 0) {
            plan_add_loads(&plan, loads);
            split_count += plan.split_count;
            rc = plan_print_flows(printer, &plan, &error);
        }
    }
    plan_fini(&plan);
    if (rc != 0) {
        return tool_error(SIM_NAME, TOOL_FAILED, NULL, "%s", error.text);
    }
    plan_score(&inputs->plan, loads, &summary.score);
    summary.score.split_count = split_count;
    plan_print_end(printer, &summary);
    return TOOL_OK;
}

static int plan_and_print(const struct inputs *inputs, const struct plan_options *options) {
    uint32_t first, end;
    if (!host_range(inputs, options->host, &first, &end)) {
        return tool_error(SIM_NAME, TOOL_FAILED, options->fabric, "the fabric has no host %s",
                          options->host);
    }
    uint64_t *loads = calloc(fabric_link_count(inputs->fabric), sizeof loads[0]);
    if (loads == NULL) {
        return tool_error(SIM_NAME, TOOL_FAILED, NULL, "out of memory");
    }
    struct plan_printer printer = {
        .input = &inputs->plan,
        .algorithm = algorithm_used(inputs),
        .json = options->json,
        .writer = {.out = stdout},
    };
    int code = plan_hosts(inputs, first, end, &printer, loads);
    free(loads);
    if (code == TOOL_OK && (fflush(stdout) != 0 || ferror(stdout))) {
        code = tool_error(SIM_NAME, TOOL_FAILED, NULL, "cannot write to stdout");
    }
    return code;
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
            code = plan_and_print(inputs, &options);
            inputs_close(inputs);
        }
    }
    free(options.fails);
    free(inputs);
    return code;
}
