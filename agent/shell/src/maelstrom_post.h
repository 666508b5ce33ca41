// SPDX-License-Identifier: Apache-2.0
// Outgoing core messages of a Maelstrom node, collected by destination so that a flush writes one
// line to each. Maelstrom counts lines, and a flood makes many small messages.
#ifndef AGENT_SHELL_MAELSTROM_POST_H
#define AGENT_SHELL_MAELSTROM_POST_H

#include <jansson.h>

#include "gossip/gossip.h"
#include "maelstrom_wire.h"

#define POST_LINE_MAX (2U << 20) // base64 in a line; one message may be longer

struct post_box {
    char address[GOSSIP_ADDRESS_SIZE];
    json_t *data; // array of base64 texts; NULL while empty
    size_t size;  // of these texts
};

struct post {
    struct post_box *boxes; // in the order in which they were first used
    uint32_t count, capacity;
    bool waiting; // some box is not empty
    bool failed;  // memory was short, and a message was lost
};

void post_fini(struct post *post);
// Writes a line at once when the box is full.
void post_add(struct post *post, const char *self, const struct gossip_message *message,
              struct text *out);
void post_flush(struct post *post, const char *self, struct text *out);

#endif
