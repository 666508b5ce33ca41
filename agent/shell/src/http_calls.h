// SPDX-License-Identifier: Apache-2.0
// libmicrohttpd's functions that the HTTP server calls, loaded with it (library.h).
#ifndef AGENT_SHELL_HTTP_CALLS_H
#define AGENT_SHELL_HTTP_CALLS_H

#include <microhttpd.h>

#include "model/error.h"

#define HTTP_CALLS(CALL)                                                                           \
    CALL(add_connection)                                                                           \
    CALL(add_response_header)                                                                      \
    CALL(create_response_from_buffer)                                                              \
    CALL(destroy_response)                                                                         \
    CALL(get_daemon_info)                                                                          \
    CALL(get_timeout)                                                                              \
    CALL(lookup_connection_value)                                                                  \
    CALL(queue_response)                                                                           \
    CALL(run)                                                                                      \
    CALL(start_daemon)                                                                             \
    CALL(stop_daemon)

#define HTTP_MEMBER(name) __typeof__(MHD_##name) *name;
struct http_calls {
    HTTP_CALLS(HTTP_MEMBER)
};
#undef HTTP_MEMBER

int http_calls_load(struct http_calls *out, struct error *error);

#endif
