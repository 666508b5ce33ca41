// SPDX-License-Identifier: Apache-2.0
// link-cut LINK: everything that crosses a link is dropped while its carrier stays up, so that only
// probes can see it. Expected: the monitors of the link find it, all agents believe it, every flow
// over it moves to another path, nothing else moves, and all returns when the link heals.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drill.h"
#include "fleet.h"
#include "lab.h"
#include "tool/json.h"

#define NAME_MAX_SIZE 64
#define LINK_MAX_SIZE 160

// "leaf0>spine3.1" is one of the cables of "leaf0>spine3".
static bool is_cable_of(const char *link, const char *from, const char *to) {
    char name[LINK_MAX_SIZE];
    int length = snprintf(name, sizeof name, "%s>%s", from, to);
    if (length >= (int)sizeof name || strncmp(link, name, (size_t)length) != 0) {
        return false;
    }
    const char *rest = link + length;
    return rest[0] == '\0' || (rest[0] == '.' && rest[1 + strspn(rest + 1, "0123456789")] == '\0');
}

// The links document of any agent: all agents share the fabric.
static json_t *any_links(const json_t *fleet) {
    void *first = json_object_iter(tool_json_object(fleet, "agents"));
    json_t *agent = first != NULL ? json_object_iter_value(first) : NULL;
    return tool_json_array(tool_json_object(agent, "links"), "links");
}

static unsigned add_cables(const json_t *fleet, const char *from, const char *to, json_t *names) {
    unsigned count = 0;
    size_t index;
    const json_t *link;
    json_array_foreach(any_links(fleet), index, link) {
        const char *name = tool_json_text(link, "link", "");
        if (is_cable_of(name, from, to)) {
            json_array_append_new(names, json_string(name));
            count++;
        }
    }
    return count;
}

// Splits the name where both halves are the ends of a link. Names of nodes may hold '-' themselves.
static bool split_target(const json_t *fleet, const char *target, char from[NAME_MAX_SIZE],
                         char to[NAME_MAX_SIZE], bool *directed) {
    for (const char *at = strpbrk(target, ">-"); at != NULL; at = strpbrk(at + 1, ">-")) {
        if (at - target >= NAME_MAX_SIZE || strlen(at + 1) >= NAME_MAX_SIZE) {
            continue;
        }
        snprintf(from, NAME_MAX_SIZE, "%.*s", (int)(at - target), target);
        snprintf(to, NAME_MAX_SIZE, "%s", at + 1);
        json_t *names = json_array();
        unsigned count = add_cables(fleet, from, to, names);
        json_decref(names);
        if (count > 0) {
            *directed = *at == '>';
            return true;
        }
    }
    return false;
}

static bool part_crosses(const json_t *part, const char *from, const char *to) {
    const json_t *nodes = tool_json_array(part, "nodes");
    for (size_t i = 1; i < json_array_size(nodes); i++) {
        const char *left = json_string_value(json_array_get(nodes, i - 1));
        const char *right = json_string_value(json_array_get(nodes, i));
        if (left != NULL && right != NULL && strcmp(left, from) == 0 && strcmp(right, to) == 0) {
            return true;
        }
    }
    return false;
}

// Whether a part's nodes cross what the plan cuts.
static bool part_hit(const json_t *plan, const json_t *part) {
    const char *from = tool_json_text(plan, "from", ""), *to = tool_json_text(plan, "to", "");
    return part_crosses(part, from, to) ||
           (!tool_json_bool(plan, "one_way", false) && part_crosses(part, to, from));
}

// A backup names cables ("leaf0-spine3", "leaf0-spine3.1"); it helps unless it is of the same pair.
static bool backup_helps(const json_t *plan, const json_t *part) {
    const char *from = tool_json_text(plan, "from", ""), *to = tool_json_text(plan, "to", "");
    char pair[2][LINK_MAX_SIZE];
    snprintf(pair[0], LINK_MAX_SIZE, "%s-%s", from, to);
    snprintf(pair[1], LINK_MAX_SIZE, "%s-%s", to, from);
    const json_t *cables = tool_json_array(part, "backup_links");
    size_t index;
    const json_t *cable;
    json_array_foreach(cables, index, cable) {
        const char *name = json_string_value(cable);
        for (unsigned i = 0; name != NULL && i < 2; i++) {
            size_t length = strlen(pair[i]);
            if (strncmp(name, pair[i], length) == 0 &&
                (name[length] == '\0' || name[length] == '.')) {
                return false;
            }
        }
    }
    return json_array_size(cables) > 0;
}

static void add_hit_flow(const json_t *plan, const char *host, const json_t *flow, json_t *hit) {
    double share = 0;
    bool other = false;
    size_t index;
    const json_t *part;
    json_array_foreach(tool_json_array(flow, "parts"), index, part) {
        bool crosses = part_hit(plan, part);
        share += crosses ? tool_json_real(part, "share", 0) : 0;
        other |= !crosses || backup_helps(plan, part);
    }
    if (share > 0) {
        json_array_append_new(hit, json_pack("{s:s,s:s,s:f,s:I,s:b}", "host", host, "flow",
                                             tool_json_text(flow, "flow", "-"), "share", share,
                                             "bytes", (json_int_t)tool_json_u64(flow, "bytes", 0),
                                             "other_path", other));
    }
}

static json_t *hit_flows(const json_t *plan, const json_t *fleet) {
    json_t *hit = json_array();
    const char *host;
    json_t *agent;
    json_object_foreach(tool_json_object(fleet, "agents"), host, agent) {
        size_t index;
        const json_t *flow;
        json_array_foreach(tool_json_array(tool_json_object(agent, "flows"), "flows"), index,
                           flow) {
            add_hit_flow(plan, host, flow, hit);
        }
    }
    return hit;
}

static json_t *plan_cut(const struct drill_request *request, const json_t *fleet,
                        char problem[256]) {
    char from[NAME_MAX_SIZE], to[NAME_MAX_SIZE];
    bool directed = false;
    if (!split_target(fleet, request->operands[0], from, to, &directed)) {
        snprintf(problem, 256, "no such link between switches: %.200s", request->operands[0]);
        return NULL;
    }
    bool one_way = directed || request->one_way;
    json_t *links = json_array();
    add_cables(fleet, from, to, links);
    if (!one_way) {
        add_cables(fleet, to, from, links);
    }
    json_t *plan =
        json_pack("{s:s,s:s,s:b,s:o}", "from", from, "to", to, "one_way", one_way, "links", links);
    json_t *flows = hit_flows(plan, fleet);
    json_object_set_new(plan, "summary",
                        json_sprintf("cut %s%s%s (%zu directed links): %zu flows cross it", from,
                                     one_way ? ">" : "-", to, json_array_size(links),
                                     json_array_size(flows)));
    json_object_set_new(plan, "flows", flows);
    return plan;
}

static bool listed(const json_t *array, const char *text) {
    size_t index;
    const json_t *item;
    json_array_foreach(array, index, item) {
        const char *other = json_string_value(item);
        if (other != NULL && strcmp(other, text) == 0) {
            return true;
        }
    }
    return false;
}

// Links that leave (enter) the node, are up, and stay when the plan's links are cut.
static unsigned links_left(const json_t *fleet, const json_t *plan, const char *node,
                           bool leaving) {
    unsigned count = 0;
    size_t index, length = strlen(node);
    const json_t *link;
    json_array_foreach(any_links(fleet), index, link) {
        const char *name = tool_json_text(link, "link", "");
        const char *arrow = strchr(name, '>');
        if (arrow == NULL || strcmp(tool_json_text(link, "state", ""), "up") != 0 ||
            listed(tool_json_array(plan, "links"), name)) {
            continue;
        }
        bool leaves = (size_t)(arrow - name) == length && strncmp(name, node, length) == 0;
        bool enters = strncmp(arrow + 1, node, length) == 0 &&
                      (arrow[1 + length] == '\0' || arrow[1 + length] == '.');
        count += leaving ? leaves : enters;
    }
    return count;
}

// Hosts hang on it: a member's rack. An agent that names no racks makes every node count as one.
static bool is_leaf(const json_t *fleet, const char *node) {
    bool any_rack = false;
    const char *host;
    json_t *agent;
    json_object_foreach(tool_json_object(fleet, "agents"), host, agent) {
        size_t index;
        const json_t *member;
        json_array_foreach(tool_json_array(tool_json_object(agent, "members"), "members"), index,
                           member) {
            const char *rack = tool_json_text(member, "rack", "");
            any_rack |= rack[0] != '\0';
            if (strcmp(rack, node) == 0) {
                return true;
            }
        }
    }
    return !any_rack;
}

static void refuse_cut(const json_t *fleet, const json_t *plan, json_t *reasons) {
    const char *ends[] = {tool_json_text(plan, "from", ""), tool_json_text(plan, "to", "")};
    for (unsigned i = 0; i < 2; i++) {
        if (is_leaf(fleet, ends[i]) && (links_left(fleet, plan, ends[i], true) == 0 ||
                                        links_left(fleet, plan, ends[i], false) == 0)) {
            json_array_append_new(reasons, json_sprintf("it is the last live path of %s", ends[i]));
        }
    }
    size_t index;
    const json_t *flow;
    json_array_foreach(tool_json_array(plan, "flows"), index, flow) {
        if (!tool_json_bool(flow, "other_path", false)) {
            json_array_append_new(reasons, json_sprintf("flow %s has no other path",
                                                        tool_json_text(flow, "flow", "-")));
        }
    }
}

static int inject_cut(const struct drill_request *request, const json_t *plan) {
    char seconds[32];
    snprintf(seconds, sizeof seconds, "%llums", (unsigned long long)(request->for_ns / 1000000));
    bool one_way = tool_json_bool(plan, "one_way", false);
    const char *words[] = {"cut",
                           tool_json_text(plan, "from", ""),
                           tool_json_text(plan, "to", ""),
                           "--for",
                           seconds,
                           one_way ? "--one-way" : NULL,
                           NULL};
    return lab_run(request, words);
}

static int revert_cut(const struct drill_request *request, const json_t *plan) {
    const char *words[] = {"heal", tool_json_text(plan, "from", ""), tool_json_text(plan, "to", ""),
                           NULL};
    return lab_run(request, words);
}

// ---- judge

static void add_times(json_t *report, const char *name, const json_t *event, const json_t *record) {
    uint64_t at_ns = tool_json_u64(event, "at_ns", 0);
    uint64_t begin_ns = tool_json_u64(record, "inject_begin_ns", 0);
    uint64_t end_ns = tool_json_u64(record, "inject_end_ns", 0);
    // The cut took effect somewhere between begin and end of srv6-lab's run.
    json_object_set_new(report, name,
                        json_pack("{s:s,s:s,s:I,s:I}", "host", tool_json_text(event, "host", "-"),
                                  "link", tool_json_text(event, "subject", "-"), "at_most_ns",
                                  (json_int_t)(at_ns - begin_ns), "at_least_ns",
                                  (json_int_t)(at_ns > end_ns ? at_ns - end_ns : 0)));
}

// The first event of a kind about one of the cut links; wrong subjects are collected.
static const json_t *first_about(const json_t *plan, const json_t *record, const char *kind,
                                 json_t *wrong) {
    uint64_t begin_ns = tool_json_u64(record, "inject_begin_ns", 0);
    const json_t *first = NULL, *event;
    size_t index;
    json_array_foreach(tool_json_array(record, "events"), index, event) {
        const char *subject = tool_json_text(event, "subject", "");
        uint64_t at_ns = tool_json_u64(event, "at_ns", 0);
        if (strcmp(tool_json_text(event, "kind", ""), kind) != 0 || at_ns < begin_ns) {
            continue;
        }
        if (!listed(tool_json_array(plan, "links"), subject)) {
            if (!listed(wrong, subject)) {
                json_array_append_new(wrong, json_string(subject));
            }
        } else if (first == NULL || at_ns < tool_json_u64(first, "at_ns", 0)) {
            first = event;
        }
    }
    return first;
}

static void judge_links(const json_t *plan, const json_t *record, json_t *report,
                        json_t *deviations) {
    json_t *own_wrong = json_array(), *wrong = json_array();
    const json_t *own = first_about(plan, record, "link_down", own_wrong);
    const json_t *belief = first_about(plan, record, "belief_down", wrong);
    if (own != NULL) {
        add_times(report, "first_seen", own, record);
    } else {
        json_array_append_new(deviations, json_string("no agent saw the cut itself"));
    }
    if (belief != NULL) {
        add_times(report, "believed", belief, record);
    } else {
        json_array_append_new(deviations, json_string("the agents did not agree that it is down"));
    }
    bool any_wrong = json_array_size(wrong) > 0;
    if (any_wrong) {
        char names[160];
        tool_json_join(wrong, " ", names, sizeof names);
        json_array_append_new(deviations,
                              json_sprintf("links held for down that were not cut: %s", names));
    }
    const char *verdict = any_wrong && belief != NULL ? "right-and-wrong"
                          : any_wrong                 ? "wrong"
                          : belief != NULL            ? "right"
                                                      : "none";
    json_object_set_new(report, "verdict", json_string(verdict));
    json_object_set_new(report, "wrong_links", wrong);
    json_decref(own_wrong);
}

// Where each hit flow was during the cut; one that still crossed it did not move.
static void judge_moved(const json_t *plan, const json_t *record, json_t *report,
                        json_t *deviations) {
    json_t *moved = json_array();
    size_t index, part_index;
    const json_t *hit, *part;
    json_array_foreach(tool_json_array(plan, "flows"), index, hit) {
        const char *name = tool_json_text(hit, "flow", "-");
        const json_t *flow = fleet_find_flow(tool_json_object(record, "during"),
                                             tool_json_text(hit, "host", ""), name);
        bool still = flow == NULL || json_array_size(tool_json_array(flow, "parts")) == 0;
        json_array_foreach(tool_json_array(flow, "parts"), part_index, part) {
            still |= part_hit(plan, part);
        }
        json_array_append_new(moved, json_pack("{s:s,s:b,s:o}", "flow", name, "moved", !still,
                                               "paths", fleet_flow_paths(flow)));
        if (still) {
            json_array_append_new(deviations, json_sprintf("flow %s did not move", name));
        }
    }
    json_object_set_new(report, "flows", moved);
}

static bool flow_unaffected(const void *context, const char *host, const char *name) {
    (void)host;
    size_t index;
    const json_t *hit;
    json_array_foreach(tool_json_array(context, "flows"), index, hit) {
        if (strcmp(tool_json_text(hit, "flow", ""), name) == 0) {
            return false;
        }
    }
    return true;
}

static void judge_cut(const json_t *plan, const json_t *record, json_t *report,
                      json_t *deviations) {
    judge_links(plan, record, report, deviations);
    judge_moved(plan, record, report, deviations);
    fleet_judge_unmoved(record, flow_unaffected, plan, deviations);
}

const struct drill drill_link_cut = {
    .name = "link-cut",
    .operands = "LINK",
    .operand_count = 1,
    .summary = "a link drops everything while its carrier stays up (leaf0-spine3; leaf0>spine3)",
    .plan = plan_cut,
    .refuse = refuse_cut,
    .inject = inject_cut,
    .revert = revert_cut,
    .judge = judge_cut,
};
