// SPDX-License-Identifier: Apache-2.0
// Names to addresses, by c-ares on the agent's loop: /etc/hosts and DNS as nsswitch.conf and
// resolv.conf say, IPv4 and IPv6. Nothing waits and nothing has a thread; the files, which may have
// changed, are read for each question.
//
// One question at a time; the answer, or the sentence why there is none, comes within
// RESOLVER_DEADLINE_MS, never from within resolver_ask. Ownership: resolver_open returns owned. One
// thread, that of the loop.
#ifndef AGENT_SHELL_RESOLVER_H
#define AGENT_SHELL_RESOLVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <uv.h>

#include "model/error.h"

#define RESOLVER_DEADLINE_MS 10000
#define RESOLVER_TIMEOUT_MS 1000 // of the first try of a server; later ones take longer
#define RESOLVER_TRIES 3
#define RESOLVER_ADDRESSES_MAX 65536 // more are left out

struct resolver;

// Addresses without a port, borrowed for the call; `error` is NULL when there are any. -ENOENT: no
// such name, or it has no address; -ETIMEDOUT; -EIO with what the servers said.
typedef void resolver_fn(void *context, const struct sockaddr_storage *addresses, uint32_t count,
                         const struct error *error);

int resolver_open(uv_loop_t *loop, struct resolver **out, struct error *error);
// An open question stays unanswered. Memory goes in the loop's next turns. NULL is a no-op.
void resolver_close(struct resolver *resolver);
// Not while resolver_busy.
void resolver_ask(struct resolver *resolver, const char *name, resolver_fn *answer, void *context);
bool resolver_busy(const struct resolver *resolver);

#endif
