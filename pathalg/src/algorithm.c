// SPDX-License-Identifier: Apache-2.0
#include "pathalg/algorithm.h"

#include <string.h>

// One line for each algorithm, in order of names.
#define ALGORITHMS(EACH)                                                                           \
    EACH(adaptive, "adaptive")                                                                     \
    EACH(ecmp, "ecmp")                                                                             \
    EACH(ethereal, "ethereal")                                                                     \
    EACH(flowlet, "flowlet")                                                                       \
    EACH(qp_scaling, "qp-scaling")                                                                 \
    EACH(shared, "shared")                                                                         \
    EACH(spray, "spray")                                                                           \
    EACH(spray_random, "spray-random")                                                             \
    EACH(weighted, "weighted")

#define TABLE_ENTRY(id, name) &algorithm_##id,
#define LIST_ENTRY(id, name) ", " name

static const struct algorithm *const algorithms[] = {ALGORITHMS(TABLE_ENTRY)};

static const struct algorithm *default_of(uint32_t version) {
    return version < algorithm_shared.since_version ? &algorithm_ethereal : &algorithm_shared;
}

const struct algorithm *algorithm_find_version(const char *name, uint32_t version) {
    if (name[0] == '\0') {
        return default_of(version);
    }
    for (size_t i = 0; i < sizeof algorithms / sizeof algorithms[0]; i++) {
        if (strcmp(algorithms[i]->name, name) == 0) {
            return algorithms[i]->since_version <= version ? algorithms[i] : NULL;
        }
    }
    return NULL;
}

const struct algorithm *algorithm_find(const char *name) {
    return algorithm_find_version(name, PLAN_VERSION);
}

const char *algorithm_names(void) {
    static const char names[] = ALGORITHMS(LIST_ENTRY);
    return names + strlen(", ");
}
