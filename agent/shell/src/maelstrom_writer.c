// SPDX-License-Identifier: Apache-2.0
#include "maelstrom_writer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_PREFIX "values/"

int writer_init(struct writer *writer, uint32_t nonce) {
    *writer = (struct writer){.nonce = nonce, .record = json_array()};
    return writer->record != NULL ? 0 : -ENOMEM;
}

void writer_fini(struct writer *writer) {
    for (uint32_t i = 0; i < writer->pending_count; i++) {
        wire_release(&writer->pending[i]);
    }
    free(writer->pending);
    json_decref(writer->record);
    *writer = (struct writer){.pending = NULL};
}

bool writer_is_key(const char *key) {
    return strncmp(key, KEY_PREFIX, strlen(KEY_PREFIX)) == 0;
}

int writer_add(struct writer *writer, struct wire_request request) {
    if (writer->pending_count == writer->pending_capacity) {
        uint32_t capacity = writer->pending_capacity == 0 ? 64 : 2 * writer->pending_capacity;
        struct wire_request *pending = realloc(writer->pending, capacity * sizeof(*pending));
        if (pending == NULL) {
            wire_release(&request);
            return -ENOMEM;
        }
        writer->pending = pending;
        writer->pending_capacity = capacity;
    }
    writer->pending[writer->pending_count++] = request;
    return 0;
}

static int put_record(struct writer *writer, uint64_t now_ns, struct gossip *gossip,
                      const char *key) {
    char *text = json_dumps(writer->record, JSON_COMPACT);
    if (text == NULL) {
        return -ENOMEM;
    }
    size_t size = strlen(text);
    int rc = gossip_put(gossip, now_ns, GOSSIP_TABLE_HOST, key, text, size);
    writer->record_bytes = rc == 0 ? (uint32_t)size : writer->record_bytes;
    free(text);
    return rc;
}

// Adds the values of the first requests, as many as fit, to the last record or, where that is full,
// to a new one. Returns how many; on failure the record stays as it was.
static uint32_t fill_record(struct writer *writer, uint32_t first, uint64_t now_ns,
                            struct gossip *gossip, char key[GOSSIP_KEY_MAX], int *rc) {
    if (json_array_size(writer->record) >= RECORD_VALUES ||
        writer->record_bytes >= RECORD_BYTES_MAX) {
        json_array_clear(writer->record);
        writer->record_index++;
        writer->record_bytes = 0;
    }
    size_t held = json_array_size(writer->record);
    uint32_t count = writer->pending_count - first;
    count = count < RECORD_VALUES - held ? count : (uint32_t)(RECORD_VALUES - held);
    snprintf(key, GOSSIP_KEY_MAX, KEY_PREFIX "%08x/%u", writer->nonce, writer->record_index);
    *rc = 0;
    for (uint32_t i = 0; i < count && *rc == 0; i++) {
        *rc =
            json_array_append(writer->record, writer->pending[first + i].value) != 0 ? -ENOMEM : 0;
    }
    *rc = *rc == 0 ? put_record(writer, now_ns, gossip, key) : *rc;
    while (*rc != 0 && json_array_size(writer->record) > held) {
        json_array_remove(writer->record, json_array_size(writer->record) - 1);
    }
    return count;
}

void writer_write(struct writer *writer, uint64_t now_ns, struct gossip *gossip,
                  struct values *values, struct text *out) {
    uint32_t done = 0;
    while (done < writer->pending_count) {
        char key[GOSSIP_KEY_MAX];
        int rc;
        uint32_t count = fill_record(writer, done, now_ns, gossip, key, &rc);
        uint32_t source = rc == 0 ? values_source(values, writer->name, key) : SOURCE_NONE;
        for (uint32_t end = done + count; done < end; done++) {
            struct wire_request *request = &writer->pending[done];
            int added = rc == 0 ? values_add(values, request->value, source) : rc;
            wire_answer(out, writer->name, request,
                        added == 0
                            ? json_pack("{s:s}", "type", "broadcast_ok")
                            : wire_error(WIRE_UNAVAILABLE, "this node can hold no more values"));
            wire_release(request);
        }
    }
    writer->pending_count = 0;
}
