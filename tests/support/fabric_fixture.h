// SPDX-License-Identifier: Apache-2.0
// Fabrics for tests, and a collector for what a check complains about. Owned by the caller
// (fabric_close); a description that is refused ends the program, because the fixture would be
// wrong.
#ifndef SUPPORT_FABRIC_FIXTURE_H
#define SUPPORT_FABRIC_FIXTURE_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/fabric.h"

#define COLLECTED_MAX 64

struct collected {
    unsigned count;
    char text[COLLECTED_MAX][ERROR_TEXT_SIZE];
};

static inline void collect(void *context, const struct error *error) {
    struct collected *collected = context;
    if (collected->count < COLLECTED_MAX) {
        memcpy(collected->text[collected->count], error->text, ERROR_TEXT_SIZE);
    }
    collected->count++;
}

static inline void complain_aloud(void *context, const struct error *error) {
    (void)context;
    fprintf(stderr, "%s\n", error->text);
}

static inline struct fabric *fixture_clos_generation(const struct fabric_clos_desc *clos,
                                                     uint64_t generation) {
    struct fabric_desc desc = {.source = "fixture",
                               .version = 1,
                               .generation = generation,
                               .name = "fixture",
                               .block = "fcbb:bb00::/32",
                               .clos = clos};
    struct fabric *fabric = fabric_open(&desc, complain_aloud, NULL);
    if (fabric == NULL) {
        abort();
    }
    return fabric;
}

static inline struct fabric *fixture_clos(const struct fabric_clos_desc *clos) {
    return fixture_clos_generation(clos, 1);
}

static inline struct fabric *fixture_leaf_spine(uint32_t leaves, uint32_t spines,
                                                uint32_t hosts_per_leaf, uint32_t cables,
                                                uint32_t ports_per_host) {
    struct fabric_clos_desc clos = {.kind = "leaf-spine",
                                    .leaves = leaves,
                                    .spines = spines,
                                    .hosts_per_leaf = hosts_per_leaf,
                                    .cables = cables,
                                    .ports_per_host = ports_per_host,
                                    .host_bps = 100000000000,
                                    .fabric_bps = 400000000000};
    return fixture_clos(&clos);
}

static inline struct fabric *fixture_three_tier(uint32_t pods, uint32_t leaves_per_pod,
                                                uint32_t aggs_per_pod, uint32_t cores,
                                                uint32_t hosts_per_leaf, uint32_t cables) {
    struct fabric_clos_desc clos = {.kind = "three-tier",
                                    .pods = pods,
                                    .leaves_per_pod = leaves_per_pod,
                                    .aggs_per_pod = aggs_per_pod,
                                    .cores = cores,
                                    .hosts_per_leaf = hosts_per_leaf,
                                    .cables = cables,
                                    .host_bps = 100000000000,
                                    .fabric_bps = 400000000000};
    return fixture_clos(&clos);
}

#endif
