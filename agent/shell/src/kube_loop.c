// SPDX-License-Identifier: Apache-2.0
#include "kube_loop.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

struct kube_loop {
    struct curl_calls curl;
    CURLM *multi;
    uv_loop_t *loop;
    uv_timer_t timer;
};

// One for each socket of libcurl.
struct watched {
    uv_poll_t poll;
    struct kube_loop *of;
    curl_socket_t socket;
};

struct ending {
    kube_done_fn *done;
    void *context;
};

// Each message is taken before its callback runs: that may start the handle anew.
static void finish(struct kube_loop *loop) {
    CURLMsg *message;
    int left;
    while ((message = loop->curl.multi_info_read(loop->multi, &left)) != NULL) {
        struct ending *ending = NULL;
        CURL *easy = message->easy_handle;
        CURLcode code = message->data.result;
        if (message->msg != CURLMSG_DONE) {
            continue;
        }
        (void)loop->curl.easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&ending);
        struct ending copy = *ending;
        kube_loop_remove(loop, easy);
        copy.done(copy.context, easy, code);
    }
}

static void on_socket(uv_poll_t *poll, int status, int events) {
    const struct watched *watched = poll->data;
    struct kube_loop *loop = watched->of;
    int flags = status < 0 ? CURL_CSELECT_ERR : 0, running;
    flags |= (events & UV_READABLE) != 0 ? CURL_CSELECT_IN : 0;
    flags |= (events & UV_WRITABLE) != 0 ? CURL_CSELECT_OUT : 0;
    (void)loop->curl.multi_socket_action(loop->multi, watched->socket, flags, &running);
    finish(loop);
}

static void on_timer(uv_timer_t *timer) {
    struct kube_loop *loop = timer->data;
    int running;
    (void)loop->curl.multi_socket_action(loop->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    finish(loop);
}

static int follow_timer(CURLM *multi, long timeout_ms, void *context) {
    struct kube_loop *loop = context;
    (void)multi;
    if (timeout_ms < 0) {
        uv_timer_stop(&loop->timer);
    } else {
        uv_timer_start(&loop->timer, on_timer, (uint64_t)timeout_ms, 0);
    }
    return 0;
}

static void free_watched(uv_handle_t *handle) {
    free(handle->data);
}

static struct watched *watch_socket(struct kube_loop *loop, curl_socket_t socket) {
    struct watched *watched = calloc(1, sizeof(*watched));
    if (watched == NULL) {
        return NULL;
    }
    watched->of = loop;
    watched->socket = socket;
    if (uv_poll_init_socket(loop->loop, &watched->poll, socket) != 0) {
        free(watched);
        return NULL;
    }
    watched->poll.data = watched;
    (void)loop->curl.multi_assign(loop->multi, socket, watched);
    return watched;
}

static int follow_socket(CURL *easy, curl_socket_t socket, int what, void *context, void *of) {
    struct kube_loop *loop = context;
    struct watched *watched = of;
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (watched != NULL) {
            uv_poll_stop(&watched->poll);
            (void)loop->curl.multi_assign(loop->multi, socket, NULL);
            uv_close((uv_handle_t *)&watched->poll, free_watched);
        }
        return 0;
    }
    watched = watched != NULL ? watched : watch_socket(loop, socket);
    int events = ((what & CURL_POLL_IN) != 0 ? UV_READABLE : 0) |
                 ((what & CURL_POLL_OUT) != 0 ? UV_WRITABLE : 0);
    // -1 makes libcurl give up all transfers: each of them fails, and is tried again.
    return watched != NULL && uv_poll_start(&watched->poll, events, on_socket) == 0 ? 0 : -1;
}

int kube_loop_open(uv_loop_t *loop, struct kube_loop **out, struct error *error) {
    struct kube_loop *made = calloc(1, sizeof(*made));
    int rc = made == NULL ? error_set(error, -ENOMEM, "kubernetes: no memory for a client")
                          : curl_calls_load(&made->curl, error);
    if (rc != 0) {
        free(made);
        return rc;
    }
    const struct curl_calls *curl = &made->curl;
    bool ready = curl->global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
    made->multi = ready ? curl->multi_init() : NULL;
    if (made->multi == NULL || uv_timer_init(loop, &made->timer) != 0) {
        curl->multi_cleanup(made->multi);
        if (ready) {
            curl->global_cleanup();
        }
        free(made);
        return error_set(error, -ENOMEM, "kubernetes: no memory for a client");
    }
    made->loop = loop;
    made->timer.data = made;
    (void)curl->multi_setopt(made->multi, CURLMOPT_SOCKETFUNCTION, follow_socket);
    (void)curl->multi_setopt(made->multi, CURLMOPT_SOCKETDATA, made);
    (void)curl->multi_setopt(made->multi, CURLMOPT_TIMERFUNCTION, follow_timer);
    (void)curl->multi_setopt(made->multi, CURLMOPT_TIMERDATA, made);
    *out = made;
    return 0;
}

const struct curl_calls *kube_loop_calls(const struct kube_loop *loop) {
    return &loop->curl;
}

static void free_loop(uv_handle_t *handle) {
    free(handle->data);
}

void kube_loop_close(struct kube_loop *loop) {
    if (loop == NULL) {
        return;
    }
    loop->curl.multi_cleanup(loop->multi);
    loop->curl.global_cleanup();
    uv_close((uv_handle_t *)&loop->timer, free_loop);
}

int kube_loop_add(struct kube_loop *loop, CURL *easy, kube_done_fn *done, void *context) {
    struct ending *ending = calloc(1, sizeof(*ending));
    if (ending == NULL) {
        return -ENOMEM;
    }
    *ending = (struct ending){done, context};
    (void)loop->curl.easy_setopt(easy, CURLOPT_PRIVATE, ending);
    if (loop->curl.multi_add_handle(loop->multi, easy) != CURLM_OK) {
        (void)loop->curl.easy_setopt(easy, CURLOPT_PRIVATE, NULL);
        free(ending);
        return -ENOMEM;
    }
    return 0;
}

void kube_loop_remove(struct kube_loop *loop, CURL *easy) {
    struct ending *ending = NULL;
    (void)loop->curl.easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&ending);
    if (ending != NULL) {
        (void)loop->curl.multi_remove_handle(loop->multi, easy);
        (void)loop->curl.easy_setopt(easy, CURLOPT_PRIVATE, NULL);
        free(ending);
    }
}
