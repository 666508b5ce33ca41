// SPDX-License-Identifier: Apache-2.0
// Reading JSON documents that another program wrote: a missing key or one of another type gives the
// fallback and never crashes, because a newer agent may say more or less than this tool knows.
// Returned texts are borrowed from the document.
#ifndef TOOL_JSON_H
#define TOOL_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

const char *tool_json_text(const json_t *object, const char *key, const char *fallback);
// Integers and reals; negative numbers and what exceeds 64 bits count as missing.
uint64_t tool_json_u64(const json_t *object, const char *key, uint64_t fallback);
double tool_json_real(const json_t *object, const char *key, double fallback);
bool tool_json_bool(const json_t *object, const char *key, bool fallback);
// The member when it is an array (object), else NULL; jansson's size and foreach take NULL as
// empty.
json_t *tool_json_array(const json_t *object, const char *key);
json_t *tool_json_object(const json_t *object, const char *key);
// The texts of an array joined by `separator`, cut to fit; returns `text`.
char *tool_json_join(const json_t *array, const char *separator, char *text, size_t size);

#endif
