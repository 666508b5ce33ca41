// SPDX-License-Identifier: Apache-2.0
#include "model/mp.h"

#include <msgpack/pack.h>
#include <stdlib.h>
#include <string.h>

// ---- reading

void mp_read_init(struct mp_reader *reader, const void *bytes, size_t size) {
    reader->at = bytes;
    reader->end = reader->at + size;
    reader->bad = bytes == NULL;
}

static size_t left(const struct mp_reader *reader) {
    return (size_t)(reader->end - reader->at);
}

static uint64_t fail(struct mp_reader *reader) {
    reader->bad = true;
    return 0;
}

static uint64_t big_endian(struct mp_reader *reader, size_t width) {
    if (reader->bad || left(reader) < width) {
        return fail(reader);
    }
    uint64_t value = 0;
    for (size_t i = 0; i < width; i++) {
        value = value << 8 | reader->at[i];
    }
    reader->at += width;
    return value;
}

static uint8_t peek(const struct mp_reader *reader) {
    return reader->bad || left(reader) == 0 ? 0xc1 : reader->at[0]; // 0xc1 is never used
}

uint64_t mp_read_uint(struct mp_reader *reader, uint64_t max) {
    uint8_t tag = (uint8_t)big_endian(reader, 1);
    uint64_t value = 0;
    if (tag <= 0x7f) {
        value = tag;
    } else if (tag >= 0xcc && tag <= 0xcf) {
        value = big_endian(reader, (size_t)1 << (tag - 0xcc));
    } else {
        return fail(reader);
    }
    return reader->bad || value > max ? fail(reader) : value;
}

bool mp_read_bool(struct mp_reader *reader) {
    uint8_t tag = (uint8_t)big_endian(reader, 1);
    if (tag != 0xc2 && tag != 0xc3) {
        fail(reader);
    }
    return !reader->bad && tag == 0xc3;
}

bool mp_read_nil(struct mp_reader *reader) {
    bool nil = peek(reader) == 0xc0;
    if (nil) {
        reader->at++;
    }
    return nil;
}

uint32_t mp_read_array(struct mp_reader *reader, uint32_t min, uint32_t max) {
    uint8_t tag = (uint8_t)big_endian(reader, 1);
    uint64_t count = 0;
    if ((tag & 0xf0) == 0x90) {
        count = tag & 0x0f;
    } else if (tag == 0xdc || tag == 0xdd) {
        count = big_endian(reader, tag == 0xdc ? 2 : 4);
    } else {
        return (uint32_t)fail(reader);
    }
    // An element is at least one byte long.
    if (reader->bad || count < min || count > max || count > left(reader)) {
        return (uint32_t)fail(reader);
    }
    return (uint32_t)count;
}

static struct mp_text take(struct mp_reader *reader, uint64_t size, uint32_t min, uint32_t max) {
    if (reader->bad || size < min || size > max || size > left(reader)) {
        fail(reader);
        return (struct mp_text){"", 0};
    }
    struct mp_text text = {(const char *)reader->at, (uint32_t)size};
    reader->at += size;
    return text;
}

struct mp_text mp_read_str(struct mp_reader *reader, uint32_t min, uint32_t max) {
    uint8_t tag = (uint8_t)big_endian(reader, 1);
    uint64_t size = 0;
    if ((tag & 0xe0) == 0xa0) {
        size = tag & 0x1f;
    } else if (tag >= 0xd9 && tag <= 0xdb) {
        size = big_endian(reader, (size_t)1 << (tag - 0xd9));
    } else {
        fail(reader);
    }
    return take(reader, size, min, max);
}

struct mp_text mp_read_bin(struct mp_reader *reader, uint32_t max) {
    uint8_t tag = (uint8_t)big_endian(reader, 1);
    uint64_t size = 0;
    if (tag >= 0xc4 && tag <= 0xc6) {
        size = big_endian(reader, (size_t)1 << (tag - 0xc4));
    } else {
        fail(reader);
    }
    return take(reader, size, 0, max);
}

// Bytes of payload after the tag, and how many values are nested in it.
struct shape {
    uint64_t bytes, children;
};

static struct shape sized(struct mp_reader *reader, size_t width, uint64_t extra) {
    return (struct shape){big_endian(reader, width) + extra, 0};
}

static struct shape nested(struct mp_reader *reader, size_t width, uint64_t each) {
    return (struct shape){0, big_endian(reader, width) * each};
}

static struct shape shape_of(struct mp_reader *reader, uint8_t tag) {
    static const uint8_t fixed[] = {4, 8, 1, 2, 4, 8, 1, 2, 4, 8, 2, 3, 5, 9, 17}; // 0xca..0xd8
    if (tag <= 0x7f || tag >= 0xe0 || tag == 0xc0 || tag == 0xc2 || tag == 0xc3) {
        return (struct shape){0, 0};
    }
    if (tag <= 0x8f) {
        return (struct shape){0, 2 * (uint64_t)(tag & 0x0f)};
    }
    if (tag <= 0x9f) {
        return (struct shape){0, tag & 0x0f};
    }
    if (tag <= 0xbf) {
        return (struct shape){tag & 0x1f, 0};
    }
    if (tag >= 0xc4 && tag <= 0xc6) {
        return sized(reader, (size_t)1 << (tag - 0xc4), 0);
    }
    if (tag >= 0xc7 && tag <= 0xc9) {
        return sized(reader, (size_t)1 << (tag - 0xc7), 1); // ext: a type byte more
    }
    if (tag >= 0xca && tag <= 0xd8) {
        return (struct shape){fixed[tag - 0xca], 0};
    }
    if (tag >= 0xd9 && tag <= 0xdb) {
        return sized(reader, (size_t)1 << (tag - 0xd9), 0);
    }
    if (tag >= 0xdc && tag <= 0xdf) {
        return nested(reader, tag % 2 == 0 ? 2 : 4, tag <= 0xdd ? 1 : 2);
    }
    fail(reader); // 0xc1
    return (struct shape){0, 0};
}

void mp_skip(struct mp_reader *reader, uint64_t count) {
    // Values still to skip instead of a stack: depth costs nothing, and since each is at least a
    // byte long, a count beyond the remaining bytes cannot be honest.
    while (count > 0 && !reader->bad) {
        struct shape shape = shape_of(reader, (uint8_t)big_endian(reader, 1));
        if (reader->bad || shape.bytes > left(reader)) {
            fail(reader);
            return;
        }
        reader->at += shape.bytes;
        count += shape.children - 1;
        if (count > left(reader)) {
            fail(reader);
        }
    }
}

bool mp_text_is_printable(struct mp_text text) {
    for (uint32_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.bytes[i];
        if (c < 0x20 || c >= 0x7f) {
            return false;
        }
    }
    return true;
}

void mp_read_name(struct mp_reader *reader, char *text, uint32_t min, size_t size) {
    struct mp_text name = mp_read_str(reader, min, (uint32_t)size - 1);
    if (!mp_text_is_printable(name)) {
        fail(reader);
    }
    memcpy(text, name.bytes, name.size);
    text[name.size] = '\0';
}

// ---- writing

static int append(void *context, const char *bytes, size_t size) {
    struct mp_writer *writer = context;
    if (size > writer->capacity - writer->size && writer->grows && !writer->failed) {
        size_t capacity = 2 * (writer->capacity + size) + 256;
        uint8_t *grown = realloc(writer->bytes, capacity);
        if (grown != NULL) {
            writer->bytes = grown;
            writer->capacity = capacity;
        }
    }
    if (writer->failed || size > writer->capacity - writer->size) {
        writer->failed = true;
        return -1;
    }
    if (size > 0) {
        memcpy(writer->bytes + writer->size, bytes, size);
    }
    writer->size += size;
    return 0;
}

static msgpack_packer packer(struct mp_writer *writer) {
    return (msgpack_packer){.data = writer, .callback = append};
}

void mp_write_fixed(struct mp_writer *writer, void *bytes, size_t capacity) {
    *writer = (struct mp_writer){.bytes = bytes, .capacity = capacity};
}

void mp_write_growing(struct mp_writer *writer) {
    *writer = (struct mp_writer){.grows = true};
}

void mp_write_uint(struct mp_writer *writer, uint64_t value) {
    msgpack_packer pack = packer(writer);
    msgpack_pack_uint64(&pack, value);
}

void mp_write_bool(struct mp_writer *writer, bool value) {
    msgpack_packer pack = packer(writer);
    if (value) {
        msgpack_pack_true(&pack);
    } else {
        msgpack_pack_false(&pack);
    }
}

void mp_write_nil(struct mp_writer *writer) {
    msgpack_packer pack = packer(writer);
    msgpack_pack_nil(&pack);
}

void mp_write_array(struct mp_writer *writer, uint32_t count) {
    msgpack_packer pack = packer(writer);
    msgpack_pack_array(&pack, count);
}

void mp_write_str(struct mp_writer *writer, const char *text, size_t size) {
    msgpack_packer pack = packer(writer);
    msgpack_pack_str(&pack, size);
    msgpack_pack_str_body(&pack, text, size);
}

void mp_write_bin(struct mp_writer *writer, const void *bytes, size_t size) {
    msgpack_packer pack = packer(writer);
    msgpack_pack_bin(&pack, size);
    msgpack_pack_bin_body(&pack, bytes, size);
}

size_t mp_array_open(struct mp_writer *writer) {
    static const char header[5] = {(char)0xdd, 0, 0, 0, 0};
    size_t at = writer->size;
    append(writer, header, sizeof header);
    return at;
}

void mp_array_close(struct mp_writer *writer, size_t header, uint32_t count) {
    if (writer->failed) {
        return;
    }
    for (int i = 0; i < 4; i++) {
        writer->bytes[header + 1 + (size_t)i] = (uint8_t)(count >> (24 - 8 * i));
    }
}

void mp_write_raw(struct mp_writer *writer, const void *bytes, size_t size) {
    append(writer, bytes, size);
}
