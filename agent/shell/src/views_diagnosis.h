// SPDX-License-Identifier: Apache-2.0
// Names of what localization and the shared belief say of links, and its account of one.
#ifndef AGENT_SHELL_VIEWS_DIAGNOSIS_H
#define AGENT_SHELL_VIEWS_DIAGNOSIS_H

#include <jansson.h>

#include "agent_core/engine.h"

struct agent;

const char *link_state_name(const struct link_belief *belief); // "up", "down", "avoided", ...
const char *link_fault_name(enum link_fault fault);
const char *fault_place_name(enum link_fault_place place);
// An object, owned by the caller.
json_t *diagnosis_json(const struct agent *agent, link_id id, const struct engine_link *link);

#endif
