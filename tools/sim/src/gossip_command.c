// SPDX-License-Identifier: Apache-2.0
#include "gossip_command.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "inputs.h"
#include "json_writer.h"
#include "model/time.h"
#include "options.h"
#include "swarm_event.h"
#include "tool/tool.h"

static const char usage[] =
    "usage: srv6-sim gossip --hosts N [--dead SHARE] [--dark-racks N] [--stall SHARE:MS] "
    "[--drop SHARE] [--profile NAME] [--event link-down] [--neighbours K] [--unsigned] [--seed N] "
    "[--json]\n"
    "\n"
    "Runs the gossip of the agents on N hosts in virtual time, has one of them report a link, and\n"
    "says when the others knew and what it took.\n"
    "\n"
    "  --hosts N          in racks of 32\n"
    "  --dead SHARE       this share of the hosts, 0 to 1, has died and nobody knows yet\n"
    "  --dark-racks N     so have all hosts of N racks\n"
    "  --stall SHARE:MS   what this share of ordered pairs of hosts send each other is late\n"
    "  --drop SHARE       this share of all messages is lost\n"
    "  --profile NAME     what hosts are like: idle; busy (contended processors, pauses; the\n"
    "                     default); halting (as busy, but pauses are the whole host's)\n"
    "  --event link-down  what is told\n"
    "  --neighbours K     of each host; 8 without it\n"
    "  --unsigned         hosts do not sign what they write; --signed: they do\n"
    "  --seed N           chance begins with N; 1 without it\n"
    "  --json             one JSON document\n"
    "  --help, --version\n";

enum {
    OPTION_HOSTS = OPTION_OWN,
    OPTION_DEAD,
    OPTION_DARK_RACKS,
    OPTION_STALL,
    OPTION_DROP,
    OPTION_PROFILE,
    OPTION_EVENT,
    OPTION_NEIGHBOURS,
    OPTION_SIGNED,
    OPTION_UNSIGNED,
};

static const struct option long_options[] = {
    OPTIONS_COMMON,
    {"hosts", required_argument, NULL, OPTION_HOSTS},
    {"dead", required_argument, NULL, OPTION_DEAD},
    {"dark-racks", required_argument, NULL, OPTION_DARK_RACKS},
    {"stall", required_argument, NULL, OPTION_STALL},
    {"drop", required_argument, NULL, OPTION_DROP},
    {"profile", required_argument, NULL, OPTION_PROFILE},
    {"event", required_argument, NULL, OPTION_EVENT},
    {"neighbours", required_argument, NULL, OPTION_NEIGHBOURS},
    {"signed", no_argument, NULL, OPTION_SIGNED},
    {"unsigned", no_argument, NULL, OPTION_UNSIGNED},
    {0},
};

static const uint32_t host_limits[] = {2, GOSSIP_MEMBERS_MAX};
static const uint32_t rack_limits[] = {0, GOSSIP_MEMBERS_MAX / SWARM_RACK_HOSTS};
static const uint32_t neighbour_limits[] = {2, 16};
static const uint32_t stall_limits[] = {1, 60000};

struct options {
    struct swarm_config swarm;
    enum swarm_profile profile;
    double stall_share, loss_share;
    uint32_t stall_ms;
    bool json;
};

// ---- options

static int take_stall(struct options *options, const char *text) {
    char share[32];
    const char *colon = strchr(text, ':');
    if (colon == NULL || colon - text >= (ptrdiff_t)sizeof share) {
        return tool_usage_error(SIM_NAME, usage,
                                "--stall: %s is no share and milliseconds, such as 0.125:200",
                                text);
    }
    snprintf(share, sizeof share, "%.*s", (int)(colon - text), text);
    int rc = options_share(usage, "--stall", share, &options->stall_share);
    return rc != GO_ON
               ? rc
               : options_count(usage, "--stall", colon + 1, stall_limits, &options->stall_ms);
}

static int take_option(void *context, int option) {
    struct options *options = context;
    switch (option) {
    case OPTION_HOSTS:
        return options_count(usage, "--hosts", optarg, host_limits, &options->swarm.hosts);
    case OPTION_DEAD:
        return options_share(usage, "--dead", optarg, &options->swarm.dead_share);
    case OPTION_DARK_RACKS:
        return options_count(usage, "--dark-racks", optarg, rack_limits,
                             &options->swarm.dark_racks);
    case OPTION_STALL:
        return take_stall(options, optarg);
    case OPTION_DROP:
        return options_share(usage, "--drop", optarg, &options->loss_share);
    case OPTION_PROFILE:
        return swarm_profile_find(optarg, &options->profile)
                   ? GO_ON
                   : tool_usage_error(SIM_NAME, usage,
                                      "unknown profile %s (there are idle, busy, halting)", optarg);
    case OPTION_EVENT:
        return strcmp(optarg, "link-down") == 0
                   ? GO_ON
                   : tool_usage_error(SIM_NAME, usage, "unknown event %s (there is link-down)",
                                      optarg);
    case OPTION_NEIGHBOURS:
        return options_count(usage, "--neighbours", optarg, neighbour_limits,
                             &options->swarm.neighbours);
    case OPTION_SIGNED:
    case OPTION_UNSIGNED:
        options->swarm.sign = option == OPTION_SIGNED;
        return GO_ON;
    case OPTION_SEED:
        return options_seed(usage, optarg, &options->swarm.seed);
    case OPTION_JSON:
        options->json = true;
        return GO_ON;
    }
    return GO_ON;
}

static const struct option_set option_set = {.usage = usage,
                                             .table = long_options,
                                             .take = take_option};

static int parse_options(struct options *options, int argc, char **argv) {
    int rc = options_read_all(&option_set, options, argc, argv);
    if (rc != GO_ON) {
        return rc;
    }
    if (options->swarm.hosts == 0) {
        return tool_usage_error(SIM_NAME, usage, "--hosts N is missing");
    }
    return GO_ON;
}

// ---- output

struct report {
    const struct options *options;
    struct swarm_model model;
    struct swarm_outcome outcome;
    uint64_t elapsed_ns, peak_bytes;
};

static void put_time(struct json_writer *writer, const char *key, uint64_t time_ns) {
    writer_key(writer, key);
    if (time_ns == NEVER_NS) {
        writer_null(writer);
    } else {
        writer_u64(writer, time_ns);
    }
}

static void put_options(struct json_writer *writer, const struct options *options) {
    writer_put_u64(writer, "seed", options->swarm.seed);
    writer_put_text(writer, "event", "link-down");
    writer_put_text(writer, "profile", swarm_profile_name(options->profile));
    writer_key(writer, "signed");
    writer_bool(writer, options->swarm.sign);
}

static void put_model(struct json_writer *writer, const struct swarm_model *model) {
    writer_key(writer, "model");
    writer_open(writer, '{');
    writer_put_u64(writer, "send_ns", model->send_ns);
    writer_put_u64(writer, "receive_ns", model->receive_ns);
    writer_put_u64(writer, "verify_ns", model->verify_ns);
    writer_put_u64(writer, "wire_rack_ns", model->wire_rack_ns);
    writer_put_u64(writer, "wire_ns", model->wire_ns);
    writer_put_real(writer, "wake_median_ns", model->wake_median_ns);
    writer_put_real(writer, "wake_sigma", model->wake_sigma);
    writer_put_real(writer, "pause_share", model->pause_share);
    writer_put_u64(writer, "pause_max_ns", model->pause_max_ns);
    writer_close(writer, '}');
}

static int print_json(const struct report *report) {
    const struct swarm_outcome *outcome = &report->outcome;
    struct json_writer writer = {.out = stdout};
    writer_open(&writer, '{');
    writer_put_u64(&writer, "hosts", report->options->swarm.hosts);
    writer_put_u64(&writer, "live", outcome->live);
    put_time(&writer, "all_know_ns", outcome->all_know_ns);
    put_time(&writer, "p50_ns", outcome->p50_ns);
    put_time(&writer, "p99_ns", outcome->p99_ns);
    writer_put_u64(&writer, "missing", outcome->missing);
    writer_put_real(&writer, "bytes_per_host", outcome->bytes_per_host);
    writer_put_real(&writer, "messages_per_host", outcome->messages_per_host);
    put_options(&writer, report->options);
    put_model(&writer, &report->model);
    writer_put_u64(&writer, "resident_bytes_per_host", outcome->resident_bytes);
    writer_put_u64(&writer, "memory_bytes", report->peak_bytes);
    writer_put_u64(&writer, "elapsed_ns", report->elapsed_ns);
    writer_close(&writer, '}');
    putchar('\n');
    return tool_flush(SIM_NAME);
}

static void print_time(const char *what, uint64_t time_ns) {
    char text[24] = "never";
    if (time_ns != NEVER_NS) {
        tool_format_duration(time_ns, text);
    }
    printf("%-28s%s\n", what, text);
}

static int print_text(const struct report *report) {
    const struct swarm_outcome *outcome = &report->outcome;
    char core[24], peak[24];
    tool_format_bytes(outcome->resident_bytes, core);
    tool_format_bytes(report->peak_bytes, peak);
    printf("%-28s%u, %u live\n", "hosts", report->options->swarm.hosts, outcome->live);
    print_time("half of the others know", outcome->p50_ns);
    print_time("99 % know", outcome->p99_ns);
    print_time("all know", outcome->all_know_ns);
    printf("%-28s%u\n", "missing", outcome->missing);
    printf("%-28s%.2f\n", "messages per live host", outcome->messages_per_host);
    printf("%-28s%.0f\n", "bytes per live host", outcome->bytes_per_host);
    printf("%-28s%s per live host, %s in all\n", "memory", core, peak);
    print_time("computed in", report->elapsed_ns);
    return tool_flush(SIM_NAME);
}

// ---- the command

static uint64_t clock_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * NS_PER_S + (uint64_t)time.tv_nsec;
}

static int run(struct report *report, struct error *error) {
    const struct options *options = report->options;
    uint64_t begin_ns = clock_ns();
    report->model = swarm_model_make(options->profile, options->swarm.seed);
    report->model.verify_ns = options->swarm.sign ? report->model.verify_ns : 0;
    report->model.loss_share = options->loss_share;
    report->model.stall_share = options->stall_share;
    report->model.stall_ns = options->stall_ms * NS_PER_MS;
    int rc = swarm_tell_link_down(&options->swarm, &report->model, &report->outcome, error);
    struct rusage used = {0};
    getrusage(RUSAGE_SELF, &used);
    report->peak_bytes = (uint64_t)used.ru_maxrss * 1024;
    report->elapsed_ns = clock_ns() - begin_ns;
    return rc;
}

int gossip_command(int argc, char **argv) {
    struct options options = {.profile = SWARM_BUSY, .swarm = {.seed = 1, .sign = true}};
    int code = parse_options(&options, argc, argv);
    if (code != GO_ON) {
        return code;
    }
    struct report report = {.options = &options};
    struct error error;
    int rc = run(&report, &error);
    if (rc == -EINVAL) {
        return tool_usage_error(SIM_NAME, usage, "%s", error.text);
    }
    if (rc != 0) {
        return tool_error(SIM_NAME, TOOL_FAILED, NULL, "%s", error.text);
    }
    code = options.json ? print_json(&report) : print_text(&report);
    if (code == TOOL_OK && report.outcome.missing > 0) {
        return tool_error(SIM_NAME, TOOL_FAILED, NULL,
                          "after ten seconds %u live hosts did not know", report.outcome.missing);
    }
    return code;
}
