// SPDX-License-Identifier: Apache-2.0
// What a scenario's events do to links, agents and gossip.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/rng.h"
#include "run_internal.h"

uint32_t run_live_host(const struct run *run) {
    for (uint32_t host = 0; host < fleet_count(run->fleet); host++) {
        if (fleet_engine(run->fleet, host) != NULL) {
            return host;
        }
    }
    return ID_NONE;
}

// ---- links

static void set_link(struct run *run, link_id link, uint32_t ppm) {
    struct link_belief *physical = &run->physical[link.i];
    physical->down = ppm == 0;
    physical->capacity_ppm = ppm;
    fleet_cut(run->fleet, link, physical->down);
    flows_set_rate(&run->flows, link, belief_rate_bps(fleet_fabric(run->fleet), physical, link));
}

static void set_links(struct run *run, const struct fail_target *links, uint32_t ppm) {
    for (uint32_t i = 0; i < 2 * links->count; i++) {
        if (links->ways[i % 2]) {
            set_link(run, (link_id){2 * links->first.i + i}, ppm);
        }
    }
    run->paths_changed = true;
}

void run_break_initially(struct run *run) {
    for (uint32_t i = 0; i < fabric_link_count(run->scenario->fabric); i++) {
        const struct link_belief *initial = &run->scenario->initial[i];
        set_link(run, (link_id){i}, initial->down ? 0 : initial->capacity_ppm);
    }
}

static void on_link(struct run *run, const struct scenario_event *event) {
    if (event->verb == VERB_CUT) {
        run_say(run, "cut", event->subject, "%s", "");
        set_links(run, &event->links, 0);
    } else if (event->verb == VERB_HEAL) {
        run_say(run, "heal", event->subject, "%s", "");
        set_links(run, &event->links, CAPACITY_FULL_PPM);
    } else {
        run_say(run, "slow", event->subject, "%g of its capacity is left",
                (double)event->capacity_ppm / CAPACITY_FULL_PPM);
        set_links(run, &event->links, event->capacity_ppm);
    }
}

// ---- orders, given to the first live agent as an operator would

static void give_order(struct run *run, uint32_t host, const char *name,
                       const struct scenario_event *event) {
    struct engine_event order = {.kind = ENGINE_DRAIN,
                                 .drain = {.name = name,
                                           .kind = DRAIN_LINK,
                                           .active = event->verb != VERB_UNDRAIN,
                                           .capacity_ppm = event->capacity_ppm}};
    if (event->verb == VERB_LINK_SET) {
        order.drain.kind = DRAIN_CAPACITY;
        order.drain.active = event->capacity_ppm < CAPACITY_FULL_PPM;
    } else if (event->node.i != ID_NONE) {
        order.drain.kind = DRAIN_NODE;
    }
    struct error error;
    if (fleet_event(run->fleet, host, &order, &error) != 0) {
        run_say(run, "refused", name, "%s", error.text);
    }
}

// Orders go by the names of cables or of directions.
static void order_links(struct run *run, uint32_t host, const struct scenario_event *event) {
    const struct fail_target *links = &event->links;
    bool both = links->ways[0] && links->ways[1];
    char name[LINK_NAME_SIZE];
    for (uint32_t i = 0; i < links->count; i++) {
        cable_id cable = {links->first.i + i};
        if (both) {
            fabric_format_cable(run->scenario->fabric, cable, name);
        } else {
            fabric_format_link(run->scenario->fabric, link_of(cable, links->ways[1]), name);
        }
        give_order(run, host, name, event);
    }
}

static void on_order(struct run *run, const struct scenario_event *event) {
    uint32_t host = run_live_host(run);
    if (host == ID_NONE) {
        run_say(run, scenario_verb_name(event->verb), event->subject, "no agent lives to take it");
        return;
    }
    const char *at = run->scenario->fabric->nodes[host].name;
    if (event->verb == VERB_LINK_SET) {
        run_say(run, "link_set", event->subject, "%g of its capacity, ordered at %s",
                (double)event->capacity_ppm / CAPACITY_FULL_PPM, at);
    } else {
        run_say(run, scenario_verb_name(event->verb), event->subject, "ordered at %s", at);
    }
    if (event->node.i != ID_NONE) {
        give_order(run, host, event->subject, event);
    } else {
        order_links(run, host, event);
    }
}

// ---- agents and gossip

static void on_agent(struct run *run, const struct scenario_event *event) {
    struct error error;
    uint32_t host = event->node.i;
    if (event->verb == VERB_PAUSE) {
        run_say(run, "pause", event->subject, "for %.3f ms", (double)event->for_ns / 1e6);
        fleet_pause(run->fleet, host, event->for_ns);
    } else if (event->verb == VERB_KILL) {
        run_say(run, "kill", event->subject, "its agent; its NIC goes on");
        fleet_stop(run->fleet, host);
        watch_forget(&run->watch, host);
    } else {
        run_say(run, "start", event->subject, "a new agent");
        if (fleet_start(run->fleet, host, &error) != 0) {
            run_say(run, "refused", event->subject, "%s", error.text);
        }
    }
}

// So many hosts, drawn by seed and line.
static void set_deaf(struct run *run, const struct scenario_event *event) {
    uint32_t count = fleet_count(run->fleet), chosen = 0;
    uint64_t wanted =
        ((uint64_t)count * event->share_ppm + CAPACITY_FULL_PPM / 2) / CAPACITY_FULL_PPM;
    struct rng rng;
    char names[TRACE_TEXT_SIZE / 2] = "";
    rng_init(&rng, hash_pair(run->seed, event->line));
    for (uint32_t host = 0; host < count; host++) {
        bool deaf = rng_below(&rng, count - host) < wanted - chosen;
        fleet_set_deaf(run->fleet, host, deaf);
        if (deaf) {
            size_t used = strlen(names);
            snprintf(names + used, sizeof names - used, "%s%s", chosen > 0 ? " " : "",
                     run->scenario->fabric->nodes[host].name);
            chosen++;
        }
    }
    run_say(run, "stale", event->subject, "%u hear no gossip for %.3f ms: %s", chosen,
            (double)event->for_ns / 1e6, names);
}

static void on_gossip(struct run *run, const struct scenario_event *event) {
    if (event->verb == VERB_STALE) {
        set_deaf(run, event);
        return;
    }
    for (uint32_t host = 0; host < fleet_count(run->fleet); host++) {
        if (event->verb == VERB_HEAR) {
            fleet_set_deaf(run->fleet, host, false);
        } else {
            fleet_set_group(run->fleet, host,
                            event->verb == VERB_PARTITION ? event->groups[host] : 0);
        }
    }
    static const char *const texts[VERB_COUNT] = {
        [VERB_PARTITION] = "gossip passes within them only",
        [VERB_REJOIN] = "gossip passes everywhere again",
        [VERB_HEAR] = "hear gossip again",
    };
    run_say(run, scenario_verb_name(event->verb), event->subject, "%s", texts[event->verb]);
}

void run_event(struct run *run, const struct scenario_event *event) {
    switch (event->verb) {
    case VERB_CUT:
    case VERB_HEAL:
    case VERB_SLOW:
        on_link(run, event);
        break;
    case VERB_LINK_SET:
    case VERB_DRAIN:
    case VERB_UNDRAIN:
        on_order(run, event);
        break;
    case VERB_KILL:
    case VERB_START:
    case VERB_PAUSE:
        on_agent(run, event);
        break;
    case VERB_PARTITION:
    case VERB_REJOIN:
    case VERB_STALE:
    case VERB_HEAR:
        on_gossip(run, event);
        break;
    case VERB_COUNT:
        break;
    }
}
