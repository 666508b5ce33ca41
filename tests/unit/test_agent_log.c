// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "agent_shell/log.h"

#include <cmocka.h>

#define WALL_NS UINT64_C(1795249800123456789) // 2026-11-21T08:30:00.123Z

static size_t format(enum log_format form, const char *subject, const char *text, char *line,
                     size_t size) {
    return log_format_line(form, WALL_NS, LOG_WARNING, "link_down", subject, text, line, size);
}

static void a_text_line_has_time_level_kind_subject_and_text(void **state) {
    (void)state;
    char line[200];
    format(LOG_TEXT, "leaf0>spine1", "two of two", line, sizeof(line));
    assert_string_equal(line,
                        "2026-11-21T08:30:00.123Z warning link_down leaf0>spine1: two of two");
    format(LOG_TEXT, "", "hello", line, sizeof(line));
    assert_string_equal(line, "2026-11-21T08:30:00.123Z warning link_down: hello");
}

static void a_json_line_parses_and_keeps_awkward_text(void **state) {
    (void)state;
    char line[200];
    const char *text = "say \"no\" \\ and\nnew line\x01";
    format(LOG_JSON, "h0", text, line, sizeof(line));
    json_t *document = json_loads(line, 0, NULL);
    assert_non_null(document);
    assert_string_equal(json_string_value(json_object_get(document, "at")),
                        "2026-11-21T08:30:00.123Z");
    assert_string_equal(json_string_value(json_object_get(document, "level")), "warning");
    assert_string_equal(json_string_value(json_object_get(document, "subject")), "h0");
    assert_string_equal(json_string_value(json_object_get(document, "text")), text);
    json_decref(document);
}

static void control_characters_cannot_forge_a_line(void **state) {
    (void)state;
    char line[200];
    format(LOG_TEXT, "h0", "x\n2026 alarm\x1b[31m", line, sizeof(line));
    assert_null(strchr(line, '\n'));
    assert_null(strchr(line, '\x1b'));
}

static void a_line_that_is_too_long_is_cut_and_still_valid(void **state) {
    (void)state;
    char line[128], text[400];
    text[sizeof(text) - 1] = '\0';
    for (int i = 0; i < 2; i++) {
        for (size_t k = 0; k < sizeof(text) - 1; k++) {
            text[k] = i == 0 ? '"' : "\xc3\xa9"[k % 2];
        }
        text[sizeof(text) - 2] = 'x';
        for (size_t size = 40; size <= sizeof(line); size++) {
            assert_true(format(LOG_JSON, "h0", text, line, size) < size);
            json_t *document = json_loads(line, 0, NULL);
            assert_non_null(document);
            json_decref(document);
        }
    }
}

static void the_log_keeps_its_level_and_follows_a_rotated_file(void **state) {
    (void)state;
    char path[64], moved[80], text[300] = "";
    struct log *log = NULL;
    struct error error;
    snprintf(path, sizeof(path), "/tmp/test_agent_log.%d", getpid());
    snprintf(moved, sizeof(moved), "%s.1", path);
    assert_int_equal(log_open(path, LOG_INFO, LOG_TEXT, &log, &error), 0);
    log_event(log, WALL_NS, LOG_DEBUG, "k", "", "too fine");
    log_event(log, WALL_NS, LOG_INFO, "k", "", "first");
    assert_int_equal(rename(path, moved), 0);
    assert_int_equal(log_reopen(log, &error), 0);
    log_event(log, WALL_NS, LOG_ALARM, "k", "", "second");
    log_close(log);
    FILE *file = fopen(moved, "r");
    size_t got = fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    file = fopen(path, "r");
    fread(text + got, 1, sizeof(text) - 1 - got, file);
    fclose(file);
    unlink(path);
    unlink(moved);
    assert_string_equal(text, "2026-11-21T08:30:00.123Z info k: first\n"
                              "2026-11-21T08:30:00.123Z alarm k: second\n");
    assert_int_equal(log_open("/nonexistent/log", LOG_INFO, LOG_TEXT, &log, &error), -2);
    assert_non_null(strstr(error.text, "/nonexistent/log"));
}

static size_t size_of(const char *path) {
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    return (size_t)status.st_size;
}

static void lines_of_one_moment_are_written_together_and_none_is_lost(void **state) {
    (void)state;
    char path[64], text[LOG_LINE_MAX];
    struct log *log = NULL;
    struct error error;
    snprintf(path, sizeof(path), "/tmp/test_agent_log.%d", getpid());
    assert_int_equal(log_open(path, LOG_INFO, LOG_TEXT, &log, &error), 0);
    log_hold(log);
    log_event(log, WALL_NS, LOG_INFO, "k", "", "first");
    log_event(log, WALL_NS, LOG_INFO, "k", "", "second");
    assert_int_equal(size_of(path), 0);
    log_release(log);
    size_t two = strlen("2026-11-21T08:30:00.123Z info k: firstsecond\n\n") +
                 strlen("2026-11-21T08:30:00.123Z info k: ");
    assert_int_equal(size_of(path), two);
    log_event(log, WALL_NS, LOG_INFO, "k", "", "first"); // at once again
    size_t three = size_of(path);
    assert_true(three > two);
    memset(text, 'x', sizeof(text) - 1); // each line is as long as lines may be
    text[sizeof(text) - 1] = '\0';
    log_hold(log);
    for (unsigned i = 0; i < 9; i++) { // more than can be held
        log_event(log, WALL_NS, LOG_INFO, "k", "", text);
    }
    log_release(log);
    assert_int_equal(size_of(path) - three, 9 * (LOG_LINE_MAX - 1));
    log_close(log);
    unlink(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_line_has_time_level_kind_subject_and_text),
        cmocka_unit_test(a_json_line_parses_and_keeps_awkward_text),
        cmocka_unit_test(control_characters_cannot_forge_a_line),
        cmocka_unit_test(a_line_that_is_too_long_is_cut_and_still_valid),
        cmocka_unit_test(the_log_keeps_its_level_and_follows_a_rotated_file),
        cmocka_unit_test(lines_of_one_moment_are_written_together_and_none_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
