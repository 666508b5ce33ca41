// SPDX-License-Identifier: Apache-2.0
#include "run_command.h"

#include <stdio.h>
#include <stdlib.h>

#include "inputs.h"
#include "options.h"
#include "run.h"
#include "tool/tool.h"

static const char usage[] =
    "usage: srv6-sim run SCENARIO [--seed N] [--json]\n"
    "\n"
    "Runs a scenario in virtual time: the agents' engines on every host, their gossip, and the\n"
    "jobs' bytes on the paths that the engines choose. Prints what happens, one line per event,\n"
    "and how long each job took.\n"
    "\n"
    "  SCENARIO    the scenario (YAML; srv6-sim(1) has its form)\n"
    "  --seed N    chance begins with N, whatever the scenario says\n"
    "  --json      one JSON document\n"
    "  --help, --version\n";

static const struct option long_options[] = {
    OPTIONS_COMMON,
    {0},
};

struct options {
    const char *scenario;
    bool has_seed, json;
    uint64_t seed;
};

static int take_option(void *context, int option) {
    struct options *options = context;
    switch (option) {
    case OPTION_SEED:
        options->has_seed = true;
        return options_seed(usage, optarg, &options->seed);
    case OPTION_JSON:
        options->json = true;
        return GO_ON;
    }
    return GO_ON;
}

static const struct option_set option_set = {.usage = usage,
                                             .table = long_options,
                                             .take = take_option};

static int parse_options(struct options *options, int argc, char **argv) {
    int rc = options_read(&option_set, options, argc, argv);
    if (rc != GO_ON) {
        return rc;
    }
    if (optind == argc) {
        return tool_usage_error(SIM_NAME, usage, "SCENARIO is missing");
    }
    if (optind + 1 < argc) {
        return tool_usage_error(SIM_NAME, usage, "unexpected argument %s", argv[optind + 1]);
    }
    options->scenario = argv[optind];
    return GO_ON;
}

static void complain(void *context, const struct error *error) {
    (void)context;
    tool_error(SIM_NAME, TOOL_FAILED, NULL, "%s", error->text);
}

static int run(const struct options *options, struct scenario *scenario) {
    if (scenario_load(options->scenario, complain, NULL, scenario) != 0) {
        return TOOL_FAILED;
    }
    struct trace trace = {.json = options->json, .writer = {.out = stdout}};
    struct error error = {0};
    int rc = run_scenario(scenario, options->scenario,
                          options->has_seed ? options->seed : scenario->seed, &trace, &error);
    scenario_fini(scenario);
    if (rc != 0) {
        return tool_error(SIM_NAME, TOOL_FAILED, options->scenario, "%s", error.text);
    }
    return tool_flush(SIM_NAME);
}

int run_command(int argc, char **argv) {
    struct options options = {0};
    int code = parse_options(&options, argc, argv);
    if (code != GO_ON) {
        return code;
    }
    struct scenario *scenario = calloc(1, sizeof *scenario);
    if (scenario == NULL) {
        return tool_error(SIM_NAME, TOOL_FAILED, NULL, "out of memory");
    }
    code = run(&options, scenario);
    free(scenario);
    return code;
}
