// SPDX-License-Identifier: Apache-2.0
// What a scrape costs: the text of an agent that sends a thousand flows, made from a real engine of
// a fleet in memory, wall time and CPU time of each. Prints one JSON document.
//
//   bench_metrics [ROUNDS]
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "agent_bed.h"
#include "model/time.h"

#define JOBS 9 // of 128 ranks: h0 sends to 112 hosts beyond its leaf in each
#define ROUNDS_DEFAULT 200
#define ROUNDS_MAX 100000

static uint64_t read_clock_ns(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static int compare(const void *a, const void *b) {
    uint64_t first = *(const uint64_t *)a, second = *(const uint64_t *)b;
    return (first > second) - (first < second);
}

static json_t *spread(uint64_t *times, size_t count) {
    qsort(times, count, sizeof(*times), compare);
    return json_pack("{s:I, s:I, s:I}", "p50", (json_int_t)times[count / 2], "p99",
                     (json_int_t)times[count * 99 / 100], "max", (json_int_t)times[count - 1]);
}

static json_t *measure(struct agent *agent, enum metric_format format, size_t rounds) {
    uint64_t *wall_ns = calloc(rounds, sizeof(*wall_ns)), *cpu_ns = calloc(rounds, sizeof(*cpu_ns));
    size_t size = 0;
    for (size_t i = 0; wall_ns != NULL && cpu_ns != NULL && i < rounds; i++) {
        char *text = NULL;
        uint64_t wall = read_clock_ns(CLOCK_MONOTONIC),
                 cpu = read_clock_ns(CLOCK_THREAD_CPUTIME_ID);
        if (agent_metrics_text(agent, format, &text, &size) != 0) {
            abort();
        }
        cpu_ns[i] = read_clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu;
        wall_ns[i] = read_clock_ns(CLOCK_MONOTONIC) - wall;
        free(text);
    }
    json_t *out =
        json_pack("{s:s, s:I, s:o, s:o}", "format",
                  format == METRIC_CLASSIC ? "classic" : "openmetrics", "bytes", (json_int_t)size,
                  "cpu_ns", spread(cpu_ns, rounds), "wall_ns", spread(wall_ns, rounds));
    free(wall_ns);
    free(cpu_ns);
    return out;
}

int main(int argc, char **argv) {
    static const struct fleet_shape shape = {.clos_kind = "leaf-spine",
                                             .leaves = 8,
                                             .spines = 8,
                                             .hosts_per_leaf = 16,
                                             .cables = 1,
                                             .probe_interval_ns = 10 * NS_PER_MS,
                                             .seed = 1};
    size_t rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : ROUNDS_DEFAULT;
    if (rounds == 0 || rounds > ROUNDS_MAX) {
        fprintf(stderr, "usage: bench_metrics [ROUNDS], 1 to %d\n", ROUNDS_MAX);
        return 2;
    }
    struct agent_bed *bed = agent_bed_open_of(&shape, JOBS);
    const struct plan *plan = engine_plan(bed->agent.engine);
    uint64_t beyond = 0;
    for (uint32_t i = 0; i < plan->flow_count; i++) {
        beyond += !plan->flows[i].local && engine_plain_reason(bed->agent.engine, i) == NULL;
    }
    json_t *formats = json_array();
    json_array_append_new(formats, measure(&bed->agent, METRIC_CLASSIC, rounds));
    json_array_append_new(formats, measure(&bed->agent, METRIC_OPENMETRICS, rounds));
    json_t *out = json_pack("{s:I, s:I, s:I, s:I, s:o}", "flows", (json_int_t)plan->flow_count,
                            "steered_flows", (json_int_t)beyond, "links",
                            (json_int_t)fabric_link_count(fleet_fabric(bed->sim)), "rounds",
                            (json_int_t)rounds, "scrapes", formats);
    int rc = json_dumpf(out, stdout, JSON_INDENT(1) | JSON_PRESERVE_ORDER) == 0 ? 0 : 1;
    putchar('\n');
    json_decref(out);
    agent_bed_close(bed);
    return rc;
}
