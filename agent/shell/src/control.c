// SPDX-License-Identifier: Apache-2.0
#include "agent_shell/control.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define SWEEP_MS 1000
#define BACKLOG 128 // a burst of clients is refused with a sentence, not with EAGAIN
#define READ_SIZE 65536
#define FOLLOW_QUEUE_MAX (256U << 10) // bytes that may wait for a follower
#define EXIT_USAGE 2
#define EXIT_REFUSED 1

struct client {
    uv_pipe_t pipe;
    struct control *control;
    struct client *next;
    char *input;
    size_t length, capacity;
    bool answered, following, closing;
    enum log_level level;  // of a follower
    uint64_t next_event;   // of a follower
    uint64_t active_at_ms; // last byte in or out
};

struct control {
    uv_pipe_t listener;
    uv_timer_t sweep;
    const struct events *events;
    control_answer_fn *answer;
    void *context;
    struct client *clients;
    unsigned client_count;
    unsigned handle_count; // until all are closed
    bool closing;
    char buffer[READ_SIZE]; // libuv reads one client at a time
};

struct outgoing {
    uv_write_t request;
    char *text;
};

static void drop_handle(struct control *control) {
    if (--control->handle_count == 0) {
        free(control);
    }
}

static void on_client_closed(uv_handle_t *handle) {
    struct client *client = handle->data;
    struct control *control = client->control;
    struct client **link = &control->clients;
    while (*link != client) {
        link = &(*link)->next;
    }
    *link = client->next;
    control->client_count--;
    free(client->input);
    free(client);
    drop_handle(control);
}

static void close_client(struct client *client) {
    if (!client->closing) {
        client->closing = true;
        uv_close((uv_handle_t *)&client->pipe, on_client_closed);
    }
}

static void on_written(uv_write_t *request, int status) {
    struct outgoing *outgoing = (struct outgoing *)request;
    struct client *client = request->handle->data;
    client->active_at_ms = uv_now(client->pipe.loop);
    free(outgoing->text);
    free(outgoing);
    if (status != 0 || !client->following) {
        close_client(client);
    } else {
        control_publish(client->control);
    }
}

// Takes the document. A client that cannot be answered is closed.
static void send_document(struct client *client, json_t *document) {
    struct outgoing *outgoing = calloc(1, sizeof(*outgoing));
    char *text = json_dumps(document, JSON_COMPACT);
    json_decref(document);
    size_t length = text != NULL ? strlen(text) : 0;
    if (outgoing == NULL || text == NULL) {
        free(outgoing);
        free(text);
        close_client(client);
        return;
    }
    text[length] = '\n'; // in place of the terminator
    outgoing->text = text;
    uv_buf_t buffer = uv_buf_init(text, (unsigned)length + 1);
    if (uv_write(&outgoing->request, (uv_stream_t *)&client->pipe, &buffer, 1, on_written) != 0) {
        free(text);
        free(outgoing);
        close_client(client);
    }
}

static void send_result(struct client *client, json_t *result) {
    send_document(client, json_pack("{s:b, s:o}", "ok", 1, "result", result));
}

static void send_refusal(struct client *client, int exit_code, const char *text) {
    json_t *document = json_pack("{s:b, s:i, s:s}", "ok", 0, "exit", exit_code, "error", text);
    client->answered = true;
    send_document(client, document != NULL
                              ? document
                              : json_pack("{s:b, s:i, s:s}", "ok", 0, "exit", exit_code, "error",
                                          "the request is not UTF-8"));
}

static void pump(struct client *client) {
    const struct events *events = client->control->events;
    uint64_t first = events_first(events);
    if (client->next_event < first) {
        json_t *lost =
            json_pack("{s:s, s:s, s:s, s:o}", "level", "warning", "kind", "events_lost", "subject",
                      "", "text",
                      json_sprintf("%llu events were lost because they were not read in time",
                                   (unsigned long long)(first - client->next_event)));
        client->next_event = first;
        send_result(client, lost);
    }
    while (!client->closing && client->next_event < events_end(events) &&
           uv_stream_get_write_queue_size((uv_stream_t *)&client->pipe) < FOLLOW_QUEUE_MAX) {
        uint64_t number = client->next_event++;
        if (events_at(events, number)->level >= client->level) {
            send_result(client, event_json(events, number));
        }
    }
}

void control_publish(struct control *control) {
    for (struct client *client = control->clients; client != NULL; client = client->next) {
        if (client->following && !client->closing) {
            pump(client);
        }
    }
}

// A follower whose stream was cut goes on where it was. What it knows of another agent's numbers
// says nothing here: it gets all there is.
static uint64_t first_wanted(const struct events *events, const json_t *arguments) {
    const json_t *from = json_object_get(arguments, "from");
    const json_t *life = json_object_get(arguments, "life");
    if (!json_is_integer(from)) {
        return events_end(events);
    }
    bool same = (uint64_t)json_integer_value(life) == events_life(events);
    uint64_t number = same ? (uint64_t)json_integer_value(from) : 0;
    return number < events_end(events) ? number : events_end(events);
}

static void answer_events(struct client *client, json_t *arguments) {
    const struct events *events = client->control->events;
    const char *level = json_string_value(json_object_get(arguments, "level"));
    client->level = LOG_INFO;
    if (level != NULL && !event_level_parse(level, &client->level)) {
        send_refusal(client, EXIT_USAGE, "events: level: debug, info, warning or alarm expected");
        return;
    }
    if (json_is_true(json_object_get(arguments, "follow"))) {
        client->following = true;
        client->next_event = first_wanted(events, arguments);
        return;
    }
    json_t *list = json_array();
    for (uint64_t i = events_first(events); i < events_end(events); i++) {
        if (events_at(events, i)->level >= client->level) {
            json_array_append_new(list, event_json(events, i));
        }
    }
    send_result(client, json_pack("{s:o}", "events", list));
}

static void answer_request(struct client *client, json_t *request) {
    struct control *control = client->control;
    struct control_refusal refusal = {EXIT_REFUSED, "refused"};
    const char *command = json_string_value(json_object_get(request, "command"));
    json_t *arguments = json_object_get(request, "arguments");
    if (command == NULL || (arguments != NULL && !json_is_object(arguments))) {
        send_refusal(client, EXIT_USAGE,
                     "a request is {\"command\": name, \"arguments\": {...}} on one line");
    } else if (strcmp(command, "events") == 0) {
        answer_events(client, arguments);
    } else {
        json_t *result = control->answer(control->context, command, arguments, &refusal);
        if (result != NULL) {
            send_result(client, result);
        } else {
            send_refusal(client, refusal.exit_code, refusal.text);
        }
    }
}

static void take_request(struct client *client, size_t length) {
    json_error_t problem;
    json_t *request = json_loadb(client->input, length, JSON_REJECT_DUPLICATES, &problem);
    client->answered = true;
    if (request == NULL) {
        char text[256];
        snprintf(text, sizeof(text), "the request is not JSON: %.160s", problem.text);
        send_refusal(client, EXIT_USAGE, text);
        return;
    }
    answer_request(client, request);
    json_decref(request);
}

static bool append(struct client *client, const char *bytes, size_t size) {
    if (client->length + size > client->capacity) {
        size_t capacity = 2 * (client->length + size);
        char *input = realloc(client->input, capacity);
        if (input == NULL) {
            return false;
        }
        client->input = input;
        client->capacity = capacity;
    }
    memcpy(client->input + client->length, bytes, size);
    client->length += size;
    return true;
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer) {
    struct client *client = stream->data;
    if (size < 0) { // gone; an answer that is on its way may still be wanted after a half-close
        if (size != UV_EOF || !client->answered || client->following) {
            close_client(client);
        } else {
            uv_read_stop(stream);
        }
        return;
    }
    client->active_at_ms = uv_now(stream->loop);
    if (client->answered) { // one request a connection
        return;
    }
    size_t before = client->length;
    if (!append(client, buffer->base, (size_t)size)) {
        close_client(client);
        return;
    }
    char *end = memchr(client->input + before, '\n', client->length - before);
    size_t length = end != NULL ? (size_t)(end - client->input) : client->length;
    if (length > CONTROL_REQUEST_MAX) {
        send_refusal(client, EXIT_USAGE, "the request is too long");
    } else if (end != NULL) {
        take_request(client, length);
    }
}

static void on_allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer) {
    struct client *client = handle->data;
    (void)suggested;
    *buffer = uv_buf_init(client->control->buffer, READ_SIZE);
}

static void on_connection(uv_stream_t *listener, int status) {
    struct control *control = listener->data;
    struct client *client = status == 0 ? calloc(1, sizeof(*client)) : NULL;
    if (client == NULL) {
        return;
    }
    client->control = control;
    client->next = control->clients;
    control->clients = client;
    control->client_count++;
    control->handle_count++;
    client->active_at_ms = uv_now(listener->loop);
    uv_pipe_init(listener->loop, &client->pipe, 0);
    client->pipe.data = client;
    if (uv_accept(listener, (uv_stream_t *)&client->pipe) != 0) {
        close_client(client);
    } else if (control->client_count > CONTROL_CLIENTS_MAX) {
        send_refusal(client, EXIT_REFUSED, "too many clients: try again");
    } else if (uv_read_start((uv_stream_t *)&client->pipe, on_allocate, on_read) != 0) {
        close_client(client);
    }
}

// Who neither asks nor reads makes room for others. A follower may be silent for ever.
static void on_sweep(uv_timer_t *timer) {
    struct control *control = timer->data;
    uint64_t now_ms = uv_now(timer->loop);
    for (struct client *client = control->clients; client != NULL; client = client->next) {
        bool waiting =
            !client->following || uv_stream_get_write_queue_size((uv_stream_t *)&client->pipe) > 0;
        if (waiting && now_ms - client->active_at_ms > CONTROL_IDLE_MS) {
            close_client(client);
        }
    }
}

// A file that an agent left behind when it was killed is in the way of its successor.
static int make_room(const char *path, struct error *error) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct stat status;
    char directory[sizeof(address.sun_path)];
    if (strlen(path) >= sizeof(address.sun_path)) {
        return error_set(error, -ENAMETOOLONG, "socket: %.100s is too long", path);
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    memcpy(directory, path, strlen(path) + 1);
    char *slash = strrchr(directory, '/');
    if (slash != NULL && slash != directory) {
        *slash = '\0';
        (void)mkdir(directory, 0755); // what is really wrong shows when binding
    }
    if (lstat(path, &status) != 0) {
        return 0;
    }
    if (!S_ISSOCK(status.st_mode)) {
        return error_set(error, -EEXIST, "socket: %.100s is there and no socket", path);
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return error_set(error, -errno, "socket: %s", strerror(errno));
    }
    bool taken = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 || errno == EAGAIN;
    close(fd);
    if (taken) {
        return error_set(error, -EADDRINUSE,
                         "socket: %.90s: another agent answers there: stop it or set another path",
                         path);
    }
    (void)unlink(path);
    return 0;
}

static int listen_at(struct control *control, const char *path, struct error *error) {
    mode_t mask = umask(0117);
    int rc = uv_pipe_bind(&control->listener, path);
    umask(mask);
    rc = rc != 0 ? rc : uv_listen((uv_stream_t *)&control->listener, BACKLOG, on_connection);
    return rc == 0
               ? 0
               : error_set(error, rc, "socket: cannot listen at %.90s: %s", path, uv_strerror(rc));
}

int control_open(uv_loop_t *loop, const char *path, const struct events *events,
                 control_answer_fn *answer, void *context, struct control **out,
                 struct error *error) {
    int rc = make_room(path, error);
    if (rc != 0) {
        return rc;
    }
    struct control *control = calloc(1, sizeof(*control));
    if (control == NULL) {
        return error_set(error, -ENOMEM, "no memory for the control socket");
    }
    control->events = events;
    control->answer = answer;
    control->context = context;
    control->handle_count = 2;
    uv_pipe_init(loop, &control->listener, 0);
    uv_timer_init(loop, &control->sweep);
    control->listener.data = control;
    control->sweep.data = control;
    rc = listen_at(control, path, error);
    if (rc != 0) {
        control_close(control);
        return rc;
    }
    uv_timer_start(&control->sweep, on_sweep, SWEEP_MS, SWEEP_MS);
    *out = control;
    return 0;
}

static void on_own_closed(uv_handle_t *handle) {
    drop_handle(handle->data);
}

void control_close(struct control *control) {
    if (control == NULL || control->closing) {
        return;
    }
    control->closing = true;
    for (struct client *client = control->clients; client != NULL; client = client->next) {
        close_client(client);
    }
    uv_close((uv_handle_t *)&control->listener, on_own_closed);
    uv_close((uv_handle_t *)&control->sweep, on_own_closed);
}
