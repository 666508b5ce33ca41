// SPDX-License-Identifier: Apache-2.0
// What the agent's result documents look like to a person: tables and sentences for 80 columns.
// Pure: a document in, text out. A missing key shows as "-" (an older agent says less). All return
// TOOL_OK or TOOL_FAILED (output broken).
#ifndef CTL_VIEW_H
#define CTL_VIEW_H

#include <jansson.h>
#include <stdio.h>

typedef int ctl_view(const json_t *result, FILE *out);

ctl_view view_status, view_members, view_links, view_link_why, view_jobs, view_flows, view_rules,
    view_paths, view_why, view_trace, view_audit, view_history, view_events;

// One line of `events -f`.
int view_event(const json_t *event, FILE *out);
// One sentence of text from an agent, cleaned of control characters.
void view_sentence(FILE *out, const char *text);

#endif
