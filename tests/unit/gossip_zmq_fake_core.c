// SPDX-License-Identifier: Apache-2.0
#include "gossip_zmq_fake_core.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

void fake_say(struct gossip *core, const char *address, const void *bytes, size_t size) {
    assert(core->queue_count < FAKE_QUEUE_MAX);
    uint32_t slot = (core->queue_first + core->queue_count++) % FAKE_QUEUE_MAX;
    struct fake_message *message = &core->queue[slot];
    snprintf(message->address, sizeof message->address, "%s", address);
    message->bytes = bytes;
    message->size = size;
    message->droppable = core->says_droppable;
}

void fake_set_neighbours(struct gossip *core, uint32_t count, const char *const *addresses) {
    assert(count <= FAKE_LIST_MAX);
    for (uint32_t i = 0; i < count; i++) {
        snprintf(core->neighbours[i], sizeof core->neighbours[i], "%s", addresses[i]);
    }
    core->neighbour_count = count;
    core->neighbour_generation++;
}

void gossip_receive(struct gossip *core, uint64_t now_ns, const char *sender, const void *bytes,
                    size_t size) {
    (void)now_ns;
    snprintf(core->last_sender, sizeof core->last_sender, "%s", sender == NULL ? "" : sender);
    core->received++;
    core->received_bytes += size;
    core->last_size = size < sizeof core->last ? size : sizeof core->last;
    memcpy(core->last, bytes, core->last_size);
}

void gossip_peer_connected(struct gossip *core, uint64_t now_ns, const char *address) {
    (void)now_ns;
    core->connected++;
    snprintf(core->last_connected, sizeof core->last_connected, "%s", address);
}

void gossip_peer_lost(struct gossip *core, uint64_t now_ns, const char *address) {
    (void)now_ns;
    core->lost++;
    snprintf(core->last_lost, sizeof core->last_lost, "%s", address);
}

void gossip_peer_behind(struct gossip *core, uint64_t now_ns, const char *address) {
    (void)now_ns;
    core->behind++;
    snprintf(core->last_behind, sizeof core->last_behind, "%s", address);
}

bool gossip_take_message(struct gossip *core, struct gossip_message *out) {
    if (core->queue_count == 0) {
        return false;
    }
    const struct fake_message *message = &core->queue[core->queue_first];
    core->queue_first = (core->queue_first + 1) % FAKE_QUEUE_MAX;
    core->queue_count--;
    *out = (struct gossip_message){message->address, message->bytes, message->size,
                                   message->droppable};
    return true;
}

bool gossip_has_message(const struct gossip *core) {
    return core->queue_count > 0;
}

uint32_t gossip_neighbour_generation(const struct gossip *core) {
    return core->neighbour_generation;
}

uint32_t gossip_neighbours(const struct gossip *core, const char **addresses, uint32_t max) {
    uint32_t count = core->neighbour_count < max ? core->neighbour_count : max;
    for (uint32_t i = 0; i < count; i++) {
        addresses[i] = core->neighbours[i];
    }
    return count;
}

uint32_t gossip_member_count(const struct gossip *core) {
    return core->member_count;
}

bool gossip_member_at(const struct gossip *core, uint32_t index, struct gossip_member *out) {
    if (index >= core->member_count) {
        return false;
    }
    *out = core->members[index];
    return true;
}
