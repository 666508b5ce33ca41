// SPDX-License-Identifier: Apache-2.0
#include "coverage.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

// One more probe: with k of n paths covered it finds a new one with probability (n - k) / n.
static void probe_once(double *covered, uint32_t paths) {
    for (uint32_t k = paths; k > 0; k--) {
        covered[k] = (covered[k] * k + covered[k - 1] * (paths - k + 1)) / paths;
    }
    covered[0] = 0;
}

int coverage_probes(uint32_t paths, const double *probabilities, unsigned count, uint64_t *probes) {
    assert(paths >= 1 && paths <= COVERAGE_PATHS_MAX);
    double *covered = calloc((size_t)paths + 1, sizeof covered[0]); // by number: how probable
    if (covered == NULL) {
        return -ENOMEM;
    }
    covered[0] = 1;
    uint64_t sent = 0;
    for (unsigned i = 0; i < count; i++) {
        assert(probabilities[i] > 0 && probabilities[i] < 1);
        while (covered[paths] < probabilities[i]) {
            probe_once(covered, paths);
            sent++;
        }
        probes[i] = sent;
    }
    free(covered);
    return 0;
}

static uint64_t draw_once(uint32_t paths, bool *seen, struct rng *rng) {
    uint64_t sent = 0;
    memset(seen, 0, paths * sizeof seen[0]);
    for (uint32_t covered = 0; covered < paths; sent++) {
        uint64_t path = rng_below(rng, paths);
        covered += !seen[path];
        seen[path] = true;
    }
    return sent;
}

static int compare_counts(const void *left, const void *right) {
    const uint64_t *a = left, *b = right;
    return (*a > *b) - (*a < *b);
}

int coverage_draw(uint32_t paths, const double *probabilities, unsigned count, uint32_t trials,
                  struct rng *rng, uint64_t *probes) {
    assert(paths >= 1 && paths <= COVERAGE_PATHS_MAX && trials > 0);
    bool *seen = calloc(paths, sizeof seen[0]);
    uint64_t *sent = calloc(trials, sizeof sent[0]);
    if (seen == NULL || sent == NULL) {
        free(seen);
        free(sent);
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < trials; i++) {
        sent[i] = draw_once(paths, seen, rng);
    }
    qsort(sent, trials, sizeof sent[0], compare_counts);
    for (unsigned i = 0; i < count; i++) {
        probes[i] = sent[(uint32_t)ceil(probabilities[i] * trials) - 1];
    }
    free(seen);
    free(sent);
    return 0;
}
