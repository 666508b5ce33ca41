// SPDX-License-Identifier: Apache-2.0
// The control socket against clients that are not nice. The server's loop is turned by the test.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
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

#include "agent_shell/control.h"

#include <cmocka.h>

static char path[64];
static uv_loop_t loop;
static struct events *events;
static struct control *control;
static char answer[1 << 20];

static json_t *echo(void *context, const char *command, json_t *arguments,
                    struct control_refusal *refusal) {
    (void)context;
    if (strcmp(command, "refuse") == 0) {
        refusal->exit_code = 7;
        snprintf(refusal->text, sizeof(refusal->text), "no");
        return NULL;
    }
    return json_pack("{s:s, s:O?}", "command", command, "arguments", arguments);
}

static int set_up(void **state) {
    struct error error;
    (void)state;
    uv_loop_init(&loop);
    events = events_open(77);
    return control_open(&loop, path, events, echo, NULL, &control, &error);
}

static int tear_down(void **state) {
    (void)state;
    control_close(control);
    uv_run(&loop, UV_RUN_DEFAULT);
    events_close(events);
    return uv_loop_close(&loop);
}

static void turn(int times) {
    for (int i = 0; i < times; i++) {
        uv_run(&loop, UV_RUN_NOWAIT);
    }
}

static int dial(void) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    memcpy(address.sun_path, path, strlen(path) + 1);
    while (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        assert_int_equal(errno, EAGAIN); // the queue of connections is full
        uv_run(&loop, UV_RUN_NOWAIT);
    }
    return fd;
}

// What the server says until it closes or nothing more comes; *closed tells which.
static const char *hear(int fd, bool *closed) {
    size_t length = 0;
    *closed = false;
    for (int quiet = 0; quiet < 20;) {
        turn(1);
        ssize_t got = read(fd, answer + length, sizeof(answer) - 1 - length);
        if (got == 0 || (got < 0 && errno != EAGAIN)) {
            *closed = true;
            break;
        }
        quiet = got > 0 ? 0 : quiet + 1;
        length += got > 0 ? (size_t)got : 0;
    }
    answer[length] = '\0';
    return answer;
}

static void expect(const char *request, const char *wanted) {
    bool closed;
    int fd = dial();
    assert_int_equal(write(fd, request, strlen(request)), (ssize_t)strlen(request));
    const char *said = hear(fd, &closed);
    if (strstr(said, wanted) == NULL) {
        fail_msg("\"%s\" is not in \"%s\"", wanted, said);
    }
    assert_int_equal(said[strlen(said) - 1], '\n');
    assert_true(closed);
    close(fd);
}

static void a_request_gets_one_line_and_the_end(void **state) {
    (void)state;
    expect("{\"command\":\"links\",\"arguments\":{\"why\":\"a>b\"}}\n",
           "{\"ok\":true,\"result\":{\"command\":\"links\",\"arguments\":{\"why\":\"a>b\"}}}");
    expect("{\"command\":\"refuse\"}\n", "{\"ok\":false,\"exit\":7,\"error\":\"no\"}");
}

static void garbage_is_refused_with_a_sentence(void **state) {
    (void)state;
    expect("\xff\xfe\n", "\"ok\":false,\"exit\":2");
    expect("{\"command\":\n", "not JSON");
    expect("[1,2]\n", "a request is");
    expect("{\"command\":5}\n", "a request is");
    expect("{\"command\":\"x\",\"arguments\":[]}\n", "a request is");
    expect("\n", "not JSON");
    expect("{\"command\":\"events\",\"arguments\":{\"level\":\"loud\"}}\n", "level");
}

static void half_a_line_waits_and_a_request_in_pieces_is_answered(void **state) {
    (void)state;
    bool closed;
    int fd = dial();
    const char *request = "{\"command\":\"status\"}\n";
    for (size_t i = 0; i < strlen(request); i++) {
        assert_string_equal(hear(fd, &closed), "");
        assert_false(closed);
        assert_int_equal(write(fd, request + i, 1), 1);
    }
    assert_non_null(strstr(hear(fd, &closed), "\"command\":\"status\""));
    assert_true(closed);
    close(fd);
}

static void a_client_that_leaves_in_the_middle_hurts_nobody(void **state) {
    (void)state;
    for (int i = 0; i < 100; i++) {
        int fd = dial();
        assert_int_equal(write(fd, "{\"command\":\"s\"}\n", (size_t)(i % 17)), i % 17);
        close(fd);
    }
    turn(300);
    expect("{\"command\":\"status\"}\n", "\"ok\":true");
}

static void a_request_beyond_the_limit_is_refused(void **state) {
    (void)state;
    bool closed;
    int fd = dial();
    static char block[65536];
    memset(block, ' ', sizeof(block));
    for (size_t sent = 0; sent < CONTROL_REQUEST_MAX + 2 * sizeof(block);) {
        ssize_t wrote = write(fd, block, sizeof(block));
        if (wrote < 0 && errno != EAGAIN) {
            break; // the server has had enough
        }
        sent += wrote > 0 ? (size_t)wrote : 0;
        turn(1);
    }
    assert_non_null(strstr(hear(fd, &closed), "too long"));
    assert_true(closed);
    close(fd);
}

static void more_clients_than_the_limit_are_turned_away(void **state) {
    (void)state;
    bool closed;
    int fds[CONTROL_CLIENTS_MAX];
    for (int i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        fds[i] = dial();
        turn(2);
    }
    int extra = dial();
    assert_non_null(strstr(hear(extra, &closed), "too many clients"));
    close(extra);
    for (int i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        close(fds[i]);
    }
    turn(300);
    expect("{\"command\":\"status\"}\n", "\"ok\":true");
}

static void add_event(enum log_level level, const char *kind) {
    events_add(events, 0, 0, level, kind, "h0", "text");
    control_publish(control);
}

static void a_follower_gets_each_new_event_of_its_level(void **state) {
    (void)state;
    bool closed;
    const char *request = "{\"command\":\"events\",\"arguments\":{\"follow\":true,"
                          "\"level\":\"warning\"}}\n";
    add_event(LOG_ALARM, "before");
    int fd = dial();
    assert_int_equal(write(fd, request, strlen(request)), (ssize_t)strlen(request));
    assert_string_equal(hear(fd, &closed), "");
    add_event(LOG_INFO, "quiet");
    add_event(LOG_WARNING, "loud");
    const char *said = hear(fd, &closed);
    assert_false(closed);
    assert_non_null(strstr(said, "\"kind\":\"loud\""));
    assert_null(strstr(said, "quiet"));
    assert_null(strstr(said, "before"));
    close(fd);
    expect("{\"command\":\"events\"}\n", "\"kind\":\"before\"");
}

static void a_follower_goes_on_where_its_stream_was_cut(void **state) {
    static const struct {
        const char *before, *behind; // the number, which counts from the first event
        int64_t from;
        bool second, third;
    } cases[] = {
        {"\"life\":77,\"from\":", "", 1, true, true},
        {"\"life\":77,\"from\":", "", 2, false, true},
        {"\"life\":77,\"from\":", "", 3, false, false},
        {"\"life\":77,\"from\":", "", -100, false, false},
        {"\"life\":76,\"from\":", "", 3, true, true},
        {"\"from\":", "", 3, true, true},
        {"\"life\":77,\"from\":\"", "\"", 1, false, false},
    };
    long long first = (long long)events_end(events);
    char second[64], third[64];
    (void)state;
    add_event(LOG_INFO, "one");
    add_event(LOG_INFO, "two");
    add_event(LOG_INFO, "three");
    snprintf(second, sizeof(second), "\"life\":77,\"number\":%lld}", first + 1);
    snprintf(third, sizeof(third), "\"life\":77,\"number\":%lld}", first + 2);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        bool closed;
        char request[160];
        int fd = dial();
        int size = snprintf(request, sizeof(request),
                            "{\"command\":\"events\",\"arguments\":{\"follow\":true,%s%lld%s}}\n",
                            cases[i].before, first + (long long)cases[i].from, cases[i].behind);
        assert_int_equal(write(fd, request, (size_t)size), size);
        assert_string_equal(hear(fd, &closed), "");
        control_publish(control);
        const char *said = hear(fd, &closed);
        assert_false(closed);
        if ((strstr(said, second) != NULL) != cases[i].second) {
            fail_msg("case %zu: %s in %s", i, second, said);
        }
        assert_int_equal(strstr(said, third) != NULL, cases[i].third);
        close(fd);
    }
}

static void a_follower_that_does_not_read_loses_events_and_is_told(void **state) {
    (void)state;
    bool closed;
    const char *request = "{\"command\":\"events\",\"arguments\":{\"follow\":true}}\n";
    int fd = dial();
    assert_int_equal(write(fd, request, strlen(request)), (ssize_t)strlen(request));
    turn(5);
    for (int i = 0; i < 20 * EVENTS_KEPT; i++) {
        add_event(LOG_INFO, "flood");
        turn(1);
    }
    assert_non_null(strstr(hear(fd, &closed), "events_lost"));
    close(fd);
}

static void the_socket_is_private_and_only_a_dead_one_is_replaced(void **state) {
    (void)state;
    struct stat status;
    struct control *second = NULL;
    struct error error;
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0660);
    assert_int_equal(control_open(&loop, path, events, echo, NULL, &second, &error), -EADDRINUSE);
    assert_non_null(strstr(error.text, "another agent answers there"));
    tear_down(NULL);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0); // bound, never listening: what a killed agent leaves
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, path, strlen(path) + 1);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    close(fd);
    assert_int_equal(set_up(NULL), 0);
    expect("{\"command\":\"status\"}\n", "\"ok\":true");
    tear_down(NULL);
    fclose(fopen(path, "w"));
    uv_loop_init(&loop);
    assert_int_equal(control_open(&loop, path, events, echo, NULL, &second, &error), -EEXIST);
    uv_loop_close(&loop);
    unlink(path);
    assert_int_equal(set_up(NULL), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_gets_one_line_and_the_end),
        cmocka_unit_test(garbage_is_refused_with_a_sentence),
        cmocka_unit_test(half_a_line_waits_and_a_request_in_pieces_is_answered),
        cmocka_unit_test(a_client_that_leaves_in_the_middle_hurts_nobody),
        cmocka_unit_test(a_request_beyond_the_limit_is_refused),
        cmocka_unit_test(more_clients_than_the_limit_are_turned_away),
        cmocka_unit_test(a_follower_gets_each_new_event_of_its_level),
        cmocka_unit_test(a_follower_goes_on_where_its_stream_was_cut),
        cmocka_unit_test(a_follower_that_does_not_read_loses_events_and_is_told),
        cmocka_unit_test(the_socket_is_private_and_only_a_dead_one_is_replaced),
    };
    snprintf(path, sizeof(path), "/tmp/test_agent_control.%d", getpid());
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
