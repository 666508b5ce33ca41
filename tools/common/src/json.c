// SPDX-License-Identifier: Apache-2.0
#include "tool/json.h"

#include <stdio.h>
#include <string.h>

const char *tool_json_text(const json_t *object, const char *key, const char *fallback) {
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : fallback;
}

uint64_t tool_json_u64(const json_t *object, const char *key, uint64_t fallback) {
    const json_t *value = json_object_get(object, key);
    if (json_is_integer(value)) {
        json_int_t number = json_integer_value(value);
        return number >= 0 ? (uint64_t)number : fallback;
    }
    if (json_is_real(value)) {
        double number = json_real_value(value);
        return number >= 0 && number < 18446744073709551615.0 ? (uint64_t)number : fallback;
    }
    return fallback;
}

double tool_json_real(const json_t *object, const char *key, double fallback) {
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : fallback;
}

bool tool_json_bool(const json_t *object, const char *key, bool fallback) {
    const json_t *value = json_object_get(object, key);
    return json_is_boolean(value) ? json_is_true(value) : fallback;
}

json_t *tool_json_array(const json_t *object, const char *key) {
    json_t *value = json_object_get(object, key);
    return json_is_array(value) ? value : NULL;
}

json_t *tool_json_object(const json_t *object, const char *key) {
    json_t *value = json_object_get(object, key);
    return json_is_object(value) ? value : NULL;
}

char *tool_json_join(const json_t *array, const char *separator, char *text, size_t size) {
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < json_array_size(array) && used + 1 < size; i++) {
        const char *item = json_string_value(json_array_get(array, i));
        int length = snprintf(text + used, size - used, "%s%s", used > 0 ? separator : "",
                              item != NULL ? item : "?");
        used += length > 0 ? (size_t)length : 0;
    }
    return text;
}
