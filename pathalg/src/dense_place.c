// SPDX-License-Identifier: Apache-2.0
// Unequal flows: largest first (LPT) to the column whose links lack most. The smallest come last
// and even out what the large ones left, so the error of a column is about the size of a small
// flow. Debts count in bytes.
//
// For the shares of now, flows are placed again in the same order, and each stays where base has it
// while that column has room.
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

struct dense_list {
    const struct grid *grid;
    struct dense_group group;
    const uint32_t *base; // shares
    struct dense_flow *flows;
    uint32_t count;
    uint32_t lot_count;
    uint32_t *ends;                   // by lot: where it ends in entries
    struct entry *entries;            // by lot, largest first
    struct entry *merged;             // scratch of sorting
    uint32_t *base_columns, *columns; // by entry: what becomes of the flow
    int64_t *debts;                   // by directed link
    int64_t *lacks;                   // by column of the current pair
    uint64_t *rests; // by column: bytes that the pair has there and that are yet to be placed
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

static uint32_t lot_of(const struct dense_list *list, const struct dense_flow *flow) {
    uint32_t leaves = list->grid->leaf_count;
    uint32_t turn = (flow->dst_leaf + leaves - flow->src_leaf) % leaves;
    return (flow->src_leaf - list->group.first_leaf) * leaves + turn;
}

static void bucket_flows(struct dense_list *list) {
    for (uint32_t i = 0; i < list->count; i++) {
        list->ends[lot_of(list, &list->flows[i])]++;
    }
    uint32_t first = 0;
    for (uint32_t i = 0; i < list->lot_count; i++) {
        uint32_t size = list->ends[i];
        list->ends[i] = first; // moves to the end as the lot fills
        first += size;
    }
    for (uint32_t i = 0; i < list->count; i++) {
        uint32_t *place = &list->ends[lot_of(list, &list->flows[i])];
        list->entries[(*place)++] = (struct entry){list->flows[i].bytes, i};
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

static void sort_entries(struct dense_list *list) {
    bucket_flows(list);
    uint32_t first = 0;
    for (uint32_t i = 0; i < list->lot_count; i++) {
        sort_lot(&list->entries[first], list->ends[i] - first, list->merged);
        first = list->ends[i];
    }
}

static struct lot lot_at(const struct dense_list *list, const uint32_t *shares, uint32_t index) {
    const struct grid *grid = list->grid;
    uint32_t src = list->group.first_leaf + index / grid->leaf_count;
    uint32_t dst = (src + index % grid->leaf_count) % grid->leaf_count;
    struct lot lot = {
        .src_leaf = src,
        .dst_leaf = dst,
        .pair = dense_pair_of(grid, src, dst),
        .shares = &shares[dense_cell(grid, &list->group, src, dst)],
        .first = index > 0 ? list->ends[index - 1] : 0,
        .end = list->ends[index],
    };
    for (uint32_t i = lot.first; i < lot.end; i++) {
        lot.bytes += list->entries[i].bytes;
    }
    return lot;
}

// ---- debts

// bytes x share / SHARE_ONE, whose product may exceed 64 bits.
static int64_t target_bytes(uint64_t bytes, uint32_t share) {
    return (int64_t)(bytes / SHARE_ONE * share + bytes % SHARE_ONE * share / SHARE_ONE);
}

static void owe_targets(struct dense_list *list, const struct lot *lot) {
    for (uint32_t c = 0; c < lot->pair.column_count; c++) {
        if (lot->shares[c] > 0) {
            dense_owe(&lot->pair, c, target_bytes(lot->bytes, lot->shares[c]), list->debts);
        }
    }
}

static bool sees_all(const struct dense_list *list) {
    return list->group.leaf_count == list->grid->leaf_count;
}

// What groups do not see of each other must not round the same way in all of them: a flow stays on
// a column that has room for a fraction of it, and that fraction, half where all leaves are placed
// together, differs from group to group.
static uint32_t rounding(const struct dense_list *list, const struct lot *lot, uint32_t column) {
    if (sees_all(list)) {
        return SHARE_ONE / 2;
    }
    link_id link = link_opposite(lot->pair.down[column].links[0]);
    return (uint32_t)dense_dither(&list->group, link);
}

// The same in debts, for flows that choose a column: by as much of the smallest.
static int64_t dither(const struct dense_list *list, const struct lot *lot, uint32_t column) {
    uint64_t smallest = list->entries[lot->end - 1].bytes;
    return (target_bytes(smallest, rounding(list, lot, column)) - (int64_t)(smallest / 2)) *
           dense_links(&lot->pair, column);
}

static void read_lacks(struct dense_list *list, const struct lot *lot) {
    for (uint32_t c = 0; c < lot->pair.column_count && lot->first < lot->end; c++) {
        list->lacks[c] = INT64_MIN;
        if (lot->shares[c] > 0) {
            list->lacks[c] = dense_debt(&lot->pair, c, list->debts) + dither(list, lot, c);
        }
    }
}

// ID_NONE when no column lives.
static uint32_t column_lacking_most(const struct dense_list *list, const struct lot *lot) {
    uint32_t best = ID_NONE;
    int64_t most = INT64_MIN;
    for (uint32_t c = 0; c < lot->pair.column_count; c++) {
        if (list->lacks[c] > most) {
            most = list->lacks[c];
            best = c;
        }
    }
    return best;
}

// Moves bytes onto a column (off it when negative). Others lack as much less where they share
// links.
static void load(struct dense_list *list, const struct lot *lot, uint32_t column, int64_t bytes) {
    dense_owe(&lot->pair, column, -bytes, list->debts);
    if (lot->pair.up[column].link_count == 1 && !list->grid->repeats) {
        list->lacks[column] -= bytes * dense_links(&lot->pair, column);
    } else {
        read_lacks(list, lot);
    }
}

// ---- laying out

// A pair whose shares are those of `before` (NULL: none) keeps its columns.
static bool is_kept(const struct dense_list *list, const struct lot *lot, const uint32_t *before) {
    return before != NULL &&
           memcmp(&before[dense_cell(list->grid, &list->group, lot->src_leaf, lot->dst_leaf)],
                  lot->shares, lot->pair.column_count * sizeof before[0]) == 0;
}

// What a column has room for may be filled by the smaller flows that it still has. As much as they
// cannot fill decides whether the flow stays.
static bool has_room(const struct dense_list *list, const struct lot *lot, uint32_t column,
                     uint64_t bytes) {
    int64_t lack = list->lacks[column] / dense_links(&lot->pair, column);
    uint64_t room = lack > 0 ? (uint64_t)lack : 0;
    uint64_t rest = list->rests[column];
    uint64_t filled = rest < room ? rest : room;
    return room >= bytes ||
           (int64_t)(room - filled) > target_bytes(bytes - filled, rounding(list, lot, column));
}

// A flow stays on the column that it has, if any, while that has room. Where nothing is left to
// groups that do not see each other, it also stays while it is missed there nearly as much as where
// it is missed most: what the links then lack or have too much, later flows make up for.
static bool stays(const struct dense_list *list, const struct lot *lot, uint32_t entry,
                  uint32_t best) {
    uint32_t column = list->columns[entry];
    uint64_t bytes = list->entries[entry].bytes;
    if (column == ID_NONE || lot->shares[column] == 0) {
        return false;
    }
    int64_t missed_more = list->lacks[best] - list->lacks[column];
    return has_room(list, lot, column, bytes) || (sees_all(list) && missed_more <= (int64_t)bytes);
}

static void place_flow(struct dense_list *list, const struct lot *lot, uint32_t entry) {
    uint64_t bytes = list->entries[entry].bytes;
    uint32_t best = column_lacking_most(list, lot);
    if (list->columns[entry] != ID_NONE) {
        list->rests[list->columns[entry]] -= bytes;
    }
    if (!stays(list, lot, entry, best)) {
        list->columns[entry] = best;
    }
    if (list->columns[entry] != ID_NONE) {
        load(list, lot, list->columns[entry], (int64_t)bytes);
    }
}

static void count_rests(struct dense_list *list, const struct lot *lot) {
    memset(list->rests, 0, lot->pair.column_count * sizeof list->rests[0]);
    for (uint32_t i = lot->first; i < lot->end; i++) {
        if (list->columns[i] != ID_NONE) {
            list->rests[list->columns[i]] += list->entries[i].bytes;
        }
    }
}

static void keep_lot(struct dense_list *list, const struct lot *lot) {
    for (uint32_t i = lot->first; i < lot->end; i++) {
        if (list->columns[i] != ID_NONE) {
            int64_t bytes = (int64_t)list->entries[i].bytes;
            dense_owe(&lot->pair, list->columns[i], -bytes, list->debts);
        }
    }
}

static void place_lot(struct dense_list *list, const struct lot *lot) {
    read_lacks(list, lot);
    count_rests(list, lot);
    for (uint32_t i = lot->first; i < lot->end; i++) {
        place_flow(list, lot, i);
    }
}

static bool gains(const struct dense_list *list, const struct lot *lot, uint32_t entry,
                  uint32_t best) {
    uint32_t column = list->columns[entry];
    int64_t half = (int64_t)list->entries[entry].bytes / 2;
    int64_t excess = -list->lacks[column];
    int64_t gain = list->lacks[best] + excess;
    if (excess <= 0 || gain <= half) {
        return false;
    }
    // Divided on both sides: products would exceed 63 bits.
    int64_t links = dense_links_apart(&lot->pair, column, best);
    return links > 0 && gain / links > half;
}

// True when any flow moved. read_lacks has been called.
static bool even_out(struct dense_list *list, const struct lot *lot) {
    uint32_t best = column_lacking_most(list, lot);
    bool moved = false;
    for (uint32_t i = lot->first; i < lot->end && best != ID_NONE; i++) {
        if (gains(list, lot, i, best)) {
            int64_t bytes = (int64_t)list->entries[i].bytes;
            load(list, lot, list->columns[i], -bytes);
            load(list, lot, best, bytes);
            list->columns[i] = best;
            best = column_lacking_most(list, lot);
            moved = true;
        }
    }
    return moved;
}

static void settle(struct dense_list *list, const uint32_t *shares, const uint32_t *before) {
    bool moved = true;
    for (uint32_t round = 0; moved && round < SETTLE_ROUNDS; round++) {
        moved = false;
        for (uint32_t i = 0; i < list->lot_count; i++) {
            struct lot lot = lot_at(list, shares, i);
            if (!is_kept(list, &lot, before)) {
                read_lacks(list, &lot);
                moved |= even_out(list, &lot);
            }
        }
    }
}

static void lay(struct dense_list *list, const uint32_t *shares, const uint32_t *before) {
    memset(list->debts, 0, fabric_link_count(list->grid->fabric) * sizeof list->debts[0]);
    for (uint32_t i = 0; i < list->lot_count; i++) {
        struct lot lot = lot_at(list, shares, i);
        owe_targets(list, &lot);
        if (is_kept(list, &lot, before)) {
            keep_lot(list, &lot);
        } else {
            place_lot(list, &lot);
        }
    }
    settle(list, shares, before);
}

// ---- lists

static bool is_complete(const struct dense_list *list) {
    return list->ends != NULL && list->entries != NULL && list->merged != NULL &&
           list->base_columns != NULL && list->columns != NULL && list->debts != NULL &&
           list->lacks != NULL && list->rests != NULL;
}

static void hand_out(const struct dense_list *list) {
    for (uint32_t i = 0; i < list->count; i++) {
        list->flows[list->entries[i].flow].column = list->columns[i];
    }
}

static void lay_out(struct dense_list *list) {
    sort_entries(list);
    for (uint32_t i = 0; i < list->count; i++) {
        list->columns[i] = ID_NONE;
    }
    lay(list, list->base, NULL);
    memcpy(list->base_columns, list->columns, list->count * sizeof list->columns[0]);
    hand_out(list);
}

int dense_list_open(const struct grid *grid, const struct dense_group *group, const uint32_t *base,
                    struct dense_flow *flows, uint32_t count, struct dense_list **out) {
    struct dense_list *list = calloc(1, sizeof *list);
    if (list == NULL) {
        return -ENOMEM;
    }
    uint32_t lot_count = group->leaf_count * grid->leaf_count;
    *list = (struct dense_list){
        .grid = grid,
        .group = *group,
        .base = base,
        .flows = flows,
        .count = count,
        .lot_count = lot_count,
        .ends = calloc((size_t)lot_count + 1, sizeof list->ends[0]),
        .entries = calloc((size_t)count + 1, sizeof list->entries[0]),
        .merged = calloc((size_t)count + 1, sizeof list->merged[0]),
        .base_columns = calloc((size_t)count + 1, sizeof list->base_columns[0]),
        .columns = calloc((size_t)count + 1, sizeof list->columns[0]),
        .debts = calloc(fabric_link_count(grid->fabric), sizeof list->debts[0]),
        .lacks = calloc((size_t)grid->column_max + 1, sizeof list->lacks[0]),
        .rests = calloc((size_t)grid->column_max + 1, sizeof list->rests[0]),
    };
    if (!is_complete(list)) {
        dense_list_close(list);
        return -ENOMEM;
    }
    lay_out(list);
    free(list->merged);
    list->merged = NULL;
    *out = list;
    return 0;
}

void dense_list_repair(struct dense_list *list, const uint32_t *now) {
    size_t pairs = (size_t)list->group.leaf_count * list->grid->leaf_count;
    memcpy(list->columns, list->base_columns, list->count * sizeof list->columns[0]);
    if (memcmp(now, list->base, pairs * list->grid->column_max * sizeof now[0]) != 0) {
        lay(list, now, list->base);
    }
    hand_out(list);
}

void dense_list_close(struct dense_list *list) {
    if (list == NULL) {
        return;
    }
    free(list->ends);
    free(list->entries);
    free(list->merged);
    free(list->base_columns);
    free(list->columns);
    free(list->debts);
    free(list->lacks);
    free(list->rests);
    free(list);
}
