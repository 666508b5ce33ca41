// SPDX-License-Identifier: Apache-2.0
// What the options of all srv6-sim commands have in common.
#ifndef SIM_OPTIONS_H
#define SIM_OPTIONS_H

#include <getopt.h>
#include <stdint.h>

#define GO_ON (-1) // no exit code yet

// A command's options. `table` begins with OPTIONS_COMMON and ends with {0}; its own options are
// numbered from OPTION_OWN on.
enum { OPTION_HELP = 1, OPTION_VERSION, OPTION_JSON, OPTION_SEED, OPTION_OWN };
#define OPTIONS_COMMON                                                                             \
    {"help", no_argument, NULL, OPTION_HELP}, {"version", no_argument, NULL, OPTION_VERSION},      \
        {"json", no_argument, NULL, OPTION_JSON}, {                                                \
        "seed", required_argument, NULL, OPTION_SEED                                               \
    }

struct option_set {
    const char *usage;
    const char *(*usage_end)(void); // what --help prints after it; NULL: nothing
    const struct option *table;
    // One option, its value in optarg; GO_ON or the exit code of a usage error that has been said.
    int (*take)(void *options, int option);
};

// Hands every option to `take`, but for --help and --version, which it answers. GO_ON, or the exit
// code. Arguments are left from optind on.
int options_read(const struct option_set *set, void *options, int argc, char **argv);
// The same for a command without arguments.
int options_read_all(const struct option_set *set, void *options, int argc, char **argv);

// GO_ON, or the exit code of a usage error that has been said.
int options_seed(const char *usage, const char *text, uint64_t *seed);
// Of the option `name`: a whole number within the limits; a share from 0 to 1.
int options_count(const char *usage, const char *name, const char *text, const uint32_t limits[2],
                  uint32_t *count);
int options_share(const char *usage, const char *name, const char *text, double *share);
#endif
