// SPDX-License-Identifier: Apache-2.0
// What the parts of bench_paths share: each prints its figures, one line of JSON each. See the
// script tests/bench/paths, which adds what other programs measure.
#ifndef BENCH_PATHS_H
#define BENCH_PATHS_H

#include <stdint.h>

// goal: "<= 1.02", ">= 1.12", "= 1.875" (to three digits), "~ 1.219" (within 0.02) in the same
// unit, or "" for none. How it was got goes with it, so that a reader can get it again.
struct bench_figure {
    const char *section, *name;
    double value;
    const char *unit, *goal, *how;
};
void bench_print(const struct bench_figure *figure);

// Each prints its section. Memory must come first, because its processes begin as large as this one
// is.
void bench_memory(void);
void bench_times(void);
void bench_quality(uint32_t rounds);
void bench_broken(uint32_t rounds);

#endif
