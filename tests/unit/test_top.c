// SPDX-License-Identifier: Apache-2.0
// srv6-top without a terminal: rows from documents, keys to states.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "frame.h"
#include "rows.h"
#include "source.h"
#include "state.h"

static const char links[] =
    "{\"links\":["
    "{\"link\":\"leaf0>spine10\",\"state\":\"up\",\"own\":\"good\",\"rtt_ns\":9000},"
    "{\"link\":\"leaf0>spine9\",\"state\":\"down\",\"own\":\"down\",\"rtt_ns\":100000},"
    "{\"link\":\"leaf0>spine1\",\"state\":\"up\",\"own\":\"suspect\",\"rtt_ns\":9000},"
    "{\"link\":\"leaf0>spine2\",\"state\":\"drained\",\"own\":\"none\"}]}";

static struct top_rows filled(unsigned view, const char *document) {
    struct top_rows rows = {0};
    json_t *parsed = document != NULL ? json_loads(document, 0, NULL) : NULL;
    assert_true(document == NULL || parsed != NULL);
    top_rows_fill(&rows, &top_views[view], parsed);
    json_decref(parsed);
    return rows;
}

static void assert_order(const struct top_rows *rows, const char *const *names) {
    for (size_t i = 0; i < rows->count; i++) {
        assert_string_equal(rows->rows[i].subject, names[i]);
    }
}

static void links_become_rows_with_words_for_their_state(void **state) {
    (void)state;
    struct top_rows rows = filled(0, links);
    assert_int_equal(rows.count, 4);
    assert_string_equal(rows.rows[1].cells[1].text, "down");
    assert_int_equal(rows.rows[0].mood, TOP_CALM);
    assert_int_equal(rows.rows[1].mood, TOP_BAD);
    assert_int_equal(rows.rows[2].mood, TOP_NOTICE);
    assert_int_equal(rows.rows[3].mood, TOP_NOTICE);
    top_rows_fini(&rows);
}

static void numbers_sort_as_numbers_and_names_as_people_count(void **state) {
    (void)state;
    struct top_rows rows = filled(0, links);
    top_rows_sort(&rows, 0, false);
    assert_order(&rows,
                 (const char *[]){"leaf0>spine1", "leaf0>spine2", "leaf0>spine9", "leaf0>spine10"});
    top_rows_fini(&rows);
    rows = filled(0, links);
    top_rows_sort(&rows, 4, true); // RTT; equal ones stay in the agent's order
    assert_order(&rows,
                 (const char *[]){"leaf0>spine9", "leaf0>spine10", "leaf0>spine1", "leaf0>spine2"});
    top_rows_sort(&rows, -1, true);
    assert_string_equal(rows.rows[0].subject, "leaf0>spine2");
    top_rows_fini(&rows);
}

static void a_filter_looks_everywhere_or_in_one_column(void **state) {
    (void)state;
    struct top_rows rows = filled(0, links);
    top_rows_filter(&rows, &top_views[0], "DOWN");
    assert_order(&rows, (const char *[]){"leaf0>spine9"});
    assert_int_equal(rows.count, 1);
    top_rows_fini(&rows);
    rows = filled(0, links);
    top_rows_filter(&rows, &top_views[0], "state=up");
    assert_int_equal(rows.count, 2);
    top_rows_fini(&rows);
    rows = filled(0, links);
    top_rows_filter(&rows, &top_views[0], "own=up");
    assert_int_equal(rows.count, 0);
    top_rows_fini(&rows);
    rows = filled(0, links);
    top_rows_filter(&rows, &top_views[0], "");
    assert_int_equal(rows.count, 4);
    top_rows_fini(&rows);
}

static void every_part_of_a_flow_is_a_row(void **state) {
    (void)state;
    struct top_rows rows = filled(
        1,
        "{\"flows\":[{\"flow\":\"h0>h5\",\"bytes\":1048576,\"parts\":["
        "{\"share\":0.5,\"realised_share\":null,\"state\":\"primary\",\"nodes\":[\"h0\",\"h5\"]},"
        "{\"share\":0.5,\"realised_share\":0.5,\"state\":\"backup\",\"nodes\":[\"h0\"]}]},"
        "{\"flow\":\"h0>h6\",\"local\":false,\"plain_reason\":\"no\\u001b\",\"parts\":[]}]}");
    assert_int_equal(rows.count, 3);
    assert_string_equal(rows.rows[0].cells[4].text, "-");
    assert_string_equal(rows.rows[1].cells[5].text, "backup");
    assert_string_equal(rows.rows[2].cells[7].text, "no?");
    assert_int_equal(rows.rows[1].mood, TOP_NOTICE);
    top_rows_fini(&rows);
}

static void documents_of_any_shape_crash_no_view(void **state) {
    (void)state;
    static const char *const documents[] = {
        NULL, "{}",
        "{\"links\":[1],\"flows\":[{\"parts\":[2]}],\"jobs\":[{\"collectives\":[3]}],"
        "\"members\":[null],\"events\":[[]],\"a\":{\"b\":null,\"c_ns\":-1,\"d\":[]},"
        "\"alarms\":[7]}",
        "{\"links\":7,\"flows\":{},\"jobs\":null,\"members\":\"x\",\"events\":1}"};
    for (size_t i = 0; i < sizeof documents / sizeof documents[0]; i++) {
        for (unsigned view = 0; view < TOP_VIEW_COUNT; view++) {
            struct top_rows rows = filled(view, documents[i]);
            char *text = NULL;
            size_t size = 0;
            FILE *out = open_memstream(&text, &size);
            top_frame_print(&top_views[view], &rows, out);
            fclose(out);
            free(text);
            top_rows_fini(&rows);
        }
    }
}

static void events_come_newest_first(void **state) {
    (void)state;
    struct top_rows rows = filled(5, "{\"events\":[{\"at\":\"1\",\"level\":\"info\"},"
                                     "{\"at\":\"2\",\"level\":\"alarm\"}]}");
    assert_string_equal(rows.rows[0].cells[0].text, "2");
    assert_int_equal(rows.rows[0].mood, TOP_BAD);
    top_rows_fini(&rows);
}

static void a_frame_is_plain_aligned_text(void **state) {
    (void)state;
    struct top_rows rows = filled(2, "{\"jobs\":[{\"job\":\"demo\",\"owner\":\"h0\",\"algorithm\":"
                                     "\"ethereal\",\"ranks\":8,\"bound\":8,\"collectives\":"
                                     "[{\"type\":\"ring\",\"bytes\":1024}]}]}");
    char text[512] = "";
    FILE *out = fmemopen(text, sizeof text, "w");
    top_frame_print(&top_views[2], &rows, out);
    fclose(out);
    assert_string_equal(text, "JOB   OWNER   ALGORITHM    RANKS   BOUND  COLLECTIVES\n"
                              "demo  h0      ethereal         8       8  ring 1.0 KiB\n");
    top_rows_fini(&rows);
}

static void keys_move_the_cursor_within_the_rows(void **state) {
    (void)state;
    struct top_state top;
    top_state_init(&top, TOP_DELAY_DEFAULT_NS, false);
    top_state_key(&top, 'k', 30, 10);
    assert_int_equal(top.cursor, 0);
    top_state_key(&top, TOP_KEY_PAGE_DOWN, 30, 10);
    assert_int_equal(top.cursor, 10);
    assert_int_equal(top.first, 1);
    top_state_key(&top, 'G', 30, 10);
    assert_int_equal(top.cursor, 29);
    assert_int_equal(top.first, 20);
    top_state_key(&top, 'j', 30, 10);
    assert_int_equal(top.cursor, 29);
    top_state_fit(&top, 5, 10); // rows vanished
    assert_int_equal(top.cursor, 4);
    assert_true(top.first <= 4);
    top_state_fit(&top, 0, 10);
    assert_int_equal(top.cursor, 0);
    top_state_key(&top, TOP_KEY_DOWN, 0, 10);
    assert_int_equal(top.cursor, 0);
}

static void a_filter_is_typed_kept_and_given_up(void **state) {
    (void)state;
    struct top_state top;
    top_state_init(&top, TOP_DELAY_DEFAULT_NS, false);
    for (const char *key = "/upq"; *key != '\0'; key++) {
        top_state_key(&top, *key, 4, 10);
    }
    top_state_key(&top, TOP_KEY_BACKSPACE, 4, 10);
    assert_int_equal(top.mode, TOP_MODE_TYPING);
    assert_false(top.quit); // q was text
    top_state_key(&top, TOP_KEY_ENTER, 4, 10);
    assert_string_equal(top.filter, "up");
    top_state_key(&top, '/', 4, 10);
    top_state_key(&top, 'x', 4, 10);
    top_state_key(&top, TOP_KEY_ESCAPE, 4, 10);
    assert_string_equal(top.filter, "up");
    top_state_key(&top, '\\', 4, 10);
    assert_string_equal(top.filter, "");
    top_state_key(&top, '/', 4, 10);
    for (int i = 0; i < 200; i++) {
        top_state_key(&top, 'y', 4, 10);
    }
    assert_int_equal(strlen(top.typed), TOP_FILTER_SIZE - 1);
}

static void sort_keys_walk_the_columns_and_come_back(void **state) {
    (void)state;
    struct top_state top;
    top_state_init(&top, TOP_DELAY_DEFAULT_NS, false);
    top_state_key(&top, '3', 4, 10); // jobs: six columns
    assert_int_equal(top.view, 2);
    top_state_key(&top, '<', 4, 10);
    assert_int_equal(top.sort_column, 5);
    top_state_key(&top, 's', 4, 10);
    assert_int_equal(top.sort_column, -1);
    top_state_key(&top, 'r', 4, 10);
    assert_true(top.reverse);
    top_state_key(&top, TOP_KEY_TAB, 4, 10);
    assert_int_equal(top.view, 3);
    assert_int_equal(top.sort_column, -1);
    top_state_key(&top, '7', 4, 10);
    assert_int_equal(top.view, 3);
}

static void enter_explains_only_where_there_is_something_to_explain(void **state) {
    (void)state;
    struct top_state top;
    top_state_init(&top, TOP_DELAY_DEFAULT_NS, false);
    top_state_key(&top, TOP_KEY_ENTER, 0, 10);
    assert_int_equal(top.mode, TOP_MODE_LIST);
    top_state_key(&top, TOP_KEY_ENTER, 4, 10);
    assert_int_equal(top.mode, TOP_MODE_DETAIL);
    top_state_key(&top, 'q', 4, 10); // back, not out
    assert_int_equal(top.mode, TOP_MODE_LIST);
    assert_false(top.quit);
    top_state_key(&top, '3', 4, 10);
    top_state_key(&top, TOP_KEY_ENTER, 4, 10);
    assert_int_equal(top.mode, TOP_MODE_LIST);
    top_state_key(&top, 'q', 4, 10);
    assert_true(top.quit);
}

static void the_delay_stays_between_its_limits(void **state) {
    (void)state;
    struct top_state top;
    top_state_init(&top, TOP_DELAY_DEFAULT_NS, false);
    for (int i = 0; i < 20; i++) {
        top_state_key(&top, '-', 4, 10);
    }
    assert_true(top.delay_ns >= TOP_DELAY_LEAST_NS && top.delay_ns < 2 * TOP_DELAY_LEAST_NS);
    for (int i = 0; i < 20; i++) {
        top_state_key(&top, '+', 4, 10);
    }
    assert_true(top.delay_ns <= TOP_DELAY_MOST_NS && 2 * top.delay_ns > TOP_DELAY_MOST_NS);
}

static void an_agent_that_is_not_there_is_told_and_asked_again(void **state) {
    (void)state;
    struct top_source source;
    top_source_init(&source, "/nonexistent/agent.sock", 1000000);
    top_source_refresh(&source, 5);
    assert_true(source.gone);
    assert_int_equal(source.problem.exit_code, 3);
    assert_int_equal(source.gone_since_ns, 5);
    struct pollfd polled[TOP_EXCHANGE_COUNT];
    assert_int_equal(top_source_poll(&source, polled), 0);
    top_source_refresh(&source, 9);
    assert_int_equal(source.rounds, 2);
    assert_int_equal(source.gone_since_ns, 5);
    top_source_explain(&source, &top_views[0], "leaf0>spine0", 9);
    assert_true(source.detail_failed);
    assert_string_equal(source.detail_problem.text,
                        "agent does not answer: /nonexistent/agent.sock");
    top_source_fini(&source);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(links_become_rows_with_words_for_their_state),
        cmocka_unit_test(numbers_sort_as_numbers_and_names_as_people_count),
        cmocka_unit_test(a_filter_looks_everywhere_or_in_one_column),
        cmocka_unit_test(every_part_of_a_flow_is_a_row),
        cmocka_unit_test(documents_of_any_shape_crash_no_view),
        cmocka_unit_test(events_come_newest_first),
        cmocka_unit_test(a_frame_is_plain_aligned_text),
        cmocka_unit_test(keys_move_the_cursor_within_the_rows),
        cmocka_unit_test(a_filter_is_typed_kept_and_given_up),
        cmocka_unit_test(sort_keys_walk_the_columns_and_come_back),
        cmocka_unit_test(enter_explains_only_where_there_is_something_to_explain),
        cmocka_unit_test(the_delay_stays_between_its_limits),
        cmocka_unit_test(an_agent_that_is_not_there_is_told_and_asked_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
