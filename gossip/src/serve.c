// SPDX-License-Identifier: Apache-2.0
// Repair, the answering side: what buckets hold, and the data that was asked for, within a token
// bucket so that many who join at once cannot occupy us.
#include "core.h"

#include <stdlib.h>
#include <string.h>

static void earn_tokens(struct gossip *gossip) {
    uint64_t elapsed = gossip->now_ns - gossip->serve_at_ns;
    uint64_t earned = elapsed >= NS_PER_S ? SERVE_BURST : elapsed * SERVE_BYTES_PER_S / NS_PER_S;
    uint64_t tokens = gossip->serve_tokens + earned;
    gossip->serve_tokens = tokens < SERVE_BURST ? tokens : SERVE_BURST;
    gossip->serve_at_ns = gossip->now_ns;
}

struct data_message {
    struct mp_writer writer;
    size_t message, list;
    uint32_t parts;
};

static void send_data(struct gossip *gossip, struct data_message *out, const char *address) {
    if (out->parts == 0) {
        return;
    }
    wire_close_list(&out->writer, out->list, out->parts);
    size_t size = out->writer.size;
    outbox_close(gossip, &out->writer, out->message, 1, address);
    gossip->serve_tokens -= size < gossip->serve_tokens ? size : gossip->serve_tokens;
    out->parts = 0;
}

static void write_part(struct gossip *gossip, struct data_message *out, const struct origin *origin,
                       uint64_t from) {
    struct wire_part part = {.life = origin->life,
                             .floor = origin->floor,
                             .from = from,
                             .to = origin->complete,
                             .proof = {(const char *)origin->proof, origin->proof_size}};
    memcpy(part.origin, origin->name, sizeof part.origin);
    if (out->parts++ == 0) {
        outbox_open(gossip, &out->writer, &out->message);
        out->list = wire_open_list(&out->writer, SECTION_DATA);
    }
    size_t records = wire_open_part(&out->writer, &part);
    uint32_t count = store_write(&out->writer, origin, from);
    mp_array_close(&out->writer, records, count);
    gossip->stats.snapshots_sent += from == 0;
}

// From where a member that has `have` needs the origin; false when we have nothing for it.
static bool needed_from(const struct origin *origin, const struct wire_have *have, uint64_t *from) {
    if (origin == NULL || !origin->listed || origin->complete == 0) {
        return false;
    }
    int order = have->life.incarnation == 0 ? -1 : life_compare(have->life, origin->life);
    // Below the floor a delta would miss collected tombstones.
    *from = order < 0 || have->complete < origin->floor ? 0 : have->complete;
    return order < 0 || (order == 0 && have->complete < origin->complete);
}

void serve_want(struct gossip *gossip, const struct wire_envelope *envelope,
                const struct wire_section *section) {
    struct data_message out = {.parts = 0};
    struct mp_reader reader = section->items;
    earn_tokens(gossip);
    push_own(gossip); // what is served must have been signed
    gossip->mark++;
    for (uint32_t i = 0; i < section->count && gossip->serve_tokens > 0; i++) {
        struct wire_have have;
        uint64_t from;
        wire_next_have(&reader, &have);
        struct origin *origin = origin_find(gossip, have.origin);
        // Once per message, so that the work is bounded by what we hold.
        if (needed_from(origin, &have, &from) && origin->mark != gossip->mark) {
            origin->mark = gossip->mark;
            write_part(gossip, &out, origin, from);
            if (out.writer.size >= DATA_BATCH_BYTES) {
                send_data(gossip, &out, envelope->address);
            }
        }
    }
    send_data(gossip, &out, envelope->address);
}

// Only to the host of that name: it came back without memory, and must claim a life above.
void serve_witness(struct gossip *gossip, const struct origin *origin, const char *address) {
    struct data_message out = {.parts = 1};
    struct wire_part part = {.life = origin->life,
                             .floor = origin->floor,
                             .to = origin->complete,
                             .proof = {(const char *)origin->proof, origin->proof_size},
                             .state = {(const char *)origin->witness, HASH_SIZE}};
    memcpy(part.origin, origin->name, sizeof part.origin);
    earn_tokens(gossip);
    outbox_open(gossip, &out.writer, &out.message);
    out.list = wire_open_list(&out.writer, SECTION_DATA);
    wire_write_witness(&out.writer, &part);
    send_data(gossip, &out, address);
}

void serve_own(struct gossip *gossip, const char *address) {
    struct data_message out = {.parts = 0};
    push_own(gossip);
    if (gossip->self->listed) {
        write_part(gossip, &out, gossip->self, 0);
        send_data(gossip, &out, address);
    }
}

// ---- digests

static uint64_t sum_at(const uint8_t *bytes, uint32_t bucket) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < 8; i++) {
        sum = sum << 8 | bytes[8 * bucket + i];
    }
    return sum;
}

static uint32_t write_bucket(const struct gossip *gossip, const struct gossip *holder,
                             struct mp_writer *writer, uint32_t bucket) {
    uint32_t count = 0;
    for (const struct origin *origin = holder->buckets[bucket]; origin != NULL;
         origin = origin->bucket_next) {
        if (holder != gossip && !base_shares(gossip, origin)) {
            continue;
        }
        struct wire_have have = {.life = origin->life, .complete = origin->complete};
        memcpy(have.origin, origin->name, sizeof have.origin);
        wire_write_have(writer, &have);
        count++;
    }
    return count;
}

// Answers with as many of the differing buckets as fit, from *bucket on.
static void send_buckets(struct gossip *gossip, const char *address, const uint8_t *theirs,
                         uint32_t *bucket) {
    uint8_t bitmap[BITMAP_BYTES] = {0};
    struct mp_writer haves;
    const struct gossip *base = gossip->config.base;
    uint32_t count = 0;
    mp_write_growing(&haves);
    for (; *bucket < DIGEST_BUCKETS && haves.size < DATA_BATCH_BYTES; (*bucket)++) {
        if (sum_at(theirs, *bucket) != gossip->digest[*bucket]) {
            bitmap[*bucket / 8] |= (uint8_t)(1U << (*bucket % 8));
            count += write_bucket(gossip, gossip, &haves, *bucket);
            count += base == NULL ? 0 : write_bucket(gossip, base, &haves, *bucket);
        }
    }
    struct mp_writer writer;
    size_t message;
    outbox_open(gossip, &writer, &message);
    size_t list = wire_open_buckets(&writer, bitmap, *bucket == DIGEST_BUCKETS);
    mp_write_raw(&writer, haves.bytes, haves.size);
    writer.failed = writer.failed || haves.failed;
    free(haves.bytes);
    wire_close_list(&writer, list, count);
    outbox_close(gossip, &writer, message, 1, address);
}

void serve_digest(struct gossip *gossip, const struct wire_envelope *envelope,
                  const struct wire_section *section) {
    uint32_t bucket = 0;
    while (bucket < DIGEST_BUCKETS) {
        send_buckets(gossip, envelope->address, section->bytes, &bucket);
    }
}
