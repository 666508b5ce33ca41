// SPDX-License-Identifier: Apache-2.0
#include "fail.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct link_belief *beliefs_healthy(const struct fabric *fabric) {
    uint32_t count = fabric_link_count(fabric);
    struct link_belief *beliefs = calloc(count > 0 ? count : 1, sizeof beliefs[0]);
    for (uint32_t i = 0; beliefs != NULL && i < count; i++) {
        beliefs[i].capacity_ppm = CAPACITY_FULL_PPM;
    }
    return beliefs;
}

static bool parse_fraction(const char *text, uint32_t *ppm) {
    if (strspn(text, "0123456789.eE+-") != strlen(text) || text[0] == '\0') {
        return false;
    }
    char *end;
    double fraction = strtod(text, &end);
    if (*end != '\0' || !(fraction >= 0 && fraction <= 1)) {
        return false;
    }
    *ppm = (uint32_t)lround(fraction * CAPACITY_FULL_PPM);
    return true;
}

bool fail_find(const struct fabric *fabric, const char *name, struct fail_target *out) {
    char cables[LINK_NAME_SIZE];
    if (snprintf(cables, sizeof cables, "%s", name) >= (int)sizeof cables) {
        return false;
    }
    struct fail_target target = {.ways = {true, true}};
    char *arrow = strchr(cables, '>');
    node_id from = {ID_NONE};
    if (arrow != NULL) {
        *arrow = '\0';
        if (!fabric_find_node(fabric, cables, &from)) {
            return false;
        }
        *arrow = '-';
    }
    if (!fabric_find_cables(fabric, cables, &target.first, &target.count)) {
        return false;
    }
    if (arrow != NULL) {
        bool upward = fabric->cables[target.first.i].a.i == from.i;
        target.ways[0] = upward;
        target.ways[1] = !upward;
    }
    *out = target;
    return true;
}

static void apply(const struct fail_target *target, uint32_t ppm, struct link_belief *beliefs) {
    for (uint32_t i = 0; i < target->count; i++) {
        for (unsigned way = 0; way < 2; way++) {
            if (target->ways[way]) {
                link_id link = link_of((cable_id){target->first.i + i}, way == 1);
                beliefs[link.i].down = ppm == 0;
                beliefs[link.i].capacity_ppm = ppm;
            }
        }
    }
}

int fail_apply(const struct fabric *fabric, const char *option, struct link_belief *beliefs,
               struct error *error) {
    char name[LINK_NAME_SIZE];
    size_t size = strcspn(option, "=");
    if (size >= sizeof name) {
        return error_set(error, -ENOENT, "the fabric has no link %.72s...", option);
    }
    memcpy(name, option, size);
    name[size] = '\0';
    uint32_t ppm = 0;
    if (option[size] == '=' && !parse_fraction(option + size + 1, &ppm)) {
        return error_set(error, -EINVAL, "%.24s is no fraction of capacity from 0 to 1",
                         option + size + 1);
    }
    struct fail_target target;
    if (!fail_find(fabric, name, &target)) {
        return error_set(error, -ENOENT, "the fabric has no link %s", name);
    }
    apply(&target, ppm, beliefs);
    return 0;
}
