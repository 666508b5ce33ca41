// SPDX-License-Identifier: Apache-2.0
#include "agent_shell/http.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "http_calls.h"

#define BACKLOG 128
#define ACCEPTS_PER_TURN 16 // of a flood of connections the loop takes that many at a time
#define SWEEP_MS 500
#define MS_PER_S 1000

struct connection {
    int fd; // -1: free
    struct sockaddr_storage address;
    uint64_t number; // the oldest has the lowest
    uint64_t since_ms;
    bool cut;
};

struct http {
    struct http_calls mhd;
    struct MHD_Daemon *daemon;
    int listener;
    uv_poll_t accepting, working;
    uv_timer_t due, sweep;
    http_answer_fn *answer;
    void *context;
    struct connection connections[HTTP_CONNECTIONS_MAX];
    struct connection *incoming; // that is being handed to the daemon
    uint64_t next_number;
    struct http_stats stats;
    unsigned handle_count; // until all are closed
    bool deaf;             // not accepting until the next sweep
};

// ---- requests

static enum MHD_Result queue(const struct http *http, struct MHD_Connection *connection,
                             unsigned status, const char *type, struct MHD_Response *response) {
    if (response == NULL) {
        return MHD_NO;
    }
    (void)http->mhd.add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    (void)http->mhd.add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    (void)http->mhd.add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED) {
        (void)http->mhd.add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    }
    enum MHD_Result result = http->mhd.queue_response(connection, status, response);
    http->mhd.destroy_response(response);
    return result;
}

static enum MHD_Result refuse(struct http *http, struct MHD_Connection *connection, unsigned status,
                              const char *sentence) {
    http->stats.refused++;
    return queue(http, connection, status, "text/plain; charset=utf-8",
                 http->mhd.create_response_from_buffer(strlen(sentence),
                                                       (void *)(uintptr_t)sentence,
                                                       MHD_RESPMEM_PERSISTENT));
}

static enum MHD_Result answer_request(struct http *http, struct MHD_Connection *connection,
                                      const char *path) {
    struct http_answer answer = {0};
    const char *accept =
        http->mhd.lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT);
    if (http->answer(http->context, path, accept != NULL ? accept : "", &answer) != 0) {
        return refuse(http, connection, MHD_HTTP_INTERNAL_SERVER_ERROR, "out of memory\n");
    }
    http->stats.refused += answer.status >= MHD_HTTP_BAD_REQUEST;
    struct MHD_Response *response =
        http->mhd.create_response_from_buffer(answer.size, answer.body, MHD_RESPMEM_MUST_FREE);
    if (response == NULL) {
        free(answer.body);
    }
    return queue(http, connection, answer.status, answer.type, response);
}

// The library calls it once with the head of a request, then with each part of its body, then once
// more. *state tells the first call from the others.
static enum MHD_Result on_request(void *context, struct MHD_Connection *connection,
                                  const char *path, const char *method, const char *version,
                                  const char *body, size_t *body_size, void **state) {
    struct http *http = context;
    (void)version;
    (void)body;
    if (*state == NULL) {
        *state = http;
        http->stats.requests++;
        bool get = strcmp(method, MHD_HTTP_METHOD_GET) == 0;
        return get || strcmp(method, MHD_HTTP_METHOD_HEAD) == 0
                   ? MHD_YES
                   : refuse(http, connection, MHD_HTTP_METHOD_NOT_ALLOWED, "GET or HEAD only\n");
    }
    if (*body_size > 0) {
        *body_size = 0; // nobody asked for it
        return MHD_YES;
    }
    return answer_request(http, connection, path);
}

// ---- connections

static void on_connection(void *context, struct MHD_Connection *connection, void **slot,
                          enum MHD_ConnectionNotificationCode code) {
    struct http *http = context;
    struct connection *own = *slot;
    (void)connection;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        *slot = http->incoming;
        http->stats.connections++;
    } else if (own != NULL) {
        own->fd = -1;
        http->stats.connections--;
    }
}

static void work(struct http *http);

// The library sees the end of the stream, and closes.
static void cut(struct http *http, struct connection *connection) {
    if (!connection->cut) {
        connection->cut = true;
        http->stats.cut++;
        (void)shutdown(connection->fd, SHUT_RDWR);
    }
}

static bool same_address(const struct sockaddr_storage *a, const struct sockaddr_storage *b) {
    if (a->ss_family != b->ss_family) {
        return false;
    }
    if (a->ss_family == AF_INET) {
        return ((const struct sockaddr_in *)a)->sin_addr.s_addr ==
               ((const struct sockaddr_in *)b)->sin_addr.s_addr;
    }
    return memcmp(&((const struct sockaddr_in6 *)a)->sin6_addr,
                  &((const struct sockaddr_in6 *)b)->sin6_addr, sizeof(struct in6_addr)) == 0;
}

// The oldest connection (of `from`, or of all), and how many there are.
static struct connection *oldest(struct http *http, const struct sockaddr_storage *from,
                                 unsigned *count) {
    struct connection *found = NULL;
    *count = 0;
    for (unsigned i = 0; i < HTTP_CONNECTIONS_MAX; i++) {
        struct connection *one = &http->connections[i];
        if (one->fd < 0 || (from != NULL && !same_address(&one->address, from))) {
            continue;
        }
        (*count)++;
        found = found == NULL || one->number < found->number ? one : found;
    }
    return found;
}

static bool had_its_chance(const struct http *http, const struct connection *connection) {
    return uv_now(http->sweep.loop) - connection->since_ms >= HTTP_GRACE_MS;
}

// Full of connections that may yet send their request.
static bool is_crowded(struct http *http) {
    unsigned count;
    const struct connection *first = oldest(http, NULL, &count);
    return count >= HTTP_CONNECTIONS_MAX && !had_its_chance(http, first);
}

static struct connection *make_room(struct http *http, const struct sockaddr_storage *from) {
    unsigned count, total;
    struct connection *of_address = oldest(http, from, &count);
    struct connection *of_all = oldest(http, NULL, &total);
    if (count >= HTTP_ADDRESS_MAX && had_its_chance(http, of_address)) {
        cut(http, of_address);
        work(http);
    } else if (total >= HTTP_CONNECTIONS_MAX) {
        cut(http, of_all);
        work(http);
    }
    for (unsigned i = 0; i < HTTP_CONNECTIONS_MAX; i++) {
        if (http->connections[i].fd < 0) {
            return &http->connections[i];
        }
    }
    return NULL;
}

static void admit(struct http *http, int fd, const struct sockaddr_storage *from, socklen_t size) {
    struct connection *slot = make_room(http, from);
    if (slot == NULL) {
        close(fd);
        return;
    }
    *slot = (struct connection){fd, *from, http->next_number++, uv_now(http->sweep.loop), false};
    http->incoming = slot;
    if (http->mhd.add_connection(http->daemon, fd, (const struct sockaddr *)from, size) !=
        MHD_YES) {
        slot->fd = -1; // the library has closed it
    }
    http->incoming = NULL;
}

// ---- the loop

static void on_due(uv_timer_t *timer) {
    work(timer->data);
}

static void work(struct http *http) {
    MHD_UNSIGNED_LONG_LONG wait_ms;
    (void)http->mhd.run(http->daemon);
    if (http->mhd.get_timeout(http->daemon, &wait_ms) == MHD_YES) {
        uv_timer_start(&http->due, on_due, wait_ms, 0);
    } else {
        uv_timer_stop(&http->due);
    }
}

static void on_work(uv_poll_t *poll, int status, int events) {
    (void)status;
    (void)events;
    work(poll->data);
}

static void on_accepting(uv_poll_t *poll, int status, int events);

static void listen_again(struct http *http) {
    http->deaf = false;
    (void)uv_poll_start(&http->accepting, UV_READABLE, on_accepting);
}

static void on_sweep(uv_timer_t *timer) {
    struct http *http = timer->data;
    uint64_t now_ms = uv_now(timer->loop);
    for (unsigned i = 0; i < HTTP_CONNECTIONS_MAX; i++) {
        struct connection *one = &http->connections[i];
        if (one->fd >= 0 && now_ms - one->since_ms >= HTTP_DEADLINE_MS) {
            cut(http, one);
        }
    }
    if (http->deaf) {
        listen_again(http);
    }
    work(http);
    if (http->stats.connections == 0 && !http->deaf) {
        uv_timer_stop(timer);
    }
}

static void watch_time(struct http *http) {
    if (!uv_is_active((uv_handle_t *)&http->sweep)) {
        uv_timer_start(&http->sweep, on_sweep, SWEEP_MS, SWEEP_MS);
    }
}

// Those that come wait in the kernel's queue.
static void pause_listening(struct http *http) {
    http->deaf = true;
    uv_poll_stop(&http->accepting);
    uv_timer_start(&http->sweep, on_sweep, HTTP_GRACE_MS, SWEEP_MS);
}

static void on_accepting(uv_poll_t *poll, int status, int events) {
    struct http *http = poll->data;
    (void)status;
    (void)events;
    watch_time(http);
    for (unsigned i = 0; i < ACCEPTS_PER_TURN; i++) {
        if (is_crowded(http)) {
            pause_listening(http);
            break;
        }
        struct sockaddr_storage from;
        socklen_t size = sizeof(from);
        int fd =
            accept4(http->listener, (struct sockaddr *)&from, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
                pause_listening(http);
            }
            break;
        }
        admit(http, fd, &from, size);
    }
    work(http);
}

// ---- opening and closing

static int listen_at(const struct sockaddr_storage *address, struct error *error) {
    int yes = 1, no = 0;
    bool ipv6 = address->ss_family == AF_INET6;
    socklen_t size = ipv6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    int fd = socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return error_set(error, -errno, "metrics.listen: no socket: %s", strerror(errno));
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    if (ipv6) { // [::] is IPv4 as well
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no));
    }
    if (bind(fd, (const struct sockaddr *)address, size) != 0 || listen(fd, BACKLOG) != 0) {
        int code = -errno;
        close(fd);
        return error_set(error, code, "metrics.listen: cannot listen there: %s", strerror(-code));
    }
    return fd;
}

static struct MHD_Daemon *start_daemon(struct http *http) {
    return http->mhd.start_daemon(MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET, 0, NULL, NULL,
                                  on_request, http, MHD_OPTION_NOTIFY_CONNECTION, on_connection,
                                  http, MHD_OPTION_CONNECTION_LIMIT,
                                  (unsigned)HTTP_CONNECTIONS_MAX + 1,
                                  MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HTTP_REQUEST_MAX,
                                  MHD_OPTION_CONNECTION_TIMEOUT,
                                  (unsigned)HTTP_DEADLINE_MS / MS_PER_S, MHD_OPTION_END);
}

static int start_handles(struct http *http, uv_loop_t *loop) {
    const union MHD_DaemonInfo *info =
        http->mhd.get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    int rc = info != NULL ? uv_poll_init(loop, &http->working, info->epoll_fd) : UV_ENOTSUP;
    if (rc != 0) {
        return rc;
    }
    http->handle_count = 1;
    rc = uv_poll_init(loop, &http->accepting, http->listener);
    if (rc != 0) {
        return rc;
    }
    uv_timer_init(loop, &http->due);
    uv_timer_init(loop, &http->sweep);
    http->handle_count = 4;
    http->working.data = http->accepting.data = http->due.data = http->sweep.data = http;
    rc = uv_poll_start(&http->working, UV_READABLE, on_work);
    return rc != 0 ? rc : uv_poll_start(&http->accepting, UV_READABLE, on_accepting);
}

static void on_closed(uv_handle_t *handle) {
    struct http *http = handle->data;
    if (--http->handle_count == 0) {
        free(http);
    }
}

static void close_handles(struct http *http) {
    uv_handle_t *const handles[] = {(uv_handle_t *)&http->working, (uv_handle_t *)&http->accepting,
                                    (uv_handle_t *)&http->due, (uv_handle_t *)&http->sweep};
    unsigned count = http->handle_count;
    for (unsigned i = 0; i < count; i++) {
        handles[i]->data = http;
        uv_close(handles[i], on_closed);
    }
    if (count == 0) {
        free(http);
    }
}

void http_close(struct http *http) {
    if (http == NULL) {
        return;
    }
    struct MHD_Daemon *daemon = http->daemon;
    int listener = http->listener;
    if (http->handle_count > 0) { // before their descriptors go
        uv_poll_stop(&http->working);
    }
    if (http->handle_count > 1) {
        uv_poll_stop(&http->accepting);
    }
    if (daemon != NULL) {
        http->mhd.stop_daemon(daemon);
    }
    close(listener);
    close_handles(http);
}

int http_open(uv_loop_t *loop, const struct sockaddr_storage *listen, http_answer_fn *answer,
              void *context, struct http **out, struct error *error) {
    int listener = listen_at(listen, error);
    if (listener < 0) {
        return listener;
    }
    struct http *http = calloc(1, sizeof(*http));
    if (http == NULL) {
        close(listener);
        return error_set(error, -ENOMEM, "metrics.listen: no memory");
    }
    http->listener = listener;
    http->answer = answer;
    http->context = context;
    for (unsigned i = 0; i < HTTP_CONNECTIONS_MAX; i++) {
        http->connections[i].fd = -1;
    }
    int rc = http_calls_load(&http->mhd, error);
    if (rc != 0) {
        http_close(http);
        return rc;
    }
    http->daemon = start_daemon(http);
    rc = http->daemon != NULL ? start_handles(http, loop) : -ENOMEM;
    if (rc != 0) {
        http_close(http);
        return error_set(error, rc, "metrics.listen: the HTTP server does not start: %s",
                         uv_strerror(rc));
    }
    *out = http;
    return 0;
}

uint16_t http_port(const struct http *http) {
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof(address);
    (void)getsockname(http->listener, (struct sockaddr *)&address, &size);
    return ntohs(address.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&address)->sin6_port
                                               : ((struct sockaddr_in *)&address)->sin_port);
}

void http_stats(const struct http *http, struct http_stats *out) {
    *out = http->stats;
}
