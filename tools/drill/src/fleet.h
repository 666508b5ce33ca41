// SPDX-License-Identifier: Apache-2.0
// The agents of the lab, asked all at one moment, and questions about what they said.
#ifndef DRILL_FLEET_H
#define DRILL_FLEET_H

#include "drill.h"

// Asks every agent that has a socket in the lab's directory. Returns owned; NULL: out of memory.
json_t *fleet_ask(const struct drill_request *request);
// Appends to `events` what the agents' rings hold since `since_ns`, with "host" added and nothing
// twice. A ring that no longer reaches back so far is named in `lost`.
void fleet_events(const struct drill_request *request, uint64_t since_ns, json_t *events,
                  json_t *lost);

// Pure: --------------------------------------------------------------------------------------
// The first difference between the fleet as it was and as it is now, as a sentence; false when it
// is as before: everyone answers, is healthy, no link down, no member missing, flows on their
// paths.
bool fleet_differs(const json_t *before, const json_t *now, char *sentence, size_t size);
// The parts of a flow as "share state nodes" texts in their order; owned.
json_t *fleet_flow_paths(const json_t *flow);
const json_t *fleet_find_flow(const json_t *fleet, const char *host, const char *flow);
// A deviation for every flow that `stays` names and that during the drill was not on the paths it
// had before.
typedef bool fleet_flow_fn(const void *context, const char *host, const char *flow);
void fleet_judge_unmoved(const json_t *record, fleet_flow_fn *stays, const void *context,
                         json_t *deviations);
// The first event of a kind (and subject, unless NULL) at or after begin_ns, by time. NULL: none.
const json_t *fleet_first_event(const json_t *events, const char *kind, const char *subject,
                                uint64_t begin_ns);

#endif
