// SPDX-License-Identifier: Apache-2.0
// The rule of merging. A replica of an origin is (life, complete, window, records):
//
//   * a higher life replaces the whole origin. Records of the earlier life stay visible as
//   leftovers
//     until the new one has reached its floor (what the owner wrote when it claimed that life), so
//     that a refutation does not make facts blink;
//   * within a life a seq is applied once: `complete` says that everything up to it is here or was
//     overwritten, `window` remembers up to 64 single seqs beyond;
//   * who has less than the floor may hold records whose tombstones were collected: it starts from
//     nothing, and what it does not hear of again until the floor is gone.
#include "core.h"

#include <errno.h>
#include <string.h>

static void leave_all_over(struct origin *origin, uint64_t up_to_seq) {
    for (uint32_t i = 0; i < origin->record_count; i++) {
        if (origin->records[i]->seq <= up_to_seq) {
            store_leave_over(origin->records[i]);
        }
    }
    origin->complete = 0;
    origin->window = 0;
}

static void drop_leftovers(struct gossip *gossip, struct origin *origin) {
    for (uint32_t i = origin->record_count; i-- > 0 && origin->leftover_count > 0;) {
        if (origin->records[i]->leftover) {
            store_remove(gossip, origin->records[i]);
        }
    }
}

static bool starts_from_nothing(const struct wire_part *part) {
    if (part->to > 0) {
        return part->from == 0;
    }
    struct mp_reader reader = part->records;
    struct wire_record first;
    if (part->record_count == 0) {
        return false;
    }
    wire_next_record(&reader, &first);
    return first.seq <= WINDOW;
}

static void adopt(struct gossip *gossip, struct origin *origin, const struct wire_part *part) {
    leave_all_over(origin, UINT64_MAX);
    origin->life = part->life;
    origin->floor = part->floor;
    origin->have_max = 0;
    origin->quarantined = false;
    members_new_life(gossip, origin);
}

static void raise_floor(struct origin *origin, uint64_t floor) {
    if (floor <= origin->floor) {
        return;
    }
    origin->floor = floor;
    if (origin->complete < floor && (origin->complete > 0 || origin->window != 0)) {
        leave_all_over(origin, origin->complete);
    }
}

int merge_begin(struct gossip *gossip, struct origin *origin, const struct wire_part *part) {
    int order = origin->life.incarnation == 0 ? 1 : life_compare(part->life, origin->life);
    if (order < 0 || (order == 0 && origin->quarantined)) {
        gossip->stats.records_stale += part->record_count;
        return -ESTALE;
    }
    if (order > 0 && !starts_from_nothing(part)) {
        return -EAGAIN;
    }
    if (order > 0) {
        adopt(gossip, origin, part);
    }
    raise_floor(origin, part->floor);
    uint64_t known = part->have > part->to ? part->have : part->to;
    origin->have_max = known > origin->have_max ? known : origin->have_max;
    return 0;
}

static bool covers(const struct origin *origin, const struct wire_part *part) {
    return part->to > origin->complete && part->from <= origin->complete;
}

static bool is_superseded(const struct gossip *gossip, const struct origin *origin,
                          const struct wire_record *record) {
    const struct record *old =
        store_find(gossip, origin, record->table, record->key.bytes, record->key.size);
    return old != NULL && !old->leftover && old->seq >= record->seq;
}

enum merge_result merge_record(struct gossip *gossip, struct origin *origin,
                               const struct wire_part *part, const struct wire_record *record) {
    if (record->seq <= origin->complete) {
        gossip->stats.records_duplicate++;
        return MERGE_DUPLICATE;
    }
    origin->have_max = record->seq > origin->have_max ? record->seq : origin->have_max;
    uint64_t ahead = record->seq - origin->complete - 1;
    bool in_window = ahead < WINDOW;
    if (in_window && (origin->window >> ahead & 1) != 0) {
        gossip->stats.records_duplicate++;
        return MERGE_DUPLICATE;
    }
    if (!in_window && !covers(origin, part)) {
        return MERGE_DROPPED;
    }
    bool superseded = is_superseded(gossip, origin, record);
    int error = superseded ? 0 : store_set(gossip, origin, record, part->hop);
    if (error == -ENOSPC && origin->leftover_count > 0) {
        drop_leftovers(gossip, origin);
        error = store_set(gossip, origin, record, part->hop);
    }
    if (error != 0) {
        gossip->stats.dropped_quota++;
        return MERGE_DROPPED;
    }
    if (in_window) {
        origin->window |= UINT64_C(1) << ahead;
    }
    gossip->stats.records_applied += !superseded;
    gossip->stats.records_duplicate += superseded;
    return superseded ? MERGE_DUPLICATE : MERGE_APPLIED;
}

static void advance(struct origin *origin, uint64_t complete) {
    uint64_t by = complete - origin->complete;
    origin->window = by >= WINDOW ? 0 : origin->window >> by;
    origin->complete = complete;
}

void merge_end(struct gossip *gossip, struct origin *origin, const struct wire_part *part,
               bool whole) {
    if (whole && covers(origin, part)) {
        advance(origin, part->to);
    }
    while ((origin->window & 1) != 0) {
        advance(origin, origin->complete + 1);
    }
    if (origin->leftover_count > 0 && origin->complete >= origin->floor) {
        drop_leftovers(gossip, origin);
    }
    origin_update_digest(gossip, origin);
}

void merge_collect(struct gossip *gossip, struct origin *origin) {
    uint64_t up_to = origin->floor < origin->complete ? origin->floor : origin->complete;
    if (origin->tombstone_count == 0 || up_to <= origin->collected_floor) {
        return;
    }
    for (struct record *record = origin->first; record != NULL && record->seq <= up_to;) {
        struct record *next = record->next;
        if (record->value == NULL) {
            store_remove(gossip, record);
        }
        record = next;
    }
    origin->collected_floor = up_to;
}

void merge_quarantine(struct gossip *gossip, struct origin *origin) {
    while (origin->record_count > 0) {
        store_remove(gossip, origin->records[origin->record_count - 1]);
    }
    origin->quarantined = true;
    origin->window = 0;
    origin_update_digest(gossip, origin);
}
