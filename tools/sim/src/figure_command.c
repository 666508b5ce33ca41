// SPDX-License-Identifier: Apache-2.0
#include "figure_command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "figure.h"
#include "inputs.h"
#include "options.h"
#include "pathalg/algorithm.h"
#include "tool/tool.h"

static const char usage[] =
    "usage: srv6-sim figure 1b|1c|2a [--fabric FILE] [--bytes SIZE]... [--algorithm NAME]... "
    "[--seed N] [--json] [--svg FILE]\n"
    "\n"
    "  1b  completion time of an AlltoAll on the paper's fabric (128 hosts), nothing broken\n"
    "  1c  the same with half of leaf0-spine0 left\n"
    "  2a  probes that cover all equal-cost paths when a hash picks their paths, against SRv6\n"
    "\n"
    "  --fabric FILE     another fabric (1b, 1c)\n"
    "  --bytes SIZE      per rank (1b, 1c); several times: several sizes, instead of 1 MiB to 1 "
    "GiB\n"
    "  --algorithm NAME  only this (1b, 1c); may be given several times\n"
    "  --seed N          of what is drawn (2a); 1 without it\n"
    "  --json            one JSON document\n"
    "  --svg FILE        a plot\n"
    "  --help, --version\n";

enum {
    OPTION_FABRIC = OPTION_OWN,
    OPTION_BYTES,
    OPTION_ALGORITHM,
    OPTION_SVG,
};

static const struct option long_options[] = {
    OPTIONS_COMMON,
    {"fabric", required_argument, NULL, OPTION_FABRIC},
    {"bytes", required_argument, NULL, OPTION_BYTES},
    {"algorithm", required_argument, NULL, OPTION_ALGORITHM},
    {"svg", required_argument, NULL, OPTION_SVG},
    {0},
};

static const struct {
    const char *name;
    int (*draw)(const struct figure_options *options);
} figures[] = {
    {"1b", figure_times},
    {"1c", figure_times},
    {"2a", figure_coverage},
};

static int take_bytes(struct figure_options *options, const char *text) {
    uint64_t bytes = 0;
    if (!tool_parse_bytes(text, &bytes) || bytes == 0) {
        return tool_usage_error(SIM_NAME, usage, "--bytes: %s is no size", text);
    }
    if (options->bytes_count == FIGURE_SIZES_MAX) {
        return tool_usage_error(SIM_NAME, usage, "more than %d sizes", FIGURE_SIZES_MAX);
    }
    options->bytes[options->bytes_count++] = bytes;
    return GO_ON;
}

static int take_algorithm(struct figure_options *options, const char *name) {
    if (algorithm_find(name) == NULL || name[0] == '\0') {
        return tool_usage_error(SIM_NAME, usage, "unknown algorithm %s (there are %s)", name,
                                algorithm_names());
    }
    if (options->algorithm_count == FIGURE_ALGORITHMS_MAX) {
        return tool_usage_error(SIM_NAME, usage, "more than %d algorithms", FIGURE_ALGORITHMS_MAX);
    }
    options->algorithms[options->algorithm_count++] = name;
    return GO_ON;
}

static int take_option(void *context, int option) {
    struct figure_options *options = context;
    switch (option) {
    case OPTION_FABRIC:
        options->fabric = optarg;
        return GO_ON;
    case OPTION_BYTES:
        return take_bytes(options, optarg);
    case OPTION_ALGORITHM:
        return take_algorithm(options, optarg);
    case OPTION_SEED:
        return options_seed(usage, optarg, &options->seed);
    case OPTION_JSON:
        options->json = true;
        return GO_ON;
    case OPTION_SVG:
        options->svg = optarg;
        return GO_ON;
    }
    return GO_ON;
}

static const struct option_set option_set = {.usage = usage,
                                             .table = long_options,
                                             .take = take_option};

// An option that the figure would not heed is a mistake.
static int check_options(const struct figure_options *options) {
    if (strcmp(options->name, "2a") == 0 &&
        (options->fabric != NULL || options->bytes_count > 0 || options->algorithm_count > 0)) {
        return tool_usage_error(SIM_NAME, usage,
                                "figure 2a has no fabric, no sizes and no algorithms");
    }
    return GO_ON;
}

int figure_command(int argc, char **argv) {
    struct figure_options options = {.seed = 1};
    int rc = options_read(&option_set, &options, argc, argv);
    if (rc != GO_ON) {
        return rc;
    }
    if (optind == argc) {
        return tool_usage_error(SIM_NAME, usage, "no figure given (there are 1b, 1c, 2a)");
    }
    if (optind + 1 < argc) {
        return tool_usage_error(SIM_NAME, usage, "unexpected argument %s", argv[optind + 1]);
    }
    options.name = argv[optind];
    rc = check_options(&options);
    for (size_t i = 0; rc == GO_ON && i < sizeof figures / sizeof figures[0]; i++) {
        if (strcmp(options.name, figures[i].name) == 0) {
            return figures[i].draw(&options);
        }
    }
    return rc != GO_ON ? rc
                       : tool_usage_error(SIM_NAME, usage,
                                          "unknown figure %s (there are 1b, 1c, 2a)", options.name);
}
