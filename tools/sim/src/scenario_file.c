// SPDX-License-Identifier: Apache-2.0
// What the keys of a scenario file are, for yaml_check and libcyaml.
#include "scenario_internal.h"

#define MUST CYAML_FLAG_DEFAULT
#define MAY CYAML_FLAG_OPTIONAL
#define TEXT_MAX 256
#define TEXT(key, flags, type, member)                                                             \
    CYAML_FIELD_STRING_PTR(key, CYAML_FLAG_POINTER | (flags), type, member, 1, TEXT_MAX)
#define VERB(key, verb) TEXT(key, MAY, struct event_yaml, verbs[verb])

static const cyaml_schema_field_t job_fields[] = {
    TEXT("file", MUST, struct job_yaml, file),
    TEXT("at", MUST, struct job_yaml, at),
    TEXT("lead", MAY, struct job_yaml, lead),
    TEXT("remove", MAY, struct job_yaml, remove),
    TEXT("algorithm", MAY, struct job_yaml, algorithm),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t job_schema = {
    CYAML_VALUE_MAPPING(MUST, struct job_yaml, job_fields),
};

static const cyaml_schema_field_t stale_fields[] = {
    CYAML_FIELD_FLOAT("share", MUST, struct stale_yaml, share),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t text_schema = {
    CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 1, TEXT_MAX),
};
static const cyaml_schema_field_t event_fields[] = {
    TEXT("at", MUST, struct event_yaml, at),
    TEXT("for", MAY, struct event_yaml, duration),
    VERB("cut", VERB_CUT),
    VERB("heal", VERB_HEAL),
    VERB("slow", VERB_SLOW),
    VERB("link_set", VERB_LINK_SET),
    VERB("drain", VERB_DRAIN),
    VERB("undrain", VERB_UNDRAIN),
    VERB("kill", VERB_KILL),
    VERB("start", VERB_START),
    VERB("pause", VERB_PAUSE),
    VERB("rejoin", VERB_REJOIN),
    CYAML_FIELD_SEQUENCE_COUNT("partition", CYAML_FLAG_POINTER | MAY, struct event_yaml, partition,
                               partition_count, &text_schema, 1, SCENARIO_EVENTS_MAX),
    CYAML_FIELD_MAPPING_PTR("stale", CYAML_FLAG_POINTER | MAY, struct event_yaml, stale,
                            stale_fields),
    CYAML_FIELD_FLOAT_PTR("capacity", CYAML_FLAG_POINTER | MAY, struct event_yaml, capacity),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t event_schema = {
    CYAML_VALUE_MAPPING(MUST, struct event_yaml, event_fields),
};

static const cyaml_schema_field_t scenario_fields[] = {
    CYAML_FIELD_UINT("version", MUST, struct scenario_yaml, version),
    TEXT("fabric", MUST, struct scenario_yaml, fabric),
    TEXT("until", MUST, struct scenario_yaml, until),
    CYAML_FIELD_UINT_PTR("seed", CYAML_FLAG_POINTER | MAY, struct scenario_yaml, seed),
    TEXT("algorithm", MAY, struct scenario_yaml, algorithm),
    TEXT("probe_interval", MAY, struct scenario_yaml, probe_interval),
    TEXT("adaptive_round", MAY, struct scenario_yaml, adaptive_round),
    CYAML_FIELD_SEQUENCE_COUNT("fail", CYAML_FLAG_POINTER | MAY, struct scenario_yaml, fails,
                               fail_count, &text_schema, 0, SCENARIO_EVENTS_MAX),
    CYAML_FIELD_SEQUENCE_COUNT("jobs", CYAML_FLAG_POINTER | MAY, struct scenario_yaml, jobs,
                               job_count, &job_schema, 0, SCENARIO_JOBS_MAX),
    CYAML_FIELD_SEQUENCE_COUNT("events", CYAML_FLAG_POINTER | MAY, struct scenario_yaml, events,
                               event_count, &event_schema, 0, SCENARIO_EVENTS_MAX),
    CYAML_FIELD_END,
};
const cyaml_schema_value_t scenario_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct scenario_yaml, scenario_fields),
};
