// SPDX-License-Identifier: Apache-2.0
// What the options of all srv6-sim commands have in common.
#ifndef SIM_OPTIONS_H
#define SIM_OPTIONS_H

#include <stdint.h>

#define GO_ON (-1) // no exit code yet

// GO_ON, or the exit code of a usage error that has been said.
int options_seed(const char *usage, const char *text, uint64_t *seed);
// Of the option `name`: a whole number within the limits; a share from 0 to 1.
int options_count(const char *usage, const char *name, const char *text, const uint32_t limits[2],
                  uint32_t *count);
int options_share(const char *usage, const char *name, const char *text, double *share);
// What getopt_long gives for an option that is unknown or lacks its value: says so, and returns the
// exit code.
int options_refuse(const char *usage, int option, char **argv);

#endif
