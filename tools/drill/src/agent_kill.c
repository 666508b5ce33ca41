// SPDX-License-Identifier: Apache-2.0
// agent-kill HOST: kill -9 of one host's agent. Expected: the others notice; every flow stays on
// its paths, those to the host as well as its own, whose rules are in the NIC and not in the agent;
// the next agent adopts them with their counters and nothing went plain meanwhile.
#include <stdio.h>
#include <string.h>

#include "drill.h"
#include "fleet.h"
#include "lab.h"
#include "tool/json.h"

static json_t *plan_kill(const struct drill_request *request, const json_t *fleet,
                         char problem[256]) {
    const char *host = request->operands[0];
    const json_t *agent = tool_json_object(tool_json_object(fleet, "agents"), host);
    if (agent == NULL) {
        snprintf(problem, 256, "no agent answers on host %.200s", host);
        return NULL;
    }
    json_t *names = json_array();
    size_t index;
    const json_t *flow;
    json_array_foreach(tool_json_array(tool_json_object(agent, "flows"), "flows"), index, flow) {
        json_array_append_new(names, json_pack("{s:s,s:s,s:b}", "host", host, "flow",
                                               tool_json_text(flow, "flow", "-"), "other_path", 1));
    }
    return json_pack("{s:s,s:o,s:o}", "host", host, "summary",
                     json_sprintf("kill the agent of %s: its %zu flows stay steered by the NIC",
                                  host, json_array_size(names)),
                     "flows", names);
}

static void refuse_kill(const json_t *fleet, const json_t *plan, json_t *reasons) {
    (void)plan;
    if (json_object_size(tool_json_object(fleet, "agents")) < 3) {
        json_array_append_new(reasons, json_string("fewer than two agents would remain to notice"));
    }
}

static int agent_command(const struct drill_request *request, const json_t *plan,
                         const char *verb) {
    const char *words[] = {"agent", tool_json_text(plan, "host", ""), verb, NULL};
    return lab_run(request, words);
}

static int inject_kill(const struct drill_request *request, const json_t *plan) {
    return agent_command(request, plan, "kill");
}

static int revert_kill(const struct drill_request *request, const json_t *plan) {
    return agent_command(request, plan, "start");
}

static void judge_notice(const char *host, const json_t *record, json_t *report,
                         json_t *deviations) {
    uint64_t begin_ns = tool_json_u64(record, "inject_begin_ns", 0);
    const json_t *event =
        fleet_first_event(tool_json_array(record, "events"), "member_state", host, begin_ns);
    if (event == NULL) {
        json_array_append_new(deviations, json_sprintf("no agent noticed that %s is gone", host));
        return;
    }
    json_object_set_new(report, "noticed",
                        json_pack("{s:s,s:I}", "host", tool_json_text(event, "host", "-"),
                                  "at_most_ns",
                                  (json_int_t)(tool_json_u64(event, "at_ns", 0) - begin_ns)));
}

// Those to the dead agent's host are among them.
static bool is_of_another(const void *context, const char *host, const char *name) {
    (void)name;
    return strcmp(host, context) != 0;
}

static uint64_t packets_of(const json_t *flow) {
    uint64_t packets = 0;
    size_t index;
    const json_t *part;
    json_array_foreach(tool_json_array(flow, "parts"), index, part) {
        packets += tool_json_u64(part, "packets", 0);
    }
    return packets;
}

static const json_t *status_of(const json_t *fleet, const char *host) {
    return tool_json_object(tool_json_object(tool_json_object(fleet, "agents"), host), "status");
}

// Counters live in the NIC: they go on where they were, and no RoCE packet left without a path.
static void judge_own(const char *host, const json_t *plan, const json_t *record, json_t *report,
                      json_t *deviations) {
    const json_t *before = tool_json_object(record, "before");
    const json_t *after = tool_json_object(record, "after");
    const json_t *status = status_of(after, host);
    if (status == NULL) {
        json_array_append_new(deviations, json_sprintf("the agent of %s did not come back", host));
        return;
    }
    uint64_t plain = tool_json_u64(tool_json_object(status, "nic"), "plain_roce", 0);
    uint64_t was = tool_json_u64(tool_json_object(status_of(before, host), "nic"), "plain_roce", 0);
    json_object_set_new(report, "plain_roce_packets",
                        json_integer(plain > was ? (json_int_t)(plain - was) : 0));
    if (plain > was) {
        json_array_append_new(deviations, json_sprintf("%llu RoCE packets of %s left unsteered",
                                                       (unsigned long long)(plain - was), host));
    }
    size_t index;
    const json_t *entry;
    json_array_foreach(tool_json_array(plan, "flows"), index, entry) {
        const char *name = tool_json_text(entry, "flow", "-");
        if (packets_of(fleet_find_flow(after, host, name)) <
            packets_of(fleet_find_flow(before, host, name))) {
            json_array_append_new(deviations, json_sprintf("flow %s lost its counters", name));
        }
    }
}

static void judge_kill(const json_t *plan, const json_t *record, json_t *report,
                       json_t *deviations) {
    const char *host = tool_json_text(plan, "host", "");
    judge_notice(host, record, report, deviations);
    fleet_judge_unmoved(record, is_of_another, host, deviations);
    judge_own(host, plan, record, report, deviations);
}

const struct drill drill_agent_kill = {
    .name = "agent-kill",
    .operands = "HOST",
    .operand_count = 1,
    .summary = "kill -9 of one host's agent: traffic stays steered, the others notice",
    .plan = plan_kill,
    .refuse = refuse_kill,
    .inject = inject_kill,
    .revert = revert_kill,
    .judge = judge_kill,
};
