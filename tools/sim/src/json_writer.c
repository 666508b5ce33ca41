// SPDX-License-Identifier: Apache-2.0
#include "json_writer.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>

static void begin_value(struct json_writer *writer) {
    if (writer->comma) {
        putc_unlocked(',', writer->out);
    }
    writer->comma = true;
}

void writer_open(struct json_writer *writer, char bracket) {
    begin_value(writer);
    putc_unlocked(bracket, writer->out);
    writer->comma = false;
}

void writer_close(struct json_writer *writer, char bracket) {
    putc_unlocked(bracket, writer->out);
    writer->comma = true;
}

static void put_quoted(FILE *out, const char *text) {
    putc_unlocked('"', out);
    for (const unsigned char *at = (const unsigned char *)text; *at != '\0'; at++) {
        if (*at < 0x20) {
            fprintf(out, "\\u%04x", *at);
            continue;
        }
        if (*at == '"' || *at == '\\') {
            putc_unlocked('\\', out);
        }
        putc_unlocked(*at, out);
    }
    putc_unlocked('"', out);
}

void writer_key(struct json_writer *writer, const char *key) {
    begin_value(writer);
    put_quoted(writer->out, key);
    putc_unlocked(':', writer->out);
    writer->comma = false;
}

void writer_text(struct json_writer *writer, const char *text) {
    begin_value(writer);
    put_quoted(writer->out, text);
}

void writer_u64(struct json_writer *writer, uint64_t value) {
    begin_value(writer);
    fprintf(writer->out, "%" PRIu64, value);
}

void writer_null(struct json_writer *writer) {
    begin_value(writer);
    fputs("null", writer->out);
}

void writer_bool(struct json_writer *writer, bool value) {
    begin_value(writer);
    fputs(value ? "true" : "false", writer->out);
}

void writer_real(struct json_writer *writer, double value) {
    assert(isfinite(value));
    begin_value(writer);
    fprintf(writer->out, "%.15g", value);
}

void writer_put_u64(struct json_writer *writer, const char *key, uint64_t value) {
    writer_key(writer, key);
    writer_u64(writer, value);
}

void writer_put_real(struct json_writer *writer, const char *key, double value) {
    writer_key(writer, key);
    writer_real(writer, value);
}

void writer_put_text(struct json_writer *writer, const char *key, const char *value) {
    writer_key(writer, key);
    writer_text(writer, value);
}
