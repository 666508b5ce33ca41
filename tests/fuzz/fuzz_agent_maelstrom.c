// SPDX-License-Identifier: Apache-2.0
// Any bytes as lines to a Maelstrom node: it stays up, and whatever it says is a message of its
// protocol.
#include <assert.h>
#include <string.h>

#include "maelstrom.h"
#include "model/time.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_output(struct text *out) {
    assert(!out->failed);
    for (size_t at = 0; at < out->size;) {
        const char *end = memchr(out->bytes + at, '\n', out->size - at);
        struct wire_message message;
        assert(end != NULL);
        assert(wire_parse(out->bytes + at, (size_t)(end - (out->bytes + at)), &message, NULL) == 0);
        wire_fini(&message);
        at = (size_t)(end - out->bytes) + 1;
    }
    out->size = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct maelstrom *node;
    uint64_t now_ns = NS_PER_S;
    if (maelstrom_open(1, 1, &node) != 0) {
        return 0;
    }
    for (size_t at = 0; at < size; at++, now_ns += 50 * NS_PER_MS) {
        const uint8_t *end = memchr(data + at, '\n', size - at);
        size_t length = (end != NULL ? (size_t)(end - data) : size) - at;
        maelstrom_line(node, now_ns, (const char *)data + at, length);
        maelstrom_tick(node, now_ns);
        check_output(maelstrom_output(node));
        maelstrom_log(node)->size = 0;
        at += length;
    }
    maelstrom_close(node);
    return 0;
}
