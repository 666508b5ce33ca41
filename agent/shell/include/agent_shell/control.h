// SPDX-License-Identifier: Apache-2.0
// The agent's control socket: a Unix stream socket (mode 0660) on which a client writes one JSON
// line and gets one back. Except `events` with "follow": one line per event until the client goes.
//
//   {"command":"links","arguments":{...}}\n  ->  {"ok":true,"result":{...}}\n
//                                                {"ok":false,"exit":7,"error":"sentence"}\n
//
// A follower may say "life" and "from", of the last event that it had and one more: nothing is then
// sent twice, and of an agent that was started since, all is sent.
//
// Clients are not trusted to be quick or sane: requests are bounded, a client that sends nothing or
// reads nothing is dropped after a while, a follower that does not keep up loses events (and is
// told how many), and nothing here ever waits for one.
//
// What a command means is the answer function's business; `events` is answered here. Ownership:
// control_open returns owned and borrows path, events and context for its life. One thread, that of
// the loop.
#ifndef AGENT_SHELL_CONTROL_H
#define AGENT_SHELL_CONTROL_H

#include <jansson.h>
#include <uv.h>

#include "agent_shell/events.h"
#include "model/error.h"

#define CONTROL_REQUEST_MAX (4U << 20) // a job that lists 65,536 ranks fits
#define CONTROL_CLIENTS_MAX 64
#define CONTROL_IDLE_MS 10000 // for a request to arrive, for an answer to leave

struct control_refusal {
    int exit_code; // what the tool shall exit with
    char text[512];
};

// The result (owned by the caller), or NULL with `refusal` filled.
typedef json_t *control_answer_fn(void *context, const char *command, json_t *arguments,
                                  struct control_refusal *refusal);

struct control;

// Replaces a socket file on which nobody listens. -EADDRINUSE: somebody does. Creates the last
// directory of the path where it is missing.
int control_open(uv_loop_t *loop, const char *path, const struct events *events,
                 control_answer_fn *answer, void *context, struct control **out,
                 struct error *error);
// Ends all connections; the memory goes in the loop's next turns.
void control_close(struct control *control);
// Hands new events to the clients that follow.
void control_publish(struct control *control);

#endif
