// SPDX-License-Identifier: Apache-2.0
// events -f: a stream that goes on when the agent is restarted, and ends with a word when it stays
// away.
//
//   events ... | stream_ended | stream_resumed | what the agent said since it started | ...
//                     `-- RETURN_NS without an agent: exit 3
#include <errno.h>
#include <time.h>

#include "commands.h"
#include "control_client/control.h"
#include "tool/json.h"
#include "tool/tool.h"

#define RETURN_NS 10000000000ULL // a supervisor restarts an agent within a second or two
#define RETRY_NS 100000000L
#define NS_PER_MS 1000000

struct stream {
    const struct ctl *ctl;
    json_t *arguments; // of the next request
    bool connected;    // at some time
};

// RFC 3339 in UTC with milliseconds, as the agent writes it.
static json_t *time_now(void) {
    struct timespec now;
    struct tm parts;
    char seconds[32];
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &parts);
    strftime(seconds, sizeof seconds, "%Y-%m-%dT%H:%M:%S", &parts);
    return json_sprintf("%s.%03ldZ", seconds, now.tv_nsec / NS_PER_MS);
}

// Takes the event; one that carries no time happened here and now.
static int print_event(const struct stream *stream, json_t *event) {
    if (json_object_get(event, "at") == NULL) {
        json_object_set_new(event, "at", time_now());
    }
    int rc = TOOL_OK;
    if (stream->ctl->json) {
        rc = tool_print_json(event); // one document on each line
    } else {
        rc = view_event(event, stdout);
        json_decref(event);
    }
    return fflush(stdout) == 0 ? rc : TOOL_FAILED;
}

static int print_own(const struct stream *stream, const char *level, const char *kind,
                     const char *text) {
    return print_event(stream, json_pack("{s:s, s:s, s:s, s:s}", "level", level, "kind", kind,
                                         "subject", "", "text", text));
}

static void remember(struct stream *stream, const json_t *event) {
    json_t *life = json_object_get(event, "life"), *number = json_object_get(event, "number");
    if (json_is_integer(life) && json_is_integer(number)) {
        json_object_set(stream->arguments, "life", life);
        json_object_set_new(stream->arguments, "from",
                            json_integer(json_integer_value(number) + 1));
    }
}

// Prints until the stream ends: TOOL_OK, and `problem` says how. Else the exit code.
static int print_stream(struct stream *stream, struct control_exchange *exchange,
                        struct control_problem *problem) {
    json_t *event = NULL;
    while (control_exchange_wait(exchange, UINT64_MAX, &event, problem) == 0) {
        remember(stream, event);
        if (print_event(stream, event) != TOOL_OK) {
            return TOOL_FAILED; // the reader of our output went away
        }
    }
    return problem->exit_code == TOOL_UNREACHABLE
               ? TOOL_OK
               : tool_error(CTL_NAME, problem->exit_code, NULL, "%s", problem->text);
}

// Tries until `deadline_ns`.
static int connect_by(const struct stream *stream, const char *path, uint64_t deadline_ns,
                      struct control_exchange **out, struct control_problem *problem) {
    int rc = control_exchange_open(path, "events", stream->arguments, out, problem);
    while (rc != 0 && control_now_ns() < deadline_ns) {
        struct timespec pause = {.tv_nsec = RETRY_NS};
        nanosleep(&pause, NULL);
        rc = control_exchange_open(path, "events", stream->arguments, out, problem);
    }
    return rc;
}

// One connection, from its beginning to its end.
static int follow_once(struct stream *stream, const char *path) {
    struct control_problem problem = {0};
    struct control_exchange *exchange = NULL;
    uint64_t deadline_ns = stream->connected ? control_now_ns() + RETURN_NS : 0;
    if (connect_by(stream, path, deadline_ns, &exchange, &problem) != 0) {
        return tool_error(CTL_NAME, problem.exit_code, NULL, "%s", problem.text);
    }
    int rc = TOOL_OK;
    if (stream->connected) {
        rc = print_own(stream, "info", "stream_resumed", "the agent answers again");
    }
    stream->connected = true;
    rc = rc == TOOL_OK ? print_stream(stream, exchange, &problem) : rc;
    control_exchange_close(exchange);
    return rc == TOOL_OK ? print_own(stream, "warning", "stream_ended", problem.text) : rc;
}

int ctl_follow(const struct ctl *ctl, json_t *arguments) {
    char path[CONTROL_PATH_SIZE];
    struct control_problem problem;
    struct stream stream = {.ctl = ctl, .arguments = arguments};
    int rc = TOOL_OK;
    json_object_set_new(arguments, "follow", json_true());
    if (control_find(ctl->socket, ctl->host, path, &problem) != 0) {
        rc = tool_error(CTL_NAME, problem.exit_code, NULL, "%s", problem.text);
    }
    while (rc == TOOL_OK) {
        rc = follow_once(&stream, path);
        if (json_object_get(arguments, "from") == NULL) { // nothing was seen before the end
            json_object_set_new(arguments, "from", json_integer(0));
        }
    }
    json_decref(arguments);
    return rc;
}
