// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "model_yaml/job_file.h"

static bool find_unit(const char *text, uint64_t *factor) {
    static const struct {
        const char *name;
        uint64_t factor;
    } units[] = {
        {"", 1},
        {"B", 1},
        {"KB", UINT64_C(1000)},
        {"MB", UINT64_C(1000000)},
        {"GB", UINT64_C(1000000000)},
        {"TB", UINT64_C(1000000000000)},
        {"KiB", UINT64_C(1) << 10},
        {"MiB", UINT64_C(1) << 20},
        {"GiB", UINT64_C(1) << 30},
        {"TiB", UINT64_C(1) << 40},
    };
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(text, units[i].name) == 0) {
            *factor = units[i].factor;
            return true;
        }
    }
    return false;
}

bool bytes_text_parse(const char *text, uint64_t *bytes) {
    uint64_t value = 0, factor;
    const char *at = text;
    for (; *at >= '0' && *at <= '9'; at++) {
        if (__builtin_mul_overflow(value, UINT64_C(10), &value) ||
            __builtin_add_overflow(value, (uint64_t)(*at - '0'), &value)) {
            return false;
        }
    }
    if (at == text || !find_unit(at, &factor) || __builtin_mul_overflow(value, factor, &value)) {
        return false;
    }
    *bytes = value;
    return true;
}
