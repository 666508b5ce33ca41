// SPDX-License-Identifier: Apache-2.0
#include "locate_command.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "figure.h"
#include "inputs.h"
#include "json_writer.h"
#include "locate_trial.h"
#include "options.h"
#include "tool/table.h"
#include "tool/tool.h"

#define CAP_PER_CABLE 4000
#define ROUNDS 30
#define TRIALS_DEFAULT 100
#define TRIALS_MAX 10000
#define ROWS_MAX (TRIAL_SCHEMES * WORLD_CASES)

static const char usage[] =
    "usage: srv6-sim locate [--hosts N] [--cables N] [--trials N] [--seed N] [--json]\n"
    "\n"
    "Breaks something in a leaf-spine fabric and says how many probes per cable it takes until it\n"
    "is named: by the agents' own scheme, by pings whose paths a hash picks (and somebody knows),\n"
    "and by hairpins over each cable in turn.\n"
    "\n"
    "  --hosts N   256 without it; 16 a leaf where that divides them, else one\n"
    "  --cables N  between leaves and spines; 256 without it\n"
    "  --trials N  of each case and scheme; 100 without it\n"
    "  --seed N    chance begins with N; 1 without it\n"
    "  --json      one JSON document\n"
    "  --help, --version\n";

enum {
    OPTION_HOSTS = OPTION_OWN,
    OPTION_CABLES,
    OPTION_TRIALS,
};

static const struct option long_options[] = {
    OPTIONS_COMMON,
    {"hosts", required_argument, NULL, OPTION_HOSTS},
    {"cables", required_argument, NULL, OPTION_CABLES},
    {"trials", required_argument, NULL, OPTION_TRIALS},
    {0},
};

struct options {
    uint32_t hosts, cables, trials;
    uint64_t seed;
    bool json;
};

struct row {
    enum trial_scheme scheme;
    enum world_case which;
    double mean, p95; // probes per cable; what was not located counts as the cap
    uint32_t located, right, false_down, false_other;
};

struct report {
    const struct options *options;
    struct world world;
    struct locate_loops loops;
    struct row rows[ROWS_MAX];
    uint32_t row_count;
};

static const char *const scheme_names[TRIAL_SCHEMES] = {"srv6-steer", "ecmp", "hairpins"};

// ---- options

static int take_option(void *context, int option) {
    struct options *options = context;
    static const uint32_t sizes[] = {2, 4096}, cables[] = {4, 4096}, trials[] = {1, TRIALS_MAX};
    switch (option) {
    case OPTION_HOSTS:
        return options_count(usage, "--hosts", optarg, sizes, &options->hosts);
    case OPTION_CABLES:
        return options_count(usage, "--cables", optarg, cables, &options->cables);
    case OPTION_TRIALS:
        return options_count(usage, "--trials", optarg, trials, &options->trials);
    case OPTION_SEED:
        return options_seed(usage, optarg, &options->seed);
    case OPTION_JSON:
        options->json = true;
        return GO_ON;
    }
    return GO_ON;
}

static const struct option_set option_set = {.usage = usage,
                                             .table = long_options,
                                             .take = take_option};

// ---- trials

static int compare(const void *a, const void *b) {
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

// Every trial has a seed of its own, the same for all schemes: they see the same faults.
static int run_trial(struct report *report, struct row *row, uint32_t number, uint64_t *probes) {
    struct rng rng;
    rng_init(&rng, hash_pair(report->options->seed, hash_pair(row->which, number)));
    world_break(&report->world, row->which, &rng);
    const struct trial trial = {.world = &report->world,
                                .loops = &report->loops,
                                .scheme = row->scheme,
                                .cap = (uint64_t)CAP_PER_CABLE * report->options->cables};
    struct trial_outcome outcome;
    int rc = row->scheme == TRIAL_OURS ? trial_run_ours(&trial, &rng, &outcome)
                                       : trial_run_baseline(&trial, &rng, &outcome);
    if (rc != 0) {
        return rc;
    }
    *probes = outcome.probes;
    row->located += outcome.located;
    row->right += outcome.right;
    row->false_down += outcome.false_down;
    row->false_other += outcome.false_other;
    return 0;
}

static int run_row(struct report *report, enum trial_scheme scheme, enum world_case which) {
    uint32_t trials = report->options->trials;
    uint64_t *probes = calloc(trials, sizeof *probes);
    struct row *row = &report->rows[report->row_count++];
    *row = (struct row){.scheme = scheme, .which = which};
    int rc = probes == NULL ? -ENOMEM : 0;
    double sum = 0;
    for (uint32_t i = 0; i < trials && rc == 0; i++) {
        rc = run_trial(report, row, i, &probes[i]);
        sum += (double)probes[i];
    }
    if (rc == 0) {
        qsort(probes, trials, sizeof *probes, compare);
        row->mean = sum / trials / report->options->cables;
        row->p95 = (double)probes[(trials * 95 + 99) / 100 - 1] / report->options->cables;
    }
    free(probes);
    return rc;
}

// The baselines name single links only: they are not asked for more.
static bool is_for(enum trial_scheme scheme, enum world_case which) {
    return scheme == TRIAL_OURS || which <= WORLD_HEALTHY;
}

static int run_rows(struct report *report) {
    int rc = 0;
    for (enum world_case which = 0; which < WORLD_CASES; which++) {
        for (enum trial_scheme scheme = 0; scheme < TRIAL_SCHEMES && rc == 0; scheme++) {
            if (is_for(scheme, which)) {
                rc = run_row(report, scheme, which);
            }
        }
    }
    return rc;
}

// ---- output

static void put_row(struct json_writer *writer, const struct row *row, uint32_t trials) {
    writer_open(writer, '{');
    writer_put_text(writer, "case", world_case_name(row->which));
    writer_put_text(writer, "scheme", scheme_names[row->scheme]);
    writer_put_real(writer, "probes_per_cable", row->mean);
    writer_put_real(writer, "probes_per_cable_p95", row->p95);
    writer_put_real(writer, "located", (double)row->located / trials);
    writer_put_real(writer, "right", (double)row->right / trials);
    writer_put_u64(writer, "false_down", row->false_down);
    writer_put_u64(writer, "false_other", row->false_other);
    writer_close(writer, '}');
}

static int print_json(const struct report *report) {
    const struct options *options = report->options;
    struct json_writer writer = {.out = stdout};
    writer_open(&writer, '{');
    writer_put_u64(&writer, "hosts", options->hosts);
    writer_put_u64(&writer, "cables", options->cables);
    writer_put_u64(&writer, "trials", options->trials);
    writer_put_u64(&writer, "seed", options->seed);
    writer_put_u64(&writer, "cap_per_cable", CAP_PER_CABLE);
    writer_put_real(&writer, "background_loss", WORLD_BACKGROUND);
    writer_key(&writer, "rows");
    writer_open(&writer, '[');
    for (uint32_t i = 0; i < report->row_count; i++) {
        put_row(&writer, &report->rows[i], options->trials);
    }
    writer_close(&writer, ']');
    writer_close(&writer, '}');
    putchar('\n');
    return tool_flush(SIM_NAME);
}

static void add_cells(struct tool_table *table, const struct row *row, double trials) {
    tool_table_cell(table, "%s", world_case_name(row->which));
    tool_table_cell(table, "%s", scheme_names[row->scheme]);
    if (row->which == WORLD_HEALTHY) {
        tool_table_cell(table, "-");
        tool_table_cell(table, "-");
        tool_table_cell(table, "-");
    } else {
        tool_table_cell(table, "%.2f", row->mean);
        tool_table_cell(table, "%.2f", row->p95);
        tool_table_cell(table, "%.1f %%", 100 * row->located / trials);
    }
    tool_table_cell(table, "%.1f %%", 100 * row->right / trials);
    tool_table_cell(table, "%u", row->false_down);
    tool_table_cell(table, "%u", row->false_other);
}

static int print_table(const struct report *report) {
    static const struct tool_column columns[] = {
        {"CASE", false},   {"SCHEME", false}, {"PROBES/CABLE", true}, {"P95", true},
        {"LOCATED", true}, {"RIGHT", true},   {"FALSE DOWN", true},   {"FALSE OTHER", true},
    };
    struct tool_table *table = tool_table_open(columns, sizeof columns / sizeof columns[0]);
    if (table == NULL) {
        return tool_error(SIM_NAME, TOOL_FAILED, NULL, "out of memory");
    }
    for (uint32_t i = 0; i < report->row_count; i++) {
        add_cells(table, &report->rows[i], report->options->trials);
    }
    int code = figure_print_table(table);
    printf("\nProbes until the fault was named, over %u cables, of %u trials each (seed %llu); at "
           "most\n%d a cable, which is what counts where it was not located. Healthy links lose "
           "%g.\nRight: all faults were named, with direction, and nothing else. For hairpins, "
           "which\ncannot tell directions apart, the cable is enough.\n",
           report->options->cables, report->options->trials,
           (unsigned long long)report->options->seed, CAP_PER_CABLE, WORLD_BACKGROUND);
    return code == TOOL_OK ? tool_flush(SIM_NAME) : code;
}

// ---- the command

static int run_and_print(struct report *report) {
    const struct options *options = report->options;
    int rc = world_open(&report->world, options->hosts, options->cables);
    if (rc == -EINVAL) {
        return tool_usage_error(SIM_NAME, usage,
                                "%u hosts and %u cables make no fabric of leaves and spines",
                                options->hosts, options->cables);
    }
    if (rc == 0) {
        rc = locate_loops_make(&report->loops, report->world.fabric, ROUNDS, (port_id){ID_NONE});
        rc = rc == 0 ? run_rows(report) : rc;
        locate_loops_free(&report->loops);
        world_close(&report->world);
    }
    if (rc != 0) {
        return tool_error(SIM_NAME, TOOL_FAILED, NULL, "%s", strerror(-rc));
    }
    return options->json ? print_json(report) : print_table(report);
}

int locate_command(int argc, char **argv) {
    struct options options = {.hosts = 256, .cables = 256, .trials = TRIALS_DEFAULT, .seed = 1};
    int code = options_read_all(&option_set, &options, argc, argv);
    if (code != GO_ON) {
        return code;
    }
    struct report report = {.options = &options};
    return run_and_print(&report);
}
