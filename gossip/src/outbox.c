// SPDX-License-Identifier: Apache-2.0
// Messages that the carrier has not taken yet. One buffer may go to many addresses.
#include "core.h"

#include <stdlib.h>
#include <string.h>

struct buffer *buffer_take(struct mp_writer *writer) {
    struct buffer *buffer = writer->failed ? NULL : malloc(sizeof *buffer);
    if (buffer == NULL) {
        free(writer->bytes);
    } else {
        *buffer = (struct buffer){1, writer->size, writer->bytes};
    }
    mp_write_growing(writer);
    return buffer;
}

void buffer_release(struct buffer *buffer) {
    if (buffer != NULL && --buffer->references == 0) {
        free(buffer->bytes);
        free(buffer);
    }
}

static bool grow(struct gossip *gossip) {
    uint32_t capacity = gossip->out_capacity == 0 ? 64 : 2 * gossip->out_capacity;
    struct outgoing *grown = malloc(capacity * sizeof *grown);
    if (grown == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < gossip->out_count; i++) {
        grown[i] = gossip->out[(gossip->out_head + i) % gossip->out_capacity];
    }
    free(gossip->out);
    gossip->out = grown;
    gossip->out_head = 0;
    gossip->out_capacity = capacity;
    return true;
}

void outbox_add(struct gossip *gossip, const char *address, struct buffer *buffer) {
    if (buffer == NULL || address[0] == '\0' || strcmp(address, gossip->config.address) == 0) {
        return;
    }
    bool full = gossip->out_count >= OUTBOX_MESSAGES_MAX ||
                gossip->out_bytes + buffer->size > OUTBOX_BYTES_MAX;
    if (full || (gossip->out_count == gossip->out_capacity && !grow(gossip))) {
        struct peer *peer = overlay_peer(gossip, address);
        if (peer != NULL) {
            peer->behind_at_ns = gossip->now_ns; // the carrier does not take: repair tells it later
        }
        return;
    }
    uint32_t at = (gossip->out_head + gossip->out_count++) % gossip->out_capacity;
    memcpy(gossip->out[at].address, address, strlen(address) + 1);
    gossip->out[at].buffer = buffer;
    buffer->references++;
    gossip->out_bytes += buffer->size;
    gossip->stats.messages_sent++;
    gossip->stats.bytes_sent += buffer->size;
}

static struct droppable *waiting_for(const struct gossip *gossip, const char *address) {
    struct droppable *waiting = gossip->drop_first;
    while (waiting != NULL && strcmp(waiting->out.address, address) != 0) {
        waiting = waiting->next;
    }
    return waiting;
}

void outbox_add_droppable(struct gossip *gossip, const char *address, struct mp_writer *writer,
                          uint32_t load_count) {
    struct buffer *buffer = buffer_take(writer);
    struct droppable *droppable = waiting_for(gossip, address);
    if (droppable == NULL && buffer != NULL) {
        droppable = calloc(1, sizeof *droppable);
        if (droppable != NULL) {
            memcpy(droppable->out.address, address, strlen(address) + 1);
            *(gossip->drop_last != NULL ? &gossip->drop_last->next : &gossip->drop_first) =
                droppable;
            gossip->drop_last = droppable;
        }
    }
    if (droppable == NULL || buffer == NULL) {
        gossip->stats.loads_dropped += load_count;
        buffer_release(buffer);
        return;
    }
    gossip->stats.loads_dropped += droppable->load_count;
    buffer_release(droppable->out.buffer);
    droppable->out.buffer = buffer;
    droppable->load_count = load_count;
}

static bool take_droppable(struct gossip *gossip) {
    struct droppable *droppable = gossip->drop_first;
    if (droppable == NULL) {
        return false;
    }
    gossip->drop_first = droppable->next;
    gossip->drop_last = gossip->drop_first != NULL ? gossip->drop_last : NULL;
    gossip->taken = droppable->out;
    gossip->stats.loads_sent += droppable->load_count;
    gossip->stats.messages_sent++;
    gossip->stats.bytes_sent += droppable->out.buffer->size;
    free(droppable);
    return true;
}

bool gossip_has_message(const struct gossip *gossip) {
    bool tells = gossip->phase == OWN_ACTIVE || gossip->phase == OWN_LEFT;
    return gossip->out_count > 0 || gossip->drop_first != NULL || gossip->pending_urgent ||
           (tells && gossip->pushed_seq < gossip->next_seq);
}

bool gossip_take_message(struct gossip *gossip, struct gossip_message *out) {
    buffer_release(gossip->taken.buffer);
    gossip->taken.buffer = NULL;
    push_own(gossip);
    push_urgent(gossip);
    bool droppable = gossip->out_count == 0;
    if (droppable && !take_droppable(gossip)) {
        return false;
    }
    if (!droppable) {
        gossip->taken = gossip->out[gossip->out_head];
        gossip->out_head = (gossip->out_head + 1) % gossip->out_capacity;
        gossip->out_count--;
        gossip->out_bytes -= gossip->taken.buffer->size;
    }
    *out = (struct gossip_message){gossip->taken.address, gossip->taken.buffer->bytes,
                                   gossip->taken.buffer->size, droppable};
    return true;
}

void outbox_fini(struct gossip *gossip) {
    buffer_release(gossip->taken.buffer);
    for (uint32_t i = 0; i < gossip->out_count; i++) {
        buffer_release(gossip->out[(gossip->out_head + i) % gossip->out_capacity].buffer);
    }
    free(gossip->out);
    while (take_droppable(gossip)) {
        buffer_release(gossip->taken.buffer);
    }
}

void outbox_open_in(struct gossip *gossip, uint32_t version, struct mp_writer *writer,
                    size_t *message) {
    mp_write_growing(writer);
    *message = wire_open_message(writer, version, gossip->config.name, gossip->config.address,
                                 gossip->self->life);
}

void outbox_open(struct gossip *gossip, struct mp_writer *writer, size_t *message) {
    outbox_open_in(gossip, gossip->answer_version, writer, message);
}

void outbox_close(struct gossip *gossip, struct mp_writer *writer, size_t message,
                  uint32_t sections, const char *address) {
    wire_close_message(writer, message, sections);
    struct buffer *buffer = buffer_take(writer);
    outbox_add(gossip, address, buffer);
    buffer_release(buffer);
}
