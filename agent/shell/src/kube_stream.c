// SPDX-License-Identifier: Apache-2.0
#include "kube_stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CAPACITY_FIRST 4096
#define DEPTH_MAX 512

static int append(struct kube_text *text, char byte, size_t most, struct error *error) {
    if (text->size == most) {
        return error_set(error, -EMSGSIZE, "an object of more than %zu bytes", most);
    }
    if (text->size == text->capacity) {
        size_t capacity = text->capacity == 0 ? CAPACITY_FIRST : 2 * text->capacity;
        char *bytes = realloc(text->bytes, capacity);
        if (bytes == NULL) {
            return error_set(error, -ENOMEM, "no memory for an object of %zu bytes", text->size);
        }
        text->bytes = bytes;
        text->capacity = capacity;
    }
    text->bytes[text->size++] = byte;
    return 0;
}

static bool is_blank(char byte) {
    return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

static size_t before_blanks(const struct kube_text *text, size_t end) {
    while (end > 0 && is_blank(text->bytes[end - 1])) {
        end--;
    }
    return end;
}

// The rest, with the bracket that opens an array not yet in it, ends with the key "items".
static bool opens_items(const struct kube_text *rest) {
    static const char key[] = "\"items\"";
    size_t length = sizeof(key) - 1;
    size_t end = before_blanks(rest, rest->size);
    if (end == 0 || rest->bytes[end - 1] != ':') {
        return false;
    }
    end = before_blanks(rest, end - 1);
    if (end <= length || memcmp(rest->bytes + end - length, key, length) != 0) {
        return false;
    }
    end = before_blanks(rest, end - length);
    return end > 0 && (rest->bytes[end - 1] == '{' || rest->bytes[end - 1] == ',');
}

// Follows strings and nesting through one byte.
static int follow(struct kube_stream *stream, char byte, struct error *error) {
    if (stream->string) {
        bool quote = byte == '"' && !stream->escape;
        stream->escape = byte == '\\' && !stream->escape;
        stream->string = !quote;
        return 0;
    }
    switch (byte) {
    case '"':
        stream->string = true;
        return 0;
    case '{':
    case '[':
        stream->depth++;
        return stream->depth > DEPTH_MAX
                   ? error_set(error, -EBADMSG, "nested more than %d deep", DEPTH_MAX)
                   : 0;
    case '}':
    case ']':
        if (stream->depth == 0) {
            return error_set(error, -EBADMSG, "a %c too many", byte);
        }
        stream->depth--;
        return 0;
    default:
        return 0;
    }
}

#define ITEM_DEPTH 2 // between the elements of items

static int feed_rest(struct kube_stream *stream, char byte, struct error *error) {
    bool opens = byte == '[' && !stream->string && stream->depth == 1 && opens_items(&stream->rest);
    if (stream->ended && !is_blank(byte)) {
        return error_set(error, -EBADMSG, "something follows the list");
    }
    if (stream->depth == 0 && byte != '{' && !is_blank(byte)) {
        return error_set(error, -EBADMSG, "not a list of objects");
    }
    int rc = append(&stream->rest, byte, KUBE_REST_MAX, error);
    rc = rc != 0 ? rc : follow(stream, byte, error);
    stream->items = opens;
    stream->ended = stream->depth == 0 && (stream->ended || byte == '}');
    return rc;
}

static int feed_items(struct kube_stream *stream, char byte, kube_stream_fn *object, void *context,
                      struct error *error) {
    if (stream->depth == ITEM_DEPTH && byte == ']') {
        stream->items = false;
        stream->depth--;
        return append(&stream->rest, byte, KUBE_REST_MAX, error);
    }
    if (stream->depth == ITEM_DEPTH && byte != '{') {
        return byte == ',' || is_blank(byte)
                   ? 0
                   : error_set(error, -EBADMSG, "items: an object expected");
    }
    int rc = append(&stream->object, byte, KUBE_OBJECT_MAX, error);
    rc = rc != 0 ? rc : follow(stream, byte, error);
    if (rc == 0 && stream->depth == ITEM_DEPTH && !stream->string) {
        rc = object(context, stream->object.bytes, stream->object.size, error);
        stream->object.size = 0;
    }
    return rc;
}

static int feed_line(struct kube_stream *stream, char byte, kube_stream_fn *object, void *context,
                     struct error *error) {
    if (byte != '\n') {
        return append(&stream->object, byte, KUBE_OBJECT_MAX, error);
    }
    size_t size = before_blanks(&stream->object, stream->object.size);
    stream->object.size = 0;
    return size == 0 ? 0 : object(context, stream->object.bytes, size, error);
}

void kube_stream_init(struct kube_stream *stream, enum kube_stream_kind kind) {
    *stream = (struct kube_stream){.kind = kind};
}

void kube_stream_fini(struct kube_stream *stream) {
    free(stream->object.bytes);
    free(stream->rest.bytes);
    *stream = (struct kube_stream){0};
}

int kube_stream_feed(struct kube_stream *stream, const char *bytes, size_t size,
                     kube_stream_fn *object, void *context, struct error *error) {
    for (size_t i = 0; stream->failed == 0 && i < size; i++) {
        stream->failed = stream->kind == KUBE_STREAM_LINES
                             ? feed_line(stream, bytes[i], object, context, error)
                         : stream->items ? feed_items(stream, bytes[i], object, context, error)
                                         : feed_rest(stream, bytes[i], error);
    }
    return stream->failed;
}

int kube_stream_end(struct kube_stream *stream, struct error *error) {
    if (stream->failed != 0) {
        return stream->failed;
    }
    bool whole = stream->kind == KUBE_STREAM_LIST
                     ? stream->ended
                     : before_blanks(&stream->object, stream->object.size) == 0;
    return whole ? 0 : error_set(error, -EBADMSG, "the answer breaks off");
}
