// SPDX-License-Identifier: Apache-2.0
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "inputs.h"
#include "tool/tool.h"

int options_seed(const char *usage, const char *text, uint64_t *seed) {
    errno = 0;
    uint64_t value = strtoull(text, NULL, 10);
    if (text[0] == '\0' || strspn(text, "0123456789") != strlen(text) || errno != 0) {
        return tool_usage_error(SIM_NAME, usage, "--seed: %s is no whole number below 2^64", text);
    }
    *seed = value;
    return GO_ON;
}

int options_refuse(const char *usage, int option, char **argv) {
    return tool_usage_error(SIM_NAME, usage,
                            option == ':' ? "%s needs a value" : "unknown option %s",
                            argv[optind - 1]);
}
