// SPDX-License-Identifier: Apache-2.0
// libcurl's functions that the client of the Kubernetes API calls, loaded with it (library.h).
#ifndef AGENT_SHELL_CURL_CALLS_H
#define AGENT_SHELL_CURL_CALLS_H

#include <curl/curl.h>

#include "model/error.h"

#define CURL_CALLS(CALL)                                                                           \
    CALL(easy_cleanup)                                                                             \
    CALL(easy_getinfo)                                                                             \
    CALL(easy_init)                                                                                \
    CALL(easy_setopt)                                                                              \
    CALL(easy_strerror)                                                                            \
    CALL(global_cleanup)                                                                           \
    CALL(global_init)                                                                              \
    CALL(multi_add_handle)                                                                         \
    CALL(multi_assign)                                                                             \
    CALL(multi_cleanup)                                                                            \
    CALL(multi_info_read)                                                                          \
    CALL(multi_init)                                                                               \
    CALL(multi_remove_handle)                                                                      \
    CALL(multi_setopt)                                                                             \
    CALL(multi_socket_action)                                                                      \
    CALL(slist_append)                                                                             \
    CALL(slist_free_all)

#define CURL_MEMBER(name) __typeof__(curl_##name) *name;
struct curl_calls {
    CURL_CALLS(CURL_MEMBER)
};
#undef CURL_MEMBER

int curl_calls_load(struct curl_calls *out, struct error *error);

#endif
