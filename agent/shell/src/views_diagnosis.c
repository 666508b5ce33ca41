// SPDX-License-Identifier: Apache-2.0
// What localization says of a link, in sentences: who says what, by how many probes, what else is
// suspected, and what the agent does about it.
#include <stdio.h>
#include <string.h>

#include "agent.h"
#include "views_diagnosis.h"

#define PERCENT(ppm) ((ppm) / 1e4)
#define MICROSECONDS(ns) ((double)(ns) / 1e3)

const char *link_state_name(const struct link_belief *belief) {
    return belief->down      ? "down"
           : belief->drained ? "drained"
           : belief->avoided ? "avoided"
           : belief->lossy   ? "lossy"
                             : "up";
}

const char *link_fault_name(enum link_fault fault) {
    static const char *const names[] = {[LINK_FAULT_NONE] = "none",
                                        [LINK_FAULT_SUSPECT] = "suspect",
                                        [LINK_FAULT_LOSSY] = "lossy",
                                        [LINK_FAULT_SLOW] = "slow"};
    return names[fault];
}

const char *fault_place_name(enum link_fault_place place) {
    static const char *const names[] = {[PLACE_LINK] = "link",
                                        [PLACE_NIC] = "host/NIC",
                                        [PLACE_LEAF] = "leaf",
                                        [PLACE_SPINE] = "spine",
                                        [PLACE_UNKNOWN] = "unknown"};
    return names[place];
}

static void say(json_t *list, json_t *sentence) {
    json_array_append_new(list, sentence);
}

static void say_own(const struct agent *agent, const struct engine_link *link, const char *name,
                    json_t *list) {
    const char *place =
        link->fault_place == PLACE_LINK ? name : fault_place_name(link->fault_place);
    switch (link->fault) {
    case LINK_FAULT_NONE:
        say(list,
            engine_diagnoses(agent->engine)
                ? json_sprintf("this host finds nothing that %s loses or delays", name)
                : json_sprintf("this host does not diagnose: diagnosis.probes_per_second is 0"));
        break;
    case LINK_FAULT_SUSPECT:
        say(list,
            json_sprintf("this host suspects %s: %u of %u probes over it were lost, which may "
                         "be another's fault",
                         name, link->missed, link->tested));
        break;
    case LINK_FAULT_LOSSY:
        say(list, json_sprintf("this host found that %s%s loses %.2f %%: %u of %u probes, and with "
                               "%.1f %% confidence it is this and nothing else",
                               link->fault_place == PLACE_LINK ? "" : "its ", place,
                               PERCENT(link->fault_ppm), link->missed, link->tested,
                               PERCENT(link->fault_confidence_ppm)));
        break;
    case LINK_FAULT_SLOW:
        say(list, json_sprintf("this host found that %s takes %.1f us longer than the links around "
                               "it",
                               name, MICROSECONDS(link->excess_ns)));
        break;
    }
}

static void say_other(const struct link_report *report, const char *observer, bool elected,
                      json_t *list) {
    const char *standing = elected ? "" : " (not elected: it has no vote)";
    if (report->fault == LINK_FAULT_SUSPECT) {
        say(list, json_sprintf("%s suspects it: %u of %u probes were lost%s", observer,
                               report->missed, report->tested, standing));
    } else if (report->fault == LINK_FAULT_LOSSY) {
        say(list, json_sprintf("%s says that it loses %.2f %%, %u of %u probes%s%s", observer,
                               PERCENT(report->fault_ppm), report->missed, report->tested,
                               report->avoid ? ", and is to be avoided" : "", standing));
    } else if (report->fault == LINK_FAULT_SLOW) {
        say(list, json_sprintf("%s says that it takes %.1f us longer than others%s", observer,
                               MICROSECONDS(report->excess_ns), standing));
    }
}

static void say_others(const struct agent *agent, link_id id, json_t *list) {
    const struct fabric *fabric = engine_fabric(agent->engine);
    uint32_t count = 0;
    const struct link_evidence *evidence = engine_evidence(agent->engine, id, &count);
    for (uint32_t i = 0; i < count; i++) {
        const char *observer = fabric->nodes[evidence[i].observer.i].name;
        if (strcmp(observer, agent->config.host) != 0) {
            say_other(&evidence[i].report, observer,
                      engine_vote_standing(agent->engine, id, i) != VOTE_NOT_ELECTED, list);
        }
    }
}

static void say_belief(const struct engine_link *link, json_t *list) {
    const struct link_belief *belief = &link->belief;
    if (belief->avoided) {
        say(list,
            json_sprintf("%u of %u observers agree, so it is lossy for all, %.2f %% or more: "
                         "plans keep off it",
                         belief->lossy_votes, belief->observer_count, PERCENT(belief->loss_ppm)));
    } else if (belief->lossy) {
        say(list, json_sprintf("%u of %u observers agree, so it is lossy for all; it stays in use: "
                               "somebody would be cut off, too much would go at once, or a member "
                               "plans by an older version",
                               belief->lossy_votes, belief->observer_count));
    } else if (belief->lossy_votes > 0) {
        say(list, json_sprintf("%u of %u observers say that it is to be avoided, which is not "
                               "enough for all: two must, of different racks",
                               belief->lossy_votes, belief->observer_count));
    }
}

static void say_action(const struct agent *agent, link_id id, json_t *list) {
    const struct plan *plan = engine_plan(agent->engine);
    uint32_t moved = 0;
    for (uint32_t f = 0; f < plan->flow_count; f++) {
        for (uint32_t p = 0; p < plan->flows[f].part_count; p++) {
            struct engine_part part;
            engine_part_at(agent->engine, f, p, &part);
            moved += part.choice == PART_BACKUP && part.lossy && part.cause.i == id.i;
        }
    }
    if (moved > 0) {
        say(list,
            json_sprintf("%u parts of this host's flows left it for their backup paths", moved));
    }
}

static void say_suspicions(const struct agent *agent, link_id id, json_t *list) {
    char text[256] = "";
    size_t used = 0;
    for (uint32_t i = 0; i < engine_suspicion_count(agent->engine); i++) {
        char name[LINK_NAME_SIZE];
        link_id other = engine_suspicion_at(agent->engine, i);
        fabric_format_link(engine_fabric(agent->engine), other, name);
        size_t length = strlen(name);
        if (other.i == id.i || used + length + 3 > sizeof(text)) {
            continue;
        }
        used +=
            (size_t)snprintf(text + used, sizeof(text) - used, "%s%s", used > 0 ? ", " : "", name);
    }
    if (used > 0) {
        say(list, json_sprintf("also under suspicion here: %s", text));
    }
}

json_t *diagnosis_json(const struct agent *agent, link_id id, const struct engine_link *link) {
    char name[LINK_NAME_SIZE];
    json_t *sentences = json_array();
    fabric_format_link(engine_fabric(agent->engine), id, name);
    say_own(agent, link, name, sentences);
    say_others(agent, id, sentences);
    say_belief(link, sentences);
    say_action(agent, id, sentences);
    say_suspicions(agent, id, sentences);
    return json_pack("{s:s, s:s, s:i, s:I, s:i, s:i, s:i, s:i, s:o}", "fault",
                     link_fault_name(link->fault), "place", fault_place_name(link->fault_place),
                     "loss_ppm", (int)link->fault_ppm, "excess_ns", (json_int_t)link->excess_ns,
                     "probes", (int)link->tested, "lost", (int)link->missed, "confidence_ppm",
                     (int)link->fault_confidence_ppm, "votes", (int)link->belief.lossy_votes,
                     "sentences", sentences);
}
