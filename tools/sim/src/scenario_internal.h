// SPDX-License-Identifier: Apache-2.0
// Private to scenario*.c: what a file says, as libcyaml loads it, and the stages of reading it.
#ifndef SIM_SCENARIO_INTERNAL_H
#define SIM_SCENARIO_INTERNAL_H

#include "model_yaml/yaml_check.h"
#include "scenario.h"

struct job_yaml {
    char *file, *at, *lead, *remove, *algorithm;
};
struct stale_yaml {
    double share;
};
struct event_yaml {
    char *at, *duration;
    char *verbs[VERB_COUNT]; // of those that name one thing
    char **partition;
    uint32_t partition_count;
    struct stale_yaml *stale;
    double *capacity;
};
struct scenario_yaml {
    uint32_t version;
    uint64_t *seed;
    char *fabric, *until, *algorithm, *probe_interval, *adaptive_round;
    char **fails;
    struct job_yaml *jobs;
    struct event_yaml *events;
    uint32_t fail_count, job_count, event_count;
};

extern const cyaml_schema_value_t scenario_schema;

struct scenario_reader {
    const struct yaml_text *yaml;
    const struct scenario_yaml *file;
    const struct scenario_files *files;
    struct complaints *complaints;
    struct scenario *scenario;
};

// The line of "list[index].key"; key NULL: of the entry.
uint32_t scenario_line(const struct scenario_reader *reader, const char *list, uint32_t index,
                       const char *key);
// A span from 0 to SCENARIO_SPAN_MAX_NS; complains and gives 0 otherwise.
uint64_t scenario_span(const struct scenario_reader *reader, const char *text, const char *what,
                       uint32_t line);
// One entry of events, with what undoes it; the fabric is known. Appends to scenario->events, which
// has room for two.
void scenario_read_event(struct scenario_reader *reader, uint32_t index);
// What cannot be in this order: goes through time and complains.
void scenario_check_order(struct scenario_reader *reader);

#endif
