// SPDX-License-Identifier: Apache-2.0
// Eager push: what is new goes at once to all neighbours but the sender. A part is forwarded as it
// came, once it was merged whole, so that its proof stays true on its way; own writes go out as one
// part, with one signature, whenever the carrier asks for messages.
#include "core.h"

#include <stdlib.h>
#include <string.h>

void push_flush(struct gossip *gossip, const char *except) {
    if (gossip->batch_parts == 0) {
        return;
    }
    wire_close_list(&gossip->batch, gossip->batch_list, gossip->batch_parts);
    wire_close_message(&gossip->batch, gossip->batch_message, 1);
    gossip->batch_parts = 0;
    struct buffer *buffer = buffer_take(&gossip->batch);
    for (uint32_t i = 0; i < gossip->peer_count; i++) {
        const struct peer *peer = &gossip->peers[i];
        if (peer->behind_at_ns == 0 && (except == NULL || strcmp(peer->address, except) != 0)) {
            outbox_add(gossip, peer->address, buffer);
        }
    }
    buffer_release(buffer);
}

// Opens a part; its records follow.
static size_t open_part(struct gossip *gossip, const struct wire_part *part) {
    if (gossip->batch_parts > 0 && gossip->batch.size >= PUSH_BATCH_BYTES) {
        push_flush(gossip, gossip->push_except);
    }
    if (gossip->batch_parts++ == 0) {
        free(gossip->batch.bytes);
        outbox_open_in(gossip, members_version(gossip), &gossip->batch, &gossip->batch_message);
        gossip->batch_list = wire_open_list(&gossip->batch, SECTION_PUSH);
    }
    return wire_open_part(&gossip->batch, part);
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
static void forward(struct gossip *gossip, const struct wire_part *part) {
    struct wire_part head = *part;
    struct mp_reader reader = part->records;
    head.hop = part->hop < HOPS_MAX ? part->hop + 1 : HOPS_MAX;
    size_t records = open_part(gossip, &head);
    for (uint32_t i = 0; i < part->record_count; i++) {
        struct wire_record record;
        wire_next_record(&reader, &record);
        wire_write_record(&gossip->batch, &record);
    }
    mp_array_close(&gossip->batch, records, part->record_count);
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
    enum merge_result result = merge_part(gossip, origin, part);
    if (result == MERGE_NEW) {
        spend_rate(origin, part);
        forward(gossip, part);
        repair_mark(gossip, origin);
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
    size_t records = open_part(gossip, &part);
    uint32_t count = store_write(&gossip->batch, self, part.from);
    mp_array_close(&gossip->batch, records, count);
    gossip->pushed_seq = part.to;
    push_flush(gossip, NULL);
}
