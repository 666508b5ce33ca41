// SPDX-License-Identifier: Apache-2.0
// JSON written as it comes, for documents too large to build in memory first (a plan of 1,024 hosts
// has a million flows). The caller opens, fills and closes in the right order; the writer puts
// commas and escapes. Errors of the stream stay in it (ferror).
#ifndef SIM_JSON_WRITER_H
#define SIM_JSON_WRITER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct json_writer {
    FILE *out; // borrowed
    bool comma;
};

void writer_open(struct json_writer *writer, char bracket);  // '{' or '['
void writer_close(struct json_writer *writer, char bracket); // '}' or ']'
void writer_key(struct json_writer *writer, const char *key);
void writer_text(struct json_writer *writer, const char *text); // UTF-8
void writer_u64(struct json_writer *writer, uint64_t value);
void writer_null(struct json_writer *writer);
void writer_bool(struct json_writer *writer, bool value);
void writer_real(struct json_writer *writer, double value); // finite; 15 significant digits
// A key and its value.
void writer_put_u64(struct json_writer *writer, const char *key, uint64_t value);
void writer_put_real(struct json_writer *writer, const char *key, double value);
void writer_put_text(struct json_writer *writer, const char *key, const char *value);

#endif
