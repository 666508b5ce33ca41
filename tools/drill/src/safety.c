// SPDX-License-Identifier: Apache-2.0
#include "safety.h"

#include <string.h>

#include "tool/json.h"

static void check_members(const char *host, const json_t *members, json_t *reasons) {
    size_t index;
    const json_t *member;
    json_array_foreach(tool_json_array(members, "members"), index, member) {
        const char *state = tool_json_text(member, "state", "-");
        if (strcmp(state, "alive") != 0 && strcmp(state, "left") != 0) {
            json_array_append_new(reasons,
                                  json_sprintf("%s knows %s as %s", host,
                                               tool_json_text(member, "name", "-"), state));
        }
    }
}

// One sentence for a link, however many agents know it.
static void check_links(const json_t *links, json_t *reasons, json_t *told) {
    size_t index;
    const json_t *link;
    json_array_foreach(tool_json_array(links, "links"), index, link) {
        const char *state = tool_json_text(link, "state", "-");
        const char *name = tool_json_text(link, "link", "-");
        if (strcmp(state, "up") != 0 && json_object_get(told, name) == NULL) {
            json_object_set_new(told, name, json_true());
            json_array_append_new(reasons, json_sprintf("the link %s is %s already", name, state));
        }
    }
}

void safety_check(const json_t *fleet, json_t *reasons) {
    json_t *agents = tool_json_object(fleet, "agents");
    if (json_object_size(agents) == 0) {
        json_array_append_new(reasons, json_string("no agent answers"));
    }
    json_array_extend(reasons, tool_json_array(fleet, "unreachable"));
    json_t *told = json_object();
    const char *host;
    json_t *agent;
    json_object_foreach(agents, host, agent) {
        const json_t *status = tool_json_object(agent, "status");
        if (!tool_json_bool(status, "healthy", false)) {
            json_array_append_new(reasons, json_sprintf("%s is not healthy: %s", host,
                                                        tool_json_text(status, "reason",
                                                                       "no reason given")));
        }
        check_members(host, tool_json_object(agent, "members"), reasons);
        check_links(tool_json_object(agent, "links"), reasons, told);
    }
    json_decref(told);
}
