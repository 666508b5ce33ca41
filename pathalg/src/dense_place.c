// SPDX-License-Identifier: Apache-2.0
// Unequal flows: largest first (LPT) to the column whose links lack most. The smallest come last
// and even out what the large ones left, so the error of a column is about the size of a small
// flow. Debts count in bytes.
//
// For the shares of now, flows are placed again in the same order, and each stays where it was
// while its column has room.
//
// Then a flow moves where that lowers the sum of the squares of the debts: when the debt of the
// column that lacks most exceeds that of its own by more than half the flow for each link that the
// two paths do not share, and its own column has too much.
// As for equal flows, a pair sees what earlier pairs were left with, and all is settled at the end.
#include "dense.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dense_debt.h"

#define SETTLE_ROUNDS 3

struct entry {
    uint64_t bytes;
    uint32_t flow;
};

struct placer {
    const struct grid *grid;
    const struct dense_group *group;
    struct dense_flow *flows;
    uint32_t count;
    uint32_t lot_count;
    uint32_t *ends;        // by lot: where it ends in entries
    struct entry *entries; // by lot, largest first
    struct entry *merged;  // scratch of sorting
    uint32_t *columns;     // by entry: what becomes of the flow
    int64_t *debts;        // by directed link
    int64_t *lacks;        // by column of the current pair
    uint64_t *rests;       // by column: bytes of the pair's flows there that are yet to be placed
};

// A pair's entries.
struct lot {
    uint32_t src_leaf, dst_leaf;
    struct dense_pair pair;
    const uint32_t *shares;
    uint32_t first, end;
    uint64_t bytes;
};

// ---- lots in order: row by row, from the leaf after the own one round to the one before it

static uint32_t lot_of(const struct placer *placer, const struct dense_flow *flow) {
    uint32_t leaves = placer->grid->leaf_count;
    uint32_t turn = (flow->dst_leaf + leaves - flow->src_leaf) % leaves;
    return (flow->src_leaf - placer->group->first_leaf) * leaves + turn;
}

static void bucket_flows(struct placer *placer) {
    for (uint32_t i = 0; i < placer->count; i++) {
        placer->ends[lot_of(placer, &placer->flows[i])]++;
    }
    uint32_t first = 0;
    for (uint32_t i = 0; i < placer->lot_count; i++) {
        uint32_t size = placer->ends[i];
        placer->ends[i] = first; // moves to the end as the lot fills
        first += size;
    }
    for (uint32_t i = 0; i < placer->count; i++) {
        uint32_t *place = &placer->ends[lot_of(placer, &placer->flows[i])];
        placer->entries[(*place)++] = (struct entry){placer->flows[i].bytes, i};
    }
}

// Two sorted runs [first, middle) and [middle, end) of `from` become one in `to`.
static void merge_runs(const struct entry *from, uint32_t middle, uint32_t end, struct entry *to) {
    uint32_t left = 0;
    uint32_t right = middle;
    for (uint32_t i = 0; i < end; i++) {
        bool take_left = right == end || (left < middle && from[left].bytes >= from[right].bytes);
        to[i] = take_left ? from[left++] : from[right++];
    }
}

// Largest first, equals as they came: merges runs of 1, 2, 4, ...
static void sort_lot(struct entry *entries, uint32_t count, struct entry *scratch) {
    for (uint32_t size = 1; size < count; size *= 2) {
        for (uint32_t first = 0; first < count; first += 2 * size) {
            uint32_t rest = count - first;
            merge_runs(&entries[first], rest < size ? rest : size,
                       rest < 2 * size ? rest : 2 * size, &scratch[first]);
        }
        memcpy(entries, scratch, count * sizeof entries[0]);
    }
}

static void sort_entries(struct placer *placer) {
    bucket_flows(placer);
    uint32_t first = 0;
    for (uint32_t i = 0; i < placer->lot_count; i++) {
        sort_lot(&placer->entries[first], placer->ends[i] - first, placer->merged);
        first = placer->ends[i];
    }
}

static struct lot lot_at(const struct placer *placer, const uint32_t *shares, uint32_t index) {
    const struct grid *grid = placer->grid;
    uint32_t src = placer->group->first_leaf + index / grid->leaf_count;
    uint32_t dst = (src + index % grid->leaf_count) % grid->leaf_count;
    struct lot lot = {
        .src_leaf = src,
        .dst_leaf = dst,
        .pair = dense_pair_of(grid, src, dst),
        .shares = &shares[dense_cell(grid, placer->group, src, dst)],
        .first = index > 0 ? placer->ends[index - 1] : 0,
        .end = placer->ends[index],
    };
    for (uint32_t i = lot.first; i < lot.end; i++) {
        lot.bytes += placer->entries[i].bytes;
    }
    return lot;
}

// ---- debts

// bytes x share / SHARE_ONE, whose product may exceed 64 bits.
static int64_t target_bytes(uint64_t bytes, uint32_t share) {
    return (int64_t)(bytes / SHARE_ONE * share + bytes % SHARE_ONE * share / SHARE_ONE);
}

static void owe_targets(struct placer *placer, const struct lot *lot) {
    for (uint32_t c = 0; c < lot->pair.column_count; c++) {
        if (lot->shares[c] > 0) {
            dense_owe(&lot->pair, c, target_bytes(lot->bytes, lot->shares[c]), placer->debts);
        }
    }
}

static bool sees_all(const struct placer *placer) {
    return placer->group->leaf_count == placer->grid->leaf_count;
}

// What groups do not see of each other must not round the same way in all of them: a flow stays on
// a column that has room for a fraction of it, and that fraction, half where all leaves are placed
// together, differs from group to group.
static uint32_t rounding(const struct placer *placer, const struct lot *lot, uint32_t column) {
    if (sees_all(placer)) {
        return SHARE_ONE / 2;
    }
    link_id link = link_opposite(lot->pair.down[column].links[0]);
    return (uint32_t)dense_dither(placer->group, link);
}

// The same in debts, for flows that choose a column: by as much of the smallest.
static int64_t dither(const struct placer *placer, const struct lot *lot, uint32_t column) {
    uint64_t smallest = placer->entries[lot->end - 1].bytes;
    return (target_bytes(smallest, rounding(placer, lot, column)) - (int64_t)(smallest / 2)) *
           dense_links(&lot->pair, column);
}

static void read_lacks(struct placer *placer, const struct lot *lot) {
    for (uint32_t c = 0; c < lot->pair.column_count && lot->first < lot->end; c++) {
        placer->lacks[c] = INT64_MIN;
        if (lot->shares[c] > 0) {
            placer->lacks[c] = dense_debt(&lot->pair, c, placer->debts) + dither(placer, lot, c);
        }
    }
}

// ID_NONE when no column lives.
static uint32_t column_lacking_most(const struct placer *placer, const struct lot *lot) {
    uint32_t best = ID_NONE;
    int64_t most = INT64_MIN;
    for (uint32_t c = 0; c < lot->pair.column_count; c++) {
        if (placer->lacks[c] > most) {
            most = placer->lacks[c];
            best = c;
        }
    }
    return best;
}

// Moves bytes onto a column (off it when negative). Others lack as much less where they share
// links.
static void load(struct placer *placer, const struct lot *lot, uint32_t column, int64_t bytes) {
    dense_owe(&lot->pair, column, -bytes, placer->debts);
    if (lot->pair.up[column].link_count == 1 && !placer->grid->repeats) {
        placer->lacks[column] -= bytes * dense_links(&lot->pair, column);
    } else {
        read_lacks(placer, lot);
    }
}

// ---- laying out

// A pair whose shares are those of `before` (NULL: none) keeps its columns.
static bool is_kept(const struct placer *placer, const struct lot *lot, const uint32_t *before) {
    return before != NULL &&
           memcmp(&before[dense_cell(placer->grid, placer->group, lot->src_leaf, lot->dst_leaf)],
                  lot->shares, lot->pair.column_count * sizeof before[0]) == 0;
}

// What a column has room for may be filled by the smaller flows that it still has. As much as they
// cannot fill decides whether the flow stays.
static bool has_room(const struct placer *placer, const struct lot *lot, uint32_t column,
                     uint64_t bytes) {
    int64_t lack = placer->lacks[column] / dense_links(&lot->pair, column);
    uint64_t room = lack > 0 ? (uint64_t)lack : 0;
    uint64_t rest = placer->rests[column];
    uint64_t filled = rest < room ? rest : room;
    return room >= bytes ||
           (int64_t)(room - filled) > target_bytes(bytes - filled, rounding(placer, lot, column));
}

// A flow stays on the column that it has, if any, while that has room. Where nothing is left to
// groups that do not see each other, it also stays while it is missed there nearly as much as where
// it is missed most: what the links then lack or have too much, later flows make up for.
static bool stays(const struct placer *placer, const struct lot *lot, uint32_t entry,
                  uint32_t best) {
    uint32_t column = placer->columns[entry];
    uint64_t bytes = placer->entries[entry].bytes;
    if (column == ID_NONE || lot->shares[column] == 0) {
        return false;
    }
    int64_t missed_more = placer->lacks[best] - placer->lacks[column];
    return has_room(placer, lot, column, bytes) ||
           (sees_all(placer) && missed_more <= (int64_t)bytes);
}

static void place_flow(struct placer *placer, const struct lot *lot, uint32_t entry) {
    uint64_t bytes = placer->entries[entry].bytes;
    uint32_t best = column_lacking_most(placer, lot);
    if (placer->columns[entry] != ID_NONE) {
        placer->rests[placer->columns[entry]] -= bytes;
    }
    if (!stays(placer, lot, entry, best)) {
        placer->columns[entry] = best;
    }
    if (placer->columns[entry] != ID_NONE) {
        load(placer, lot, placer->columns[entry], (int64_t)bytes);
    }
}

static void count_rests(struct placer *placer, const struct lot *lot) {
    memset(placer->rests, 0, lot->pair.column_count * sizeof placer->rests[0]);
    for (uint32_t i = lot->first; i < lot->end; i++) {
        if (placer->columns[i] != ID_NONE) {
            placer->rests[placer->columns[i]] += placer->entries[i].bytes;
        }
    }
}

static void keep_lot(struct placer *placer, const struct lot *lot) {
    for (uint32_t i = lot->first; i < lot->end; i++) {
        if (placer->columns[i] != ID_NONE) {
            int64_t bytes = (int64_t)placer->entries[i].bytes;
            dense_owe(&lot->pair, placer->columns[i], -bytes, placer->debts);
        }
    }
}

static void place_lot(struct placer *placer, const struct lot *lot) {
    read_lacks(placer, lot);
    count_rests(placer, lot);
    for (uint32_t i = lot->first; i < lot->end; i++) {
        place_flow(placer, lot, i);
    }
}

// True when any flow moved. read_lacks has been called.
static bool even_out(struct placer *placer, const struct lot *lot) {
    uint32_t best = column_lacking_most(placer, lot);
    bool moved = false;
    for (uint32_t i = lot->first; i < lot->end && best != ID_NONE; i++) {
        uint32_t column = placer->columns[i];
        int64_t bytes = (int64_t)placer->entries[i].bytes;
        int64_t links = dense_links_apart(&lot->pair, column, best);
        // Divided on both sides: products would exceed 63 bits.
        int64_t excess = -placer->lacks[column];
        if (links > 0 && excess > 0 && (placer->lacks[best] + excess) / links > bytes / 2) {
            load(placer, lot, column, -bytes);
            load(placer, lot, best, bytes);
            placer->columns[i] = best;
            best = column_lacking_most(placer, lot);
            moved = true;
        }
    }
    return moved;
}

static void settle(struct placer *placer, const uint32_t *shares, const uint32_t *before) {
    bool moved = true;
    for (uint32_t round = 0; moved && round < SETTLE_ROUNDS; round++) {
        moved = false;
        for (uint32_t i = 0; i < placer->lot_count; i++) {
            struct lot lot = lot_at(placer, shares, i);
            if (!is_kept(placer, &lot, before)) {
                read_lacks(placer, &lot);
                moved |= even_out(placer, &lot);
            }
        }
    }
}

static void lay(struct placer *placer, const uint32_t *shares, const uint32_t *before) {
    memset(placer->debts, 0, fabric_link_count(placer->grid->fabric) * sizeof placer->debts[0]);
    for (uint32_t i = 0; i < placer->lot_count; i++) {
        struct lot lot = lot_at(placer, shares, i);
        owe_targets(placer, &lot);
        if (is_kept(placer, &lot, before)) {
            keep_lot(placer, &lot);
        } else {
            place_lot(placer, &lot);
        }
    }
    settle(placer, shares, before);
}

static void run(struct placer *placer, const uint32_t *base, const uint32_t *now) {
    sort_entries(placer);
    for (uint32_t i = 0; i < placer->count; i++) {
        placer->columns[i] = ID_NONE;
    }
    lay(placer, base, NULL);
    if (now != base) {
        lay(placer, now, base);
    }
    for (uint32_t i = 0; i < placer->count; i++) {
        placer->flows[placer->entries[i].flow].column = placer->columns[i];
    }
}

int dense_place(const struct grid *grid, const struct dense_group *group, const uint32_t *base,
                const uint32_t *now, struct dense_flow *flows, uint32_t count) {
    uint32_t lot_count = group->leaf_count * grid->leaf_count;
    struct placer placer = {
        .grid = grid,
        .group = group,
        .flows = flows,
        .count = count,
        .lot_count = lot_count,
        .ends = calloc((size_t)lot_count + 1, sizeof placer.ends[0]),
        .entries = calloc((size_t)count + 1, sizeof placer.entries[0]),
        .merged = calloc((size_t)count + 1, sizeof placer.merged[0]),
        .columns = calloc((size_t)count + 1, sizeof placer.columns[0]),
        .debts = calloc(fabric_link_count(grid->fabric), sizeof placer.debts[0]),
        .lacks = calloc((size_t)grid->column_max + 1, sizeof placer.lacks[0]),
        .rests = calloc((size_t)grid->column_max + 1, sizeof placer.rests[0]),
    };
    int rc = -ENOMEM;
    if (placer.ends != NULL && placer.entries != NULL && placer.merged != NULL &&
        placer.columns != NULL && placer.debts != NULL && placer.lacks != NULL &&
        placer.rests != NULL) {
        run(&placer, base, now);
        rc = 0;
    }
    free(placer.ends);
    free(placer.entries);
    free(placer.merged);
    free(placer.columns);
    free(placer.debts);
    free(placer.lacks);
    free(placer.rests);
    return rc;
}
