// SPDX-License-Identifier: Apache-2.0
#include "fleet.h"

#include <glob.h>
#include <stdio.h>
#include <string.h>

#include "control_client/control.h"
#include "tool/json.h"

#define FLOW_TEXT_SIZE 512

static const char *const questions[] = {"status", "links", "flows", "members"};

static size_t find_sockets(const struct drill_request *request, glob_t *found) {
    char pattern[96];
    snprintf(pattern, sizeof pattern, "%s/*/agent.sock", request->lab_directory);
    return glob(pattern, 0, NULL, found) == 0 ? found->gl_pathc : 0;
}

// The host is the name of the socket's directory.
static void host_of(const char *path, char host[64]) {
    const char *end = strrchr(path, '/');
    const char *begin = memrchr(path, '/', (size_t)(end - path));
    snprintf(host, 64, "%.*s", (int)(end - begin - 1), begin + 1);
}

static json_t *ask_one(const struct drill_request *request, const char *path,
                       struct control_problem *problem) {
    json_t *agent = json_object();
    for (size_t i = 0; i < sizeof questions / sizeof questions[0]; i++) {
        json_t *answer = NULL;
        if (control_call(path, request->timeout_ns, questions[i], NULL, &answer, problem) != 0) {
            json_decref(agent);
            return NULL;
        }
        json_object_set_new(agent, questions[i], answer);
    }
    return agent;
}

json_t *fleet_ask(const struct drill_request *request) {
    json_t *agents = json_object(), *unreachable = json_array();
    glob_t found;
    size_t count = find_sockets(request, &found);
    for (size_t i = 0; i < count; i++) {
        struct control_problem problem;
        char host[64];
        host_of(found.gl_pathv[i], host);
        json_t *agent = ask_one(request, found.gl_pathv[i], &problem);
        if (agent != NULL) {
            json_object_set_new(agents, host, agent);
        } else {
            json_array_append_new(unreachable, json_sprintf("%s: %s", host, problem.text));
        }
    }
    globfree(&found);
    return json_pack("{s:o,s:o}", "agents", agents, "unreachable", unreachable);
}

static bool known_event(const json_t *events, const json_t *event) {
    size_t index;
    const json_t *other;
    json_array_foreach(events, index, other) {
        if (json_equal(other, event)) {
            return true;
        }
    }
    return false;
}

static void take_events(const char *host, const json_t *ring, uint64_t since_ns, json_t *events,
                        json_t *lost) {
    size_t index;
    const json_t *entry;
    json_array_foreach(ring, index, entry) {
        if (tool_json_u64(entry, "at_ns", 0) < since_ns) {
            continue;
        }
        if (index == 0 && json_array_size(ring) >= 1024) {
            json_array_append_new(lost, json_string(host));
        }
        json_t *event = json_copy((json_t *)(uintptr_t)entry);
        json_object_set_new(event, "host", json_string(host));
        if (!known_event(events, event)) {
            json_array_append(events, event);
        }
        json_decref(event);
    }
}

void fleet_events(const struct drill_request *request, uint64_t since_ns, json_t *events,
                  json_t *lost) {
    glob_t found;
    size_t count = find_sockets(request, &found);
    for (size_t i = 0; i < count; i++) {
        struct control_problem problem;
        char host[64];
        json_t *answer = NULL;
        json_t *arguments = json_pack("{s:b,s:s}", "follow", 0, "level", "info");
        host_of(found.gl_pathv[i], host);
        if (control_call(found.gl_pathv[i], request->timeout_ns, "events", arguments, &answer,
                         &problem) == 0) {
            take_events(host, tool_json_array(answer, "events"), since_ns, events, lost);
        }
        json_decref(answer);
        json_decref(arguments);
    }
    globfree(&found);
}

json_t *fleet_flow_paths(const json_t *flow) {
    json_t *paths = json_array();
    size_t index;
    const json_t *part;
    json_array_foreach(tool_json_array(flow, "parts"), index, part) {
        char nodes[FLOW_TEXT_SIZE];
        tool_json_join(tool_json_array(part, "nodes"), " ", nodes, sizeof nodes);
        json_array_append_new(paths, json_sprintf("%.4f %s %s", tool_json_real(part, "share", 0),
                                                  tool_json_text(part, "state", "-"), nodes));
    }
    return paths;
}

const json_t *fleet_find_flow(const json_t *fleet, const char *host, const char *flow) {
    const json_t *agent = tool_json_object(tool_json_object(fleet, "agents"), host);
    size_t index;
    const json_t *candidate;
    json_array_foreach(tool_json_array(tool_json_object(agent, "flows"), "flows"), index,
                       candidate) {
        if (strcmp(tool_json_text(candidate, "flow", ""), flow) == 0) {
            return candidate;
        }
    }
    return NULL;
}

static bool flows_differ(const char *host, const json_t *before, const json_t *now_fleet,
                         char *sentence, size_t size) {
    size_t index;
    const json_t *flow;
    json_array_foreach(tool_json_array(tool_json_object(before, "flows"), "flows"), index, flow) {
        const char *name = tool_json_text(flow, "flow", "-");
        const json_t *now = fleet_find_flow(now_fleet, host, name);
        json_t *paths = fleet_flow_paths(flow), *now_paths = fleet_flow_paths(now);
        bool same = now != NULL && json_equal(paths, now_paths);
        json_decref(paths);
        json_decref(now_paths);
        if (!same) {
            snprintf(sentence, size, "flow %s of %s is not on the paths that it had", name, host);
            return true;
        }
    }
    return false;
}

// Down and drained links, and members that are not alive, are counted by the agent itself.
static bool counts_differ(const char *host, const json_t *status, const json_t *before,
                          char *sentence, size_t size) {
    const json_t *links = tool_json_object(status, "links");
    const json_t *members = tool_json_object(status, "members");
    uint64_t down = tool_json_u64(links, "down", 0) + tool_json_u64(links, "own_down", 0);
    uint64_t alive = tool_json_u64(members, "alive", 0);
    uint64_t were = tool_json_u64(tool_json_object(before, "members"), "alive", 0);
    if (!tool_json_bool(status, "healthy", false)) {
        snprintf(sentence, size, "%s is not healthy: %s", host,
                 tool_json_text(status, "reason", "no reason given"));
    } else if (down > 0) {
        snprintf(sentence, size, "%s holds a link for down", host);
    } else if (alive < were) {
        snprintf(sentence, size, "%s knows %llu members alive, knew %llu", host,
                 (unsigned long long)alive, (unsigned long long)were);
    } else {
        return false;
    }
    return true;
}

bool fleet_differs(const json_t *before, const json_t *now, char *sentence, size_t size) {
    const char *host;
    json_t *agent;
    json_object_foreach(tool_json_object(before, "agents"), host, agent) {
        const json_t *present = tool_json_object(tool_json_object(now, "agents"), host);
        if (present == NULL) {
            snprintf(sentence, size, "%s does not answer", host);
            return true;
        }
        if (counts_differ(host, tool_json_object(present, "status"),
                          tool_json_object(agent, "status"), sentence, size) ||
            flows_differ(host, agent, now, sentence, size)) {
            return true;
        }
    }
    return false;
}

const json_t *fleet_first_event(const json_t *events, const char *kind, const char *subject,
                                uint64_t begin_ns) {
    const json_t *first = NULL, *event;
    size_t index;
    json_array_foreach(events, index, event) {
        uint64_t at_ns = tool_json_u64(event, "at_ns", 0);
        bool wanted =
            strcmp(tool_json_text(event, "kind", ""), kind) == 0 &&
            (subject == NULL || strcmp(tool_json_text(event, "subject", ""), subject) == 0);
        if (wanted && at_ns >= begin_ns &&
            (first == NULL || at_ns < tool_json_u64(first, "at_ns", 0))) {
            first = event;
        }
    }
    return first;
}

static bool same_paths(const json_t *flow, const json_t *other) {
    json_t *paths = fleet_flow_paths(flow), *other_paths = fleet_flow_paths(other);
    bool same = json_equal(paths, other_paths) != 0;
    json_decref(paths);
    json_decref(other_paths);
    return same;
}

void fleet_judge_unmoved(const json_t *record, fleet_flow_fn *stays, const void *context,
                         json_t *deviations) {
    const char *host;
    json_t *agent;
    json_object_foreach(tool_json_object(tool_json_object(record, "before"), "agents"), host,
                        agent) {
        size_t index;
        const json_t *flow;
        json_array_foreach(tool_json_array(tool_json_object(agent, "flows"), "flows"), index,
                           flow) {
            const char *name = tool_json_text(flow, "flow", "-");
            const json_t *now = fleet_find_flow(tool_json_object(record, "during"), host, name);
            if (stays(context, host, name) && !same_paths(flow, now)) {
                json_array_append_new(deviations,
                                      json_sprintf("flow %s moved and did not have to", name));
            }
        }
    }
}
