// SPDX-License-Identifier: Apache-2.0
// tests/bench/paths: see the script of that name.
#include "bench_paths.h"

#include <stdio.h>
#include <stdlib.h>

#define ROUNDS 60 // as prop_paths

void bench_print(const struct bench_figure *figure) {
    printf("{\"section\":\"%s\",\"name\":\"%s\",\"value\":%.10g,\"unit\":\"%s\",\"goal\":\"%s\","
           "\"how\":\"%s\"}\n",
           figure->section, figure->name, figure->value, figure->unit, figure->goal, figure->how);
    fflush(stdout);
}

int main(void) {
    const char *rounds = getenv("ROUNDS");
    bench_memory();
    bench_times();
    bench_quality(ROUNDS);
    bench_broken(rounds != NULL ? (uint32_t)strtoul(rounds, NULL, 0) : ROUNDS);
    return 0;
}
