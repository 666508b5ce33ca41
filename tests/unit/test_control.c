// SPDX-License-Identifier: Apache-2.0
// The control socket's client against a scripted server: one connection, one behaviour each.
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "control_client/control.h"
#include "tool/json.h"
#include "tool/tool.h"

#define SECOND_NS 1000000000ULL

struct server {
    char directory[32];
    char path[64];
    int listener;
    pthread_t thread;
    const char *answer; // NULL: accept and stay silent
    size_t fill_bytes;  // sent as 'x' before the answer
    bool in_pieces;     // a few bytes at a time
    char request[512];
};

static void send_all(int fd, const char *bytes, size_t size) {
    while (size > 0) {
        ssize_t sent = send(fd, bytes, size, MSG_NOSIGNAL);
        if (sent <= 0) {
            return;
        }
        bytes += sent;
        size -= (size_t)sent;
    }
}

static void *serve(void *argument) {
    struct server *server = argument;
    int fd = accept(server->listener, NULL, NULL);
    if (fd < 0) {
        return NULL;
    }
    ssize_t got = read(fd, server->request, sizeof server->request - 1);
    server->request[got > 0 ? got : 0] = '\0';
    static char fill[1 << 16];
    memset(fill, 'x', sizeof fill);
    for (size_t left = server->fill_bytes; left > 0;) {
        size_t part = left < sizeof fill ? left : sizeof fill;
        send_all(fd, fill, part);
        left -= part;
    }
    if (server->answer != NULL && server->in_pieces) {
        for (const char *at = server->answer; *at != '\0'; at += strnlen(at, 7)) {
            send_all(fd, at, strnlen(at, 7));
            usleep(200); // so that the client reads lines that are not whole
        }
    } else if (server->answer != NULL) {
        send_all(fd, server->answer, strlen(server->answer));
    } else {
        char byte;
        while (read(fd, &byte, 1) > 0) { // silent until the client gives up
        }
    }
    close(fd);
    return NULL;
}

static void start(struct server *server) {
    strcpy(server->directory, "/tmp/control-test-XXXXXX");
    assert_non_null(mkdtemp(server->directory));
    snprintf(server->path, sizeof server->path, "%s/agent.sock", server->directory);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", server->path);
    server->listener = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(server->listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(server->listener, 1), 0);
    assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
}

static void stop(struct server *server) {
    pthread_join(server->thread, NULL);
    close(server->listener);
    unlink(server->path);
    rmdir(server->directory);
}

// Calls a server that answers `answer`; the caller frees *result.
static int call(struct server *server, json_t **result, struct control_problem *problem) {
    *result = NULL;
    start(server);
    int rc = control_call(server->path, SECOND_NS, "links", NULL, result, problem);
    stop(server);
    return rc;
}

static void the_request_is_one_line_of_json_and_the_result_comes_back(void **state) {
    (void)state;
    struct server server = {.answer = "{\"ok\":true,\"result\":{\"host\":\"h0\"}}\n"};
    json_t *result = NULL;
    struct control_problem problem;
    start(&server);
    json_t *arguments = json_pack("{s:s}", "why", "leaf0>spine0");
    int rc = control_call(server.path, SECOND_NS, "links", arguments, &result, &problem);
    json_decref(arguments);
    stop(&server);
    assert_int_equal(rc, 0);
    assert_string_equal(server.request,
                        "{\"command\":\"links\",\"arguments\":{\"why\":\"leaf0>spine0\"}}\n");
    assert_string_equal(tool_json_text(result, "host", ""), "h0");
    json_decref(result);
}

static void an_answer_of_many_reads_is_put_together(void **state) {
    (void)state;
    char *text = malloc(3U << 20);
    assert_non_null(text);
    strcpy(text, "{\"ok\":true,\"result\":{\"text\":\"");
    size_t head = strlen(text);
    memset(text + head, 'y', 2U << 20);
    strcpy(text + head + (2U << 20), "\"}}\n");
    struct server server = {.answer = text};
    json_t *result;
    struct control_problem problem;
    assert_int_equal(call(&server, &result, &problem), 0);
    assert_int_equal(strlen(tool_json_text(result, "text", "")), 2U << 20);
    json_decref(result);
    free(text);
}

static void a_refusal_carries_the_agents_exit_code_and_sentence(void **state) {
    (void)state;
    struct server server = {.answer = "{\"ok\":false,\"exit\":7,\"error\":\"last live link\"}\n"};
    json_t *result;
    struct control_problem problem;
    assert_int_equal(call(&server, &result, &problem), -EPERM);
    assert_int_equal(problem.exit_code, TOOL_REFUSED);
    assert_string_equal(problem.text, "last live link");
}

static void a_refusal_cannot_write_escapes_to_the_terminal(void **state) {
    (void)state;
    struct server server = {.answer =
                                "{\"ok\":false,\"exit\":1,\"error\":\"no \\u001b[31mred\\n\"}\n"};
    json_t *result;
    struct control_problem problem;
    assert_int_equal(call(&server, &result, &problem), -EREMOTEIO);
    assert_string_equal(problem.text, "no ?[31mred?");
}

static void a_refusal_with_a_senseless_exit_code_is_a_failure(void **state) {
    (void)state;
    static const char *const answers[] = {
        "{\"ok\":false,\"exit\":0,\"error\":\"fine\"}\n",
        "{\"ok\":false,\"exit\":8,\"error\":\"fine\"}\n",
        "{\"ok\":false,\"exit\":2}\n",
    };
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        struct server server = {.answer = answers[i]};
        json_t *result;
        struct control_problem problem;
        assert_int_equal(call(&server, &result, &problem), -EPROTO);
        assert_int_equal(problem.exit_code, TOOL_FAILED);
    }
}

static void garbage_is_named_and_never_a_result(void **state) {
    (void)state;
    static const char *const answers[] = {
        "hello\n",
        "[1]\n",
        "{\"ok\":true}\n",
        "{\"ok\":true,\"result\":[]}\n",
        "{\"ok\":\"yes\",\"result\":{}}\n",
        "{\"ok\":true,\"ok\":true,\"result\":{}}\n",
        "\n",
    };
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        struct server server = {.answer = answers[i]};
        json_t *result;
        struct control_problem problem;
        assert_int_equal(call(&server, &result, &problem), -EPROTO);
        assert_int_equal(problem.exit_code, TOOL_FAILED);
        assert_null(result);
        assert_non_null(strstr(problem.text, server.path));
    }
}

static void an_answer_that_breaks_off_is_a_failure(void **state) {
    (void)state;
    struct server server = {.answer = "{\"ok\":true,"};
    json_t *result;
    struct control_problem problem;
    assert_int_equal(call(&server, &result, &problem), -EPROTO);
    assert_non_null(strstr(problem.text, "in the middle"));
}

static void an_agent_that_closes_at_once_does_not_answer(void **state) {
    (void)state;
    struct server server = {.answer = ""};
    json_t *result;
    struct control_problem problem;
    assert_int_equal(call(&server, &result, &problem), -ECONNRESET);
    assert_int_equal(problem.exit_code, TOOL_UNREACHABLE);
}

static void a_huge_answer_is_refused_at_the_limit(void **state) {
    (void)state;
    struct server server = {.answer = "\n", .fill_bytes = CONTROL_ANSWER_BYTES_MAX + (1U << 20)};
    json_t *result = NULL;
    struct control_problem problem;
    start(&server);
    int rc = control_call(server.path, 20 * SECOND_NS, "links", NULL, &result, &problem);
    stop(&server);
    assert_int_equal(rc, -EMSGSIZE);
    assert_non_null(strstr(problem.text, "larger than 64 MiB"));
}

static void a_silent_agent_times_out(void **state) {
    (void)state;
    struct server server = {.answer = NULL};
    json_t *result = NULL;
    struct control_problem problem;
    start(&server);
    uint64_t begin_ns = control_now_ns();
    int rc = control_call(server.path, 50000000, "links", NULL, &result, &problem);
    uint64_t elapsed_ns = control_now_ns() - begin_ns;
    stop(&server);
    assert_int_equal(rc, -ETIMEDOUT);
    assert_int_equal(problem.exit_code, TOOL_TIMED_OUT);
    assert_true(elapsed_ns >= 50000000);
}

static void no_socket_is_an_agent_that_does_not_answer(void **state) {
    (void)state;
    json_t *result;
    struct control_problem problem;
    int rc = control_call("/nonexistent/agent.sock", SECOND_NS, "status", NULL, &result, &problem);
    assert_int_equal(rc, -ENOENT);
    assert_int_equal(problem.exit_code, TOOL_UNREACHABLE);
    assert_string_equal(problem.text, "agent does not answer: /nonexistent/agent.sock");
}

static void a_full_queue_of_connections_times_out(void **state) {
    (void)state;
    char directory[] = "/tmp/control-test-XXXXXX";
    assert_non_null(mkdtemp(directory));
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s/agent.sock", directory);
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 0), 0);
    int waiting = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(connect(waiting, (struct sockaddr *)&address, sizeof address), 0);
    json_t *result;
    struct control_problem problem;
    int rc = control_call(address.sun_path, 50000000, "links", NULL, &result, &problem);
    close(waiting);
    close(listener);
    unlink(address.sun_path);
    rmdir(directory);
    assert_int_equal(rc, -ETIMEDOUT);
}

static void a_stream_gives_its_events_one_by_one_and_says_when_it_ends(void **state) {
    (void)state;
    struct server server = {.in_pieces = true,
                            .answer = "{\"ok\":true,\"result\":{\"kind\":\"link_down\"}}\n"
                                      "{\"ok\":true,\"result\":{\"kind\":\"link_up\"}}\n"};
    struct control_problem problem;
    struct control_exchange *exchange;
    json_t *event = NULL;
    start(&server);
    assert_int_equal(control_exchange_open(server.path, "events", NULL, &exchange, &problem), 0);
    uint64_t deadline_ns = control_now_ns() + SECOND_NS;
    assert_int_equal(control_exchange_wait(exchange, deadline_ns, &event, &problem), 0);
    assert_string_equal(tool_json_text(event, "kind", ""), "link_down");
    json_decref(event);
    assert_int_equal(control_exchange_wait(exchange, deadline_ns, &event, &problem), 0);
    assert_string_equal(tool_json_text(event, "kind", ""), "link_up");
    json_decref(event);
    assert_int_equal(control_exchange_wait(exchange, deadline_ns, &event, &problem), -ENODATA);
    control_exchange_close(exchange);
    stop(&server);
}

static void the_agent_is_found_by_socket_host_environment_or_default(void **state) {
    (void)state;
    char path[CONTROL_PATH_SIZE];
    struct control_problem problem;
    unsetenv("SRV6_AGENT");
    assert_int_equal(control_find(NULL, NULL, path, &problem), 0);
    assert_string_equal(path, "/run/srv6/agent.sock");
    setenv("SRV6_AGENT", "/x/y.sock", 1);
    assert_int_equal(control_find(NULL, NULL, path, &problem), 0);
    assert_string_equal(path, "/x/y.sock");
    assert_int_equal(control_find(NULL, "h0", path, &problem), 0);
    assert_string_equal(path, "/run/srv6/lab/h0/agent.sock");
    assert_int_equal(control_find("/z.sock", NULL, path, &problem), 0);
    assert_string_equal(path, "/z.sock");
    unsetenv("SRV6_AGENT");
}

static void a_senseless_target_is_a_usage_error(void **state) {
    (void)state;
    char path[CONTROL_PATH_SIZE], longest[CONTROL_PATH_SIZE + 1];
    struct control_problem problem;
    assert_int_equal(control_find("/z.sock", "h0", path, &problem), -EINVAL);
    assert_int_equal(control_find(NULL, "../h0", path, &problem), -EINVAL);
    assert_int_equal(control_find(NULL, "", path, &problem), -EINVAL);
    assert_int_equal(problem.exit_code, TOOL_USAGE);
    memset(longest, 'a', CONTROL_PATH_SIZE);
    longest[CONTROL_PATH_SIZE] = '\0';
    assert_int_equal(control_find(longest, NULL, path, &problem), -EINVAL);
    longest[CONTROL_PATH_SIZE - 1] = '\0';
    assert_int_equal(control_find(longest, NULL, path, &problem), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_request_is_one_line_of_json_and_the_result_comes_back),
        cmocka_unit_test(an_answer_of_many_reads_is_put_together),
        cmocka_unit_test(a_refusal_carries_the_agents_exit_code_and_sentence),
        cmocka_unit_test(a_refusal_cannot_write_escapes_to_the_terminal),
        cmocka_unit_test(a_refusal_with_a_senseless_exit_code_is_a_failure),
        cmocka_unit_test(garbage_is_named_and_never_a_result),
        cmocka_unit_test(an_answer_that_breaks_off_is_a_failure),
        cmocka_unit_test(an_agent_that_closes_at_once_does_not_answer),
        cmocka_unit_test(a_huge_answer_is_refused_at_the_limit),
        cmocka_unit_test(a_silent_agent_times_out),
        cmocka_unit_test(no_socket_is_an_agent_that_does_not_answer),
        cmocka_unit_test(a_full_queue_of_connections_times_out),
        cmocka_unit_test(a_stream_gives_its_events_one_by_one_and_says_when_it_ends),
        cmocka_unit_test(the_agent_is_found_by_socket_host_environment_or_default),
        cmocka_unit_test(a_senseless_target_is_a_usage_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
