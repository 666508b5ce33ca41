// SPDX-License-Identifier: Apache-2.0
// From the API server's pods of this node to the engine (ENGINE_PODS), and into a file, so that an
// agent that restarts while the server is away knows its ranks at once.
//
//   no word yet --list--> known --change--> known     the file is what was known last
//        `--no server: what the file says stays `--no server: what was known stays
//
// Changes are gathered for a moment. One thread, that of the loop.
#ifndef AGENT_SHELL_POD_WATCH_H
#define AGENT_SHELL_POD_WATCH_H

#include "agent.h"

struct pod_watch;

// Borrows the agent, its kube too, until close. What the file remembers is told to the engine; a
// file that makes no sense is told and left out. -ENOMEM, or what kube_watch_open says.
int pod_watch_open(struct agent *agent, struct pod_watch **out, struct error *error);
// Memory goes in the loop's next turns. NULL is a no-op.
void pod_watch_close(struct pod_watch *watch);
// The host's ports may have other names now.
void pod_watch_look(struct pod_watch *watch);

#endif
