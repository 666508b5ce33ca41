// SPDX-License-Identifier: Apache-2.0
// Lines of Maelstrom's protocol (its doc/protocol.md), one JSON message each:
//
//   {"src":"c1","dest":"n1","body":{"type":"broadcast","msg_id":3,"message":17}}
//   {"src":"n1","dest":"c1","body":{"type":"broadcast_ok","in_reply_to":3}}
//   {"src":"n1","dest":"n2","body":{"type":"gossip","data":["<base64>",...]}}   between nodes
//
// "data" holds messages of the gossip core in the order in which they were made; nobody answers
// them. Ownership: wire_parse fills the caller's storage, wire_fini frees it. Pure.
#ifndef AGENT_SHELL_MAELSTROM_WIRE_H
#define AGENT_SHELL_MAELSTROM_WIRE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/error.h"

// Codes of error bodies.
enum wire_code {
    WIRE_NOT_SUPPORTED = 10,
    WIRE_UNAVAILABLE = 11, // for now, and nothing was done
    WIRE_MALFORMED = 12,
};

// Text that grows. Where memory is short `failed` is set and the text stays as it was.
struct text {
    char *bytes; // owned
    size_t size, capacity;
    bool failed;
};

void text_add(struct text *text, const char *bytes, size_t size);
void text_print(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_fini(struct text *text);

struct wire_message {
    json_t *root; // owned; the rest is borrowed from it
    json_t *body;
    const char *src, *dest, *type;
    json_t *msg_id; // NULL: the sender wants no answer
};

// -EBADMSG with the reason: not a message, and nobody who could be told so.
int wire_parse(const char *line, size_t size, struct wire_message *out, struct error *error);
void wire_fini(struct wire_message *message);
// Adds a line. Takes `body`. in_reply_to may be NULL.
void wire_write(struct text *out, const char *src, const char *dest, json_t *in_reply_to,
                json_t *body);
// A request that is kept beyond its message. All NULL: of no client.
struct wire_request {
    json_t *client, *msg_id, *value; // owned
};
struct wire_request wire_hold(const struct wire_message *message, json_t *value);
void wire_release(struct wire_request *request);
// Nothing when the request has no msg_id. Takes `body`.
void wire_answer(struct text *out, const char *src, const struct wire_request *request,
                 json_t *body);
json_t *wire_error(enum wire_code code, const char *text); // a body; owned by the caller

// Base64 (RFC 4648, section 4). NULL when memory is short; *bytes owned by the caller. Decoding is
// strict: -EBADMSG for anything that encoding would not have written, -ENOMEM.
char *base64_encode(const void *bytes, size_t size);
int base64_decode(const char *text, size_t length, uint8_t **bytes, size_t *size);

#endif
