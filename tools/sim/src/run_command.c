// SPDX-License-Identifier: Apache-2.0
#include "run_command.h"

#include <getopt.h>
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

enum { OPTION_SEED = 1, OPTION_JSON, OPTION_HELP, OPTION_VERSION };

static const struct option long_options[] = {
    {"seed", required_argument, NULL, OPTION_SEED},
    {"json", no_argument, NULL, OPTION_JSON},
    {"help", no_argument, NULL, OPTION_HELP},
    {"version", no_argument, NULL, OPTION_VERSION},
    {0},
};

struct options {
    const char *scenario;
    bool has_seed, json;
    uint64_t seed;
};

static int take_option(struct options *options, int option, char **argv) {
    switch (option) {
    case OPTION_SEED:
        options->has_seed = true;
        return options_seed(usage, optarg, &options->seed);
    case OPTION_JSON:
        options->json = true;
        return GO_ON;
    case OPTION_HELP:
        fputs(usage, stdout);
        return TOOL_OK;
    case OPTION_VERSION:
        tool_print_version(SIM_NAME);
        return TOOL_OK;
    default:
        return options_refuse(usage, option, argv);
    }
}

static int parse_options(struct options *options, int argc, char **argv) {
    for (int option; (option = getopt_long(argc, argv, ":", long_options, NULL)) != -1;) {
        int rc = take_option(options, option, argv);
        if (rc != GO_ON) {
            return rc;
        }
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
    if (fflush(stdout) != 0 || ferror(stdout)) {
        return tool_error(SIM_NAME, TOOL_FAILED, NULL, "cannot write to stdout");
    }
    return TOOL_OK;
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
