// SPDX-License-Identifier: Apache-2.0
#include "scenario.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/time.h"
#include "model_yaml/fabric_file.h"
#include "model_yaml/job_file.h"
#include "pathalg/algorithm.h"
#include "scenario_internal.h"
#include "tool/tool.h"

#define PATH_SIZE 4096
#define INTERVAL_MIN_NS (10 * NS_PER_US)

uint32_t scenario_line(const struct scenario_reader *reader, const char *list, uint32_t index,
                       const char *key) {
    char path[64];
    snprintf(path, sizeof path, "%s[%u]%s%s", list, index, key != NULL ? "." : "",
             key != NULL ? key : "");
    return yaml_text_line(reader->yaml, path);
}

uint64_t scenario_span(const struct scenario_reader *reader, const char *text, const char *what,
                       uint32_t line) {
    uint64_t span_ns;
    if (!tool_parse_duration(text, &span_ns) || span_ns > SCENARIO_SPAN_MAX_NS) {
        complaints_add(reader->complaints, line,
                       "%s: %.40s: a time such as 1500ms or 2s expected, at most an hour", what,
                       text);
        return 0;
    }
    return span_ns;
}

static void take(void *context, const struct error *error) {
    complaints_take(context, error);
}

// ---- the whole

static void check_algorithm(struct scenario_reader *reader, const char *name, uint32_t line) {
    if (algorithm_find(name) == NULL) {
        complaints_add(reader->complaints, line, "algorithm: %.32s: unknown; known are %s", name,
                       algorithm_names());
    }
}

static uint64_t read_interval(struct scenario_reader *reader, const char *text, const char *key,
                              uint64_t otherwise_ns) {
    if (text == NULL) {
        return otherwise_ns;
    }
    uint32_t line = yaml_text_line(reader->yaml, key);
    uint64_t interval_ns = scenario_span(reader, text, key, line);
    if (interval_ns < INTERVAL_MIN_NS) {
        complaints_add(reader->complaints, line, "%s: at least 10us", key);
    }
    return interval_ns;
}

static void read_until(struct scenario_reader *reader) {
    uint32_t line = yaml_text_line(reader->yaml, "until");
    uint64_t complained = reader->complaints->total;
    uint64_t until_ns = scenario_span(reader, reader->file->until, "until", line);
    if (until_ns == 0 && reader->complaints->total == complained) {
        complaints_add(reader->complaints, line, "until: a time above 0 expected");
    }
    // Where it is complained about, nothing else is after it.
    reader->scenario->until_ns = until_ns > 0 ? until_ns : SCENARIO_SPAN_MAX_NS;
}

static void read_whole(struct scenario_reader *reader) {
    const struct scenario_yaml *file = reader->file;
    struct scenario *scenario = reader->scenario;
    if (file->version != SCENARIO_VERSION) {
        complaints_add(reader->complaints, yaml_text_line(reader->yaml, "version"),
                       "version %u: this program reads version %d", file->version,
                       SCENARIO_VERSION);
    }
    scenario->seed = file->seed != NULL ? *file->seed : 1;
    read_until(reader);
    scenario->probe_interval_ns =
        read_interval(reader, file->probe_interval, "probe_interval", SCENARIO_PROBE_INTERVAL_NS);
    scenario->adaptive_round_ns =
        read_interval(reader, file->adaptive_round, "adaptive_round", SCENARIO_ADAPTIVE_ROUND_NS);
    if (file->algorithm != NULL) {
        check_algorithm(reader, file->algorithm, yaml_text_line(reader->yaml, "algorithm"));
        snprintf(scenario->algorithm, sizeof scenario->algorithm, "%.31s", file->algorithm);
    }
}

static void read_fails(struct scenario_reader *reader) {
    struct scenario *scenario = reader->scenario;
    scenario->initial = beliefs_healthy(scenario->fabric);
    if (scenario->initial == NULL) {
        complaints_no_memory(reader->complaints);
        return;
    }
    for (uint32_t i = 0; i < reader->file->fail_count; i++) {
        struct error error;
        if (fail_apply(scenario->fabric, reader->file->fails[i], scenario->initial, &error) != 0) {
            complaints_add(reader->complaints, scenario_line(reader, "fail", i, NULL), "fail: %s",
                           error.text);
        }
    }
}

// ---- jobs

static void check_job(struct scenario_reader *reader, struct scenario_job *job) {
    const struct fabric *fabric = reader->scenario->fabric;
    struct error error;
    if (job_check_fabric(&job->job, fabric, &error) != 0) {
        complaints_add(reader->complaints, job->line, "%s", error.text);
    }
    for (uint32_t i = 0; i < job->job.rank_count; i++) {
        port_id port;
        if (!fabric_find_port(fabric, job->job.ranks[i], &port)) {
            complaints_add(reader->complaints, job->line,
                           "job %.40s: rank %u is %s, which the fabric has not", job->job.name, i,
                           job->job.ranks[i]);
        }
    }
    for (uint32_t i = 0; i < reader->scenario->job_count; i++) {
        if (strcmp(reader->scenario->jobs[i].job.name, job->job.name) == 0) {
            complaints_add(reader->complaints, job->line, "two jobs are named %.64s",
                           job->job.name);
        }
    }
    if (job->job.algorithm[0] != '\0') {
        check_algorithm(reader, job->job.algorithm, job->line);
    }
}

static void read_times(struct scenario_reader *reader, uint32_t index, struct scenario_job *job) {
    const struct job_yaml *file = &reader->file->jobs[index];
    job->at_ns = scenario_span(reader, file->at, "at", scenario_line(reader, "jobs", index, "at"));
    job->lead_ns = SCENARIO_LEAD_NS;
    job->remove_at_ns = NEVER_NS;
    if (file->lead != NULL) {
        uint32_t line = scenario_line(reader, "jobs", index, "lead");
        job->lead_ns = scenario_span(reader, file->lead, "lead", line);
        if (job->lead_ns > SCENARIO_LEAD_MAX_NS) {
            complaints_add(reader->complaints, line, "lead: at most 1s");
        }
    }
    if (file->remove != NULL) {
        uint32_t line = scenario_line(reader, "jobs", index, "remove");
        job->remove_at_ns = scenario_span(reader, file->remove, "remove", line);
        if (job->remove_at_ns <= job->at_ns) {
            complaints_add(reader->complaints, line, "remove: not after the job begins");
        }
        if (job->remove_at_ns > reader->scenario->until_ns) {
            complaints_add(reader->complaints, line, "remove: it is after the end of the scenario");
        }
    }
    if (job->at_ns > reader->scenario->until_ns) {
        complaints_add(reader->complaints, job->line, "at: it is after the end of the scenario");
    }
}

static void read_job(struct scenario_reader *reader, uint32_t index) {
    const struct job_yaml *file = &reader->file->jobs[index];
    struct scenario *scenario = reader->scenario;
    struct scenario_job *job = &scenario->jobs[scenario->job_count];
    *job = (struct scenario_job){.line = scenario_line(reader, "jobs", index, NULL)};
    read_times(reader, index, job);
    int rc = reader->files->load_job(reader->files->context, file->file, take, reader->complaints,
                                     &job->job);
    if (rc != 0) {
        return;
    }
    if (file->algorithm != NULL) {
        snprintf(job->job.algorithm, sizeof job->job.algorithm, "%.31s", file->algorithm);
    }
    check_job(reader, job);
    scenario->job_count++;
}

// ---- events

static int compare_events(const void *left, const void *right) {
    const struct scenario_event *a = left, *b = right;
    if (a->at_ns != b->at_ns) {
        return a->at_ns < b->at_ns ? -1 : 1;
    }
    return a->line != b->line ? (a->line < b->line ? -1 : 1)
                              : (a->verb > b->verb) - (a->verb < b->verb);
}

static void read_events(struct scenario_reader *reader) {
    struct scenario *scenario = reader->scenario;
    uint32_t count = reader->file->event_count;
    scenario->events = calloc(2 * (size_t)count + 1, sizeof scenario->events[0]);
    if (scenario->events == NULL) {
        complaints_no_memory(reader->complaints);
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        scenario_read_event(reader, i);
    }
    qsort(scenario->events, scenario->event_count, sizeof scenario->events[0], compare_events);
    if (reader->complaints->total == 0) { // an event that could not be read makes others look wrong
        scenario_check_order(reader);
    }
}

static void read_scenario(struct scenario_reader *reader) {
    struct scenario *scenario = reader->scenario;
    read_whole(reader);
    if (reader->files->load_fabric(reader->files->context, reader->file->fabric, take,
                                   reader->complaints, &scenario->fabric) != 0) {
        return;
    }
    read_fails(reader);
    for (uint32_t i = 0; i < reader->file->job_count; i++) {
        read_job(reader, i);
    }
    if (scenario->initial != NULL) {
        read_events(reader);
    }
}

int scenario_parse(const char *name, const char *text, size_t size,
                   const struct scenario_files *files, fabric_complain_fn *complain, void *context,
                   struct scenario *out) {
    struct complaints complaints;
    struct scenario *scenario = calloc(1, sizeof *scenario);
    if (scenario == NULL) {
        return -ENOMEM;
    }
    void *file = NULL;
    complaints_init(&complaints, name);
    struct yaml_text *yaml = yaml_text_open(name, text, size, &complaints);
    if (yaml != NULL) {
        yaml_text_check(yaml, &scenario_schema, &complaints);
        if (complaints.total == 0 &&
            yaml_text_load(yaml, &scenario_schema, &complaints, &file) == 0) {
            struct scenario_reader reader = {.yaml = yaml,
                                             .file = file,
                                             .files = files,
                                             .complaints = &complaints,
                                             .scenario = scenario};
            read_scenario(&reader);
            cyaml_free(yaml_cyaml_config(), &scenario_schema, file, 0);
        }
    }
    yaml_text_close(yaml);
    bool wrong = complaints_flush(&complaints, complain, context);
    if (wrong) {
        scenario_fini(scenario);
    } else {
        *out = *scenario;
    }
    free(scenario);
    return wrong ? -EINVAL : 0;
}

// ---- files beside the scenario

struct beside {
    const char *scenario;
};

// The path of a file that the scenario names: as it is, or from the scenario's own folder.
static int resolve(const struct beside *beside, const char *file, fabric_complain_fn *complain,
                   void *context, char path[PATH_SIZE]) {
    const char *slash = strrchr(beside->scenario, '/');
    int folder = slash != NULL && file[0] != '/' ? (int)(slash - beside->scenario) + 1 : 0;
    if (snprintf(path, PATH_SIZE, "%.*s%s", folder, beside->scenario, file) >= PATH_SIZE) {
        struct error error;
        error_set(&error, -ENAMETOOLONG, "%.80s...: the path is too long", file);
        complain(context, &error);
        return -ENAMETOOLONG;
    }
    return 0;
}

static int load_fabric(void *context, const char *file, fabric_complain_fn *complain,
                       void *complain_context, struct fabric **out) {
    char path[PATH_SIZE];
    int rc = resolve(context, file, complain, complain_context, path);
    return rc != 0 ? rc : fabric_file_load(path, complain, complain_context, out);
}

static int load_job(void *context, const char *file, fabric_complain_fn *complain,
                    void *complain_context, struct job *out) {
    char path[PATH_SIZE];
    int rc = resolve(context, file, complain, complain_context, path);
    return rc != 0 ? rc : job_file_load(path, complain, complain_context, out);
}

int scenario_load(const char *path, fabric_complain_fn *complain, void *context,
                  struct scenario *out) {
    char *text;
    size_t size;
    int rc = yaml_file_read(path, complain, context, &text, &size);
    if (rc != 0) {
        return rc;
    }
    struct beside beside = {path};
    struct scenario_files files = {load_fabric, load_job, &beside};
    rc = scenario_parse(path, text, size, &files, complain, context, out);
    free(text);
    return rc;
}

void scenario_fini(struct scenario *scenario) {
    for (uint32_t i = 0; i < scenario->job_count; i++) {
        job_fini(&scenario->jobs[i].job);
    }
    for (uint32_t i = 0; i < scenario->event_count; i++) {
        free(scenario->events[i].groups);
    }
    free(scenario->events);
    free(scenario->initial);
    fabric_close(scenario->fabric);
    *scenario = (struct scenario){0};
}
