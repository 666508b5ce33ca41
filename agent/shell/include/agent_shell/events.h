// SPDX-License-Identifier: Apache-2.0
// What happened lately: a ring of the last EVENTS_KEPT events, for `srv6-ctl events`.
//
// Events are numbered from 0 for the life of the agent; a reader that follows remembers the next
// number it wants. Older ones fall out of the ring. Ownership: events_open returns owned. One
// thread.
#ifndef AGENT_SHELL_EVENTS_H
#define AGENT_SHELL_EVENTS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "agent_shell/log.h"
#include "model/error.h"
#include "model/fabric.h"

#define EVENTS_KEPT 1024
#define EVENT_KIND_SIZE 32

struct event {
    uint64_t wall_ns, at_ns;
    enum log_level level;
    char kind[EVENT_KIND_SIZE];
    char subject[LINK_NAME_SIZE];
    char text[ERROR_TEXT_SIZE];
};

struct events;

// `life` tells the numbers of this agent from those of the one before it (the wall clock will do).
struct events *events_open(uint64_t life); // NULL: no memory
void events_close(struct events *events);
void events_add(struct events *events, uint64_t wall_ns, uint64_t at_ns, enum log_level level,
                const char *kind, const char *subject, const char *text);
uint64_t events_first(const struct events *events); // number of the oldest kept
uint64_t events_end(const struct events *events);   // number of the next to come
uint64_t events_life(const struct events *events);
uint64_t events_count(const struct events *events, enum log_level level); // ever added
// `number` must be within first..end-1.
const struct event *events_at(const struct events *events, uint64_t number);
json_t *event_json(const struct events *events, uint64_t number); // owned by the caller
bool event_level_parse(const char *text, enum log_level *out);

#endif
