// SPDX-License-Identifier: Apache-2.0
// Scalars against their schema. At least as strict as libcyaml, which for instance takes any word
// that it does not know for true.
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "yaml_internal.h"

// Decimal or 0x hexadecimal, digits only: no sign, no octal that looks like decimal.
static bool parse_digits(const char *text, uint64_t *out) {
    bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    const char *digits = hex ? text + 2 : text;
    size_t count = strspn(digits, hex ? "0123456789abcdefABCDEF" : "0123456789");
    if (count == 0 || digits[count] != '\0' || (!hex && digits[0] == '0' && count > 1)) {
        return false;
    }
    errno = 0;
    *out = strtoull(digits, NULL, hex ? 16 : 10);
    return errno == 0;
}

static uint64_t uint_max(uint32_t size) {
    return size >= 8 ? UINT64_MAX : (UINT64_C(1) << (8 * size)) - 1;
}

static void check_uint(const char *text, const cyaml_schema_value_t *schema, uint32_t line,
                       const char *path, struct complaints *complaints) {
    uint64_t value, max = uint_max(schema->data_size);
    if (!parse_digits(text, &value) || value > max) {
        complaints_add(complaints, line, "%s: %.40s: a whole number from 0 to %llu expected", path,
                       text, (unsigned long long)max);
    }
}

static void check_int(const char *text, const cyaml_schema_value_t *schema, uint32_t line,
                      const char *path, struct complaints *complaints) {
    bool negative = text[0] == '-';
    uint64_t value, max = uint_max(schema->data_size) / 2;
    if (!parse_digits(text + negative, &value) || value > max + negative) {
        complaints_add(complaints, line, "%s: %.40s: a whole number of at most %llu expected", path,
                       text, (unsigned long long)max);
    }
}

static void check_float(const char *text, const cyaml_schema_value_t *schema, uint32_t line,
                        const char *path, struct complaints *complaints) {
    char *end = NULL;
    size_t plain = strspn(text, "0123456789+-.eE");
    double value = strtod(text, &end);
    bool fits = schema->data_size == sizeof(float) ? isfinite((float)value) : isfinite(value);
    if (text[0] == '\0' || text[plain] != '\0' || *end != '\0' || !fits) {
        complaints_add(complaints, line, "%s: %.40s: a number expected", path, text);
    }
}

static void check_bool(const char *text, uint32_t line, const char *path,
                       struct complaints *complaints) {
    static const char *const words[] = {"true", "yes", "on", "false", "no", "off"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcasecmp(text, words[i]) == 0) {
            return;
        }
    }
    complaints_add(complaints, line, "%s: %.40s: true or false expected", path, text);
}

static void check_word(const char *text, const cyaml_schema_value_t *schema, uint32_t line,
                       const char *path, struct complaints *complaints) {
    char known[96] = "";
    size_t used = 0;
    for (uint32_t i = 0; i < schema->enumeration.count; i++) {
        const char *word = schema->enumeration.strings[i].str;
        if (strcmp(text, word) == 0) {
            return;
        }
        int wrote = snprintf(known + used, sizeof known - used, "%s%s", i > 0 ? ", " : "", word);
        used = used + (size_t)wrote < sizeof known ? used + (size_t)wrote : sizeof known - 1;
    }
    complaints_add(complaints, line, "%s: %.32s: unknown; known are %s", path, text, known);
}

static void check_string(const yaml_node_t *node, const cyaml_schema_value_t *schema,
                         const char *path, struct complaints *complaints) {
    size_t size = node->data.scalar.length;
    if (size < schema->string.min) {
        complaints_add(complaints, yaml_node_line(node), "%s: %s", path,
                       size == 0 ? "is empty" : "is too short");
    } else if (size > schema->string.max) {
        complaints_add(complaints, yaml_node_line(node), "%s: %.24s...: longer than %u characters",
                       path, (const char *)node->data.scalar.value, schema->string.max);
    }
}

void yaml_scalar_check(const yaml_node_t *node, const cyaml_schema_value_t *schema,
                       const char *path, struct complaints *complaints) {
    const char *text = (const char *)node->data.scalar.value;
    uint32_t line = yaml_node_line(node);
    if (strlen(text) != node->data.scalar.length) {
        complaints_add(complaints, line, "%s: a NUL character inside", path);
        return;
    }
    bool may_be_null =
        ((unsigned)schema->flags & CYAML_FLAG_POINTER_NULL) == (unsigned)CYAML_FLAG_POINTER_NULL;
    if (may_be_null && text[0] == '\0') {
        return;
    }
    if (schema->type == CYAML_STRING) {
        check_string(node, schema, path, complaints);
    } else if (schema->type == CYAML_UINT) {
        check_uint(text, schema, line, path, complaints);
    } else if (schema->type == CYAML_INT) {
        check_int(text, schema, line, path, complaints);
    } else if (schema->type == CYAML_FLOAT) {
        check_float(text, schema, line, path, complaints);
    } else if (schema->type == CYAML_BOOL) {
        check_bool(text, line, path, complaints);
    } else {
        check_word(text, schema, line, path, complaints); // ENUM, or one word of FLAGS
    }
}
