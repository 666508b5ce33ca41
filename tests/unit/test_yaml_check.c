// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>
#include <cmocka.h>

#include "fabric_fixture.h"
#include "model_yaml/yaml_check.h"

struct sample {
    int8_t number;
    uint16_t *port;
    bool on;
    double rate;
    int kind;
    uint32_t flags;
    char *text;
    char **list;
    uint32_t list_count;
};

static const cyaml_strval_t words[] = {{"red", 1}, {"blue", 2}};
static const cyaml_schema_value_t entry_schema = {
    CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 1, 8)};
static const cyaml_schema_field_t fields[] = {
    CYAML_FIELD_INT("number", CYAML_FLAG_OPTIONAL, struct sample, number),
    CYAML_FIELD_UINT_PTR("port", CYAML_FLAG_POINTER_NULL | CYAML_FLAG_OPTIONAL, struct sample,
                         port),
    CYAML_FIELD_BOOL("on", CYAML_FLAG_OPTIONAL, struct sample, on),
    CYAML_FIELD_FLOAT("rate", CYAML_FLAG_OPTIONAL, struct sample, rate),
    CYAML_FIELD_ENUM("kind", CYAML_FLAG_OPTIONAL | CYAML_FLAG_STRICT, struct sample, kind, words,
                     2),
    CYAML_FIELD_FLAGS("flags", CYAML_FLAG_OPTIONAL | CYAML_FLAG_STRICT, struct sample, flags, words,
                      2),
    CYAML_FIELD_STRING_PTR("text", CYAML_FLAG_POINTER, struct sample, text, 1, 4),
    CYAML_FIELD_SEQUENCE_COUNT("list", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct sample,
                               list, list_count, &entry_schema, 0, 2),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct sample, fields)};

static void expect_size(const char *text, size_t size, const char *error) {
    struct collected got = {0};
    int rc = yaml_check("y", text, size, &schema, collect, &got);
    assert_int_equal(rc, error == NULL ? 0 : -EINVAL);
    if (got.count != (error != NULL) || (error != NULL && strcmp(got.text[0], error) != 0)) {
        fail_msg("%.20s: %u errors, first %s", text, got.count, got.text[0]);
    }
}

static void expect(const char *text, const char *error) {
    expect_size(text, strlen(text), error);
}

static void scalars_of_the_right_type_pass(void **state) {
    (void)state;
    expect("{text: a, number: -128, port: 65535, on: Yes, rate: -1.5e3, kind: red}", NULL);
    expect("{text: a, number: 127, port: 0xffff, on: off, rate: 7, kind: blue, flags: [red]}",
           NULL);
    expect("{text: abcd, port: , list: [a, bcdefghi]}", NULL);
}

static void scalars_of_a_wrong_type_are_told(void **state) {
    (void)state;
    expect("{text: a, number: 128}", "y:1: number: 128: a whole number of at most 127 expected");
    expect("{text: a, number: -129}", "y:1: number: -129: a whole number of at most 127 expected");
    expect("{text: a, port: 65536}", "y:1: port: 65536: a whole number from 0 to 65535 expected");
    expect("{text: a, port: -1}", "y:1: port: -1: a whole number from 0 to 65535 expected");
    expect("{text: a, port: 010}", "y:1: port: 010: a whole number from 0 to 65535 expected");
    expect("{text: a, port: 0x}", "y:1: port: 0x: a whole number from 0 to 65535 expected");
    expect("{text: a, on: maybe}", "y:1: on: maybe: true or false expected");
    expect("{text: a, rate: inf}", "y:1: rate: inf: a number expected");
    expect("{text: a, rate: 1e999}", "y:1: rate: 1e999: a number expected");
    expect("{text: a, rate: 1x}", "y:1: rate: 1x: a number expected");
    expect("{text: a, rate: }", "y:1: rate: : a number expected");
    expect("{text: a, kind: green}", "y:1: kind: green: unknown; known are red, blue");
    expect("{text: a, flags: [green]}", "y:1: flags: green: unknown; known are red, blue");
    expect("{text: \"\"}", "y:1: text: is empty");
    expect("{text: abcde}", "y:1: text: abcde...: longer than 4 characters");
    expect("{text: \"a\\0b\"}", "y:1: text: a NUL character inside");
}

static void shapes_are_told_with_their_line(void **state) {
    (void)state;
    expect("", "y: is empty");
    expect("- a", "y:1: document: a mapping (key: value) expected");
    expect("text: a\nlist:\n  - a\n  - b\n  - c\n", "y:3: list: 3 entries: at most 2 expected");
    expect("text: a\nlist: b\n", "y:2: list: a list expected");
    expect("text:\n  - a\n", "y:2: text: a single value expected");
    expect("text: a\nlist:\n  - a\n  - [b]\n", "y:4: list[1]: a single value expected");
    expect("on: true\n", "y:1: document: key text is missing");
    expect("text: a\nfoo: 1\n", "y:2: document: unknown key foo");
    expect("text: a\n[1]: 1\n", "y:2: document: unknown key (not a word)");
    expect("text: a\non: true\ntext: b\n", "y:3: document: key text a second time");
    expect("text: &x a\n", "y:1: x: anchors and aliases are not taken");
    expect("text: a\n---\ntext: b\n", "y:2: a second document; one is expected");
    expect("text: [a\n", "y:2: not YAML: did not find expected ',' or ']'");
    expect("text: a\xff\n", "y: not YAML: invalid leading UTF-8 octet");
}

static void a_text_beyond_16_mib_is_refused(void **state) {
    (void)state;
    char *text = malloc(YAML_SIZE_MAX + 1);
    assert_non_null(text);
    memset(text, ' ', YAML_SIZE_MAX + 1);
    memcpy(text, "text: a\n#", 9);
    expect_size(text, YAML_SIZE_MAX, NULL);
    expect_size(text, YAML_SIZE_MAX + 1, "y: larger than 16777216 bytes");
    free(text);
}

static void a_file_beyond_16_mib_is_refused(void **state) {
    (void)state;
    struct collected got = {0};
    char path[] = "/tmp/test_yaml_check.XXXXXX", *text = NULL;
    size_t size = 0;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, YAML_SIZE_MAX), 0);
    assert_int_equal(yaml_file_read(path, collect, &got, &text, &size), 0);
    assert_int_equal(size, YAML_SIZE_MAX);
    free(text);
    text = NULL;
    assert_int_equal(ftruncate(fd, YAML_SIZE_MAX + 1), 0);
    assert_int_equal(yaml_file_read(path, collect, &got, &text, &size), -EFBIG);
    assert_null(text);
    assert_int_equal(got.count, 1);
    close(fd);
    unlink(path);
}

static void all_errors_come_in_order_of_lines(void **state) {
    (void)state;
    struct collected got = {0};
    const char *text = "foo: 1\non: x\nlist: [a, b, c]\nkind: k\n";
    assert_int_equal(yaml_check("y", text, strlen(text), &schema, collect, &got), -EINVAL);
    assert_int_equal(got.count, 5);
    for (unsigned i = 0, last = 0; i < got.count; i++) {
        unsigned line = (unsigned)atoi(got.text[i] + 2);
        assert_true(line >= last);
        last = line;
    }
}

static void lines_are_found_by_path(void **state) {
    (void)state;
    struct complaints complaints;
    complaints_init(&complaints, "y");
    const char *text = "text: a\nlist:\n  - x\n  - y\nmap:\n  k: v\n";
    struct yaml_text *yaml = yaml_text_open("y", text, strlen(text), &complaints);
    assert_non_null(yaml);
    assert_int_equal(yaml_text_line(yaml, "text"), 1);
    assert_int_equal(yaml_text_line(yaml, "list[1]"), 4);
    assert_int_equal(yaml_text_line(yaml, "map.k"), 6);
    assert_int_equal(yaml_text_line(yaml, "list[2]"), 0);
    assert_int_equal(yaml_text_line(yaml, "text.k"), 0);
    assert_int_equal(yaml_text_line(yaml, "none"), 0);
    assert_true(yaml_text_is_sequence(yaml, "list"));
    assert_false(yaml_text_is_sequence(yaml, "map"));
    yaml_text_close(yaml);
    complaints_flush(&complaints, collect, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scalars_of_the_right_type_pass),
        cmocka_unit_test(scalars_of_a_wrong_type_are_told),
        cmocka_unit_test(shapes_are_told_with_their_line),
        cmocka_unit_test(a_text_beyond_16_mib_is_refused),
        cmocka_unit_test(a_file_beyond_16_mib_is_refused),
        cmocka_unit_test(all_errors_come_in_order_of_lines),
        cmocka_unit_test(lines_are_found_by_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
