// SPDX-License-Identifier: Apache-2.0
#include "cmocka_all.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "json_writer.h"

static char *text;
static size_t size;
static struct json_writer writer;

static void start(void) {
    writer = (struct json_writer){.out = open_memstream(&text, &size)};
    assert_non_null(writer.out);
}

static void expect(const char *expected) {
    assert_int_equal(fclose(writer.out), 0);
    assert_string_equal(text, expected);
    free(text);
}

static void commas_stand_between_values_only(void **state) {
    (void)state;
    start();
    writer_open(&writer, '{');
    writer_key(&writer, "a");
    writer_open(&writer, '[');
    writer_close(&writer, ']');
    writer_key(&writer, "b");
    writer_open(&writer, '[');
    writer_u64(&writer, 1);
    writer_text(&writer, "x");
    writer_open(&writer, '{');
    writer_close(&writer, '}');
    writer_close(&writer, ']');
    writer_key(&writer, "c");
    writer_u64(&writer, UINT64_MAX);
    writer_close(&writer, '}');
    expect("{\"a\":[],\"b\":[1,\"x\",{}],\"c\":18446744073709551615}");
}

static void text_comes_back_whatever_is_in_it(void **state) {
    (void)state;
    const char odd[] = "a\"b\\c\nd\x01 \xc3\xa9";
    start();
    writer_open(&writer, '[');
    writer_text(&writer, odd);
    writer_close(&writer, ']');
    assert_int_equal(fclose(writer.out), 0);
    json_t *document = json_loads(text, 0, NULL);
    assert_non_null(document);
    assert_string_equal(json_string_value(json_array_get(document, 0)), odd);
    json_decref(document);
    free(text);
}

static void reals_keep_fifteen_digits(void **state) {
    (void)state;
    start();
    writer_open(&writer, '[');
    writer_real(&writer, 1.0 / 3);
    writer_real(&writer, 0.5);
    writer_real(&writer, 0);
    writer_close(&writer, ']');
    expect("[0.333333333333333,0.5,0]");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commas_stand_between_values_only),
        cmocka_unit_test(text_comes_back_whatever_is_in_it),
        cmocka_unit_test(reals_keep_fifteen_digits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
