// SPDX-License-Identifier: Apache-2.0
// A small HTTP server on the agent's loop: GET and HEAD of a few paths, for Prometheus and for the
// probes of Kubernetes. libmicrohttpd speaks HTTP; its epoll descriptor is polled by the loop, so
// that answers are made by the thread that owns the engine, and nothing here ever waits for anyone.
//
//   accepted -> request read -> answered -> closed        one request a connection
//      `------------ HTTP_DEADLINE_MS for all of it ----'
//
// Clients are not trusted: when HTTP_CONNECTIONS_MAX of them (HTTP_ADDRESS_MAX of one address) are
// there, the next one takes the place of the oldest, if that had HTTP_GRACE_MS for its request. So
// a client that sends its request at once is answered, however many others sit and wait.
//
// Ownership: http_open returns owned and borrows the context for its life. Errors: -errno with a
// sentence. One thread, that of the loop.
#ifndef AGENT_SHELL_HTTP_H
#define AGENT_SHELL_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <uv.h>

#include "model/error.h"

#define HTTP_CONNECTIONS_MAX 64
#define HTTP_ADDRESS_MAX 32
#define HTTP_DEADLINE_MS 5000
#define HTTP_GRACE_MS 20
#define HTTP_REQUEST_MAX 16384 // bytes of a request's head

struct http_answer {
    unsigned status;
    const char *type; // of the content; static
    char *body;       // malloc'ed; the server frees it
    size_t size;
};
// 0, or -errno: the client is told 500. `accept` is "" when the client does not say.
typedef int http_answer_fn(void *context, const char *path, const char *accept,
                           struct http_answer *out);

struct http_stats {
    uint64_t requests;
    uint64_t refused; // answered with 400 and more, the answer function's included
    uint64_t cut;     // connections that were too slow, or in the way of newer ones
    uint32_t connections;
};

struct http;

int http_open(uv_loop_t *loop, const struct sockaddr_storage *listen, http_answer_fn *answer,
              void *context, struct http **out, struct error *error);
// Ends all connections; the memory goes in the loop's next turns. NULL is a no-op.
void http_close(struct http *http);
uint16_t http_port(const struct http *http);
void http_stats(const struct http *http, struct http_stats *out);

// Whether the client prefers OpenMetrics 1.0 to the classic text (RFC 9110 section 12.5.1: the
// higher quality; of equal ones OpenMetrics, since only a client that knows it names it).
bool http_accepts_openmetrics(const char *accept);

#endif
