// SPDX-License-Identifier: Apache-2.0
// flows and why: the flows that this host sends and the paths that they take.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "views_flows.h"

#define EXIT_FAILED 1
#define QP_MAX 0xffffffUL

static json_t *integer(uint64_t value) {
    return json_integer((json_int_t)value);
}

void path_to_json(const struct fabric *fabric, const struct path *path, json_t *object) {
    json_t *nodes = json_array(), *links = json_array();
    struct sid_list sids = {.count = 0};
    for (unsigned i = 0; i < path->link_count; i++) {
        char name[LINK_NAME_SIZE];
        if (i == 0) {
            node_id from = fabric_link_from(fabric, path->links[0]);
            json_array_append_new(nodes, json_string(fabric->nodes[from.i].name));
        }
        node_id to = fabric_link_to(fabric, path->links[i]);
        json_array_append_new(nodes, json_string(fabric->nodes[to.i].name));
        fabric_format_cable(fabric, link_cable(path->links[i]), name);
        json_array_append_new(links, json_string(name));
    }
    if (path->link_count > 0) {
        (void)fabric_walk_sids(fabric, path->links, path->link_count, &sids);
    }
    json_object_set_new(object, "nodes", nodes);
    json_object_set_new(object, "links", links);
    json_object_set_new(object, "sids", sids_json(&sids));
}

static json_t *cables_json(const struct fabric *fabric, const struct path *path) {
    json_t *list = json_array();
    for (unsigned i = 0; i < path->link_count; i++) {
        char name[LINK_NAME_SIZE];
        fabric_format_cable(fabric, link_cable(path->links[i]), name);
        json_array_append_new(list, json_string(name));
    }
    return list;
}

const char *part_choice_name(enum part_choice choice) {
    return choice == PART_PRIMARY ? "primary" : choice == PART_BACKUP ? "backup" : "plain";
}

static uint64_t seen_bytes(const struct agent *agent, uint32_t flow) {
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < engine_plan(agent->engine)->flows[flow].part_count; i++) {
        struct engine_part part;
        engine_part_at(agent->engine, flow, i, &part);
        bytes += part.bytes;
    }
    return bytes;
}

static json_t *part_json(const struct agent *agent, uint32_t flow, uint32_t index) {
    const struct fabric *fabric = engine_fabric(agent->engine);
    const struct plan *plan = engine_plan(agent->engine);
    const struct plan_flow *planned = &plan->flows[flow];
    const struct plan_part *part = &plan->parts[planned->first_part + index];
    uint64_t seen = seen_bytes(agent, flow);
    struct engine_part now;
    engine_part_at(agent->engine, flow, index, &now);
    double share = planned->bytes > 0 ? (double)part->bytes / (double)planned->bytes
                                      : 1.0 / planned->part_count;
    json_t *out =
        json_pack("{s:f, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:b}", "share", share, "realised_share",
                  seen > 0 ? json_real((double)now.bytes / (double)seen) : json_null(), "state",
                  part_choice_name(now.choice), "packets", integer(now.packets), "bytes",
                  integer(now.bytes), "cnps", integer(now.cnps), "backup_links",
                  cables_json(fabric, &part->backup), "cause",
                  now.choice == PART_BACKUP ? link_name_json(fabric, now.cause) : json_null(),
                  "ecn", now.choice == PART_BACKUP && now.hot);
    path_to_json(fabric, now.path != NULL ? now.path : &(struct path){.link_count = 0}, out);
    return out;
}

static json_t *parts_json(const struct agent *agent, uint32_t flow) {
    json_t *list = json_array();
    for (uint32_t i = 0; i < engine_plan(agent->engine)->flows[flow].part_count; i++) {
        json_array_append_new(list, part_json(agent, flow, i));
    }
    return list;
}

static void format_flow(const struct agent *agent, uint32_t flow, char text[FLOW_NAME_SIZE]) {
    const struct fabric *fabric = engine_fabric(agent->engine);
    const struct plan_flow *planned = &engine_plan(agent->engine)->flows[flow];
    char src[NAME_SIZE + 4], dst[NAME_SIZE + 4];
    fabric_format_port(fabric, planned->src, src);
    fabric_format_port(fabric, planned->dst, dst);
    snprintf(text, FLOW_NAME_SIZE, "%s>%s", src, dst);
}

static const char *job_name(const struct agent *agent, uint32_t index) {
    struct engine_job job;
    if (index >= engine_job_count(agent->engine)) {
        return "";
    }
    engine_job_at(agent->engine, index, &job);
    return job.job->name;
}

static json_t *flow_json(const struct agent *agent, uint32_t flow) {
    const struct plan_flow *planned = &engine_plan(agent->engine)->flows[flow];
    const char *reason = engine_plain_reason(agent->engine, flow);
    char name[FLOW_NAME_SIZE];
    format_flow(agent, flow, name);
    return json_pack("{s:s, s:s, s:o, s:b, s:b, s:o, s:b, s:o, s:o, s:o}", "flow", name, "job",
                     job_name(agent, planned->job), "bytes", integer(planned->bytes), "local",
                     planned->local, "steered", reason == NULL && !planned->local, "plain_reason",
                     reason != NULL ? json_string(reason) : json_null(), "spray", planned->spray,
                     "cnps_unplaced", integer(engine_flow_cnps_unplaced(agent->engine, flow)),
                     "parts", parts_json(agent, flow), "qps", agent_rdma_flow_json(agent, flow));
}

json_t *view_flows(struct agent *agent, json_t *arguments, struct control_refusal *refusal) {
    json_t *list = json_array();
    (void)arguments;
    (void)refusal;
    for (uint32_t i = 0; i < engine_plan(agent->engine)->flow_count; i++) {
        json_array_append_new(list, flow_json(agent, i));
    }
    return json_pack("{s:o}", "flows", list);
}

// ---- one flow

bool flow_name_parse(const struct agent *agent, json_t *arguments, struct flow_name *out,
                     struct control_refusal *refusal) {
    const struct fabric *fabric = engine_fabric(agent->engine);
    const char *text = json_string_value(json_object_get(arguments, "flow"));
    *out = (struct flow_name){.has_qp = false};
    if (text == NULL || strlen(text) >= sizeof(out->pair)) {
        refuse(refusal, EXIT_FAILED, "a flow is named h0>h5, one of its QPs h0>h5/17");
        return false;
    }
    memcpy(out->pair, text, strlen(text) + 1);
    char *slash = strchr(out->pair, '/');
    if (slash != NULL) {
        char *end = NULL;
        unsigned long qp = strtoul(slash + 1, &end, 10);
        if (slash[1] < '0' || slash[1] > '9' || *end != '\0' || qp > QP_MAX) {
            refuse(refusal, EXIT_FAILED, "%s: a QP number is at most %lu", text, QP_MAX);
            return false;
        }
        *slash = '\0';
        out->has_qp = true;
        out->qp = (uint32_t)qp;
    }
    char dst[FLOW_NAME_SIZE] = "", src[FLOW_NAME_SIZE] = "";
    char *arrow = strchr(out->pair, '>');
    if (arrow != NULL) {
        snprintf(src, sizeof(src), "%.*s", (int)(arrow - out->pair), out->pair);
        snprintf(dst, sizeof(dst), "%s", arrow + 1);
    }
    if (arrow == NULL || !fabric_find_port(fabric, src, &out->src) ||
        !fabric_find_port(fabric, dst, &out->dst)) {
        refuse(refusal, EXIT_FAILED, "%s: no such hosts or ports in this fabric", text);
        return false;
    }
    return true;
}

uint32_t flow_name_next(const struct agent *agent, const struct flow_name *name, uint32_t from) {
    const struct plan *plan = engine_plan(agent->engine);
    while (from < plan->flow_count &&
           (plan->flows[from].src.i != name->src.i || plan->flows[from].dst.i != name->dst.i)) {
        from++;
    }
    return from;
}

json_t *flow_name_absent(const struct agent *agent, const struct flow_name *name,
                         struct control_refusal *refusal) {
    const struct fabric *fabric = engine_fabric(agent->engine);
    const char *sender = fabric->nodes[fabric->ports[name->src.i].host.i].name;
    if (strcmp(sender, agent->config.host) != 0) {
        return refuse(refusal, EXIT_FAILED, "%s is sent by %s: ask that host's agent (this is %s)",
                      name->pair, sender, agent->config.host);
    }
    return refuse(refusal, EXIT_FAILED, "no job makes this host send %s", name->pair);
}

static void say(json_t *list, json_t *sentence) {
    json_array_append_new(list, sentence);
}

// "a", "a or b": the links of the planned path that may be the hot one.
static void format_hot_links(const struct fabric *fabric, const struct path *path, uint8_t bits,
                             char *text, size_t size) {
    size_t used = 0;
    text[0] = '\0';
    for (unsigned i = 0; i < path->link_count && used < size; i++) {
        char name[LINK_NAME_SIZE];
        if ((bits & (1U << i)) == 0) {
            continue;
        }
        fabric_format_link(fabric, path->links[i], name);
        used += (size_t)snprintf(text + used, size - used, "%s%s", used > 0 ? " or " : "", name);
    }
}

static void explain_part(const struct agent *agent, json_t *list, uint32_t flow, uint32_t index) {
    const struct fabric *fabric = engine_fabric(agent->engine);
    const struct plan_flow *planned = &engine_plan(agent->engine)->flows[flow];
    struct engine_part now;
    char cause[PATH_LINKS_MAX * (LINK_NAME_SIZE + 4)];
    engine_part_at(agent->engine, flow, index, &now);
    if (now.choice == PART_BACKUP) {
        fabric_format_link(fabric, now.cause, cause);
    }
    if (now.choice == PART_BACKUP && now.hot) {
        const struct plan_part *part =
            &engine_plan(agent->engine)->parts[planned->first_part + index];
        format_hot_links(fabric, &part->path, now.hot_links, cause, sizeof(cause));
        say(list, json_sprintf("part %u of %u is on its backup path because %u %% of the probes "
                               "over %s came back marked (ECN)",
                               index + 1, planned->part_count, now.hot_ppm / 10000, cause));
    } else if (now.choice == PART_BACKUP) {
        say(list, json_sprintf("part %u of %u is on its backup path because %s %s", index + 1,
                               planned->part_count, cause,
                               now.lossy ? "loses packets, as this host found"
                                         : "is down for this host"));
    } else if (now.choice == PART_PRIMARY) {
        say(list, json_sprintf("part %u of %u is on the path that the plan gave it", index + 1,
                               planned->part_count));
    } else {
        say(list, json_sprintf("part %u of %u leaves plain: no live path is known for it",
                               index + 1, planned->part_count));
    }
}

static void explain_cnps(const struct agent *agent, json_t *list, uint32_t flow) {
    uint64_t unplaced = engine_flow_cnps_unplaced(agent->engine, flow);
    for (uint32_t i = 0; i < engine_plan(agent->engine)->flows[flow].part_count; i++) {
        struct engine_part part;
        engine_part_at(agent->engine, flow, i, &part);
        if (part.cnps > 0) {
            say(list, json_sprintf("%llu congestion notifications (CNPs) came for part %u",
                                   (unsigned long long)part.cnps, i + 1));
        }
    }
    if (unplaced > 0) {
        say(list, json_sprintf("%llu congestion notifications (CNPs) came for QPs of which this "
                               "host does not know what part they take",
                               (unsigned long long)unplaced));
    }
}

static void explain_owner(const struct agent *agent, json_t *list, uint32_t flow, uint32_t number) {
    json_t *qps = agent_rdma_flow_json(agent, flow), *qp;
    size_t index;
    json_array_foreach(qps, index, qp) {
        const char *process, *device;
        int local, sport, pid, found;
        if (json_unpack(qp, "{s:i, s:i, s:i, s:i, s:s, s:s}", "qp", &found, "local_qp", &local,
                        "sport", &sport, "pid", &pid, "process", &process, "device",
                        &device) == 0 &&
            (uint32_t)found == number) {
            say(list, json_sprintf("QP %u is sent to by QP %d of %s (process %d) on %s, UDP source "
                                   "port %d",
                                   number, local, process, pid, device, sport));
        }
    }
    json_decref(qps);
}

static void explain_flow(const struct agent *agent, json_t *list, uint32_t flow,
                         const struct flow_name *name) {
    const struct plan_flow *planned = &engine_plan(agent->engine)->flows[flow];
    const char *reason = engine_plain_reason(agent->engine, flow);
    uint32_t part;
    say(list, json_sprintf("job %s makes this host send %llu bytes in a round to this port",
                           job_name(agent, planned->job), (unsigned long long)planned->bytes));
    if (planned->local) {
        say(list, json_string("both ports are on one leaf: there is nothing to steer"));
        return;
    }
    if (reason != NULL) {
        say(list, json_sprintf("its packets leave plain: %s", reason));
        return;
    }
    if (planned->spray) {
        say(list, json_sprintf("its packets are sprayed over %u paths", planned->part_count));
    }
    for (uint32_t i = 0; i < planned->part_count; i++) {
        explain_part(agent, list, flow, i);
    }
    explain_cnps(agent, list, flow);
    if (name->has_qp && engine_flow_qp_part(agent->engine, flow, name->qp, &part)) {
        say(list, json_sprintf("QP %u takes part %u", name->qp, part + 1));
    }
    if (name->has_qp) {
        explain_owner(agent, list, flow, name->qp);
    }
}

json_t *view_why(struct agent *agent, json_t *arguments, struct control_refusal *refusal) {
    struct flow_name name;
    if (!flow_name_parse(agent, arguments, &name, refusal)) {
        return NULL;
    }
    uint32_t flow = flow_name_next(agent, &name, 0);
    uint32_t count = engine_plan(agent->engine)->flow_count;
    if (flow == count) {
        return flow_name_absent(agent, &name, refusal);
    }
    json_t *explanation = json_array(), *parts = json_array();
    for (; flow < count; flow = flow_name_next(agent, &name, flow + 1)) {
        json_t *one = parts_json(agent, flow);
        explain_flow(agent, explanation, flow, &name);
        json_array_extend(parts, one);
        json_decref(one);
    }
    return json_pack("{s:s, s:o, s:o}", "flow",
                     json_string_value(json_object_get(arguments, "flow")), "explanation",
                     explanation, "parts", parts);
}
