// SPDX-License-Identifier: Apache-2.0
#include "run_watch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/rng.h"
#include "model/time.h"

#define SAID_AGAIN_NS NS_PER_S
#define LINKS_NAMED 3 // of those that change at one instant

int watch_init(struct watch *watch, const struct fabric *fabric) {
    size_t links = fabric_link_count(fabric);
    *watch = (struct watch){.fabric = fabric};
    watch->links = calloc(links + 1, sizeof watch->links[0]);
    watch->says_down = calloc(links * fabric->host_count + 1, sizeof watch->says_down[0]);
    watch->members = calloc(fabric->host_count + 1U, sizeof watch->members[0]);
    if (watch->links == NULL || watch->says_down == NULL || watch->members == NULL) {
        watch_fini(watch);
        return -ENOMEM;
    }
    return 0;
}

void watch_fini(struct watch *watch) {
    free(watch->links);
    free(watch->says_down);
    free(watch->members);
    free(watch->heard);
    *watch = (struct watch){0};
}

void watch_hear(void *context, uint32_t host, const struct engine_note *note) {
    struct watch *watch = context;
    if (watch->heard_count == watch->heard_capacity) {
        uint32_t capacity = watch->heard_capacity == 0 ? 64 : 2 * watch->heard_capacity;
        struct watch_heard *heard = realloc(watch->heard, capacity * sizeof heard[0]);
        if (heard == NULL) {
            watch->error = -ENOMEM;
            return;
        }
        watch->heard = heard;
        watch->heard_capacity = capacity;
    }
    watch->heard[watch->heard_count++] = (struct watch_heard){.host = host, .note = *note};
}

void watch_forget(struct watch *watch, uint32_t host) {
    uint32_t links = fabric_link_count(watch->fabric);
    bool *says_down = &watch->says_down[(size_t)host * links];
    for (uint32_t i = 0; i < links; i++) {
        watch->links[i].verdicts -= says_down[i];
        says_down[i] = false;
    }
}

// ---- what is written

struct teller {
    struct watch *watch;
    bool quiet;
    watch_write_fn *write;
    void *context;
};

static void tell(const struct teller *teller, struct trace_line *line) {
    if (!teller->quiet) {
        line->at_ns = fleet_now_ns(teller->watch->fleet);
        teller->write(teller->context, line);
    }
}

static const char *host_name(const struct watch *watch, uint32_t host) {
    return watch->fabric->nodes[host].name;
}

static void tell_verdict(const struct teller *teller, const struct watch_heard *heard, bool down) {
    struct watch *watch = teller->watch;
    link_id link;
    if (!fabric_find_link(watch->fabric, heard->note.subject, &link)) {
        return;
    }
    struct watch_link *seen = &watch->links[link.i];
    bool *says_down =
        &watch->says_down[(size_t)heard->host * fabric_link_count(watch->fabric) + link.i];
    if (*says_down == down) {
        return;
    }
    *says_down = down;
    seen->verdicts += down ? 1 : UINT32_MAX;
    struct trace_line line = {.kind = "verdict"};
    if (down && seen->verdicts == 1) {
        snprintf(line.text, sizeof line.text, "%s says first that it is down",
                 host_name(watch, heard->host));
    } else if (!down && seen->verdicts == 0) {
        snprintf(line.text, sizeof line.text, "%s says last that it is up",
                 host_name(watch, heard->host));
    } else {
        return;
    }
    snprintf(line.subject, sizeof line.subject, "%s", heard->note.subject);
    tell(teller, &line);
}

static void tell_member(const struct teller *teller, const struct watch_heard *heard) {
    struct watch *watch = teller->watch;
    node_id node;
    bool gone = strstr(heard->note.text, " is dead") != NULL;
    bool here = strstr(heard->note.text, " is alive") != NULL;
    if (!fabric_find_node(watch->fabric, heard->note.subject, &node) ||
        node.i >= watch->fabric->host_count || (!gone && !here) ||
        (watch->members[node.i] == MEMBER_GONE) == gone) {
        return;
    }
    watch->members[node.i] = gone ? MEMBER_GONE : MEMBER_HERE;
    struct trace_line line = {.kind = "member"};
    snprintf(line.subject, sizeof line.subject, "%s", heard->note.subject);
    snprintf(line.text, sizeof line.text, "%s says first that it is %s",
             host_name(watch, heard->host), gone ? "dead" : "alive");
    tell(teller, &line);
}

// Whether another agent said the same a moment ago.
static bool was_said(struct watch *watch, const struct engine_note *note) {
    uint64_t now_ns = fleet_now_ns(watch->fleet);
    uint64_t hash =
        hash_bytes(note->text, strlen(note->text), hash_bytes(note->kind, strlen(note->kind), 0));
    for (uint32_t i = 0; i < WATCH_SAID_MAX; i++) {
        const struct watch_said *said = &watch->said[i];
        if (said->hash == hash && now_ns - said->at_ns < SAID_AGAIN_NS) {
            return true;
        }
    }
    watch->said[watch->said_next] = (struct watch_said){hash, now_ns};
    watch->said_next = (watch->said_next + 1) % WATCH_SAID_MAX;
    return false;
}

static void tell_other(const struct teller *teller, const struct watch_heard *heard) {
    if (was_said(teller->watch, &heard->note)) {
        return;
    }
    struct trace_line line = {.kind = "agent"};
    snprintf(line.subject, sizeof line.subject, "%s", host_name(teller->watch, heard->host));
    snprintf(line.text, sizeof line.text, "%s: %s", heard->note.kind, heard->note.text);
    tell(teller, &line);
}

// ---- beliefs

static bool same_belief(const struct link_belief *a, const struct link_belief *b) {
    return a->down == b->down && a->drained == b->drained && a->capacity_ppm == b->capacity_ppm;
}

static void describe(const struct link_belief *belief, char *text, size_t size) {
    if (belief->down) {
        snprintf(text, size, "down");
    } else if (belief->drained) {
        snprintf(text, size, "drained");
    } else if (belief->capacity_ppm < CAPACITY_FULL_PPM) {
        snprintf(text, size, "at %g of its capacity",
                 (double)belief->capacity_ppm / CAPACITY_FULL_PPM);
    } else {
        snprintf(text, size, "whole");
    }
}

// Live agents and how many of them believe what the given one does; 0: no live agent.
static uint32_t count_agreed(const struct watch *watch, link_id link, uint32_t *live,
                             struct link_belief *belief) {
    uint32_t agreed = 0;
    *live = 0;
    for (uint32_t host = 0; host < fleet_count(watch->fleet); host++) {
        struct engine *engine = fleet_engine(watch->fleet, host);
        if (engine == NULL) {
            continue;
        }
        struct engine_link view;
        engine_link_at(engine, link, &view);
        if ((*live)++ == 0) {
            *belief = view.belief;
        }
        agreed += same_belief(&view.belief, belief);
    }
    return agreed;
}

static void hear_belief(struct watch *watch, const struct watch_heard *heard) {
    link_id link;
    if (fabric_find_link(watch->fabric, heard->note.subject, &link) &&
        !watch->links[link.i].asked) {
        watch->links[link.i].asked = true;
        watch->links[link.i].told = false;
        watch->links[link.i].first_host = heard->host;
    }
}

// Links of which the same is to be said share a line.
struct agreement {
    struct link_belief belief;
    char names[TRACE_SUBJECT_SIZE];
    uint32_t count;
    uint32_t live;  // all of them agree; 0: not yet
    uint32_t first; // host
};

static void name_link(const struct watch *watch, link_id link, struct agreement *agreement) {
    char name[LINK_NAME_SIZE];
    size_t used = strlen(agreement->names);
    fabric_format_link(watch->fabric, link, name);
    if (agreement->count < LINKS_NAMED) {
        snprintf(agreement->names + used, sizeof agreement->names - used, "%s%.40s",
                 used > 0 ? ", " : "", name);
    }
    agreement->count++;
}

static void write_agreement(const struct teller *teller, const struct agreement *agreement) {
    struct trace_line line = {.kind = "belief", .values = {{"links", agreement->count}}};
    char what[64];
    line.value_count = 1;
    describe(&agreement->belief, what, sizeof what);
    size_t used = strlen(agreement->names);
    memcpy(line.subject, agreement->names, used + 1);
    if (agreement->count > LINKS_NAMED) {
        snprintf(line.subject + used, sizeof line.subject - used, " and %u more",
                 agreement->count - LINKS_NAMED);
    }
    if (agreement->live > 0) {
        line.values[line.value_count++] = (struct trace_value){"agents", agreement->live};
        snprintf(line.text, sizeof line.text, "all %u agents believe: %s", agreement->live, what);
    } else {
        snprintf(line.text, sizeof line.text, "%s is the first to believe: %s",
                 host_name(teller->watch, agreement->first), what);
    }
    tell(teller, &line);
}

static bool same_agreement(const struct agreement *a, const struct agreement *b) {
    return same_belief(&a->belief, &b->belief) && a->live == b->live && a->first == b->first;
}

// Adds a link to what is being gathered, or writes that and begins anew.
static void gather(const struct teller *teller, link_id link, const struct agreement *about,
                   struct agreement *gathered) {
    if (gathered->count > 0 && !same_agreement(gathered, about)) {
        write_agreement(teller, gathered);
        gathered->count = 0;
    }
    if (gathered->count == 0) {
        *gathered = *about;
    }
    name_link(teller->watch, link, gathered);
}

static void tell_firsts(const struct teller *teller) {
    struct watch *watch = teller->watch;
    struct agreement gathered = {.count = 0};
    for (uint32_t i = 0; i < fabric_link_count(watch->fabric); i++) {
        struct watch_link *seen = &watch->links[i];
        struct engine *engine = fleet_engine(watch->fleet, seen->first_host);
        if (seen->asked && !seen->told && engine != NULL) {
            struct engine_link view;
            engine_link_at(engine, (link_id){i}, &view);
            seen->told = true;
            gather(teller, (link_id){i},
                   &(struct agreement){.belief = view.belief, .first = seen->first_host},
                   &gathered);
        }
    }
    if (gathered.count > 0) {
        write_agreement(teller, &gathered);
    }
}

static void tell_agreements(const struct teller *teller) {
    struct watch *watch = teller->watch;
    struct agreement gathered = {.count = 0};
    for (uint32_t i = 0; i < fabric_link_count(watch->fabric); i++) {
        struct agreement about = {.first = ID_NONE};
        if (watch->links[i].asked &&
            count_agreed(watch, (link_id){i}, &about.live, &about.belief) == about.live &&
            about.live > 0) {
            watch->links[i].asked = false;
            gather(teller, (link_id){i}, &about, &gathered);
        }
    }
    if (gathered.count > 0) {
        write_agreement(teller, &gathered);
    }
}

static void tell_note(const struct teller *teller, const struct watch_heard *heard) {
    static const char *const beliefs[] = {"belief_down", "belief_up", "drained", "undrained",
                                          "capacity"};
    const char *kind = heard->note.kind;
    for (size_t i = 0; i < sizeof beliefs / sizeof beliefs[0]; i++) {
        if (strcmp(kind, beliefs[i]) == 0) {
            hear_belief(teller->watch, heard);
            return;
        }
    }
    if (strcmp(kind, "link_down") == 0 || strcmp(kind, "link_up") == 0) {
        tell_verdict(teller, heard, strcmp(kind, "link_down") == 0);
    } else if (strcmp(kind, "member_state") == 0) {
        tell_member(teller, heard);
    } else if (strcmp(kind, "flow_moved") != 0) { // these are counted by what they do to bytes
        tell_other(teller, heard);
    }
}

void watch_tell(struct watch *watch, bool quiet, watch_write_fn *write, void *context) {
    if (watch->heard_count == 0) {
        return;
    }
    struct teller teller = {.watch = watch, .quiet = quiet, .write = write, .context = context};
    for (uint32_t i = 0; i < watch->heard_count; i++) {
        tell_note(&teller, &watch->heard[i]);
    }
    watch->heard_count = 0;
    tell_firsts(&teller);
    tell_agreements(&teller);
}
