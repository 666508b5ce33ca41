// SPDX-License-Identifier: Apache-2.0
// Reading and writing msgpack within bounds.
//
// Writing goes through msgpack-c's packer into a buffer that is either fixed or grows. Reading does
// not use msgpack-c's unpacker: that one allocates what an array header claims before it has seen
// the elements, so ten hostile bytes cost gigabytes. The reader here is a cursor over borrowed
// bytes: it allocates nothing, every count is bounded by the bytes that remain, and a failure
// sticks, so that callers check `bad` once at the end.
#ifndef MODEL_MP_H
#define MODEL_MP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mp_reader {
    const uint8_t *at, *end;
    bool bad;
};

struct mp_text { // borrowed, not terminated
    const char *bytes;
    uint32_t size;
};

void mp_read_init(struct mp_reader *reader, const void *bytes, size_t size);
// Each returns a harmless value (0, false, empty) once the reader is bad.
uint64_t mp_read_uint(struct mp_reader *reader, uint64_t max);
bool mp_read_bool(struct mp_reader *reader);
uint32_t mp_read_array(struct mp_reader *reader, uint32_t min, uint32_t max);
struct mp_text mp_read_str(struct mp_reader *reader, uint32_t min, uint32_t max);
struct mp_text mp_read_bin(struct mp_reader *reader, uint32_t max);
// True, and consumed, when the next value is nil.
bool mp_read_nil(struct mp_reader *reader);
void mp_skip(struct mp_reader *reader, uint64_t count);
// A str of printable characters copied into text[size]; bad when it is too long or shorter than
// min.
void mp_read_name(struct mp_reader *reader, char *text, uint32_t min, size_t size);
bool mp_text_is_printable(struct mp_text text);

struct mp_writer {
    uint8_t *bytes; // owned by the writer when it grows
    size_t size, capacity;
    bool grows, failed;
};

void mp_write_fixed(struct mp_writer *writer, void *bytes, size_t capacity);
void mp_write_growing(struct mp_writer *writer); // free(writer->bytes) in the end
void mp_write_uint(struct mp_writer *writer, uint64_t value);
void mp_write_bool(struct mp_writer *writer, bool value);
void mp_write_nil(struct mp_writer *writer);
void mp_write_array(struct mp_writer *writer, uint32_t count);
void mp_write_str(struct mp_writer *writer, const char *text, size_t size);
void mp_write_bin(struct mp_writer *writer, const void *bytes, size_t size);
void mp_write_raw(struct mp_writer *writer, const void *bytes, size_t size); // encoded already
// An array whose count is known only at its end: a 32-bit header that is filled in later.
size_t mp_array_open(struct mp_writer *writer);
void mp_array_close(struct mp_writer *writer, size_t header, uint32_t count);

#endif
