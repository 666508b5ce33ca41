// SPDX-License-Identifier: Apache-2.0
// Metrics as text: both formats, what is escaped, histograms; and which format a client wants.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent_shell/http.h"
#include "agent_shell/metric_text.h"

#include <cmocka.h>

static const struct metric_family gauge = {"srv6_peers", METRIC_GAUGE, NULL, "Peers."};
static const struct metric_family counter = {"srv6_wait_seconds", METRIC_COUNTER, "seconds",
                                             "Waiting."};
static const struct metric_family info = {"srv6_build", METRIC_INFO, NULL, "Build."};
static const struct metric_family durations = {"srv6_rtt_seconds", METRIC_HISTOGRAM, "seconds",
                                               "Round trips."};

static void expect_text(struct metric_text *text, const char *expected) {
    char *made = NULL;
    size_t size = 0;
    assert_int_equal(metric_text_take(text, &made, &size), 0);
    assert_int_equal(size, strlen(expected));
    assert_memory_equal(made, expected, size);
    free(made);
    metric_text_close(text);
}

static void write_all_types(struct metric_text *text) {
    struct metric_label version[] = {{"version", "1.0"}};
    struct metric_label state[] = {{"state", "alive"}, {"rack", "r1"}};
    metric_family(text, &gauge);
    metric_value(text, state, 2, 3);
    metric_family(text, &counter);
    metric_seconds(text, NULL, 0, 1500000000);
    metric_family(text, &info);
    metric_value(text, version, 1, 1);
}

static void the_classic_text_names_counters_and_infos_whole(void **state) {
    (void)state;
    struct metric_text *text = metric_text_open(METRIC_CLASSIC);
    write_all_types(text);
    assert_int_equal(metric_text_series(text), 3);
    expect_text(text, "# HELP srv6_peers Peers.\n"
                      "# TYPE srv6_peers gauge\n"
                      "srv6_peers{state=\"alive\",rack=\"r1\"} 3\n"
                      "# HELP srv6_wait_seconds_total Waiting.\n"
                      "# TYPE srv6_wait_seconds_total counter\n"
                      "srv6_wait_seconds_total 1.5\n"
                      "# HELP srv6_build_info Build.\n"
                      "# TYPE srv6_build_info gauge\n"
                      "srv6_build_info{version=\"1.0\"} 1\n");
}

static void openmetrics_names_families_and_units_and_ends_with_eof(void **state) {
    (void)state;
    struct metric_text *text = metric_text_open(METRIC_OPENMETRICS);
    write_all_types(text);
    expect_text(text, "# HELP srv6_peers Peers.\n"
                      "# TYPE srv6_peers gauge\n"
                      "srv6_peers{state=\"alive\",rack=\"r1\"} 3\n"
                      "# HELP srv6_wait_seconds Waiting.\n"
                      "# TYPE srv6_wait_seconds counter\n"
                      "# UNIT srv6_wait_seconds seconds\n"
                      "srv6_wait_seconds_total 1.5\n"
                      "# HELP srv6_build Build.\n"
                      "# TYPE srv6_build info\n"
                      "srv6_build_info{version=\"1.0\"} 1\n"
                      "# EOF\n");
}

static void a_family_without_samples_is_left_out(void **state) {
    (void)state;
    struct metric_text *text = metric_text_open(METRIC_CLASSIC);
    metric_family(text, &counter);
    metric_family(text, &gauge);
    metric_value(text, NULL, 0, 1);
    expect_text(text, "# HELP srv6_peers Peers.\n# TYPE srv6_peers gauge\nsrv6_peers 1\n");
}

static void an_empty_text_still_ends(void **state) {
    (void)state;
    expect_text(metric_text_open(METRIC_OPENMETRICS), "# EOF\n");
}

static void expect_label(const char *value, const char *written) {
    char expected[256];
    struct metric_text *text = metric_text_open(METRIC_CLASSIC);
    struct metric_label label[] = {{"l", value}};
    metric_family(text, &gauge);
    metric_value(text, label, 1, 0);
    snprintf(expected, sizeof(expected),
             "# HELP srv6_peers Peers.\n# TYPE srv6_peers gauge\nsrv6_peers{l=\"%s\"} 0\n",
             written);
    expect_text(text, expected);
}

static void label_values_are_escaped(void **state) {
    (void)state;
    expect_label("", "");
    expect_label("a\"b", "a\\\"b");
    expect_label("a\\b", "a\\\\b");
    expect_label("a\nb", "a\\nb");
    expect_label("\"} 1\nsrv6_evil 1", "\\\"} 1\\nsrv6_evil 1");
    expect_label("tab\there\x1b[31m\x7f", "tab?here?[31m?");
}

static void what_is_no_utf8_becomes_a_question_mark(void **state) {
    (void)state;
    expect_label("Z\xc3\xbcrich \xe2\x82\xac \xf0\x9f\x9a\x80",
                 "Z\xc3\xbcrich \xe2\x82\xac \xf0\x9f\x9a\x80");
    expect_label("\x80", "?");                // a continuation alone
    expect_label("a\xc3", "a?");              // cut at the end
    expect_label("\xe2\x82", "??");           // likewise
    expect_label("\xc0\xaf", "??");           // overlong
    expect_label("\xe0\x80\xaf", "???");      // overlong
    expect_label("\xed\xa0\x80", "???");      // half a surrogate pair
    expect_label("\xf4\x90\x80\x80", "????"); // beyond Unicode
    expect_label("\xff\xfe", "??");
    expect_label("\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf"); // the last character there is
}

static void seconds_are_exact(void **state) {
    static const struct {
        uint64_t ns;
        const char *text;
    } cases[] = {{0, "0.0"},
                 {1, "0.000000001"},
                 {999999999, "0.999999999"},
                 {1000000000, "1.0"},
                 {1000000001, "1.000000001"},
                 {10200000000, "10.2"},
                 {UINT64_MAX, "18446744073.709551615"}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char expected[160];
        struct metric_text *text = metric_text_open(METRIC_CLASSIC);
        metric_family(text, &counter);
        metric_seconds(text, NULL, 0, cases[i].ns);
        snprintf(expected, sizeof(expected),
                 "# HELP srv6_wait_seconds_total Waiting.\n# TYPE srv6_wait_seconds_total "
                 "counter\nsrv6_wait_seconds_total %s\n",
                 cases[i].text);
        expect_text(text, expected);
    }
}

static void a_histogram_counts_up_to_each_bound_and_beyond(void **state) {
    static const uint64_t bounds_ns[] = {2000, 100000, 1000000000};
    struct metric_histogram histogram = {.bounds_ns = bounds_ns, .bound_count = 3};
    struct metric_label label[] = {{"kind", "x"}};
    (void)state;
    metric_histogram_add(&histogram, 1999);
    metric_histogram_add(&histogram, 2000); // a bound belongs to its bucket
    metric_histogram_add(&histogram, 2001);
    metric_histogram_add(&histogram, 1000000000);
    metric_histogram_add(&histogram, 1000000001);
    struct metric_text *text = metric_text_open(METRIC_OPENMETRICS);
    metric_family(text, &durations);
    metric_durations(text, label, 1, &histogram);
    assert_int_equal(metric_text_series(text), 6);
    expect_text(text, "# HELP srv6_rtt_seconds Round trips.\n"
                      "# TYPE srv6_rtt_seconds histogram\n"
                      "# UNIT srv6_rtt_seconds seconds\n"
                      "srv6_rtt_seconds_bucket{kind=\"x\",le=\"2e-06\"} 2\n"
                      "srv6_rtt_seconds_bucket{kind=\"x\",le=\"0.0001\"} 3\n"
                      "srv6_rtt_seconds_bucket{kind=\"x\",le=\"1.0\"} 4\n"
                      "srv6_rtt_seconds_bucket{kind=\"x\",le=\"+Inf\"} 5\n"
                      "srv6_rtt_seconds_sum{kind=\"x\"} 2.000006001\n"
                      "srv6_rtt_seconds_count{kind=\"x\"} 5\n"
                      "# EOF\n");
}

static void a_text_of_nothing_is_an_error(void **state) {
    char *made;
    size_t size;
    (void)state;
    struct metric_text *text = metric_text_open(METRIC_CLASSIC);
    assert_int_equal(metric_text_take(text, &made, &size), -ENOMEM);
    metric_text_close(text);
    metric_text_close(NULL);
}

// ---- which format

static void a_client_that_names_openmetrics_gets_it(void **state) {
    (void)state;
    assert_true(http_accepts_openmetrics("application/openmetrics-text"));
    assert_true(http_accepts_openmetrics("application/openmetrics-text; version=1.0.0"));
    assert_true(http_accepts_openmetrics("Application/OpenMetrics-Text;Version=\"1.0.0\""));
    assert_true(http_accepts_openmetrics("text/plain;q=0.5 , application/openmetrics-text;q=0.5"));
    // Prometheus 2.42
    assert_true(http_accepts_openmetrics(
        "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;"
        "q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"));
    assert_true(http_accepts_openmetrics(
        "text/plain;charset=\"a,b;c\\\"d\";q=0.1,application/openmetrics-text;q=0.2"));
    assert_true(http_accepts_openmetrics("application/openmetrics-text;q=0.001"));
}

static void others_get_the_classic_text(void **state) {
    static const char *const headers[] = {
        "",
        "*/*",
        "text/plain",
        "text/plain;version=0.0.4;q=1,*/*;q=0.1",
        "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        "application/openmetrics-text;version=0.0.1", // one that is not served
        "application/openmetrics-text;q=0",
        "application/openmetrics-text;q=0.000",
        "application/openmetrics-text;q=0.4,text/plain;q=0.5",
        "application/openmetrics-text;q=0.4,*/*",
        "application/openmetrics-text;q=0.4,text/*;q=0.41",
        "application/openmetrics-text;q=2",
        "application/openmetrics-text;q=1.001",
        "application/openmetrics-text;q=0.1234",
        "application/openmetrics-text;q=0,5",
        "application/openmetrics-text;q=",
        "application/openmetrics-text;q=-1",
        "application/openmetrics-text2",
        "application/openmetrics-tex",
        "xapplication/openmetrics-text",
        "\"application/openmetrics-text\"",
        "\"",
        "\"\\",
        ";;;,,,;q=1",
        "   ",
    };
    char *long_header = malloc(20001);
    (void)state;
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        if (http_accepts_openmetrics(headers[i])) {
            fail_msg("%s", headers[i]);
        }
    }
    memset(long_header, ';', 20000);
    long_header[20000] = '\0';
    memcpy(long_header, "application/openmetrics-text", 28);
    assert_false(http_accepts_openmetrics(long_header));
    free(long_header);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_classic_text_names_counters_and_infos_whole),
        cmocka_unit_test(openmetrics_names_families_and_units_and_ends_with_eof),
        cmocka_unit_test(a_family_without_samples_is_left_out),
        cmocka_unit_test(an_empty_text_still_ends),
        cmocka_unit_test(label_values_are_escaped),
        cmocka_unit_test(what_is_no_utf8_becomes_a_question_mark),
        cmocka_unit_test(seconds_are_exact),
        cmocka_unit_test(a_histogram_counts_up_to_each_bound_and_beyond),
        cmocka_unit_test(a_text_of_nothing_is_an_error),
        cmocka_unit_test(a_client_that_names_openmetrics_gets_it),
        cmocka_unit_test(others_get_the_classic_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
