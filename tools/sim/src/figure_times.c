// SPDX-License-Identifier: Apache-2.0
// Figures 1(B) and 1(C): how long an AlltoAll takes under each way of choosing paths, on the
// paper's fabric as it is and with half of one leaf's link to one spine left.
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fail.h"
#include "figure.h"
#include "figure_cct.h"
#include "inputs.h"
#include "json_writer.h"
#include "model_yaml/fabric_file.h"
#include "tool/tool.h"

#define GBPS UINT64_C(1000000000)
#define MIB (UINT64_C(1) << 20)
#define HALF_LINK "leaf0-spine0=0.5"

static const char *const all_algorithms[] = {"ecmp", "qp-scaling", "spray", "ethereal", "shared"};
static const uint64_t all_sizes[] = {MIB, 4 * MIB, 16 * MIB, 64 * MIB, 256 * MIB, 1024 * MIB};

// What the paper reports against spraying for the half link.
static const struct {
    uint64_t bytes;
    double vs_spray;
    const char *text;
} reported[] = {
    {64 * MIB, -0.371, "paper: -37.1 %"},
    {1024 * MIB, -0.216, "paper: -21.6 %"},
};

struct times {
    const struct figure_options *options;
    struct fabric *fabric;
    struct link_belief *beliefs;
    const char *const *algorithms;
    unsigned algorithm_count;
    const uint64_t *sizes;
    unsigned size_count;
    struct cct cct[FIGURE_SIZES_MAX][FIGURE_ALGORITHMS_MAX];
    struct cct spray[FIGURE_SIZES_MAX];
    uint64_t bound_ns[FIGURE_SIZES_MAX];
};

static void complain(void *context, const struct error *error) {
    (void)context;
    tool_error(SIM_NAME, TOOL_FAILED, NULL, "%s", error->text);
}

// The same as tests/fabrics/paper-128.yaml.
static struct fabric *paper_fabric(void) {
    const struct fabric_clos_desc clos = {
        .kind = "leaf-spine",
        .leaves = 8,
        .spines = 8,
        .hosts_per_leaf = 16,
        .cables = 1,
        .ports_per_host = 1,
        .host_bps = 400 * GBPS,
        .fabric_bps = 400 * GBPS,
    };
    const struct fabric_desc desc = {
        .source = "figure",
        .version = 1,
        .generation = 1,
        .name = "paper-128",
        .block = "fcbb:bb00::/32",
        .clos = &clos,
    };
    return fabric_open(&desc, complain, NULL);
}

static bool is_half_link(const struct times *times) {
    return strcmp(times->options->name, "1c") == 0;
}

static int open_fabric(struct times *times) {
    const char *file = times->options->fabric;
    if (file == NULL) {
        times->fabric = paper_fabric();
    } else if (fabric_file_load(file, complain, NULL, &times->fabric) != 0) {
        return TOOL_FAILED;
    }
    times->beliefs = times->fabric != NULL ? beliefs_healthy(times->fabric) : NULL;
    if (times->beliefs == NULL) {
        return tool_error(SIM_NAME, TOOL_FAILED, NULL, "out of memory");
    }
    struct error error;
    if (is_half_link(times) && fail_apply(times->fabric, HALF_LINK, times->beliefs, &error) != 0) {
        return tool_error(SIM_NAME, TOOL_FAILED, file, "%s", error.text);
    }
    return TOOL_OK;
}

static void choose_rows(struct times *times) {
    const struct figure_options *options = times->options;
    times->algorithms = options->algorithm_count > 0 ? options->algorithms : all_algorithms;
    times->algorithm_count = options->algorithm_count > 0
                                 ? options->algorithm_count
                                 : sizeof all_algorithms / sizeof all_algorithms[0];
    times->sizes = options->bytes_count > 0 ? options->bytes : all_sizes;
    times->size_count =
        options->bytes_count > 0 ? options->bytes_count : sizeof all_sizes / sizeof all_sizes[0];
}

static int measure_size(struct times *times, unsigned size, struct error *error) {
    struct cct_case cct_case = {
        .fabric = times->fabric,
        .beliefs = times->beliefs,
        .algorithm = "spray",
        .bytes = times->sizes[size],
    };
    int rc = cct_bound(&cct_case, &times->bound_ns[size], error);
    if (rc == 0) {
        rc = cct_measure(&cct_case, &times->spray[size], error);
    }
    for (unsigned i = 0; i < times->algorithm_count && rc == 0; i++) {
        cct_case.algorithm = times->algorithms[i];
        if (strcmp(cct_case.algorithm, "spray") == 0) {
            times->cct[size][i] = times->spray[size];
        } else {
            rc = cct_measure(&cct_case, &times->cct[size][i], error);
        }
    }
    return rc;
}

static int measure(struct times *times) {
    struct error error = {0};
    for (unsigned i = 0; i < times->size_count; i++) {
        if (measure_size(times, i, &error) != 0) {
            return tool_error(SIM_NAME, TOOL_FAILED, NULL, "%s", error.text);
        }
    }
    return TOOL_OK;
}

// ---- results

// Against another time: -0.46 is 46 % less. A job too small to send anything takes no time.
static double against(uint64_t ns, uint64_t other_ns) {
    return other_ns > 0 ? (double)ns / (double)other_ns - 1 : 0;
}

// The least against spraying that is possible.
static double limit(const struct times *times, unsigned size) {
    return against(times->bound_ns[size], times->spray[size].drained_ns);
}

static void json_row(struct json_writer *writer, const struct times *times, unsigned size,
                     unsigned algorithm) {
    uint64_t cct_ns = times->cct[size][algorithm].cct_ns;
    writer_open(writer, '{');
    writer_put_u64(writer, "bytes", times->sizes[size]);
    writer_put_text(writer, "algorithm", times->algorithms[algorithm]);
    writer_put_u64(writer, "cct_ns", cct_ns);
    writer_put_real(writer, "vs_spray", against(cct_ns, times->spray[size].cct_ns));
    writer_put_real(writer, "vs_bound", against(cct_ns, times->bound_ns[size]));
    writer_close(writer, '}');
}

static void json_reported(struct json_writer *writer) {
    writer_key(writer, "reported");
    writer_open(writer, '[');
    for (size_t i = 0; i < sizeof reported / sizeof reported[0]; i++) {
        writer_open(writer, '{');
        writer_put_u64(writer, "bytes", reported[i].bytes);
        writer_put_real(writer, "vs_spray", reported[i].vs_spray);
        writer_close(writer, '}');
    }
    writer_close(writer, ']');
}

static int print_json(const struct times *times) {
    struct json_writer writer = {.out = stdout};
    writer_open(&writer, '{');
    writer_put_text(&writer, "figure", times->options->name);
    writer_put_text(&writer, "fabric", times->fabric->name);
    writer_key(&writer, "rows");
    writer_open(&writer, '[');
    for (unsigned i = 0; i < times->size_count; i++) {
        for (unsigned j = 0; j < times->algorithm_count; j++) {
            json_row(&writer, times, i, j);
        }
    }
    writer_close(&writer, ']');
    writer_put_real(&writer, "limit_vs_spray", limit(times, times->size_count - 1));
    if (is_half_link(times)) {
        json_reported(&writer);
    }
    writer_close(&writer, '}');
    putchar('\n');
    return tool_flush(SIM_NAME);
}

static void print_notes(const struct times *times) {
    printf("\nAlltoAll of all ports of %s%s, every part of every flow sent at once over links "
           "that are\nshared max-min fairly; a link takes %d ns. \"Bound\": the busiest leaf's "
           "links, or hosts'.\n",
           times->fabric->name, is_half_link(times) ? " with " HALF_LINK : "", CCT_LINK_LATENCY_NS);
    printf("Against spraying %.2f %% is the limit.", 100 * limit(times, times->size_count - 1));
    if (is_half_link(times)) {
        printf(" The paper reports %.1f %% at 64 MiB and %.1f %% at 1 GiB.",
               100 * reported[0].vs_spray, 100 * reported[1].vs_spray);
    }
    putchar('\n');
}

static int print_table(const struct times *times) {
    static const struct tool_column columns[] = {
        {"BYTES", true},    {"ALGORITHM", false}, {"TIME", true},
        {"VS SPRAY", true}, {"VS BOUND", true},
    };
    struct tool_table *table = tool_table_open(columns, sizeof columns / sizeof columns[0]);
    if (table == NULL) {
        return tool_error(SIM_NAME, TOOL_FAILED, NULL, "out of memory");
    }
    for (unsigned i = 0; i < times->size_count; i++) {
        for (unsigned j = 0; j < times->algorithm_count; j++) {
            char bytes[24];
            tool_format_bytes(times->sizes[i], bytes);
            tool_table_cell(table, "%s", bytes);
            tool_table_cell(table, "%s", times->algorithms[j]);
            tool_table_cell(table, "%.1f us", (double)times->cct[i][j].cct_ns / 1e3);
            tool_table_cell(table, "%+.2f %%",
                            100 * against(times->cct[i][j].cct_ns, times->spray[i].cct_ns));
            tool_table_cell(table, "%+.2f %%",
                            100 * against(times->cct[i][j].cct_ns, times->bound_ns[i]));
        }
    }
    int code = figure_print_table(table);
    print_notes(times);
    return code == TOOL_OK ? tool_flush(SIM_NAME) : code;
}

// ---- plot: time as a share of spraying's

struct plot {
    char label_texts[FIGURE_SIZES_MAX][24];
    const char *labels[FIGURE_SIZES_MAX];
    double values[FIGURE_ALGORITHMS_MAX][FIGURE_SIZES_MAX];
    struct chart_series series[FIGURE_ALGORITHMS_MAX];
    char subtitle[NAME_SIZE + 64];
    struct chart_note notes[3];
    unsigned note_count;
};

static void fill_series(const struct times *times, struct plot *plot) {
    for (unsigned i = 0; i < times->size_count; i++) {
        tool_format_bytes(times->sizes[i], plot->label_texts[i]);
        plot->labels[i] = plot->label_texts[i];
        for (unsigned j = 0; j < times->algorithm_count; j++) {
            plot->values[j][i] = 1 + against(times->cct[i][j].cct_ns, times->spray[i].cct_ns);
        }
    }
    for (unsigned j = 0; j < times->algorithm_count; j++) {
        plot->series[j] = (struct chart_series){times->algorithms[j], plot->values[j]};
    }
}

static void fill_notes(const struct times *times, struct plot *plot) {
    plot->notes[plot->note_count++] =
        (struct chart_note){"least possible", 1 + limit(times, times->size_count - 1), -1};
    for (unsigned i = 0; is_half_link(times) && i < times->size_count; i++) {
        for (size_t j = 0; j < sizeof reported / sizeof reported[0]; j++) {
            if (times->sizes[i] == reported[j].bytes && plot->note_count < 3) {
                plot->notes[plot->note_count++] =
                    (struct chart_note){reported[j].text, 1 + reported[j].vs_spray, (int)i};
            }
        }
    }
}

static int write_plot(const struct times *times) {
    struct plot plot = {.note_count = 0};
    fill_series(times, &plot);
    fill_notes(times, &plot);
    snprintf(plot.subtitle, sizeof plot.subtitle, "%u hosts of %s, %s", times->fabric->host_count,
             times->fabric->name,
             is_half_link(times) ? "half of leaf0-spine0 left" : "nothing broken");
    const struct chart chart = {
        .title = "Completion time of an AlltoAll",
        .subtitle = plot.subtitle,
        .x_title = "bytes per rank",
        .y_title = "completion time / that of spraying",
        .labels = plot.labels,
        .label_count = times->size_count,
        .series = plot.series,
        .series_count = times->algorithm_count,
        .notes = plot.notes,
        .note_count = plot.note_count,
    };
    return figure_plot(&chart, times->options->svg);
}

int figure_times(const struct figure_options *options) {
    struct times *times = calloc(1, sizeof *times);
    if (times == NULL) {
        return tool_error(SIM_NAME, TOOL_FAILED, NULL, "out of memory");
    }
    times->options = options;
    int code = open_fabric(times);
    if (code == TOOL_OK) {
        choose_rows(times);
        code = measure(times);
    }
    if (code == TOOL_OK && options->svg != NULL) {
        code = write_plot(times);
    }
    if (code == TOOL_OK) {
        code = options->json ? print_json(times) : print_table(times);
    }
    free(times->beliefs);
    fabric_close(times->fabric);
    free(times);
    return code;
}
