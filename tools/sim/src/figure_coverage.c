// SPDX-License-Identifier: Apache-2.0
// Figure 2(A): probes to cover all paths. A hash needs n times the logarithm of n and more, and is
// never sure; SRv6 needs n. The table has the exact numbers beside drawn ones.
#include <inttypes.h>
#include <stdio.h>

#include "coverage.h"
#include "figure.h"
#include "inputs.h"
#include "json_writer.h"
#include "tool/table.h"
#include "tool/tool.h"

#define TRIALS 10000
#define PATH_COUNTS 8
#define PROBABILITIES 5

static const uint32_t path_counts[PATH_COUNTS] = {4, 8, 16, 32, 64, 128, 256, 512};
static const double probabilities[PROBABILITIES] = {0.5, 0.9, 0.95, 0.99, 0.999};

struct coverage {
    uint64_t exact[PATH_COUNTS][PROBABILITIES], drawn[PATH_COUNTS][PROBABILITIES];
};

static int compute(struct coverage *coverage, uint64_t seed) {
    struct rng rng;
    rng_init(&rng, seed);
    for (unsigned i = 0; i < PATH_COUNTS; i++) {
        if (coverage_probes(path_counts[i], probabilities, PROBABILITIES, coverage->exact[i]) !=
                0 ||
            coverage_draw(path_counts[i], probabilities, PROBABILITIES, TRIALS, &rng,
                          coverage->drawn[i]) != 0) {
            return tool_error(SIM_NAME, TOOL_FAILED, NULL, "out of memory");
        }
    }
    return TOOL_OK;
}

static double ratio(const struct coverage *coverage, unsigned paths, unsigned probability) {
    return (double)coverage->exact[paths][probability] / path_counts[paths];
}

static void print_json(const struct coverage *coverage, uint64_t seed) {
    struct json_writer writer = {.out = stdout};
    writer_open(&writer, '{');
    writer_put_text(&writer, "figure", "2a");
    writer_put_u64(&writer, "seed", seed);
    writer_put_u64(&writer, "trials", TRIALS);
    writer_key(&writer, "rows");
    writer_open(&writer, '[');
    for (unsigned i = 0; i < PATH_COUNTS * PROBABILITIES; i++) {
        unsigned n = i / PROBABILITIES, p = i % PROBABILITIES;
        writer_open(&writer, '{');
        writer_put_u64(&writer, "paths", path_counts[n]);
        writer_put_real(&writer, "probability", probabilities[p]);
        writer_put_u64(&writer, "hash_probes", coverage->exact[n][p]);
        writer_put_u64(&writer, "hash_probes_drawn", coverage->drawn[n][p]);
        writer_put_u64(&writer, "srv6_probes", path_counts[n]);
        writer_put_real(&writer, "ratio", ratio(coverage, n, p));
        writer_close(&writer, '}');
    }
    writer_close(&writer, ']');
    writer_close(&writer, '}');
    putchar('\n');
}

static int print_table(const struct coverage *coverage, uint64_t seed) {
    static const struct tool_column columns[] = {
        {"PATHS", true},        {"PROBABILITY", true}, {"HASH", true},
        {"HASH (DRAWN)", true}, {"SRV6", true},        {"RATIO", true},
    };
    struct tool_table *table = tool_table_open(columns, sizeof columns / sizeof columns[0]);
    if (table == NULL) {
        return tool_error(SIM_NAME, TOOL_FAILED, NULL, "out of memory");
    }
    for (unsigned i = 0; i < PATH_COUNTS * PROBABILITIES; i++) {
        unsigned n = i / PROBABILITIES, p = i % PROBABILITIES;
        tool_table_cell(table, "%u", path_counts[n]);
        tool_table_cell(table, "%g", probabilities[p]);
        tool_table_cell(table, "%" PRIu64, coverage->exact[n][p]);
        tool_table_cell(table, "%" PRIu64, coverage->drawn[n][p]);
        tool_table_cell(table, "%u", path_counts[n]);
        tool_table_cell(table, "%.2f", ratio(coverage, n, p));
    }
    int code = figure_print_table(table);
    printf("\nProbes until every path was probed, with the probability given, when a hash picks "
           "each\nprobe's path: exact, and drawn %d times (seed %" PRIu64 "). With SRv6 a probe "
           "names its path: as\nmany probes as paths, and certainty.\n",
           TRIALS, seed);
    return code == TOOL_OK ? tool_flush(SIM_NAME) : code;
}

static int plot(const struct coverage *coverage, const char *file) {
    static const char *const labels[PATH_COUNTS] = {"4",  "8",   "16",  "32",
                                                    "64", "128", "256", "512"};
    static const char *const names[PROBABILITIES + 1] = {"hash, P = 0.5",   "hash, P = 0.9",
                                                         "hash, P = 0.95",  "hash, P = 0.99",
                                                         "hash, P = 0.999", "SRv6, certain"};
    double values[PROBABILITIES + 1][PATH_COUNTS];
    struct chart_series series[PROBABILITIES + 1];
    for (unsigned p = 0; p <= PROBABILITIES; p++) {
        for (unsigned n = 0; n < PATH_COUNTS; n++) {
            values[p][n] = p < PROBABILITIES ? ratio(coverage, n, p) : 1;
        }
        series[p] = (struct chart_series){names[p], values[p]};
    }
    const struct chart chart = {
        .title = "Probes to cover all equal-cost paths",
        .subtitle =
            "when a hash picks each probe's path, with probability P; and when SRv6 names it",
        .x_title = "equal-cost paths",
        .y_title = "probes per path",
        .labels = labels,
        .label_count = PATH_COUNTS,
        .series = series,
        .series_count = PROBABILITIES + 1,
        .lines = true,
    };
    return figure_plot(&chart, file);
}

int figure_coverage(const struct figure_options *options) {
    struct coverage coverage;
    int code = compute(&coverage, options->seed);
    if (code == TOOL_OK && options->svg != NULL) {
        code = plot(&coverage, options->svg);
    }
    if (code != TOOL_OK) {
        return code;
    }
    if (options->json) {
        print_json(&coverage, options->seed);
        return tool_flush(SIM_NAME);
    }
    return print_table(&coverage, options->seed);
}
