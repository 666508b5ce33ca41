// SPDX-License-Identifier: Apache-2.0
#include "run.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pathalg/algorithm.h"
#include "run_internal.h"

#define WARM_UP_NS (2 * NS_PER_S) // agents join, and learn what is broken from the beginning
#define MOVES_GAP_NS (5 * NS_PER_MS)

// ---- telling

static uint64_t scenario_ns(const struct run *run, uint64_t at_ns) {
    return at_ns > run->base_ns ? at_ns - run->base_ns : 0;
}

static void tell_moves(struct run *run) {
    struct moves moves = run->moves;
    run->moves = (struct moves){0};
    if (moves.moved.flows == 0) {
        return;
    }
    run->summary.flows_moved += moves.moved.flows;
    run->summary.moved_bytes += (uint64_t)llround(moves.moved.bytes);
    struct trace_line line = {.at_ns = scenario_ns(run, moves.first_at_ns),
                              .kind = "move",
                              .values = {{"flows", moves.moved.flows},
                                         {"hosts", moves.hosts},
                                         {"bytes", (uint64_t)llround(moves.moved.bytes)},
                                         {"span_ns", moves.last_at_ns - moves.first_at_ns}},
                              .value_count = 4};
    snprintf(line.text, sizeof line.text, "%u flows of %u hosts take other paths within %.3f ms",
             moves.moved.flows, moves.hosts, (double)(moves.last_at_ns - moves.first_at_ns) / 1e6);
    trace_write(run->trace, &line);
}

void run_write(struct run *run, struct trace_line *line) {
    tell_moves(run);
    line->at_ns = scenario_ns(run, fluid_now_ns(run->fluid));
    trace_write(run->trace, line);
}

void run_say(struct run *run, const char *kind, const char *subject, const char *format, ...) {
    struct trace_line line = {.kind = kind};
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line.text, sizeof line.text, format, arguments);
    va_end(arguments);
    snprintf(line.subject, sizeof line.subject, "%s", subject);
    run_write(run, &line);
}

static void write_watched(void *context, const struct trace_line *line) {
    struct run *run = context;
    struct trace_line copy = *line;
    run_write(run, &copy);
}

// ---- looking at what the fleet did

static void follow_rules(struct run *run) {
    uint64_t now_ns = fluid_now_ns(run->fluid);
    if (run->moves.moved.flows > 0 && now_ns - run->moves.last_at_ns > MOVES_GAP_NS) {
        tell_moves(run);
    }
    for (uint32_t host = 0; host < fleet_count(run->fleet); host++) {
        uint64_t changes = fleet_nic_changes(run->fleet, host);
        if (changes == run->nic_changes[host]) {
            continue;
        }
        run->nic_changes[host] = changes;
        uint32_t before = run->moves.moved.flows;
        flows_follow(&run->flows, host, &run->moves.moved);
        run->paths_changed = true;
        if (run->moves.moved.flows > before) {
            run->moves.first_at_ns = before == 0 ? now_ns : run->moves.first_at_ns;
            run->moves.last_at_ns = now_ns;
            run->moves.hosts++;
        }
    }
}

static void look_at_stalls(struct run *run) {
    if (!run->paths_changed) {
        return;
    }
    run->paths_changed = false;
    double bytes;
    uint32_t stalled = flows_count_stalled(&run->flows, &bytes);
    if (stalled > run->stalled) {
        struct trace_line line = {.kind = "stall", .values = {{"flows", stalled}}};
        line.value_count = 1;
        snprintf(line.text, sizeof line.text, "%u flows stall, with %.3f MiB", stalled,
                 bytes / 1048576.0);
        run_write(run, &line);
    } else if (stalled == 0 && run->stalled > 0) {
        run_say(run, "stall", "", "no flow stalls any more");
    }
    run->stalled = stalled;
}

// ---- time

static int happen(struct run *run, const struct item *item, struct error *error) {
    switch (item->kind) {
    case ITEM_EVENT:
        run_event(run, &run->scenario->events[item->index]);
        return 0;
    case ITEM_SUBMIT:
        return run_submit(run, item->index, error);
    case ITEM_BEGIN:
        return run_begin(run, item->index, error);
    case ITEM_REMOVE:
        run_remove(run, item->index);
        return 0;
    }
    return 0;
}

static uint64_t next_at_ns(struct run *run) {
    uint64_t next_ns = fleet_next_at_ns(run->fleet), fluid_ns = fluid_next_at_ns(run->fluid);
    next_ns = fluid_ns < next_ns ? fluid_ns : next_ns;
    if (run->next_item < run->item_count && run->items[run->next_item].at_ns < next_ns) {
        next_ns = run->items[run->next_item].at_ns;
    }
    for (uint32_t i = 0; i < run->scenario->job_count; i++) {
        if (run->adaptive[i] != NULL && run->adaptive[i]->next_at_ns < next_ns) {
            next_ns = run->adaptive[i]->next_at_ns;
        }
    }
    return next_ns < run->end_ns ? next_ns : run->end_ns;
}

static int step(struct run *run, struct error *error) {
    uint64_t now_ns = next_at_ns(run);
    bool quiet = now_ns < run->base_ns;
    flows_advance(&run->flows, now_ns);
    run_end_jobs(run);
    run_adapt(run);
    fleet_run(run->fleet, now_ns - fleet_now_ns(run->fleet));
    int rc = 0;
    while (rc == 0 && run->next_item < run->item_count &&
           run->items[run->next_item].at_ns <= now_ns) {
        rc = happen(run, &run->items[run->next_item++], error);
    }
    watch_tell(&run->watch, quiet, write_watched, run);
    follow_rules(run);
    look_at_stalls(run);
    int failed = fleet_error(run->fleet) != 0 ? fleet_error(run->fleet) : run->flows.error;
    failed = failed != 0 ? failed : run->watch.error;
    return rc == 0 && failed != 0 ? error_set(error, failed, "out of memory") : rc;
}

static int go(struct run *run, struct error *error) {
    int rc = 0;
    while (rc == 0 && fleet_now_ns(run->fleet) < run->end_ns) {
        rc = step(run, error);
    }
    return rc;
}

// ---- beginning and end

static int compare_items(const void *left, const void *right) {
    const struct item *a = left, *b = right;
    if (a->at_ns != b->at_ns) {
        return a->at_ns < b->at_ns ? -1 : 1;
    }
    if (a->kind != b->kind) {
        return a->kind < b->kind ? -1 : 1;
    }
    return a->index < b->index ? -1 : a->index > b->index;
}

static int plan_timeline(struct run *run) {
    const struct scenario *scenario = run->scenario;
    size_t room = (size_t)scenario->event_count + 3 * (size_t)scenario->job_count + 1;
    run->items = calloc(room, sizeof run->items[0]);
    if (run->items == NULL) {
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < scenario->event_count; i++) {
        run->items[run->item_count++] =
            (struct item){run->base_ns + scenario->events[i].at_ns, ITEM_EVENT, i};
    }
    for (uint32_t i = 0; i < scenario->job_count; i++) {
        const struct scenario_job *job = &scenario->jobs[i];
        uint64_t at_ns = run->base_ns + job->at_ns;
        run->items[run->item_count++] = (struct item){at_ns - job->lead_ns, ITEM_SUBMIT, i};
        run->items[run->item_count++] = (struct item){at_ns, ITEM_BEGIN, i};
        if (job->remove_at_ns != NEVER_NS) {
            run->items[run->item_count++] =
                (struct item){run->base_ns + job->remove_at_ns, ITEM_REMOVE, i};
        }
        const char *name = job->job.algorithm[0] != '\0' ? job->job.algorithm : scenario->algorithm;
        run->jobs[i] = (struct trace_job){.name = job->job.name,
                                          .algorithm = algorithm_find(name)->name,
                                          .bound_kind = "cut"};
    }
    qsort(run->items, run->item_count, sizeof run->items[0], compare_items);
    return 0;
}

static int run_open(struct run *run, uint64_t seed, struct error *error) {
    const struct fabric *fabric = run->scenario->fabric;
    struct fleet_options options = {.probe_interval_ns = run->scenario->probe_interval_ns,
                                    .seed = seed,
                                    .algorithm = run->scenario->algorithm,
                                    .on_note = watch_hear,
                                    .context = &run->watch};
    if (watch_init(&run->watch, fabric) != 0) {
        return error_set(error, -ENOMEM, "out of memory");
    }
    run->fleet = fleet_open(fabric, &options, error);
    if (run->fleet == NULL) {
        return error->code != 0 ? error->code : -ENOMEM;
    }
    run->watch.fleet = run->fleet;
    run->base_ns = fleet_now_ns(run->fleet) + WARM_UP_NS;
    run->end_ns = run->base_ns + run->scenario->until_ns;
    run->fluid = fluid_open(flows_link_count(fabric));
    run->physical = beliefs_healthy(fabric);
    run->nic_changes = calloc(fleet_count(run->fleet) + 1U, sizeof run->nic_changes[0]);
    if (run->fluid == NULL || run->physical == NULL || run->nic_changes == NULL ||
        flows_init(&run->flows, run->fleet, run->fluid, run->scenario->job_count) != 0 ||
        plan_timeline(run) != 0) {
        return error_set(error, -ENOMEM, "out of memory");
    }
    fluid_advance(run->fluid, fleet_now_ns(run->fleet), NULL, NULL);
    run_break_initially(run);
    return 0;
}

static void run_close(struct run *run) {
    for (uint32_t i = 0; i < SCENARIO_JOBS_MAX; i++) {
        adaptive_close(run->adaptive[i]);
    }
    flows_fini(&run->flows);
    fluid_close(run->fluid);
    watch_fini(&run->watch);
    fleet_close(run->fleet);
    free(run->physical);
    free(run->nic_changes);
    free(run->items);
    free(run);
}

static void summarize(struct run *run) {
    double bytes;
    tell_moves(run);
    run->summary.stalled_at_end = flows_count_stalled(&run->flows, &bytes);
    trace_begin_summary(run->trace);
    for (uint32_t i = 0; i < run->scenario->job_count; i++) {
        struct trace_job *job = &run->jobs[i];
        if (job->begun && !job->ended && !job->removed) {
            job->left_bytes = (uint64_t)llround(flows_left_bytes(&run->flows, i));
            run_leave_adaptive(run, i);
        }
        job->begin_at_ns = scenario_ns(run, job->begin_at_ns);
        job->end_at_ns = scenario_ns(run, job->end_at_ns);
        trace_write_job(run->trace, job);
    }
    run->summary.longest_stall_ns = run->flows.longest_stall_ns;
    trace_close(run->trace, &run->summary);
}

int run_scenario(const struct scenario *scenario, const char *name, uint64_t seed,
                 struct trace *trace, struct error *error) {
    struct run *run = calloc(1, sizeof *run);
    if (run == NULL) {
        return error_set(error, -ENOMEM, "out of memory");
    }
    run->scenario = scenario;
    run->trace = trace;
    run->seed = seed;
    int rc = run_open(run, seed, error);
    if (rc == 0) {
        trace_open(trace, name, scenario->fabric, seed);
        rc = go(run, error);
    }
    if (rc == 0) {
        summarize(run);
    }
    run_close(run);
    return rc;
}
