// SPDX-License-Identifier: Apache-2.0
#include "options.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inputs.h"
#include "tool/tool.h"

static bool parse_whole(const char *text, uint64_t *value) {
    errno = 0;
    *value = strtoull(text, NULL, 10);
    return text[0] != '\0' && strspn(text, "0123456789") == strlen(text) && errno == 0;
}

int options_seed(const char *usage, const char *text, uint64_t *seed) {
    uint64_t value;
    if (!parse_whole(text, &value)) {
        return tool_usage_error(SIM_NAME, usage, "--seed: %s is no whole number below 2^64", text);
    }
    *seed = value;
    return GO_ON;
}

int options_count(const char *usage, const char *name, const char *text, const uint32_t limits[2],
                  uint32_t *count) {
    uint64_t value;
    if (!parse_whole(text, &value) || value < limits[0] || value > limits[1]) {
        return tool_usage_error(SIM_NAME, usage, "%s: %s is no whole number from %u to %u", name,
                                text, limits[0], limits[1]);
    }
    *count = (uint32_t)value;
    return GO_ON;
}

int options_share(const char *usage, const char *name, const char *text, double *share) {
    char *end;
    double value = strtod(text, &end);
    if (text[0] == '\0' || *end != '\0' || !(value >= 0 && value <= 1)) {
        return tool_usage_error(SIM_NAME, usage, "%s: %s is no share from 0 to 1", name, text);
    }
    *share = value;
    return GO_ON;
}

static int take_any(const struct option_set *set, void *options, int option, char **argv) {
    switch (option) {
    case OPTION_HELP:
        fputs(set->usage, stdout);
        if (set->usage_end != NULL) {
            puts(set->usage_end());
        }
        return TOOL_OK;
    case OPTION_VERSION:
        tool_print_version(SIM_NAME);
        return TOOL_OK;
    case ':':
    case '?':
        return tool_usage_error(SIM_NAME, set->usage,
                                option == ':' ? "%s needs a value" : "unknown option %s",
                                argv[optind - 1]);
    default:
        return set->take(options, option);
    }
}

int options_read(const struct option_set *set, void *options, int argc, char **argv) {
    for (int option; (option = getopt_long(argc, argv, ":", set->table, NULL)) != -1;) {
        int rc = take_any(set, options, option, argv);
        if (rc != GO_ON) {
            return rc;
        }
    }
    return GO_ON;
}

int options_read_all(const struct option_set *set, void *options, int argc, char **argv) {
    int rc = options_read(set, options, argc, argv);
    return rc != GO_ON || optind == argc
               ? rc
               : tool_usage_error(SIM_NAME, set->usage, "unexpected argument %s", argv[optind]);
}
