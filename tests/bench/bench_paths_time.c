// SPDX-License-Identifier: Apache-2.0
// What one agent needs: CPU time of a plan from nothing and of a plan after one link event, and
// memory. CPU time, not time on the wall, because the machine may be shared.
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench_paths.h"
#include "path_trial.h"

#define RUNS_MAX 41

struct size {
    const char *name;
    uint32_t leaves, spines, hosts_per_leaf;
    const char *full_goal, *event_goal, *memory_goal;
    unsigned runs;
};

static const struct size sizes[] = {
    {"8x8x16", 8, 8, 16, "<= 1", "", "", 41},
    {"64x16x16", 64, 16, 16, "<= 5", "", "", 21},
    {"64x64x16", 64, 64, 16, "<= 20", "", "", 11},
    {"512x64x32", 512, 64, 32, "<= 500", "<= 20", "<= 64", 5},
};
#define SIZE_COUNT (sizeof sizes / sizeof sizes[0])

static double cpu_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double median(double *values, unsigned count) {
    qsort(values, count, sizeof values[0], compare);
    return values[count / 2];
}

static void open_size(struct path_fixture *fixture, const struct size *size,
                      enum trial_traffic traffic) {
    struct rng rng;
    rng_init(&rng, 1);
    fixture_leaf_spine(fixture, size->leaves, size->spines, size->hosts_per_leaf, 1);
    trial_send(fixture, &rng, traffic);
    fixture->input.algorithm = "shared";
}

static void print(const struct size *size, const char *section, const char *what, double value,
                  const char *goal, const char *how) {
    char name[80];
    bool memory = strcmp(section, "memory") == 0;
    snprintf(name, sizeof name, "%s, %s", size->name, what);
    bench_print(&(struct bench_figure){section, name, value, memory ? "MiB" : "ms", goal, how});
}

static double full_ms(const struct path_fixture *fixture, unsigned runs) {
    double values[RUNS_MAX];
    node_id host = {fixture->fabric->host_count / 2};
    for (unsigned i = 0; i < runs; i++) {
        struct plan plan;
        plan_init(&plan);
        double before = cpu_ms();
        int rc = plan_host(&fixture->input, host, &plan, NULL);
        values[i] = cpu_ms() - before;
        assert(rc == 0);
        plan_fini(&plan);
    }
    return median(values, runs);
}

// Cables between switches die one after the other and come back; *worst is the slowest plan.
static double event_ms(struct path_fixture *fixture, unsigned runs, double *worst) {
    double values[RUNS_MAX];
    node_id host = {fixture->fabric->host_count / 2};
    struct planner *planner;
    struct plan plan;
    struct rng rng;
    rng_init(&rng, 1);
    plan_init(&plan);
    int rc = planner_open(fixture->fabric, &planner);
    assert(rc == 0);
    rc = planner_plan(planner, &fixture->input, host, &plan, NULL);
    assert(rc == 0);
    link_id link = {0};
    for (unsigned i = 0; i < runs; i++) {
        while (i % 2 == 0 && !fabric_link_is_internal(fixture->fabric, link)) {
            link.i = (uint32_t)rng_below(&rng, fabric_link_count(fixture->fabric));
        }
        fixture->beliefs[link.i].down = i % 2 == 0;
        fixture->beliefs[link_opposite(link).i].down = i % 2 == 0;
        double before = cpu_ms();
        planner_forget_beliefs(planner);
        rc = planner_plan(planner, &fixture->input, host, &plan, NULL);
        values[i] = cpu_ms() - before;
        assert(rc == 0);
        link.i = i % 2 == 0 ? link.i : 0;
    }
    fixture->beliefs[link.i].down = fixture->beliefs[link_opposite(link).i].down = false;
    plan_fini(&plan);
    planner_close(planner);
    double middle = median(values, runs);
    *worst = values[runs - 1];
    return middle;
}

static void time_sparse(const struct size *size, enum trial_traffic traffic) {
    struct path_fixture fixture;
    char what[60];
    open_size(&fixture, size, traffic);
    snprintf(what, sizeof what, "%s, from nothing", trial_traffic_name(traffic));
    print(size, "time", what, full_ms(&fixture, size->runs), "", "plan_host, CPU time, p50");
    fixture_close(&fixture);
}

void bench_times(void) {
    for (unsigned i = 0; i < SIZE_COUNT; i++) {
        const struct size *size = &sizes[i];
        struct path_fixture fixture;
        double worst;
        open_size(&fixture, size, TRIAL_ALLTOALL);
        print(size, "time", "alltoall, from nothing", full_ms(&fixture, size->runs),
              size->full_goal, "plan_host, CPU time, p50");
        double middle = event_ms(&fixture, size->runs, &worst);
        print(size, "time", "alltoall, after a link event", middle, size->event_goal,
              "planner_forget_beliefs + planner_plan, CPU time, p50");
        print(size, "time", "alltoall, after a link event, slowest", worst, "", "the same, most");
        fixture_close(&fixture);
        time_sparse(size, TRIAL_RING);
        if (size->leaves * size->hosts_per_leaf <= 1024) {
            time_sparse(size, TRIAL_SKEWED); // a matrix has at most 1,024 ranks
        }
    }
}

static double peak_mib(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_maxrss / 1024;
}

// Peak before the plan (the fabric and the job), with a plan from nothing, and with one more after
// a link event.
static void measure_memory(const struct size *size, int out) {
    struct path_fixture fixture;
    double peaks[3], worst;
    open_size(&fixture, size, TRIAL_ALLTOALL);
    peaks[0] = peak_mib();
    full_ms(&fixture, 1);
    peaks[1] = peak_mib();
    event_ms(&fixture, 2, &worst);
    peaks[2] = peak_mib();
    fixture_close(&fixture);
    ssize_t size_written = write(out, peaks, sizeof peaks);
    _exit(size_written == sizeof peaks ? 0 : 1);
}

void bench_memory(void) {
    for (unsigned i = 0; i < SIZE_COUNT; i++) {
        int pipe_fds[2], status;
        double peaks[3];
        int rc = pipe(pipe_fds);
        assert(rc == 0);
        pid_t child = fork();
        assert(child >= 0);
        if (child == 0) {
            measure_memory(&sizes[i], pipe_fds[1]);
        }
        ssize_t got = read(pipe_fds[0], peaks, sizeof peaks);
        waitpid(child, &status, 0);
        assert(got == sizeof peaks && status == 0);
        close(pipe_fds[0]);
        close(pipe_fds[1]);
        const char *how = "ru_maxrss of a process of its own";
        print(&sizes[i], "memory", "before planning", peaks[0], "", how);
        print(&sizes[i], "memory", "alltoall, from nothing", peaks[1], sizes[i].memory_goal, how);
        print(&sizes[i], "memory", "alltoall, after a link event", peaks[2], sizes[i].memory_goal,
              how);
    }
}
