// SPDX-License-Identifier: Apache-2.0
// How many probes it takes to cover n equal-cost paths when a hash picks each probe's path, as a
// probe without segments has it. (With segments it takes n: a probe names its path.)
#ifndef SIM_COVERAGE_H
#define SIM_COVERAGE_H

#include <stdint.h>

#include "model/rng.h"

#define COVERAGE_PATHS_MAX 4096

// Fewest probes that cover all paths with each probability (0 < p < 1, rising). Exact, up to double
// precision: the distribution of how many paths are covered is carried on from probe to probe,
// which only adds positive terms (the alternating sum of the closed form overflows). -ENOMEM.
int coverage_probes(uint32_t paths, const double *probabilities, unsigned count, uint64_t *probes);
// The same by drawing: quantiles of `trials` coupon collectors. -ENOMEM.
int coverage_draw(uint32_t paths, const double *probabilities, unsigned count, uint32_t trials,
                  struct rng *rng, uint64_t *probes);

#endif
