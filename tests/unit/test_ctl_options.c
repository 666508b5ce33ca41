// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "options.h"
#include "tool/tool.h"

const char ctl_usage[] = "usage: srv6-ctl COMMAND\n";

static const struct ctl_command commands[] = {
    {"status", "", 0, CTL_OPTION_AGENT | CTL_OPTION_CHECK, "", NULL},
    {"links", "", 0, CTL_OPTION_AGENT | CTL_OPTION_WHY, "", NULL},
    {"paths", "SRC DST", 2, CTL_OPTION_AGENT, "", NULL},
    {"link drain", "LINK", 1, CTL_OPTION_AGENT | CTL_OPTION_FORCE, "", NULL},
    {"link undrain", "LINK", 1, CTL_OPTION_AGENT | CTL_OPTION_FORCE, "", NULL},
    {"fabric check", "FILE", 1, 0, "", NULL},
    {"keys generate", "", 0, CTL_OPTION_OUT | CTL_OPTION_HOST, "", NULL},
    {0},
};

// Splits `line` at blanks and parses it; what goes to stderr is kept in `said`.
static char said[512];
static char words[512];

static int parse(struct ctl *ctl, const char *line) {
    char *argv[16] = {(char[]){"srv6-ctl"}};
    int argc = 1;
    snprintf(words, sizeof words, "%s", line);
    for (char *word = strtok(words, " "); word != NULL; word = strtok(NULL, " ")) {
        argv[argc++] = word;
    }
    FILE *kept = stderr;
    memset(said, 0, sizeof said);
    stderr = fmemopen(said, sizeof said - 1, "w");
    int rc = ctl_parse(ctl, commands, argc, argv);
    fclose(stderr);
    stderr = kept;
    return rc;
}

static void options_stand_before_or_after_the_command(void **state) {
    (void)state;
    struct ctl ctl;
    assert_int_equal(parse(&ctl, "--json --host h0 --timeout 3s status --check"), TOOL_OK);
    assert_true(ctl.json && ctl.check);
    assert_string_equal(ctl.host, "h0");
    assert_int_equal(ctl.timeout_ns, 3000000000ULL);
    assert_int_equal(parse(&ctl, "paths h0 --json h5 --socket=/x"), TOOL_OK);
    assert_true(ctl.json);
    assert_string_equal(ctl.command->name, "paths");
    assert_string_equal(ctl.operands[0], "h0");
    assert_string_equal(ctl.operands[1], "h5");
    assert_string_equal(ctl.socket, "/x");
}

static void a_command_may_have_two_words(void **state) {
    (void)state;
    struct ctl ctl;
    assert_int_equal(parse(&ctl, "link undrain leaf0-spine0 --force"), TOOL_OK);
    assert_string_equal(ctl.command->name, "link undrain");
    assert_string_equal(ctl.operands[0], "leaf0-spine0");
    assert_true(ctl.force);
}

static void an_unknown_command_gets_a_suggestion(void **state) {
    (void)state;
    struct ctl ctl;
    assert_int_equal(parse(&ctl, "lnks"), TOOL_USAGE);
    assert_non_null(strstr(said, "unknown command: lnks (did you mean `links`?)"));
    assert_int_equal(parse(&ctl, "link drian leaf0-spine0"), TOOL_USAGE);
    assert_non_null(strstr(said, "unknown command: link drian (did you mean `link drain`?)"));
    assert_int_equal(parse(&ctl, "stat"), TOOL_USAGE);
    assert_non_null(strstr(said, "did you mean `status`?"));
    assert_int_equal(parse(&ctl, "zzz"), TOOL_USAGE);
    assert_non_null(strstr(said, "unknown command: zzz"));
    assert_null(strstr(said, "did you mean"));
}

static void a_word_longer_than_any_command_is_only_unknown(void **state) {
    (void)state;
    struct ctl ctl;
    char line[400];
    memset(line, 'a', sizeof line - 1);
    line[sizeof line - 1] = '\0';
    assert_int_equal(parse(&ctl, line), TOOL_USAGE);
}

static void missing_and_extra_operands_are_usage_errors(void **state) {
    (void)state;
    struct ctl ctl;
    assert_int_equal(parse(&ctl, ""), TOOL_USAGE);
    assert_non_null(strstr(said, "no command given"));
    assert_int_equal(parse(&ctl, "paths h0"), TOOL_USAGE);
    assert_non_null(strstr(said, "operand missing (paths SRC DST)"));
    assert_int_equal(parse(&ctl, "paths h0 h1 h2"), TOOL_USAGE);
    assert_non_null(strstr(said, "too many operands"));
    assert_int_equal(parse(&ctl, "link"), TOOL_USAGE);
}

static void an_option_of_another_command_is_a_usage_error(void **state) {
    (void)state;
    struct ctl ctl;
    assert_int_equal(parse(&ctl, "links --check"), TOOL_USAGE);
    assert_non_null(strstr(said, "links: option --check is not for this command"));
    assert_int_equal(parse(&ctl, "fabric check f.yaml --socket /x"), TOOL_USAGE);
    assert_non_null(strstr(said, "option --socket is not for this command"));
    assert_int_equal(parse(&ctl, "keys generate --host h0 --out /tmp"), TOOL_OK);
    assert_int_equal(parse(&ctl, "keys generate --host h0 --timeout 1s"), TOOL_USAGE);
}

static void bad_options_are_named(void **state) {
    (void)state;
    struct ctl ctl;
    assert_int_equal(parse(&ctl, "links --wonder"), TOOL_USAGE);
    assert_non_null(strstr(said, "unknown option: --wonder"));
    assert_int_equal(parse(&ctl, "links --why"), TOOL_USAGE);
    assert_non_null(strstr(said, "option needs a value: --why"));
    assert_int_equal(parse(&ctl, "status --timeout soon"), TOOL_USAGE);
    assert_non_null(strstr(said, "not a time: soon"));
    assert_int_equal(parse(&ctl, "status --timeout 0"), TOOL_USAGE);
}

static void help_and_version_need_no_command(void **state) {
    (void)state;
    struct ctl ctl;
    assert_int_equal(parse(&ctl, "--help"), TOOL_OK);
    assert_true(ctl.help);
    assert_int_equal(parse(&ctl, "-V nonsense"), TOOL_OK);
    assert_true(ctl.version);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_stand_before_or_after_the_command),
        cmocka_unit_test(a_command_may_have_two_words),
        cmocka_unit_test(an_unknown_command_gets_a_suggestion),
        cmocka_unit_test(a_word_longer_than_any_command_is_only_unknown),
        cmocka_unit_test(missing_and_extra_operands_are_usage_errors),
        cmocka_unit_test(an_option_of_another_command_is_a_usage_error),
        cmocka_unit_test(bad_options_are_named),
        cmocka_unit_test(help_and_version_need_no_command),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
