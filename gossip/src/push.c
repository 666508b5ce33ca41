// SPDX-License-Identifier: Apache-2.0
// Eager push: what is new goes at once to all neighbours that do not have it yet. A part is
// forwarded as it came, once it was merged whole, so that its proof stays true on its way; own
// writes go out as one part, with one signature.
//
// Parts wait until the carrier asks for messages, that is, until it has given us all that had
// arrived. On a busy host several neighbours' copies have arrived by then, and who sent one is not
// told again: under load a flood costs less, not more. States of newcomers, when many come at once,
// wait for the next ping slot: the start of a fleet is not the moment to be eager.
#include "core.h"

#include <stdlib.h>
#include <string.h>

static uint64_t bit(uint32_t index) {
    return UINT64_C(1) << index;
}

// The bits stand for other peers now: who has what is not known any more.
static void follow_peers(struct gossip *gossip) {
    for (uint32_t i = 0;
         gossip->pending_generation != gossip->peer_generation && i < gossip->pending_count; i++) {
        gossip->pending[i].has = 0;
    }
    gossip->pending_generation = gossip->peer_generation;
}

// Those of the waiting parts that the peer lacks.
static uint64_t lacking(const struct gossip *gossip, uint32_t peer) {
    uint64_t parts = 0;
    for (uint32_t i = 0; i < gossip->pending_count; i++) {
        parts |= (gossip->pending[i].has & bit(peer)) != 0 ? 0 : bit(i);
    }
    return parts;
}

static struct buffer *make_push(struct gossip *gossip, uint64_t parts) {
    struct mp_writer writer;
    size_t message;
    uint32_t count = 0;
    outbox_open_in(gossip, members_version(gossip), &writer, &message);
    size_t list = wire_open_list(&writer, SECTION_PUSH);
    for (uint32_t i = 0; i < gossip->pending_count; i++) {
        const struct pending *pending = &gossip->pending[i];
        if ((parts & bit(i)) != 0) {
            mp_write_raw(&writer, gossip->batch.bytes + pending->start,
                         pending->end - pending->start);
            count++;
        }
    }
    wire_close_list(&writer, list, count);
    wire_close_message(&writer, message, 1);
    return buffer_take(&writer);
}

// One message for all that lack the same parts.
static void send_alike(struct gossip *gossip, uint64_t parts, uint64_t *waiting) {
    struct buffer *buffer = parts == 0 ? NULL : make_push(gossip, parts);
    for (uint32_t i = 0; i < gossip->peer_count; i++) {
        if ((*waiting & bit(i)) != 0 && lacking(gossip, i) == parts) {
            *waiting &= ~bit(i);
            outbox_add(gossip, gossip->peers[i].address, buffer);
        }
    }
    buffer_release(buffer);
}

void push_flush(struct gossip *gossip) {
    uint64_t waiting = 0;
    if (gossip->pending_count == 0) {
        return;
    }
    follow_peers(gossip);
    for (uint32_t i = 0; i < gossip->peer_count && !gossip->batch.failed; i++) {
        waiting |= gossip->peers[i].behind_at_ns == 0 ? bit(i) : 0;
    }
    for (uint32_t i = 0; i < gossip->peer_count; i++) {
        if ((waiting & bit(i)) != 0) {
            send_alike(gossip, lacking(gossip, i), &waiting);
        }
    }
    gossip->pending_count = 0;
    gossip->pending_urgent = false;
    free(gossip->batch.bytes);
    mp_write_growing(&gossip->batch);
}

void push_urgent(struct gossip *gossip) {
    if (gossip->pending_urgent) {
        push_flush(gossip);
    }
}

// Opens a part that waits; its records follow, then close_part.
static size_t open_part(struct gossip *gossip, const struct origin *origin,
                        const struct wire_part *part) {
    if (gossip->pending_count == PUSH_PARTS_MAX || gossip->batch.size >= PUSH_BATCH_BYTES) {
        push_flush(gossip);
    }
    follow_peers(gossip);
    gossip->pending[gossip->pending_count] = (struct pending){.origin = origin,
                                                              .life = part->life,
                                                              .to = part->to,
                                                              .start = gossip->batch.size};
    return wire_open_part(&gossip->batch, part);
}

static void close_part(struct gossip *gossip, size_t records, uint32_t count) {
    mp_array_close(&gossip->batch, records, count);
    gossip->pending[gossip->pending_count++].end = gossip->batch.size;
}

// The sender has what it sent: none of it needs to go back.
static void note_sender(struct gossip *gossip, const struct origin *origin,
                        const struct wire_envelope *envelope, const struct wire_part *part) {
    const struct peer *peer = overlay_peer(gossip, envelope->address);
    follow_peers(gossip);
    for (uint32_t i = 0; i < gossip->pending_count && peer != NULL; i++) {
        struct pending *pending = &gossip->pending[i];
        if (pending->origin == origin && life_compare(pending->life, part->life) == 0 &&
            pending->to <= part->to) {
            pending->has |= bit((uint32_t)(peer - gossip->peers));
        }
    }
}

// ---- forwarding

static uint32_t rate_cost(const struct wire_part *part) {
    return part->record_count > 0 ? part->record_count : 1;
}

// An origin that writes faster than this is left to repair, which sees only its newest values.
static bool is_within_rate(struct gossip *gossip, struct origin *origin,
                           const struct wire_part *part) {
    uint64_t elapsed = gossip->now_ns - origin->rate_at_ns;
    uint64_t earned = elapsed >= NS_PER_S * RATE_BURST / RATE_RECORDS_PER_S
                          ? RATE_BURST
                          : elapsed * RATE_RECORDS_PER_S / NS_PER_S;
    if (earned > 0) {
        uint64_t tokens = origin->rate_tokens + earned;
        origin->rate_tokens = (uint32_t)(tokens < RATE_BURST ? tokens : RATE_BURST);
        origin->rate_at_ns = gossip->now_ns;
    }
    return rate_cost(part) <= origin->rate_tokens;
}

// Only what was proved counts: nobody can use up what belongs to another.
static void spend_rate(struct origin *origin, const struct wire_part *part) {
    origin->rate_tokens -= rate_cost(part);
}

// As it came: what its proof does not cover (elements that we do not know) is left out.
static void forward(struct gossip *gossip, const struct origin *origin,
                    const struct wire_part *part) {
    struct wire_part head = *part;
    struct mp_reader reader = part->records;
    head.hop = part->hop < HOPS_MAX ? part->hop + 1 : HOPS_MAX;
    size_t records = open_part(gossip, origin, &head);
    for (uint32_t i = 0; i < part->record_count; i++) {
        struct wire_record record;
        wire_next_record(&reader, &record);
        wire_write_record(&gossip->batch, &record);
    }
    close_part(gossip, records, part->record_count);
}

static void receive_own(struct gossip *gossip, const struct wire_envelope *envelope,
                        const struct wire_part *part) {
    if (merge_own(gossip, part) == MERGE_GAP) {
        own_hearsay(gossip, part->life, part->to, envelope->address);
    }
}

static void receive_part(struct gossip *gossip, const struct wire_envelope *envelope,
                         const struct wire_part *part) {
    struct origin *origin = origin_intern(gossip, part->origin);
    if (origin == NULL) {
        gossip->stats.dropped_quota++;
        return;
    }
    if (origin == gossip->self) {
        receive_own(gossip, envelope, part);
        return;
    }
    if (merge_look(origin, part) == MERGE_NEW && !is_within_rate(gossip, origin, part)) {
        gossip->stats.dropped_quota++;
        return;
    }
    bool newcomer = origin->life.incarnation == 0;
    enum merge_result result = merge_part(gossip, origin, part);
    if (result == MERGE_NEW) {
        spend_rate(origin, part);
        forward(gossip, origin, part);
        bool urgent = !newcomer || gossip->crowd.newcomers <= NEWCOMERS_A_SLOT;
        gossip->pending_urgent = gossip->pending_urgent || urgent;
        note_sender(gossip, origin, envelope, part);
        repair_mark(gossip, origin);
    } else if (result == MERGE_DUPLICATE) {
        note_sender(gossip, origin, envelope, part);
    } else if (result == MERGE_GAP) {
        repair_note(gossip, origin, part->life, part->to);
        repair_want(gossip, origin, envelope->address);
    }
}

void push_receive(struct gossip *gossip, const struct wire_envelope *envelope,
                  const struct wire_section *section) {
    struct mp_reader reader = section->items;
    for (uint32_t i = 0; i < section->count; i++) {
        struct wire_part part;
        wire_next_part(&reader, &part);
        receive_part(gossip, envelope, &part);
    }
}

// ---- own writes

void push_own(struct gossip *gossip) {
    bool told = gossip->phase == OWN_ACTIVE || gossip->phase == OWN_LEFT;
    const struct origin *self = gossip->self;
    if (!told || gossip->pushed_seq >= gossip->next_seq) {
        return;
    }
    own_seal(gossip);
    struct wire_part part = {.life = self->life,
                             .floor = self->floor,
                             .from = gossip->pushed_seq,
                             .to = gossip->next_seq,
                             .proof = {(const char *)self->proof, self->proof_size}};
    memcpy(part.origin, self->name, sizeof part.origin);
    size_t records = open_part(gossip, self, &part);
    uint32_t count = store_write(&gossip->batch, self, part.from);
    close_part(gossip, records, count);
    gossip->pushed_seq = part.to;
    push_flush(gossip);
}
