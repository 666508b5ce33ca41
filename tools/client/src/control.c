// SPDX-License-Identifier: Apache-2.0
#include "control_client/control.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "tool/json.h"
#include "tool/table.h"
#include "tool/tool.h"

#define BUSY_RETRY_NS 10000000ULL
#define READ_SIZE (64U << 10)

_Static_assert(CONTROL_PATH_SIZE == sizeof((struct sockaddr_un *)0)->sun_path, "sun_path");

struct control_exchange {
    char path[CONTROL_PATH_SIZE];
    int fd;
    char *request;
    size_t request_size, request_sent;
    char *answer; // bytes received and not yet taken
    size_t answer_size, answer_capacity;
    size_t searched; // bytes of answer that hold no newline
    bool answered;   // one answer was taken: the end of the stream is no error
};

int control_problem_set(struct control_problem *problem, int code, int exit_code,
                        const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    problem->exit_code = exit_code;
    vsnprintf(problem->text, sizeof problem->text, format, arguments);
    va_end(arguments);
    tool_clean(problem->text);
    return code;
}

uint64_t control_now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000ULL + (uint64_t)now.tv_nsec;
}

int control_find(const char *socket, const char *host, char path[CONTROL_PATH_SIZE],
                 struct control_problem *problem) {
    if (socket != NULL && host != NULL) {
        return control_problem_set(problem, -EINVAL, TOOL_USAGE,
                                   "--socket and --host name two agents: give one");
    }
    const char *named = socket != NULL ? socket : getenv("SRV6_AGENT");
    int length;
    if (host != NULL) {
        if (host[0] == '\0' || host[0] == '.' || strchr(host, '/') != NULL) {
            return control_problem_set(problem, -EINVAL, TOOL_USAGE, "not a host's name: %s", host);
        }
        length = snprintf(path, CONTROL_PATH_SIZE, CONTROL_LAB_DIRECTORY "/%s/agent.sock", host);
    } else {
        length = snprintf(path, CONTROL_PATH_SIZE, "%s",
                          named != NULL && named[0] != '\0' ? named : CONTROL_SOCKET_DEFAULT);
    }
    if (length >= CONTROL_PATH_SIZE) {
        return control_problem_set(problem, -EINVAL, TOOL_USAGE,
                                   "socket path is longer than %d bytes: %s%s",
                                   CONTROL_PATH_SIZE - 1, path, "...");
    }
    return 0;
}

// What a failed connect means to the user.
static int connect_failed(const char *path, int code, struct control_problem *problem) {
    switch (code) {
    case EACCES:
    case EPERM:
        return control_problem_set(problem, -code, TOOL_PERMISSION,
                                   "no permission to talk to the agent: %s", path);
    case EAGAIN:
        return control_problem_set(problem, -code, TOOL_TIMED_OUT, "agent is busy: %s", path);
    default:
        return control_problem_set(problem, -code, TOOL_UNREACHABLE, "agent does not answer: %s",
                                   path);
    }
}

static int make_request(const char *command, const json_t *arguments, char **out) {
    json_t *document = json_pack("{s:s}", "command", command);
    if (document == NULL) {
        return -ENOMEM;
    }
    json_t *copy = arguments != NULL ? json_deep_copy(arguments) : json_object();
    if (json_object_set_new(document, "arguments", copy) != 0) {
        json_decref(document);
        return -ENOMEM;
    }
    char *text = json_dumps(document, JSON_COMPACT);
    json_decref(document);
    char *line = NULL;
    int length = text != NULL ? asprintf(&line, "%s\n", text) : -1;
    free(text);
    if (length < 0) {
        return -ENOMEM;
    }
    *out = line;
    return 0;
}

int control_exchange_open(const char *path, const char *command, const json_t *arguments,
                          struct control_exchange **out, struct control_problem *problem) {
    assert(strlen(path) < CONTROL_PATH_SIZE);
    struct control_exchange *exchange = calloc(1, sizeof *exchange);
    if (exchange == NULL || make_request(command, arguments, &exchange->request) != 0) {
        free(exchange);
        return control_problem_set(problem, -ENOMEM, TOOL_FAILED, "out of memory");
    }
    exchange->request_size = strlen(exchange->request);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, path);
    strcpy(exchange->path, path);
    exchange->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (exchange->fd < 0 ||
        connect(exchange->fd, (struct sockaddr *)&address, sizeof address) != 0) {
        int rc = connect_failed(path, errno, problem);
        control_exchange_close(exchange);
        return rc;
    }
    *out = exchange;
    return 0;
}

void control_exchange_close(struct control_exchange *exchange) {
    if (exchange == NULL) {
        return;
    }
    if (exchange->fd >= 0) {
        close(exchange->fd);
    }
    free(exchange->request);
    free(exchange->answer);
    free(exchange);
}

int control_exchange_fd(const struct control_exchange *exchange) {
    return exchange->fd;
}

short control_exchange_events(const struct control_exchange *exchange) {
    return exchange->request_sent < exchange->request_size ? POLLIN | POLLOUT : POLLIN;
}

static int send_request(struct control_exchange *exchange, struct control_problem *problem) {
    while (exchange->request_sent < exchange->request_size) {
        ssize_t sent = send(exchange->fd, exchange->request + exchange->request_sent,
                            exchange->request_size - exchange->request_sent, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) {
            continue;
        }
        if (sent < 0) {
            // A peer that refuses early closes its side: its answer may still be there to read.
            return errno == EAGAIN || errno == EPIPE
                       ? 0
                       : connect_failed(exchange->path, errno, problem);
        }
        exchange->request_sent += (size_t)sent;
    }
    return 0;
}

static int reserve_answer(struct control_exchange *exchange, struct control_problem *problem) {
    if (exchange->answer_size > CONTROL_ANSWER_BYTES_MAX) {
        return control_problem_set(problem, -EMSGSIZE, TOOL_FAILED,
                                   "agent's answer is larger than %u MiB: %s",
                                   CONTROL_ANSWER_BYTES_MAX >> 20, exchange->path);
    }
    if (exchange->answer_capacity - exchange->answer_size >= READ_SIZE) {
        return 0;
    }
    size_t capacity = 2 * exchange->answer_capacity + READ_SIZE;
    char *answer = realloc(exchange->answer, capacity);
    if (answer == NULL) {
        return control_problem_set(problem, -ENOMEM, TOOL_FAILED, "out of memory");
    }
    exchange->answer = answer;
    exchange->answer_capacity = capacity;
    return 0;
}

static int stream_ended(const struct control_exchange *exchange, struct control_problem *problem) {
    if (exchange->answer_size > 0) {
        return control_problem_set(problem, -EPROTO, TOOL_FAILED,
                                   "agent's answer ends in the middle: %s", exchange->path);
    }
    if (exchange->answered) {
        return control_problem_set(problem, -ENODATA, TOOL_UNREACHABLE,
                                   "agent closed the connection: %s", exchange->path);
    }
    return control_problem_set(problem, -ECONNRESET, TOOL_UNREACHABLE, "agent does not answer: %s",
                               exchange->path);
}

static int refusal(const struct control_exchange *exchange, const json_t *document,
                   struct control_problem *problem) {
    uint64_t exit_code = tool_json_u64(document, "exit", TOOL_FAILED);
    const char *sentence = tool_json_text(document, "error", NULL);
    if (exit_code < TOOL_FAILED || exit_code > TOOL_REFUSED || sentence == NULL) {
        return control_problem_set(problem, -EPROTO, TOOL_FAILED,
                                   "agent refused without a reason: %s", exchange->path);
    }
    return control_problem_set(problem, exit_code == TOOL_REFUSED ? -EPERM : -EREMOTEIO,
                               (int)exit_code, "%s", sentence);
}

static int decode_line(const struct control_exchange *exchange, size_t size, json_t **result,
                       struct control_problem *problem) {
    json_error_t at;
    json_t *document = json_loadb(exchange->answer, size, JSON_REJECT_DUPLICATES, &at);
    const json_t *ok = json_object_get(document, "ok");
    json_t *body = json_object_get(document, "result");
    int rc = 1;
    if (document == NULL) {
        rc = control_problem_set(problem, -EPROTO, TOOL_FAILED,
                                 "agent's answer is not JSON (byte %d, %s): %s", at.position,
                                 at.text, exchange->path);
    } else if (json_is_false(ok)) {
        rc = refusal(exchange, document, problem);
    } else if (!json_is_true(ok) || !json_is_object(body)) {
        rc = control_problem_set(problem, -EPROTO, TOOL_FAILED, "agent's answer has no result: %s",
                                 exchange->path);
    } else {
        *result = json_incref(body);
    }
    json_decref(document);
    return rc;
}

// Takes one whole line off the received bytes: 1, 0 when there is none, or -errno.
static int take_line(struct control_exchange *exchange, json_t **result,
                     struct control_problem *problem) {
    if (exchange->answer_size == exchange->searched) {
        return 0;
    }
    char *end = memchr(exchange->answer + exchange->searched, '\n',
                       exchange->answer_size - exchange->searched);
    if (end == NULL) {
        exchange->searched = exchange->answer_size;
        return 0;
    }
    size_t size = (size_t)(end - exchange->answer);
    int rc = decode_line(exchange, size, result, problem);
    exchange->answer_size -= size + 1;
    memmove(exchange->answer, end + 1, exchange->answer_size);
    exchange->searched = 0;
    exchange->answered = true;
    return rc;
}

int control_exchange_step(struct control_exchange *exchange, json_t **result,
                          struct control_problem *problem) {
    int rc = send_request(exchange, problem);
    while (rc == 0) {
        rc = take_line(exchange, result, problem);
        if (rc != 0) {
            return rc;
        }
        rc = reserve_answer(exchange, problem);
        if (rc != 0) {
            return rc;
        }
        ssize_t got = recv(exchange->fd, exchange->answer + exchange->answer_size, READ_SIZE, 0);
        if (got == 0 || (got < 0 && errno == ECONNRESET)) {
            return stream_ended(exchange, problem);
        }
        if (got < 0 && errno != EINTR) {
            return errno == EAGAIN ? 0 : connect_failed(exchange->path, errno, problem);
        }
        exchange->answer_size += got > 0 ? (size_t)got : 0;
    }
    return rc;
}

static int timed_out(const char *path, struct control_problem *problem) {
    return control_problem_set(problem, -ETIMEDOUT, TOOL_TIMED_OUT,
                               "agent did not answer in time: %s", path);
}

int control_exchange_wait(struct control_exchange *exchange, uint64_t deadline_ns, json_t **result,
                          struct control_problem *problem) {
    for (;;) {
        int rc = control_exchange_step(exchange, result, problem);
        if (rc != 0) {
            return rc > 0 ? 0 : rc;
        }
        uint64_t now_ns = control_now_ns();
        if (now_ns >= deadline_ns) {
            return timed_out(exchange->path, problem);
        }
        uint64_t left_ns = deadline_ns - now_ns;
        struct timespec left = {.tv_sec = (time_t)(left_ns / 1000000000ULL),
                                .tv_nsec = (long)(left_ns % 1000000000ULL)};
        struct pollfd wanted = {.fd = exchange->fd, .events = control_exchange_events(exchange)};
        if (ppoll(&wanted, 1, &left, NULL) < 0) {
            return control_problem_set(problem, -errno, TOOL_FAILED, "%s: %s", strerror(errno),
                                       exchange->path);
        }
    }
}

int control_call(const char *path, uint64_t timeout_ns, const char *command,
                 const json_t *arguments, json_t **result, struct control_problem *problem) {
    uint64_t deadline_ns = control_now_ns() + timeout_ns;
    struct control_exchange *exchange = NULL;
    int rc;
    while ((rc = control_exchange_open(path, command, arguments, &exchange, problem)) == -EAGAIN) {
        if (control_now_ns() + BUSY_RETRY_NS >= deadline_ns) {
            return timed_out(path, problem);
        }
        nanosleep(&(struct timespec){.tv_nsec = (long)BUSY_RETRY_NS}, NULL);
    }
    if (rc == 0) {
        rc = control_exchange_wait(exchange, deadline_ns, result, problem);
    }
    control_exchange_close(exchange);
    return rc;
}
