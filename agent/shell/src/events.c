// SPDX-License-Identifier: Apache-2.0
#include "agent_shell/events.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct events {
    uint64_t end;
    struct event ring[EVENTS_KEPT];
};

struct events *events_open(void) {
    return calloc(1, sizeof(struct events));
}

void events_close(struct events *events) {
    free(events);
}

void events_add(struct events *events, uint64_t wall_ns, uint64_t at_ns, enum log_level level,
                const char *kind, const char *subject, const char *text) {
    struct event *event = &events->ring[events->end++ % EVENTS_KEPT];
    *event = (struct event){.wall_ns = wall_ns, .at_ns = at_ns, .level = level};
    snprintf(event->kind, sizeof(event->kind), "%s", kind);
    snprintf(event->subject, sizeof(event->subject), "%s", subject);
    snprintf(event->text, sizeof(event->text), "%s", text);
}

uint64_t events_first(const struct events *events) {
    return events->end > EVENTS_KEPT ? events->end - EVENTS_KEPT : 0;
}

uint64_t events_end(const struct events *events) {
    return events->end;
}

const struct event *events_at(const struct events *events, uint64_t number) {
    assert(number >= events_first(events) && number < events->end);
    return &events->ring[number % EVENTS_KEPT];
}

json_t *event_json(const struct event *event) {
    char at[LOG_TIME_SIZE];
    log_format_time(event->wall_ns, at);
    return json_pack("{s:s, s:I, s:s, s:s, s:s, s:s}", "at", at, "at_ns", (json_int_t)event->at_ns,
                     "level", log_level_name(event->level), "kind", event->kind, "subject",
                     event->subject, "text", event->text);
}

bool event_level_parse(const char *text, enum log_level *out) {
    for (enum log_level level = LOG_DEBUG; level <= LOG_ALARM; level++) {
        if (strcmp(text, log_level_name(level)) == 0) {
            *out = level;
            return true;
        }
    }
    return false;
}
