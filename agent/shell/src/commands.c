// SPDX-License-Identifier: Apache-2.0
// The table of commands, and those that change something. Orders that would cut hosts off are
// refused unless they say force.
#include <errno.h>
#include <math.h>
#include <string.h>

#include "agent.h"
#include "pathalg/algorithm.h"

#define EXIT_FAILED 1
#define EXIT_USAGE 2
#define EXIT_REFUSED 7

static json_t *refuse_error(struct control_refusal *refusal, const struct error *error) {
    return refuse(refusal, EXIT_FAILED, "%s", error->text);
}

static bool is_forced(json_t *arguments) {
    return json_is_true(json_object_get(arguments, "force"));
}

static const char *text_of(json_t *arguments, const char *key, struct control_refusal *refusal) {
    const char *text = json_string_value(json_object_get(arguments, key));
    if (text == NULL || text[0] == '\0') {
        refuse(refusal, EXIT_USAGE, "%s: a text expected", key);
        return NULL;
    }
    return text;
}

// ---- jobs

json_t *command_job_submit(struct agent *agent, json_t *arguments,
                           struct control_refusal *refusal) {
    struct job job;
    struct error error = {0};
    if (job_from_json(json_object_get(arguments, "job"), &job, &error) != 0) {
        return refuse_error(refusal, &error);
    }
    struct engine_event event = {.kind = ENGINE_JOB_SUBMIT, .job = &job};
    json_t *result = NULL;
    if (job.algorithm[0] != '\0' && algorithm_find(job.algorithm) == NULL) {
        refuse(refusal, EXIT_FAILED, "job: unknown algorithm %s: one of %s expected", job.algorithm,
               algorithm_names());
    } else if (agent_step(agent, &event, &error) != 0) {
        refuse_error(refusal, &error);
    } else {
        uint64_t generation = job.generation;
        for (uint32_t i = 0; i < engine_job_count(agent->engine); i++) {
            struct engine_job held;
            engine_job_at(agent->engine, i, &held);
            generation = strcmp(held.job->name, job.name) == 0 ? held.job->generation : generation;
        }
        result = json_pack("{s:s, s:I}", "job", job.name, "generation", (json_int_t)generation);
    }
    job_fini(&job);
    return result;
}

json_t *command_job_remove(struct agent *agent, json_t *arguments,
                           struct control_refusal *refusal) {
    const char *name = text_of(arguments, "job", refusal);
    struct error error = {0};
    if (name == NULL) {
        return NULL;
    }
    struct engine_event event = {.kind = ENGINE_JOB_REMOVE, .name = name};
    if (agent_step(agent, &event, &error) != 0) {
        return refuse_error(refusal, &error);
    }
    return json_pack("{s:s}", "job", name);
}

// ---- orders about links and nodes

struct target {
    cable_id first; // cables
    uint32_t count;
    bool one_way; // only `link`
    link_id link;
    node_id node;
    bool is_node;
};

static bool takes_away(const struct fabric *fabric, const struct target *target, link_id link) {
    if (target->is_node) {
        return fabric_link_from(fabric, link).i == target->node.i ||
               fabric_link_to(fabric, link).i == target->node.i;
    }
    if (target->one_way) {
        return link.i == target->link.i;
    }
    uint32_t cable = link_cable(link).i;
    return cable >= target->first.i && cable < target->first.i + target->count;
}

// A leaf (not the target itself) that the order would leave without a live link up, or without one
// down from the switches above.
static bool find_cut_off(const struct agent *agent, const struct target *target, node_id *leaf) {
    const struct fabric *fabric = engine_fabric(agent->engine);
    for (uint32_t n = 0; n < fabric->node_count; n++) {
        const struct fabric_node *node = &fabric->nodes[n];
        uint32_t live[2] = {0, 0}, left[2] = {0, 0}; // up, down
        if (node->kind != NODE_LEAF || (target->is_node && target->node.i == n)) {
            continue;
        }
        for (uint32_t i = 0; i < node->adjacency_count; i++) {
            link_id up = fabric->adjacencies[node->first_adjacency + i].link;
            for (unsigned way = 0; way < 2 && fabric_link_is_internal(fabric, up); way++) {
                link_id link = way == 0 ? up : link_opposite(up);
                struct engine_link state;
                engine_link_at(agent->engine, link, &state);
                bool is_live = belief_rate_bps(fabric, &state.belief, link) > 0;
                live[way] += is_live;
                left[way] += is_live && !takes_away(fabric, target, link);
            }
        }
        if ((live[0] > 0 && left[0] == 0) || (live[1] > 0 && left[1] == 0)) {
            *leaf = (node_id){n};
            return true;
        }
    }
    return false;
}

// Hosts hang on their only leaf.
static bool find_target(const struct agent *agent, const char *name, bool node,
                        struct target *out) {
    const struct fabric *fabric = engine_fabric(agent->engine);
    *out = (struct target){.is_node = node};
    if (node) {
        return fabric_find_node(fabric, name, &out->node);
    }
    if (fabric_find_link(fabric, name, &out->link)) {
        out->one_way = true;
        return true;
    }
    return fabric_find_cables(fabric, name, &out->first, &out->count);
}

static json_t *give_order(struct agent *agent, const struct engine_drain *drain,
                          struct control_refusal *refusal) {
    struct engine_event event = {.kind = ENGINE_DRAIN, .drain = *drain};
    struct error error = {0};
    if (agent_step(agent, &event, &error) != 0) {
        return refuse_error(refusal, &error);
    }
    return json_pack("{s:s}", "name", drain->name);
}

// NULL with a refusal where the order may not be given.
static json_t *order(struct agent *agent, const struct engine_drain *drain, bool harms, bool force,
                     struct control_refusal *refusal) {
    const struct fabric *fabric = engine_fabric(agent->engine);
    bool node = drain->kind == DRAIN_NODE;
    struct target target;
    node_id leaf;
    if (!find_target(agent, drain->name, node, &target)) {
        return refuse(refusal, EXIT_FAILED, "no %s %.80s in this fabric", node ? "node" : "link",
                      drain->name);
    }
    if (harms && !force && find_cut_off(agent, &target, &leaf)) {
        return refuse(refusal, EXIT_REFUSED,
                      "%s would lose its last live link: its hosts would be cut off; say force to "
                      "do it nevertheless",
                      fabric->nodes[leaf.i].name);
    }
    return give_order(agent, drain, refusal);
}

json_t *command_drain(struct agent *agent, json_t *arguments, struct control_refusal *refusal) {
    const char *name = text_of(arguments, "name", refusal);
    const char *kind = name != NULL ? text_of(arguments, "kind", refusal) : NULL;
    json_t *active = json_object_get(arguments, "active");
    if (kind == NULL) {
        return NULL;
    }
    if ((strcmp(kind, "link") != 0 && strcmp(kind, "node") != 0) || !json_is_boolean(active)) {
        return refuse(refusal, EXIT_USAGE,
                      "drain: kind \"link\" or \"node\" and active true or false expected");
    }
    struct engine_drain drain = {
        .name = name,
        .kind = strcmp(kind, "node") == 0 ? DRAIN_NODE : DRAIN_LINK,
        .active = json_is_true(active),
        .capacity_ppm = CAPACITY_FULL_PPM,
    };
    return order(agent, &drain, drain.active, is_forced(arguments), refusal);
}

json_t *command_capacity(struct agent *agent, json_t *arguments, struct control_refusal *refusal) {
    const char *link = text_of(arguments, "link", refusal);
    json_t *capacity = json_object_get(arguments, "capacity");
    double share = json_number_value(capacity);
    if (link == NULL) {
        return NULL;
    }
    if (!json_is_number(capacity) || !(share >= 0 && share <= 1)) {
        return refuse(refusal, EXIT_USAGE, "capacity: a share from 0 to 1 expected");
    }
    struct engine_drain drain = {
        .name = link,
        .kind = DRAIN_CAPACITY,
        .active = share < 1,
        .capacity_ppm = (uint32_t)lround(share * CAPACITY_FULL_PPM),
    };
    json_t *done = order(agent, &drain, drain.capacity_ppm == 0, is_forced(arguments), refusal);
    json_decref(done);
    return done != NULL ? json_pack("{s:s}", "link", link) : NULL;
}

// ---- the table

static const struct {
    const char *name;
    view_fn *answer;
} commands[] = {
    {"status", view_status},
    {"members", view_members},
    {"links", view_links},
    {"jobs", view_jobs},
    {"flows", view_flows},
    {"rules", view_rules},
    {"paths", view_paths},
    {"why", view_why},
    {"trace", view_trace},
    {"audit", view_audit},
    {"history", view_history},
    {"job_submit", command_job_submit},
    {"job_remove", command_job_remove},
    {"drain", command_drain},
    {"capacity", command_capacity},
};

json_t *agent_answer(void *context, const char *command, json_t *arguments,
                     struct control_refusal *refusal) {
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(commands[i].name, command) == 0) {
            return commands[i].answer(context, arguments, refusal);
        }
    }
    return refuse(refusal, EXIT_USAGE, "unknown command %.40s: is the agent older than the tool?",
                  command);
}
