// SPDX-License-Identifier: Apache-2.0
// Eager push: what is new goes at once to all neighbours but the sender. Parts are forwarded as
// they came, so that what a part covers stays true on its way.
#include "core.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void open_batch(struct gossip *gossip) {
    if (gossip->batch_parts == 0) {
        free(gossip->batch.bytes);
        outbox_open(gossip, &gossip->batch, &gossip->batch_message);
        gossip->batch_list = wire_open_list(&gossip->batch, SECTION_PUSH);
    }
}

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

// ---- forwarding

// An origin that writes faster than this is left to repair, which sees only its newest values.
static bool within_rate(struct gossip *gossip, struct origin *origin, uint32_t records) {
    uint64_t elapsed = gossip->now_ns - origin->rate_at_ns;
    uint64_t earned = elapsed >= NS_PER_S * RATE_BURST / RATE_RECORDS_PER_S
                          ? RATE_BURST
                          : elapsed * RATE_RECORDS_PER_S / NS_PER_S;
    if (earned > 0) {
        uint64_t tokens = origin->rate_tokens + earned;
        origin->rate_tokens = (uint32_t)(tokens < RATE_BURST ? tokens : RATE_BURST);
        origin->rate_at_ns = gossip->now_ns;
    }
    if (records > origin->rate_tokens) {
        gossip->stats.dropped_quota++;
        return false;
    }
    origin->rate_tokens -= records;
    return true;
}

static void forward_head(struct gossip *gossip, const struct origin *origin,
                         const struct wire_part *part, size_t *start, size_t *records) {
    struct wire_part head = *part;
    // A claim of covering holds for what we pass on only if nothing of it came by another way.
    bool claim =
        part->to > origin->complete && part->from <= origin->complete && origin->window == 0;
    head.floor = origin->floor;
    head.from = claim ? origin->complete : 0;
    head.to = claim ? part->to : 0;
    head.have = origin->have_max;
    head.hop = part->hop < HOPS_MAX ? part->hop + 1 : HOPS_MAX;
    if (gossip->batch_parts > 0 && gossip->batch.size >= PUSH_BATCH_BYTES) {
        push_flush(gossip, gossip->push_except);
    }
    open_batch(gossip);
    *start = gossip->batch.size;
    *records = wire_open_part(&gossip->batch, &head);
}

// Merges the records of a part and passes on those that are new.
static void merge_and_forward(struct gossip *gossip, struct origin *origin,
                              const struct wire_part *part) {
    size_t start;
    size_t records;
    uint32_t applied = 0;
    bool whole = true;
    struct mp_reader reader = part->records;
    forward_head(gossip, origin, part, &start, &records);
    for (uint32_t i = 0; i < part->record_count; i++) {
        struct wire_record record;
        wire_next_record(&reader, &record);
        enum merge_result result = merge_record(gossip, origin, part, &record);
        whole = whole && result != MERGE_DROPPED;
        if (result == MERGE_APPLIED) {
            wire_write_record(&gossip->batch, &record);
            applied++;
        }
    }
    if (applied > 0 && whole) { // what we could not hold ourselves, we cannot vouch for
        mp_array_close(&gossip->batch, records, applied);
        gossip->batch_parts++;
    } else {
        gossip->batch.size = start;
    }
    if (applied > 0) {
        repair_mark(gossip, origin);
    }
    merge_end(gossip, origin, part, whole);
}

static void receive_part(struct gossip *gossip, const struct wire_envelope *envelope,
                         const struct wire_part *part) {
    struct origin *origin = origin_intern(gossip, part->origin);
    if (origin == NULL) {
        gossip->stats.dropped_quota++;
        return;
    }
    if (origin == gossip->self) {
        own_heard(gossip, part->life);
        return;
    }
    if (!within_rate(gossip, origin, part->record_count)) {
        return;
    }
    int begun = merge_begin(gossip, origin, part);
    if (begun == 0) {
        merge_and_forward(gossip, origin, part);
        if (origin->complete < origin->have_max) { // a gap; what fills it may be on its way
            repair_note(gossip, origin, origin->life, origin->have_max);
        }
    } else if (begun == -EAGAIN) {
        repair_note(gossip, origin, part->life, part->have);
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

// Writes the own records in (pushed_seq, ...] up to a batch's size as one part; returns the last
// seq.
static uint64_t write_own_part(struct gossip *gossip, struct record *first) {
    const struct origin *self = gossip->self;
    uint64_t to = gossip->next_seq;
    size_t bytes = 0;
    for (const struct record *record = first; record != NULL; record = record->next) {
        if (bytes > 0 && bytes + record->value_size > PUSH_BATCH_BYTES) {
            to = record->prev->seq;
            break;
        }
        bytes += record->value_size + record->key_size + 16U;
    }
    struct wire_part part = {.life = self->life,
                             .floor = self->floor,
                             .from = gossip->pushed_seq,
                             .to = to,
                             .have = gossip->next_seq};
    memcpy(part.origin, self->name, sizeof part.origin);
    open_batch(gossip);
    size_t records = wire_open_part(&gossip->batch, &part);
    uint32_t count = 0;
    for (const struct record *record = first; record != NULL && record->seq <= to;
         record = record->next) {
        struct wire_record out = {record->seq,
                                  record->table,
                                  {record->key, record->key_size},
                                  record->value,
                                  record->value_size};
        wire_write_record(&gossip->batch, &out);
        count++;
    }
    mp_array_close(&gossip->batch, records, count);
    gossip->batch_parts++;
    return to;
}

void push_own(struct gossip *gossip) {
    bool told = gossip->phase == OWN_ACTIVE || gossip->phase == OWN_LEFT;
    if (!told || gossip->pushed_seq >= gossip->next_seq) {
        return;
    }
    struct record *record = gossip->self->last;
    while (record != NULL && record->prev != NULL && record->prev->seq > gossip->pushed_seq) {
        record = record->prev;
    }
    while (gossip->pushed_seq < gossip->next_seq) {
        gossip->pushed_seq = write_own_part(gossip, record);
        push_flush(gossip, NULL);
        while (record != NULL && record->seq <= gossip->pushed_seq) {
            record = record->next;
        }
    }
}
