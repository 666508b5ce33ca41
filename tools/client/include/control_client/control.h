// SPDX-License-Identifier: Apache-2.0
// The client's side of an agent's control socket.
//
//   client                                        agent   (Unix stream socket, mode 0660)
//     {"command":"links","arguments":{}}\n   ->
//                                            <-   {"ok":true,"result":{...}}\n        then close
//                                            <-   {"ok":false,"exit":7,"error":"..."}\n
//   `events` with "follow":true: one such line for each event until the client closes.
//
// An exchange is one connection, never blocks, and is driven by poll (srv6-top keeps several in
// flight); control_call is the blocking form for tools that ask one thing. Every failure comes as
// -errno and a `struct control_problem`: the exit code that the tool must use (the contract's
// table) and a sentence. What the agent sends is not trusted: bounded in size, checked in form,
// control characters removed from its sentences. Returned documents are owned by the caller. One
// thread per exchange.
#ifndef CONTROL_CLIENT_CONTROL_H
#define CONTROL_CLIENT_CONTROL_H

#include <jansson.h>
#include <stdint.h>

#define CONTROL_SOCKET_DEFAULT "/run/srv6/agent.sock"
#define CONTROL_LAB_DIRECTORY "/run/srv6/lab"
#define CONTROL_TIMEOUT_DEFAULT_NS 2000000000ULL
#define CONTROL_ANSWER_BYTES_MAX (64U << 20)
#define CONTROL_PATH_SIZE 108 // sockaddr_un's

struct control_problem {
    int exit_code; // enum tool_exit
    char text[512];
};

// Fills `problem` and returns `code` (-errno).
int control_problem_set(struct control_problem *problem, int code, int exit_code,
                        const char *format, ...) __attribute__((format(printf, 4, 5)));

// Which agent: `socket` when given, else the lab's `host`, else $SRV6_AGENT, else the default.
// -EINVAL when both are given or the path does not fit a socket address.
int control_find(const char *socket, const char *host, char path[CONTROL_PATH_SIZE],
                 struct control_problem *problem);

struct control_exchange;

// Connects and queues the request. `arguments` is borrowed, NULL for none. -EAGAIN when the agent's
// queue of connections is full: try again later.
int control_exchange_open(const char *path, const char *command, const json_t *arguments,
                          struct control_exchange **out, struct control_problem *problem);
void control_exchange_close(struct control_exchange *exchange); // NULL is a no-op
int control_exchange_fd(const struct control_exchange *exchange);
short control_exchange_events(const struct control_exchange *exchange); // for poll
// Moves what can be moved. 1: *result is the next answer; 0: nothing yet; -errno: broken or
// refused. -ENODATA: a stream ended.
int control_exchange_step(struct control_exchange *exchange, json_t **result,
                          struct control_problem *problem);
// Blocks until an answer, a failure or deadline_ns (CLOCK_MONOTONIC): 0, -ETIMEDOUT or as above.
int control_exchange_wait(struct control_exchange *exchange, uint64_t deadline_ns, json_t **result,
                          struct control_problem *problem);

// One request, one answer, within timeout_ns.
int control_call(const char *path, uint64_t timeout_ns, const char *command,
                 const json_t *arguments, json_t **result, struct control_problem *problem);

uint64_t control_now_ns(void); // CLOCK_MONOTONIC

#endif
