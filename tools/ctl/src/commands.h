// SPDX-License-Identifier: Apache-2.0
// The commands of srv6-ctl: what each does after its command line was understood. Each prints its
// result or its error and returns the tool's exit code.
#ifndef CTL_COMMANDS_H
#define CTL_COMMANDS_H

#include <jansson.h>

#include "options.h"
#include "view.h"

typedef int ctl_run(const struct ctl *ctl);

ctl_run run_status, run_members, run_links, run_jobs, run_flows, run_rules, run_paths, run_why,
    run_trace, run_audit, run_history, run_events;              // command_show.c
ctl_run run_job_submit, run_job_remove;                         // command_job.c
ctl_run run_drain, run_undrain, run_link_set;                   // command_order.c
ctl_run run_fabric_check, run_fabric_export, run_fabric_import; // command_fabric.c, _import.c
ctl_run run_keys_generate, run_keys_line, run_keys_list;        // command_keys.c
ctl_run run_keys_rotate, run_keys_retire;                       // command_rotate.c

// Prints events as they happen until the agent is gone for good (command_follow.c). Takes
// `arguments`.
int ctl_follow(const struct ctl *ctl, json_t *arguments);

// ---- for the commands: one request to the agent that the options name (ask.c)
// Takes `arguments` (may be NULL). On failure the error is printed and the exit code returned.
int ctl_ask(const struct ctl *ctl, const char *command, json_t *arguments, json_t **result);
// Asks and prints: with --json the result, else its view.
int ctl_show(const struct ctl *ctl, const char *command, json_t *arguments, ctl_view *view);
// Asks for a change; prints the result with --json, else the sentence. Adds "force".
int ctl_change(const struct ctl *ctl, const char *command, json_t *arguments, const char *format,
               ...) __attribute__((format(printf, 4, 5)));

#endif
