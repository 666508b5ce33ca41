// SPDX-License-Identifier: Apache-2.0
#include "maelstrom_wire.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PRINT_MAX 512 // of one text_print; more is cut

// ---- text

static bool reserve(struct text *text, size_t more) {
    size_t needed = text->size + more;
    if (needed <= text->capacity) {
        return true;
    }
    size_t capacity = text->capacity < 1024 ? 1024 : text->capacity;
    while (capacity < needed) {
        capacity *= 2;
    }
    char *bytes = realloc(text->bytes, capacity);
    if (bytes == NULL) {
        text->failed = true;
        return false;
    }
    text->bytes = bytes;
    text->capacity = capacity;
    return true;
}

void text_add(struct text *text, const char *bytes, size_t size) {
    if (reserve(text, size)) {
        memcpy(text->bytes + text->size, bytes, size);
        text->size += size;
    }
}

void text_print(struct text *text, const char *format, ...) {
    char line[PRINT_MAX];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    if (length > 0) {
        text_add(text, line, (size_t)length < sizeof(line) ? (size_t)length : sizeof(line) - 1);
    }
}

void text_fini(struct text *text) {
    free(text->bytes);
    *text = (struct text){.bytes = NULL};
}

// ---- messages

static const char *text_of(const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL && text[0] != '\0' ? text : NULL;
}

static int check(const struct wire_message *message, struct error *error) {
    if (message->src == NULL || message->dest == NULL) {
        return error_set(error, -EBADMSG, "a message without \"src\" or \"dest\"");
    }
    if (!json_is_object(message->body) || message->type == NULL) {
        return error_set(error, -EBADMSG, "a message from %.40s without a body that has a \"type\"",
                         message->src);
    }
    if (message->msg_id != NULL && !json_is_integer(message->msg_id)) {
        return error_set(error, -EBADMSG, "%.40s from %.40s: \"msg_id\" is not an integer",
                         message->type, message->src);
    }
    return 0;
}

int wire_parse(const char *line, size_t size, struct wire_message *out, struct error *error) {
    json_error_t problem;
    json_t *root = json_loadb(line, size, JSON_REJECT_DUPLICATES, &problem);
    if (root == NULL) {
        return error_set(error, -EBADMSG, "not JSON: %.100s at byte %d", problem.text,
                         problem.position);
    }
    json_t *body = json_object_get(root, "body");
    struct wire_message message = {.root = root,
                                   .body = body,
                                   .src = text_of(root, "src"),
                                   .dest = text_of(root, "dest"),
                                   .type = text_of(body, "type"),
                                   .msg_id = json_object_get(body, "msg_id")};
    int rc = check(&message, error);
    if (rc != 0) {
        json_decref(root);
        return rc;
    }
    *out = message;
    return 0;
}

void wire_fini(struct wire_message *message) {
    json_decref(message->root);
}

void wire_write(struct text *out, const char *src, const char *dest, json_t *in_reply_to,
                json_t *body) {
    json_t *line = NULL;
    if (body != NULL &&
        (in_reply_to == NULL || json_object_set(body, "in_reply_to", in_reply_to) == 0)) {
        line = json_pack("{s:s, s:s, s:O}", "src", src, "dest", dest, "body", body);
    }
    char *text = line != NULL ? json_dumps(line, JSON_COMPACT) : NULL;
    if (text != NULL) {
        size_t length = strlen(text);
        text[length] = '\n'; // in place of the terminator: a line is added whole or not at all
        text_add(out, text, length + 1);
    } else {
        out->failed = true;
    }
    free(text);
    json_decref(line);
    json_decref(body);
}

struct wire_request wire_hold(const struct wire_message *message, json_t *value) {
    return (struct wire_request){.client = json_incref(json_object_get(message->root, "src")),
                                 .msg_id = json_incref(message->msg_id),
                                 .value = json_incref(value)};
}

void wire_release(struct wire_request *request) {
    json_decref(request->client);
    json_decref(request->msg_id);
    json_decref(request->value);
    *request = (struct wire_request){.client = NULL};
}

void wire_answer(struct text *out, const char *src, const struct wire_request *request,
                 json_t *body) {
    if (request->client == NULL || request->msg_id == NULL) {
        json_decref(body);
        return;
    }
    wire_write(out, src, json_string_value(request->client), request->msg_id, body);
}

json_t *wire_error(enum wire_code code, const char *text) {
    return json_pack("{s:s, s:i, s:s}", "type", "error", "code", (int)code, "text", text);
}

// ---- base64

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *base64_encode(const void *bytes, size_t size) {
    const uint8_t *at = bytes;
    size_t length = (size + 2) / 3 * 4;
    char *text = malloc(length + 1);
    if (text == NULL) {
        return NULL;
    }
    for (size_t i = 0, o = 0; i < size; i += 3) {
        uint32_t left = (uint32_t)(size - i < 3 ? size - i : 3);
        uint32_t group = (uint32_t)at[i] << 16 | (left > 1 ? (uint32_t)at[i + 1] << 8 : 0) |
                         (left > 2 ? at[i + 2] : 0U);
        text[o++] = letters[group >> 18];
        text[o++] = letters[group >> 12 & 63];
        text[o++] = left > 1 ? letters[group >> 6 & 63] : '=';
        text[o++] = left > 2 ? letters[group & 63] : '=';
    }
    text[length] = '\0';
    return text;
}

static int value_of(char letter) {
    const char *at = letter != '\0' ? strchr(letters, letter) : NULL;
    return at != NULL ? (int)(at - letters) : -1;
}

// One group of four letters of which `count` stand for bytes and the rest is padding.
static bool decode_group(const char *text, unsigned count, uint8_t out[3]) {
    uint32_t group = 0;
    for (unsigned i = 0; i < 4; i++) {
        int value = i <= count ? value_of(text[i]) : 0;
        if (value < 0 || (i > count && text[i] != '=')) {
            return false;
        }
        group = group << 6 | (uint32_t)value;
    }
    out[0] = (uint8_t)(group >> 16);
    out[1] = (uint8_t)(group >> 8);
    out[2] = (uint8_t)group;
    return (count > 1 || out[1] == 0) &&
           (count > 2 || out[2] == 0); // no bits that stand for nothing
}

int base64_decode(const char *text, size_t length, uint8_t **bytes, size_t *size) {
    if (length % 4 != 0) {
        return -EBADMSG;
    }
    uint8_t *out = malloc(length / 4 * 3 + 1);
    if (out == NULL) {
        return -ENOMEM;
    }
    size_t written = 0;
    for (size_t i = 0; i < length; i += 4) {
        unsigned count = 3;
        if (i + 4 == length) {
            count -= (unsigned)(text[i + 3] == '=') +
                     (unsigned)(text[i + 2] == '=' && text[i + 3] == '=');
        }
        uint8_t group[3];
        if (!decode_group(text + i, count, group)) {
            free(out);
            return -EBADMSG;
        }
        memcpy(out + written, group, count);
        written += count;
    }
    *bytes = out;
    *size = written;
    return 0;
}
