// SPDX-License-Identifier: Apache-2.0
#include "pathalg/algorithm.h"

#include <string.h>

static const struct algorithm *const algorithms[] = {
    &algorithm_ecmp,
    &algorithm_ethereal,
    &algorithm_spray,
};

const struct algorithm *algorithm_find(const char *name) {
    if (name[0] == '\0') {
        return &algorithm_ethereal;
    }
    for (size_t i = 0; i < sizeof algorithms / sizeof algorithms[0]; i++) {
        if (strcmp(algorithms[i]->name, name) == 0) {
            return algorithms[i];
        }
    }
    return NULL;
}

const char *algorithm_names(void) {
    return "ecmp, ethereal, spray";
}
