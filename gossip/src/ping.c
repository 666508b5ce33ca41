// SPDX-License-Identifier: Apache-2.0
// What neighbours are told unasked, again and again: that we live, which origins changed lately
// (HAVE), and the sum of everything (SUM). Each neighbour hears it once an interval, a quarter of
// them at a time: so of a member that falls silent the first neighbours notice it early (watch.c
// then hurries the others), and still no more is said.
//
// A sum costs nothing where two agree, which is almost always. Where they do not, a digest finds
// out about what; the same with a member at random, who need not be a neighbour. A connection to a
// stranger costs more than what is said over it, so the same one is asked for a while.
#include "core.h"

#include <string.h>

static uint64_t digest_sum(const struct gossip *gossip) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < DIGEST_BUCKETS; i++) {
        sum ^= gossip->digest[i];
    }
    return sum;
}

void repair_mark(struct gossip *gossip, struct origin *origin) {
    if (origin->summary_due > 0 || origins_append(&gossip->summary, &gossip->summary_count,
                                                  &gossip->summary_capacity, origin)) {
        origin->summary_due = PING_SLOTS; // without memory for it, the sums tell
    }
}

void repair_came(struct gossip *gossip, struct origin *origin) {
    repair_mark(gossip, origin);
    if (gossip->tell_at_ns == NEVER_NS) {
        // Each message counts while many come, and pings tell it as well.
        gossip->tell_at_ns = gossip->now_ns + (crowd_lately(gossip) ? PASS_ON_NS : TELL_NS);
    }
}

// The haves of all that changed and were not told in all slots yet.
static uint32_t write_summary(struct gossip *gossip, struct mp_writer *writer, uint32_t slots) {
    uint32_t count = 0;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < gossip->summary_count; i++) {
        struct origin *origin = gossip->summary[i];
        if (origin->listed && writer->size < DATA_BATCH_BYTES) { // sums tell what does not fit
            struct wire_have have = {.life = origin->life, .complete = origin->complete};
            memcpy(have.origin, origin->name, sizeof have.origin);
            wire_write_have(writer, &have);
            count++;
        }
        origin->summary_due =
            (uint8_t)(origin->summary_due > slots ? origin->summary_due - slots : 0);
        if (origin->summary_due > 0) {
            gossip->summary[kept++] = origin;
        }
    }
    gossip->summary_count = kept;
    return count;
}

static struct buffer *make_ping(struct gossip *gossip, uint32_t slots) {
    struct mp_writer writer;
    size_t message;
    outbox_open_in(gossip, members_version(gossip), &writer, &message);
    wire_write_sum(&writer, digest_sum(gossip));
    size_t alone = writer.size;
    size_t list = wire_open_list(&writer, SECTION_HAVE);
    uint32_t count = write_summary(gossip, &writer, slots);
    wire_close_list(&writer, list, count);
    if (count == 0 && !writer.failed) {
        writer.size = alone;
    }
    wire_close_message(&writer, message, count == 0 ? 1 : 2);
    return buffer_take(&writer);
}

void repair_ping(struct gossip *gossip) {
    struct buffer *buffer = make_ping(gossip, 1);
    for (uint32_t i = 0; i < gossip->peer_count; i++) {
        if (gossip->peers[i].slot == gossip->slot) {
            outbox_add(gossip, gossip->peers[i].address, buffer);
        }
    }
    overlay_even_slots(gossip, gossip->slot);
    gossip->slot = (uint8_t)((gossip->slot + 1) % PING_SLOTS);
    buffer_release(buffer);
}

void repair_speak(struct gossip *gossip) {
    gossip->spoke_at_ns = gossip->now_ns;
    gossip->tell_at_ns = NEVER_NS;
    struct buffer *buffer = make_ping(gossip, PING_SLOTS);
    for (uint32_t i = 0; i < gossip->peer_count; i++) {
        outbox_add(gossip, gossip->peers[i].address, buffer);
    }
    buffer_release(buffer);
}

void repair_tell(struct gossip *gossip) {
    if (gossip->now_ns >= gossip->tell_at_ns) {
        repair_speak(gossip);
    }
}

// ---- sums and digests

// Who is no member, or not any more, may know only the oldest version.
void repair_send_digest_in(struct gossip *gossip, uint32_t version, const char *address) {
    struct mp_writer writer;
    size_t message;
    outbox_open_in(gossip, version, &writer, &message);
    wire_write_digest(&writer, gossip->digest);
    gossip->stats.digests_sent++;
    outbox_close(gossip, &writer, message, 1, address);
}

void repair_send_digest(struct gossip *gossip, const char *address) {
    repair_send_digest_in(gossip, members_version(gossip), address);
}

// What differs may be news on its way: from a neighbour it counts when both sums were the same with
// its last ping.
static bool is_settled(struct gossip *gossip, const char *address, uint64_t theirs, uint64_t ours) {
    struct peer *peer = overlay_peer(gossip, address);
    if (peer == NULL) {
        return true;
    }
    bool settled = peer->their_sum == theirs && peer->our_sum == ours;
    peer->their_sum = theirs;
    peer->our_sum = ours;
    return settled;
}

void repair_sum(struct gossip *gossip, const struct wire_envelope *envelope,
                const struct wire_section *section) {
    uint64_t ours = digest_sum(gossip);
    uint64_t again_ns = gossip->config.digest_interval_ns / 4;
    struct peer *peer = overlay_peer(gossip, envelope->address);
    struct origin *origin = origin_find(gossip, envelope->name);
    if (peer != NULL) {
        peer->pinged = true;
    }
    if (origin != NULL) {
        origin->pinged_at_ns = gossip->crowd.pinged_ns = gossip->now_ns;
    }
    if (section->sum == ours || !is_settled(gossip, envelope->address, section->sum, ours) ||
        gossip->now_ns - gossip->sum_answered_at_ns < again_ns) {
        return; // some differ for ever: whose key one of the two does not know
    }
    gossip->sum_answered_at_ns = gossip->now_ns;
    repair_send_digest(gossip, envelope->address);
}

static const struct origin *new_partner(struct gossip *gossip) {
    uint32_t count = members_count(gossip);
    for (int tries = 0; tries < 4 && count > 1; tries++) {
        const struct gossip *holder;
        const struct origin *origin =
            members_at(gossip, (uint32_t)rng_below(&gossip->rng, count), &holder);
        if (origin != gossip->self && origin->state == GOSSIP_ALIVE) {
            return origin;
        }
    }
    return NULL;
}

void repair_random(struct gossip *gossip) {
    const struct origin *partner =
        gossip->partner_rounds > 0 ? origin_find(gossip, gossip->partner) : NULL;
    if (partner == NULL || partner->state != GOSSIP_ALIVE) {
        partner = new_partner(gossip);
        if (partner == NULL) {
            return;
        }
        memcpy(gossip->partner, partner->name, sizeof gossip->partner);
        gossip->partner_rounds =
            overlay_peer(gossip, partner->address) == NULL ? PARTNER_ROUNDS : 1;
    }
    gossip->partner_rounds--;
    struct mp_writer writer;
    size_t message;
    outbox_open_in(gossip, members_version(gossip), &writer, &message);
    wire_write_sum(&writer, digest_sum(gossip));
    outbox_close(gossip, &writer, message, 1, partner->address);
}
