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

struct events *events_open(void); // NULL: no memory
void events_close(struct events *events);
void events_add(struct events *events, uint64_t wall_ns, uint64_t at_ns, enum log_level level,
                const char *kind, const char *subject, const char *text);
uint64_t events_first(const struct events *events); // number of the oldest kept
uint64_t events_end(const struct events *events);   // number of the next to come
// `number` must be within first..end-1.
const struct event *events_at(const struct events *events, uint64_t number);
json_t *event_json(const struct event *event); // owned by the caller
bool event_level_parse(const char *text, enum log_level *out);

#endif
