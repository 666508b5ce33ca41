// SPDX-License-Identifier: Apache-2.0
// How the control socket's questions name flows: "h0>h5", "h0.1>h5.1", and of a QP "h0>h5/17".
// Inside of srv6-agent only.
#ifndef AGENT_SHELL_VIEWS_FLOWS_H
#define AGENT_SHELL_VIEWS_FLOWS_H

#include "agent.h"

#define FLOW_NAME_SIZE (2 * (NAME_SIZE + 4) + 2)

struct flow_name {
    char pair[FLOW_NAME_SIZE];
    port_id src, dst;
    bool has_qp;
    uint32_t qp;
};

// What is wrong is said in `refusal`.
bool flow_name_parse(const struct agent *agent, json_t *arguments, struct flow_name *out,
                     struct control_refusal *refusal);
// The first flow of the pair at or after `from`; flow_count when there is none.
uint32_t flow_name_next(const struct agent *agent, const struct flow_name *name, uint32_t from);
// Refuses: there is no such flow, and why.
json_t *flow_name_absent(const struct agent *agent, const struct flow_name *name,
                         struct control_refusal *refusal);
const char *part_choice_name(enum part_choice choice);

#endif
