// SPDX-License-Identifier: Apache-2.0
#include "agent_shell/events.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct events {
    uint64_t end, life;
    uint64_t counts[LOG_ALARM + 1];
    struct event ring[EVENTS_KEPT];
};

struct events *events_open(uint64_t life) {
    struct events *events = calloc(1, sizeof(*events));
    if (events != NULL) {
        events->life = life;
    }
    return events;
}

void events_close(struct events *events) {
    free(events);
}

void events_add(struct events *events, uint64_t wall_ns, uint64_t at_ns, enum log_level level,
                const char *kind, const char *subject, const char *text) {
    struct event *event = &events->ring[events->end++ % EVENTS_KEPT];
    events->counts[level]++;
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

uint64_t events_life(const struct events *events) {
    return events->life;
}

uint64_t events_count(const struct events *events, enum log_level level) {
    return events->counts[level];
}

const struct event *events_at(const struct events *events, uint64_t number) {
    assert(number >= events_first(events) && number < events->end);
    return &events->ring[number % EVENTS_KEPT];
}

json_t *event_json(const struct events *events, uint64_t number) {
    const struct event *event = events_at(events, number);
    char at[LOG_TIME_SIZE];
    log_format_time(event->wall_ns, at);
    return json_pack("{s:s, s:I, s:s, s:s, s:s, s:s, s:I, s:I}", "at", at, "at_ns",
                     (json_int_t)event->at_ns, "level", log_level_name(event->level), "kind",
                     event->kind, "subject", event->subject, "text", event->text, "life",
                     (json_int_t)events->life, "number", (json_int_t)number);
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
