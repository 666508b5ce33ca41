// SPDX-License-Identifier: Apache-2.0
// What the mlx5 driver costs on an emulated card (libfakecx.so, preloaded):
//
//   bench_nic FLOWS PATHS MOVES ROUNDS      rows of JSON on stdout, one a line; tests/bench/nic
//   reads them
//
// The driver and the bare library take turns, round by round, so that a machine that slows down
// slows both.
#include "bench_nic.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "nicdrv_mlx5/mlx5.h"

#define SPORTS 4096 // of a destination
#define FIRST_SPORT 0xc000
#define PATHS_MAX 1024
#define IDLE_APPLIES 200
#define CLASS_SETS 2

void die(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "bench_nic: ");
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n");
    va_end(arguments);
    exit(1);
}

static uint64_t read_clock(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

uint64_t wall_ns(void) {
    return read_clock(CLOCK_MONOTONIC);
}

uint64_t cpu_ns(void) {
    return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

// ---- samples

void samples_add(struct samples *samples, double value) {
    if (samples->count == samples->capacity) {
        samples->capacity = samples->capacity > 0 ? 2 * samples->capacity : 256;
        samples->values = realloc(samples->values, samples->capacity * sizeof samples->values[0]);
        if (samples->values == NULL) {
            die("no memory for samples");
        }
    }
    samples->values[samples->count++] = value;
}

static int compare_values(const void *left, const void *right) {
    const double *a = left, *b = right;
    return *a < *b ? -1 : *a > *b;
}

double samples_quantile(struct samples *samples, double of_1) {
    if (samples->count == 0) {
        die("a measure without samples");
    }
    qsort(samples->values, samples->count, sizeof samples->values[0], compare_values);
    return samples->values[(uint32_t)(of_1 * (samples->count - 1) + 0.5)];
}

// ---- rules

struct load {
    uint32_t flows, paths, moves, rounds;
};

struct state { // which encapsulation each path has now
    uint8_t variant[PATHS_MAX];
};

static struct encap encap_of(uint32_t path, uint32_t variant) {
    struct encap encap = {.source = {0xfc, 0xbb, 0xbb, 0, 1}, .sids = {.count = 1}};
    encap.sids.sids[0] = (struct sid){
        {0xfc, 0xbb, 0xbb, 0, (uint8_t)(path >> 8), (uint8_t)path, (uint8_t)variant, 1, 0, 2}};
    return encap;
}

// Flow f goes to the path f modulo their number.
static void build(const struct load *load, const struct state *state, struct rule_set *set) {
    struct error error = {0};
    rule_set_clear(set);
    for (uint32_t f = 0; f < load->flows; f++) {
        uint32_t path = f % load->paths;
        struct encap encap = encap_of(path, state->variant[path]);
        struct rule rule = {.match = {.destination = {0x20, 0x01, 0x0d, 0xb8},
                                      .key_kind = RULE_KEY_SPORT,
                                      .key = FIRST_SPORT + f % SPORTS},
                            .path_count = 1};
        rule.match.destination[15] = (uint8_t)(f / SPORTS);
        if (rule_set_intern(set, &encap, &rule.encap[0]) != 0 || rule_set_add(set, &rule) != 0) {
            die("no memory for %u rules", load->flows);
        }
    }
    if (rule_set_seal(set, &error) != 0) {
        die("%s", error.text);
    }
}

// ---- the driver

struct measures {
    struct samples insert_rate, insert_library; // rules a second, share of the time
    struct samples move_us, move_cpu_us, switch_us, cold_us;
    struct samples move_library, move_library_cpu, move_calls;
    struct samples idle_us, idle_calls, again_us, again_calls;
    struct samples floor_insert_rate, floor_move_us;
};

static struct nic *open_nic(uint32_t classes) {
    struct nic_options options = {
        .device = "lo",
        .pin_dir = "",
        .holder = "",
        .eswitch = {.vport = 1,
                    .vport_mac = {2, 0, 0, 0, 0, 1},
                    .gateway_mac = {2, 0, 0, 0, 0, 2},
                    .traffic_classes = {0x6a, 0x02, 0xc0, 0x00},
                    .class_count = classes},
    };
    struct error error = {0};
    struct nic *nic;
    if (nic_driver_mlx5_direct.open(&options, &nic, &error) != 0) {
        die("%s", error.text);
    }
    return nic;
}

static void apply(struct nic *nic, const struct rule_set *set) {
    struct error error = {0};
    if (nic_apply(nic, set, &error) != 0) {
        die("%s", error.text);
    }
}

static void measure_insert(struct nic *nic, const struct rule_set *set, struct measures *out) {
    calls_clear();
    uint64_t began = wall_ns();
    apply(nic, set);
    double took_ns = (double)(wall_ns() - began);
    struct calls calls = calls_take();
    samples_add(&out->insert_rate, (double)calls.count[CALL_RULE_CREATE] / (took_ns / 1e9));
    samples_add(&out->insert_library, (double)calls.ns / took_ns);
}

static void check_move(const struct calls *calls, uint32_t classes) {
    if (calls->count[CALL_RULE_CREATE] != classes || calls->count[CALL_RULE_DESTROY] != classes) {
        die("a move made %" PRIu64 " rules and removed %" PRIu64 ", of %u classes",
            calls->count[CALL_RULE_CREATE], calls->count[CALL_RULE_DESTROY], classes);
    }
}

// Path after path, first to an encapsulation that the card has never seen, then there and back.
static void measure_moves(struct nic *nic, const struct load *load, uint32_t classes,
                          struct state *state, struct measures *out) {
    struct rule_set set;
    rule_set_init(&set);
    for (uint32_t m = 0; m < load->moves + load->paths; m++) {
        uint32_t path = m % load->paths;
        state->variant[path] ^= 1;
        build(load, state, &set);
        calls_clear();
        uint64_t cpu = cpu_ns(), began = wall_ns();
        apply(nic, &set);
        double us = (double)(wall_ns() - began) / 1e3, cpu_us = (double)(cpu_ns() - cpu) / 1e3;
        struct calls calls = calls_take();
        check_move(&calls, classes);
        if (m < load->paths) {
            samples_add(&out->cold_us, us);
            continue;
        }
        samples_add(&out->move_us, us);
        samples_add(&out->move_cpu_us, cpu_us);
        samples_add(&out->switch_us, (double)(calls.rules_done_at_ns - began) / 1e3);
        samples_add(&out->move_library, (double)calls.ns / 1e3);
        samples_add(&out->move_library_cpu, (double)calls.cpu_ns / 1e3);
        samples_add(&out->move_calls, (double)calls_total(&calls));
    }
    rule_set_fini(&set);
}

// Through nic_apply, and by the driver itself, as after a restart.
static void measure_idle(struct nic *nic, const struct load *load, const struct state *state,
                         struct measures *out) {
    struct rule_set set;
    rule_set_init(&set);
    build(load, state, &set);
    for (uint32_t i = 0; i < 2 * IDLE_APPLIES; i++) {
        nic->unsettled = i % 2 == 1;
        calls_clear();
        uint64_t began = wall_ns();
        apply(nic, &set);
        double us = (double)(wall_ns() - began) / 1e3;
        struct calls calls = calls_take();
        samples_add(i % 2 == 0 ? &out->idle_us : &out->again_us, us);
        samples_add(i % 2 == 0 ? &out->idle_calls : &out->again_calls,
                    (double)(calls_total(&calls) - calls.count[CALL_SYNC]));
    }
    rule_set_fini(&set);
}

static void drive(const struct load *load, uint32_t classes, struct measures *out) {
    static struct state state;
    struct rule_set set;
    struct nic *nic = open_nic(classes);
    state = (struct state){0};
    rule_set_init(&set);
    build(load, &state, &set);
    measure_insert(nic, &set, out);
    measure_moves(nic, load, classes, &state, out);
    measure_idle(nic, load, &state, out);
    rule_set_fini(&set);
    nic_close(nic, true);
}

// ---- rows

static void row(const char *section, const char *name, double value, const char *unit,
                const char *goal, const char *how) {
    printf("{\"section\":\"%s\",\"name\":\"%s\",\"value\":%.6g,\"unit\":\"%s\",\"goal\":\"%s\","
           "\"how\":\"%s\"}\n",
           section, name, value, unit, goal, how);
}

static void rows_of_quantiles(const char *section, const char *what, struct samples *samples,
                              const char *goal_p99, const char *how) {
    static const struct {
        const char *name;
        double of_1;
    } quantiles[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"max", 1}};
    char name[128];
    for (size_t q = 0; q < sizeof quantiles / sizeof quantiles[0]; q++) {
        snprintf(name, sizeof name, "%s, %s", what, quantiles[q].name);
        row(section, name, samples_quantile(samples, quantiles[q].of_1), "us",
            quantiles[q].of_1 == 0.99 ? goal_p99 : "", how);
    }
}

static void rows_of_moves(const char *section, struct measures *m) {
    rows_of_quantiles(section, "path move, in the library", &m->move_library, "<= 1000",
                      "time within mlx5dv calls of one nic_apply, on the wall");
    rows_of_quantiles(section, "path move, in the library, CPU", &m->move_library_cpu, "<= 1000",
                      "the same by the thread's CPU time, which other programs do not lengthen");
    rows_of_quantiles(
        section, "path move, until the rules are changed", &m->switch_us, "",
        "from the call of nic_apply to the end of the last rule_destroy, on the wall");
    rows_of_quantiles(section, "path move, whole nic_apply", &m->move_us, "",
                      "on the wall; all flows compared, reformats known");
    rows_of_quantiles(section, "path move, whole nic_apply, CPU", &m->move_cpu_us, "",
                      "the same by the thread's CPU time");
    rows_of_quantiles(section, "path move to an unknown encapsulation", &m->cold_us, "",
                      "on the wall, with reformats that the firmware has to make");
    rows_of_quantiles(
        section, "floor: path move", &m->floor_move_us, "",
        "mlx5dv_dr rule_create, rule_destroy, domain_sync and nothing else, on the wall");
    row(section, "path move, library calls, most", samples_quantile(&m->move_calls, 1), "calls", "",
        "one rule a class made and removed; reading counters, draining the ring");
    row(section, "path move: in the library / floor, p50",
        samples_quantile(&m->move_library, 0.5) / samples_quantile(&m->floor_move_us, 0.5), "x", "",
        "medians of this run");
    row(section, "path move: whole nic_apply / floor, p50",
        samples_quantile(&m->move_us, 0.5) / samples_quantile(&m->floor_move_us, 0.5), "x", "",
        "medians of this run");
}

static void rows_of_the_rest(const char *section, struct measures *m) {
    row(section, "insertion, driver", samples_quantile(&m->insert_rate, 0.5), "rules/s", "",
        "all rules of the first nic_apply, median of the rounds");
    row(section, "insertion, floor", samples_quantile(&m->floor_insert_rate, 0.5), "rules/s", "",
        "mlx5dv_dr rule_create and nothing else");
    row(section, "insertion: driver / floor",
        samples_quantile(&m->insert_rate, 0.5) / samples_quantile(&m->floor_insert_rate, 0.5), "x",
        "", "medians of this run");
    row(section, "insertion: share of the time in the library",
        100 * samples_quantile(&m->insert_library, 0.5), "%", "", "median of the rounds");
    row(section, "unchanged set, nic_apply, p50", samples_quantile(&m->idle_us, 0.5), "us", "",
        "the set is compared");
    row(section, "unchanged set, nic_apply, library calls", samples_quantile(&m->idle_calls, 1),
        "calls", "= 0", "the most of any time");
    row(section, "unchanged set, driver asked again, p50", samples_quantile(&m->again_us, 0.5),
        "us", "", "unsettled: the layout is made and compared");
    row(section, "unchanged set, driver asked again, library calls",
        samples_quantile(&m->again_calls, 1), "calls", "= 0",
        "but for draining the ring, which is empty");
}

static uint32_t number(const char *text, uint32_t most) {
    char *rest;
    unsigned long value = strtoul(text, &rest, 10);
    if (*rest != '\0' || value == 0 || value > most) {
        die("%s: a number from 1 to %u", text, most);
    }
    return (uint32_t)value;
}

int main(int argc, char **argv) {
    static const uint32_t classes[CLASS_SETS] = {1, 4};
    static struct measures measures[CLASS_SETS];
    if (argc != 5) {
        die("FLOWS PATHS MOVES ROUNDS");
    }
    struct load load = {number(argv[1], RULES_MAX), number(argv[2], PATHS_MAX),
                        number(argv[3], 1000000), number(argv[4], 100)};
    for (uint32_t round = 0; round < load.rounds; round++) {
        for (uint32_t c = 0; c < CLASS_SETS; c++) {
            struct measures *m = &measures[c];
            struct floor_result floor = {&m->floor_insert_rate, &m->floor_move_us};
            drive(&load, classes[c], m);
            floor_run(load.flows, load.moves, classes[c], &floor);
        }
    }
    for (uint32_t c = 0; c < CLASS_SETS; c++) {
        char section[32];
        snprintf(section, sizeof section, "%u traffic class%s", classes[c],
                 classes[c] > 1 ? "es" : "");
        rows_of_moves(section, &measures[c]);
        rows_of_the_rest(section, &measures[c]);
    }
    return 0;
}
