// SPDX-License-Identifier: Apache-2.0
#include "resolver.h"

#include <ares.h>
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define SOCKETS_MAX 32 // of one question at a time; c-ares has one or two for each server

struct watched {
    uv_poll_t poll;
    struct resolver *of;
    ares_socket_t socket;
};

struct resolver {
    uv_loop_t *loop;
    ares_channel channel; // NULL: no question
    resolver_fn *answer;
    void *context;
    struct watched *watched[SOCKETS_MAX];
    uv_timer_t due; // of c-ares, the deadline, and to end a question from outside of c-ares
    uint64_t deadline_ms;
    bool ended, late;
    // What came.
    struct sockaddr_storage *addresses;
    uint32_t count;
    struct error error;
};

static void on_due(uv_timer_t *timer);

// ---- the end of a question

// c-ares must not be destroyed by what it calls: it merely leaves its answer here.
static void on_answer(void *context, int status, int timeouts, struct ares_addrinfo *info) {
    struct resolver *resolver = context;
    uint32_t count = 0;
    (void)timeouts;
    if (status == ARES_EDESTRUCTION) {
        return; // nobody wants to know any more
    }
    for (struct ares_addrinfo_node *node = info != NULL ? info->nodes : NULL; node != NULL;
         node = node->ai_next) {
        count += count < RESOLVER_ADDRESSES_MAX;
    }
    resolver->ended = true;
    resolver->addresses = calloc(count + (size_t)1, sizeof(*resolver->addresses));
    if (status == ARES_ENODATA || status == ARES_ENOTFOUND ||
        (status == ARES_SUCCESS && count == 0)) {
        (void)error_set(&resolver->error, -ENOENT, "%s",
                        status == ARES_ENOTFOUND ? "no such name" : "the name has no address");
    } else if (resolver->late || status == ARES_ETIMEOUT) {
        (void)error_set(&resolver->error, -ETIMEDOUT, "no answer from a name server");
    } else if (status != ARES_SUCCESS) {
        (void)error_set(&resolver->error, -EIO, "%s", ares_strerror(status));
    } else if (resolver->addresses == NULL) {
        (void)error_set(&resolver->error, -ENOMEM, "no memory for its addresses");
    }
    for (struct ares_addrinfo_node *node = info != NULL ? info->nodes : NULL;
         resolver->error.code == 0 && node != NULL && resolver->count < count;
         node = node->ai_next) {
        memcpy(&resolver->addresses[resolver->count++], node->ai_addr, node->ai_addrlen);
    }
    ares_freeaddrinfo(info);
}

static void finish(struct resolver *resolver) {
    struct sockaddr_storage *addresses = resolver->addresses;
    struct error error = resolver->error;
    resolver->addresses = NULL;
    resolver->ended = false;
    ares_destroy(resolver->channel);
    resolver->channel = NULL;
    uv_timer_stop(&resolver->due);
    resolver->answer(resolver->context, addresses, resolver->count,
                     error.code != 0 ? &error : NULL);
    free(addresses);
}

// After each call into c-ares: its next deadline, or the end.
static void go_on(struct resolver *resolver) {
    if (resolver->ended) {
        uv_timer_start(&resolver->due, on_due, 0, 0);
        return;
    }
    uint64_t now_ms = uv_now(resolver->loop);
    uint64_t left_ms = resolver->deadline_ms > now_ms ? resolver->deadline_ms - now_ms : 0;
    struct timeval most = {.tv_sec = (time_t)(left_ms / 1000),
                           .tv_usec = (suseconds_t)(left_ms % 1000) * 1000};
    struct timeval space;
    const struct timeval *wait = ares_timeout(resolver->channel, &most, &space);
    uv_timer_start(&resolver->due, on_due,
                   (uint64_t)wait->tv_sec * 1000 + (uint64_t)(wait->tv_usec + 999) / 1000, 0);
}

static void on_due(uv_timer_t *timer) {
    struct resolver *resolver = timer->data;
    if (resolver->ended) {
        finish(resolver);
        return;
    }
    if (uv_now(resolver->loop) >= resolver->deadline_ms) {
        resolver->late = true;
        ares_cancel(resolver->channel);
    } else {
        ares_process_fd(resolver->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    }
    go_on(resolver);
}

// ---- sockets

static void on_socket(uv_poll_t *poll, int status, int events) {
    const struct watched *watched = poll->data;
    struct resolver *resolver = watched->of;
    ares_socket_t socket = watched->socket;
    bool any = status < 0; // c-ares finds out what is wrong
    ares_process_fd(resolver->channel,
                    any || (events & UV_READABLE) != 0 ? socket : ARES_SOCKET_BAD,
                    any || (events & UV_WRITABLE) != 0 ? socket : ARES_SOCKET_BAD);
    go_on(resolver);
}

static void free_watched(uv_handle_t *handle) {
    free(handle->data);
}

static struct watched **slot_of(struct resolver *resolver, ares_socket_t socket) {
    struct watched **empty = NULL;
    for (unsigned i = 0; i < SOCKETS_MAX; i++) {
        struct watched **slot = &resolver->watched[i];
        if (*slot != NULL && (*slot)->socket == socket) {
            return slot;
        }
        empty = empty == NULL && *slot == NULL ? slot : empty;
    }
    return empty;
}

static bool watch_socket(struct resolver *resolver, struct watched **slot, ares_socket_t socket) {
    struct watched *watched = calloc(1, sizeof(*watched));
    if (watched == NULL || uv_poll_init_socket(resolver->loop, &watched->poll, socket) != 0) {
        free(watched);
        return false;
    }
    watched->poll.data = watched;
    watched->of = resolver;
    watched->socket = socket;
    *slot = watched;
    return true;
}

// A socket that cannot be watched brings no answer: the question ends at its deadline.
static void follow_socket(void *context, ares_socket_t socket, int readable, int writable) {
    struct resolver *resolver = context;
    struct watched **slot = slot_of(resolver, socket);
    int events = (readable != 0 ? UV_READABLE : 0) | (writable != 0 ? UV_WRITABLE : 0);
    if (slot == NULL || (*slot == NULL && (events == 0 || !watch_socket(resolver, slot, socket)))) {
        return;
    }
    if (events != 0) {
        (void)uv_poll_start(&(*slot)->poll, events, on_socket);
        return;
    }
    uv_poll_stop(&(*slot)->poll);
    uv_close((uv_handle_t *)&(*slot)->poll, free_watched);
    *slot = NULL;
}

// ---- questions

bool resolver_busy(const struct resolver *resolver) {
    return resolver->channel != NULL || resolver->ended;
}

void resolver_ask(struct resolver *resolver, const char *name, resolver_fn *answer, void *context) {
    struct ares_options options = {.timeout = RESOLVER_TIMEOUT_MS,
                                   .tries = RESOLVER_TRIES,
                                   .sock_state_cb = follow_socket,
                                   .sock_state_cb_data = resolver};
    const struct ares_addrinfo_hints hints = {.ai_flags = ARES_AI_NOSORT,
                                              .ai_family = AF_UNSPEC,
                                              .ai_socktype = SOCK_STREAM};
    assert(!resolver_busy(resolver));
    resolver->answer = answer;
    resolver->context = context;
    resolver->deadline_ms = uv_now(resolver->loop) + RESOLVER_DEADLINE_MS;
    resolver->ended = resolver->late = false;
    resolver->count = 0;
    resolver->error = (struct error){0};
    int rc = ares_init_options(&resolver->channel, &options,
                               ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB);
    if (rc == ARES_SUCCESS) {
        ares_getaddrinfo(resolver->channel, name, NULL, &hints, on_answer, resolver);
    } else {
        resolver->channel = NULL;
        resolver->ended = true;
        (void)error_set(&resolver->error, -EIO, "%s", ares_strerror(rc));
    }
    go_on(resolver);
}

int resolver_open(uv_loop_t *loop, struct resolver **out, struct error *error) {
    struct resolver *resolver = calloc(1, sizeof(*resolver));
    if (resolver == NULL || ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS ||
        uv_timer_init(loop, &resolver->due) != 0) {
        free(resolver);
        return error_set(error, -ENOMEM, "names: no memory to resolve them");
    }
    resolver->loop = loop;
    resolver->due.data = resolver;
    *out = resolver;
    return 0;
}

static void free_resolver(uv_handle_t *handle) {
    free(handle->data);
}

void resolver_close(struct resolver *resolver) {
    if (resolver == NULL) {
        return;
    }
    if (resolver->channel != NULL) {
        ares_destroy(resolver->channel);
    }
    free(resolver->addresses);
    ares_library_cleanup();
    uv_close((uv_handle_t *)&resolver->due, free_resolver);
}
