// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tool/json.h"
#include "tool/table.h"

static void columns_are_aligned_and_lines_have_no_trailing_blanks(void **state) {
    (void)state;
    static const struct tool_column columns[] = {{"NAME", false}, {"COUNT", true}, {"WHY", false}};
    struct tool_table *table = tool_table_open(columns, 3);
    tool_table_cell(table, "leaf0>spine0");
    tool_table_cell(table, "%d", 7);
    tool_table_cell(table, "lost");
    tool_table_cell(table, "x");
    tool_table_cell(table, "%d", 123456);
    tool_table_cell(table, "%s", "");
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_int_equal(tool_table_print(table, out), 0);
    fclose(out);
    assert_string_equal(text, "NAME           COUNT  WHY\n"
                              "leaf0>spine0       7  lost\n"
                              "x             123456  \n");
    free(text);
    tool_table_close(table);
}

static void a_cell_cannot_hold_control_characters(void **state) {
    (void)state;
    char text[] = "a\x1b[2Jb\tc\x7f\xc2\x9bz";
    assert_string_equal(tool_clean(text), "a?[2Jb?c???z");
    char fine[] = "h\xc3\xb6her";
    assert_string_equal(tool_clean(fine), "h\xc3\xb6her");
}

static void the_width_of_a_text_counts_characters(void **state) {
    (void)state;
    assert_int_equal(tool_text_width("h\xc3\xb6her"), 5);
    assert_int_equal(tool_text_width(""), 0);
}

static void rates_and_shares_are_humanised(void **state) {
    (void)state;
    char text[24];
    tool_format_rate(400000000000ULL, text);
    assert_string_equal(text, "400 Gbps");
    tool_format_rate(1500000, text);
    assert_string_equal(text, "1.5 Mbps");
    tool_format_rate(999, text);
    assert_string_equal(text, "999 bps");
    tool_format_share(0.498, text);
    assert_string_equal(text, "49.8%");
    tool_format_share(-1, text);
    assert_string_equal(text, "-");
}

static void json_of_the_wrong_type_gives_the_fallback(void **state) {
    (void)state;
    json_t *object = json_loads("{\"t\":5,\"n\":\"x\",\"neg\":-1,\"r\":2.5,\"b\":1,\"a\":{},"
                                "\"ok\":true,\"s\":\"hi\"}",
                                0, NULL);
    assert_string_equal(tool_json_text(object, "t", "-"), "-");
    assert_string_equal(tool_json_text(object, "s", "-"), "hi");
    assert_string_equal(tool_json_text(NULL, "s", "-"), "-");
    assert_int_equal(tool_json_u64(object, "n", 3), 3);
    assert_int_equal(tool_json_u64(object, "neg", 3), 3);
    assert_int_equal(tool_json_u64(object, "t", 3), 5);
    assert_int_equal(tool_json_u64(object, "r", 3), 2);
    assert_true(tool_json_real(object, "t", 0) == 5.0);
    assert_true(tool_json_bool(object, "b", true));
    assert_true(tool_json_bool(object, "ok", false));
    assert_null(tool_json_array(object, "a"));
    assert_non_null(tool_json_object(object, "a"));
    json_decref(object);
}

static void joining_stops_at_the_end_of_the_buffer(void **state) {
    (void)state;
    json_t *array = json_pack("[s,i,s]", "leaf0", 3, "spine1");
    char wide[32], narrow[8];
    assert_string_equal(tool_json_join(array, " ", wide, sizeof wide), "leaf0 ? spine1");
    assert_string_equal(tool_json_join(array, " ", narrow, sizeof narrow), "leaf0 ?");
    assert_string_equal(tool_json_join(NULL, " ", wide, sizeof wide), "");
    json_decref(array);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_are_aligned_and_lines_have_no_trailing_blanks),
        cmocka_unit_test(a_cell_cannot_hold_control_characters),
        cmocka_unit_test(the_width_of_a_text_counts_characters),
        cmocka_unit_test(rates_and_shares_are_humanised),
        cmocka_unit_test(json_of_the_wrong_type_gives_the_fallback),
        cmocka_unit_test(joining_stops_at_the_end_of_the_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
