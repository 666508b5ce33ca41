// SPDX-License-Identifier: Apache-2.0
// Goes through a scenario's events in time and complains about what cannot be: a cut of what is
// cut, the heal of what is whole, the start of an agent that runs.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scenario_internal.h"

// What is in force, and since which line.
struct standing {
    struct scenario_reader *reader;
    uint32_t *broken; // by directed link: 0 whole; else line + 1 of what broke it
    uint32_t *killed; // by host: likewise
    uint64_t *paused_until_ns;
    const struct scenario_event **drains; // in force
    uint32_t drain_count;
    uint32_t partition, stale; // line + 1
};

static void complain(struct standing *standing, const struct scenario_event *event,
                     const char *what, uint32_t since) {
    char where[24] = "";
    if (since > 1) {
        snprintf(where, sizeof where, " (line %u)", since - 1);
    }
    complaints_add(standing->reader->complaints, event->line, "%s %.80s: %s%s",
                   scenario_verb_name(event->verb), event->subject, what, where);
}

static void break_links(struct standing *standing, const struct scenario_event *event) {
    uint32_t since = 0;
    for (uint32_t i = 0; i < 2 * event->links.count; i++) {
        if (event->links.ways[i % 2]) {
            uint32_t link = 2 * event->links.first.i + i;
            since = standing->broken[link] > since ? standing->broken[link] : since;
            standing->broken[link] = event->line + 1;
        }
    }
    if (since > 0) {
        complain(standing, event, "is broken already, heal it first", since);
    }
}

static void heal_links(struct standing *standing, const struct scenario_event *event) {
    bool any = false;
    for (uint32_t i = 0; i < 2 * event->links.count; i++) {
        if (event->links.ways[i % 2]) {
            uint32_t link = 2 * event->links.first.i + i;
            any = any || standing->broken[link] > 0;
            standing->broken[link] = 0;
        }
    }
    if (!any) {
        complain(standing, event, "is neither cut nor slow then", 0);
    }
}

static bool same_drain(const struct scenario_event *a, const struct scenario_event *b) {
    if (a->node.i != ID_NONE || b->node.i != ID_NONE) {
        return a->node.i == b->node.i;
    }
    return a->links.first.i == b->links.first.i && a->links.count == b->links.count &&
           a->links.ways[0] == b->links.ways[0] && a->links.ways[1] == b->links.ways[1];
}

static void drain(struct standing *standing, const struct scenario_event *event) {
    uint32_t at = 0;
    while (at < standing->drain_count && !same_drain(standing->drains[at], event)) {
        at++;
    }
    bool drained = at < standing->drain_count;
    if (event->verb == VERB_DRAIN && drained) {
        complain(standing, event, "is drained already", standing->drains[at]->line + 1);
    } else if (event->verb == VERB_DRAIN) {
        standing->drains[standing->drain_count++] = event;
    } else if (!drained) {
        complain(standing, event, "is not drained then", 0);
    } else {
        standing->drains[at] = standing->drains[--standing->drain_count];
    }
}

static void agent(struct standing *standing, const struct scenario_event *event) {
    uint32_t *killed = &standing->killed[event->node.i];
    if (event->verb == VERB_START && *killed == 0) {
        complain(standing, event, "runs already", 0);
    } else if (event->verb != VERB_START && *killed > 0) {
        complain(standing, event, "is dead already", *killed);
    }
    if (event->verb == VERB_PAUSE) {
        uint64_t *until_ns = &standing->paused_until_ns[event->node.i];
        if (event->at_ns < *until_ns) {
            complain(standing, event, "is paused already", 0);
        }
        *until_ns = event->at_ns + event->for_ns;
    } else {
        *killed = event->verb == VERB_KILL ? event->line + 1 : 0;
    }
}

static void gossip(struct standing *standing, const struct scenario_event *event,
                   uint32_t *in_force, bool begins) {
    if (begins && *in_force > 0) {
        complain(standing, event, "another one is in force", *in_force);
    } else if (event->verb == VERB_REJOIN && *in_force == 0) {
        complain(standing, event, "there is no partition then", 0);
    }
    *in_force = begins ? event->line + 1 : 0;
}

static void happen(struct standing *standing, const struct scenario_event *event) {
    switch (event->verb) {
    case VERB_CUT:
    case VERB_SLOW:
        break_links(standing, event);
        break;
    case VERB_HEAL:
        heal_links(standing, event);
        break;
    case VERB_DRAIN:
    case VERB_UNDRAIN:
        drain(standing, event);
        break;
    case VERB_KILL:
    case VERB_START:
    case VERB_PAUSE:
        agent(standing, event);
        break;
    case VERB_PARTITION:
    case VERB_REJOIN:
        gossip(standing, event, &standing->partition, event->verb == VERB_PARTITION);
        break;
    case VERB_STALE:
    case VERB_HEAR:
        gossip(standing, event, &standing->stale, event->verb == VERB_STALE);
        break;
    case VERB_LINK_SET:
    case VERB_COUNT:
        break;
    }
}

static bool init(struct standing *standing, struct scenario_reader *reader) {
    const struct scenario *scenario = reader->scenario;
    const struct fabric *fabric = scenario->fabric;
    *standing = (struct standing){
        .reader = reader,
        .broken = calloc(fabric_link_count(fabric) + 1U, sizeof standing->broken[0]),
        .killed = calloc(fabric->host_count + 1U, sizeof standing->killed[0]),
        .paused_until_ns = calloc(fabric->host_count + 1U, sizeof standing->paused_until_ns[0]),
        .drains = calloc(scenario->event_count + 1U, sizeof standing->drains[0]),
    };
    if (standing->broken == NULL || standing->killed == NULL || standing->paused_until_ns == NULL ||
        standing->drains == NULL) {
        complaints_no_memory(reader->complaints);
        return false;
    }
    for (uint32_t i = 0; i < fabric_link_count(fabric); i++) {
        bool broken =
            scenario->initial[i].down || scenario->initial[i].capacity_ppm < CAPACITY_FULL_PPM;
        standing->broken[i] = broken ? 1 : 0;
    }
    return true;
}

void scenario_check_order(struct scenario_reader *reader) {
    struct standing standing;
    if (init(&standing, reader)) {
        for (uint32_t i = 0; i < reader->scenario->event_count; i++) {
            happen(&standing, &reader->scenario->events[i]);
        }
    }
    free(standing.broken);
    free(standing.killed);
    free(standing.paused_until_ns);
    free(standing.drains);
}
