// SPDX-License-Identifier: Apache-2.0
// One event of a scenario: exactly one verb, about something that the fabric has.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scenario_internal.h"

#define ALL "all"

// What a verb is about and what else it takes.
enum subject_kind { ABOUT_LINK, ABOUT_HOST, ABOUT_LINK_OR_NODE, ABOUT_ALL, ABOUT_OTHER };
enum taking { TAKES_NOT, MAY_TAKE, MUST_TAKE };
static const struct {
    const char *name;
    enum subject_kind about;
    enum taking span, capacity;
    enum scenario_verb undone_by; // after `for`
} verbs[VERB_COUNT] = {
    [VERB_CUT] = {"cut", ABOUT_LINK, MAY_TAKE, TAKES_NOT, VERB_HEAL},
    [VERB_HEAL] = {"heal", ABOUT_LINK, TAKES_NOT, TAKES_NOT, VERB_COUNT},
    [VERB_SLOW] = {"slow", ABOUT_LINK, MAY_TAKE, MUST_TAKE, VERB_HEAL},
    [VERB_LINK_SET] = {"link_set", ABOUT_LINK, TAKES_NOT, MUST_TAKE, VERB_COUNT},
    [VERB_DRAIN] = {"drain", ABOUT_LINK_OR_NODE, MAY_TAKE, TAKES_NOT, VERB_UNDRAIN},
    [VERB_UNDRAIN] = {"undrain", ABOUT_LINK_OR_NODE, TAKES_NOT, TAKES_NOT, VERB_COUNT},
    [VERB_KILL] = {"kill", ABOUT_HOST, MAY_TAKE, TAKES_NOT, VERB_START},
    [VERB_START] = {"start", ABOUT_HOST, TAKES_NOT, TAKES_NOT, VERB_COUNT},
    [VERB_PAUSE] = {"pause", ABOUT_HOST, MUST_TAKE, TAKES_NOT, VERB_COUNT},
    [VERB_PARTITION] = {"partition", ABOUT_OTHER, MAY_TAKE, TAKES_NOT, VERB_REJOIN},
    [VERB_REJOIN] = {"rejoin", ABOUT_ALL, TAKES_NOT, TAKES_NOT, VERB_COUNT},
    [VERB_STALE] = {"stale", ABOUT_OTHER, MUST_TAKE, TAKES_NOT, VERB_HEAR},
    [VERB_HEAR] = {"hear", ABOUT_OTHER, TAKES_NOT, TAKES_NOT, VERB_COUNT},
};

const char *scenario_verb_name(enum scenario_verb verb) {
    return verbs[verb].name;
}

static bool find_verb(struct scenario_reader *reader, const struct event_yaml *file, uint32_t line,
                      enum scenario_verb *out) {
    unsigned count = 0;
    for (unsigned verb = 0; verb < VERB_COUNT; verb++) {
        bool said = file->verbs[verb] != NULL;
        said = said || (verb == VERB_PARTITION && file->partition != NULL);
        said = said || (verb == VERB_STALE && file->stale != NULL);
        if (said) {
            count++;
            *out = verb;
        }
    }
    if (count != 1) {
        complaints_add(reader->complaints, line, "an event says one thing, this one %s",
                       count == 0 ? "nothing" : "several");
    }
    return count == 1;
}

// ---- what it is about

static bool find_host(const struct fabric *fabric, const char *name, node_id *out) {
    node_id node;
    if (!fabric_find_node(fabric, name, &node) || node.i >= fabric->host_count) {
        return false;
    }
    *out = node;
    return true;
}

static bool find_subject(const struct fabric *fabric, struct scenario_event *event) {
    node_id node;
    switch (verbs[event->verb].about) {
    case ABOUT_LINK:
        return fail_find(fabric, event->subject, &event->links);
    case ABOUT_HOST:
        return find_host(fabric, event->subject, &event->node);
    case ABOUT_LINK_OR_NODE:
        if (fabric_find_node(fabric, event->subject, &node)) {
            event->node = node;
            return true;
        }
        return fail_find(fabric, event->subject, &event->links);
    case ABOUT_ALL:
        return strcmp(event->subject, ALL) == 0;
    case ABOUT_OTHER:
        break;
    }
    return true;
}

static void complain_subject(struct scenario_reader *reader, const struct scenario_event *event) {
    static const char *const things[] = {
        [ABOUT_LINK] = "link", [ABOUT_HOST] = "host", [ABOUT_LINK_OR_NODE] = "link or node"};
    enum subject_kind about = verbs[event->verb].about;
    if (about == ABOUT_ALL) {
        complaints_add(reader->complaints, event->line, "%s: %.40s: " ALL " expected",
                       verbs[event->verb].name, event->subject);
    } else {
        complaints_add(reader->complaints, event->line, "%s: the fabric has no %s %.72s",
                       verbs[event->verb].name, things[about], event->subject);
    }
}

static void read_subject(struct scenario_reader *reader, const char *text,
                         struct scenario_event *event) {
    size_t size = strlen(text);
    size = size < sizeof event->subject ? size : sizeof event->subject - 1;
    memcpy(event->subject, text, size);
    event->subject[size] = '\0';
    if (!find_subject(reader->scenario->fabric, event)) {
        complain_subject(reader, event);
    }
}

// ---- groups of hosts: "h0", "h0-h3", "h0,h2-h4"

static void put_in_group(struct scenario_reader *reader, uint32_t first, uint32_t last,
                         uint32_t group, struct scenario_event *event) {
    for (uint32_t host = first; host <= last; host++) {
        if (event->groups[host] != 0 && event->groups[host] != group) {
            complaints_add(reader->complaints, event->line, "partition: %s is in two groups",
                           reader->scenario->fabric->nodes[host].name);
        }
        event->groups[host] = group;
    }
}

static void read_range(struct scenario_reader *reader, const char *text, uint32_t group,
                       struct scenario_event *event) {
    const struct fabric *fabric = reader->scenario->fabric;
    node_id first, last;
    if (find_host(fabric, text, &first)) {
        put_in_group(reader, first.i, first.i, group, event);
        return;
    }
    const char *dash = strchr(text, '-');
    char from[NAME_SIZE] = "";
    if (dash != NULL && (size_t)(dash - text) < sizeof from) {
        memcpy(from, text, (size_t)(dash - text));
    }
    if (dash == NULL || !find_host(fabric, from, &first) || !find_host(fabric, dash + 1, &last) ||
        last.i < first.i) {
        complaints_add(reader->complaints, event->line,
                       "partition: %.72s: a host, a range such as h0-h3, or several with commas "
                       "expected",
                       text);
        return;
    }
    put_in_group(reader, first.i, last.i, group, event);
}

static void read_group(struct scenario_reader *reader, const char *text, uint32_t group,
                       struct scenario_event *event) {
    while (*text != '\0') {
        char range[2 * NAME_SIZE];
        size_t size = strcspn(text, ",");
        size_t kept = size < sizeof range ? size : sizeof range - 1;
        memcpy(range, text, kept);
        range[kept] = '\0';
        read_range(reader, range, group, event);
        text += size + (text[size] == ',');
    }
}

static void read_partition(struct scenario_reader *reader, const struct event_yaml *file,
                           struct scenario_event *event) {
    const struct fabric *fabric = reader->scenario->fabric;
    event->groups = calloc(fabric->host_count + 1U, sizeof event->groups[0]);
    if (event->groups == NULL) {
        complaints_no_memory(reader->complaints);
        return;
    }
    for (uint32_t i = 0; i < file->partition_count; i++) {
        read_group(reader, file->partition[i], i + 1, event);
    }
    bool parted = false;
    for (uint32_t host = 1; host < fabric->host_count; host++) {
        parted = parted || event->groups[host] != event->groups[0];
    }
    if (!parted) {
        complaints_add(reader->complaints, event->line, "partition: all hosts are in one group");
    }
    snprintf(event->subject, sizeof event->subject, "%u groups", file->partition_count);
}

// ---- numbers

static uint32_t read_share(struct scenario_reader *reader, double share, bool above_zero,
                           const char *what, uint32_t line) {
    if (!(share <= 1 && (above_zero ? share > 0 : share >= 0))) {
        complaints_add(reader->complaints, line, "%s %g: %s 0, at most 1", what, share,
                       above_zero ? "above" : "at least");
        return CAPACITY_FULL_PPM;
    }
    return (uint32_t)lround(share * CAPACITY_FULL_PPM);
}

static void check_taken(struct scenario_reader *reader, const struct scenario_event *event,
                        const char *key, enum taking taking, bool given) {
    if ((given && taking == TAKES_NOT) || (!given && taking == MUST_TAKE)) {
        complaints_add(reader->complaints, event->line, given ? "%s takes no %s" : "%s needs %s",
                       verbs[event->verb].name, key);
    }
}

static void read_numbers(struct scenario_reader *reader, const struct event_yaml *file,
                         uint32_t index, struct scenario_event *event) {
    check_taken(reader, event, "for", verbs[event->verb].span, file->duration != NULL);
    check_taken(reader, event, "capacity", verbs[event->verb].capacity, file->capacity != NULL);
    event->at_ns =
        scenario_span(reader, file->at, "at", scenario_line(reader, "events", index, "at"));
    if (file->duration != NULL) {
        uint32_t line = scenario_line(reader, "events", index, "for");
        event->for_ns = scenario_span(reader, file->duration, "for", line);
        if (event->for_ns == 0) {
            complaints_add(reader->complaints, line, "for: a span above 0 expected");
        }
    }
    if (file->capacity != NULL) {
        event->capacity_ppm = read_share(reader, *file->capacity, false, "capacity",
                                         scenario_line(reader, "events", index, "capacity"));
    }
    if (file->stale != NULL) {
        event->share_ppm = read_share(reader, file->stale->share, true, "share", event->line);
        snprintf(event->subject, sizeof event->subject, "%g of the hosts", file->stale->share);
    }
}

static void check_until(struct scenario_reader *reader, const struct scenario_event *event,
                        uint64_t at_ns, const char *what) {
    if (at_ns > reader->scenario->until_ns) {
        complaints_add(reader->complaints, event->line, "%s: %s is after the end of the scenario",
                       verbs[event->verb].name, what);
    }
}

static void append_undoing(struct scenario *scenario, const struct scenario_event *event) {
    struct scenario_event *undo = &scenario->events[scenario->event_count++];
    *undo = *event;
    undo->groups = NULL;
    undo->at_ns += event->for_ns;
    undo->for_ns = 0;
    undo->verb = verbs[event->verb].undone_by;
    if (undo->verb == VERB_REJOIN) {
        snprintf(undo->subject, sizeof undo->subject, ALL);
    }
}

void scenario_read_event(struct scenario_reader *reader, uint32_t index) {
    const struct event_yaml *file = &reader->file->events[index];
    struct scenario *scenario = reader->scenario;
    struct scenario_event *event = &scenario->events[scenario->event_count];
    uint32_t line = scenario_line(reader, "events", index, NULL);
    *event = (struct scenario_event){.line = line, .node = {ID_NONE}};
    if (!find_verb(reader, file, line, &event->verb)) {
        return;
    }
    scenario->event_count++;
    read_numbers(reader, file, index, event);
    if (file->partition != NULL) {
        read_partition(reader, file, event);
    } else if (file->verbs[event->verb] != NULL) {
        read_subject(reader, file->verbs[event->verb], event);
    }
    check_until(reader, event, event->at_ns, "it");
    if (event->for_ns > 0 && verbs[event->verb].undone_by != VERB_COUNT) {
        check_until(reader, event, event->at_ns + event->for_ns, "what undoes it");
        append_undoing(scenario, event);
    }
}
