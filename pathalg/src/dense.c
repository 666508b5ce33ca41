// SPDX-License-Identifier: Apache-2.0
// Counts are found pair by pair, each leaf's row from the leaf after the own one round to the one
// before it, so that with equal shares the rows of all leaves form a Latin square. Debts count in
// units of 1 / SHARE_ONE of a flow. Moving a flow from one column to another lowers the sum of the
// squares of all debts exactly when the second's debt exceeds the first's by more than half the
// links of both paths; settling does that until nothing is gained.
#include "dense.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dense_debt.h"

// Pairs times columns placed together: about 2 ms for a layout.
#define GROUP_CELLS_MAX (UINT32_C(1) << 17)
// Flows placed together: about 15 ms to collect and lay out, once, and 6 to 8 ms for a repair.
#define GROUP_FLOWS_MAX (UINT32_C(1) << 17)
#define SETTLE_ROUNDS 4

struct lack {
    int64_t debt;
    uint32_t column;
};

struct dense_rows {
    const struct grid *grid;
    struct dense_group group;
    uint32_t *sources, *destinations;   // by leaf
    uint32_t *base_shares, *base, *now; // by cell and column; base, now: counts of flows
    int64_t *debts;                     // by directed link
    struct lack *lacks;                 // one pair's columns
};

// The group, cut in pieces of at most `most` leaves, as far as it goes.
static struct dense_group piece_of(const struct dense_group *group, uint32_t leaf, uint64_t most) {
    uint64_t size = most < 1 ? 1 : most > group->leaf_count ? group->leaf_count : most;
    uint32_t first = leaf - (leaf - group->first_leaf) % (uint32_t)size;
    uint32_t rest = group->first_leaf + group->leaf_count - first;
    return (struct dense_group){first, rest < size ? rest : (uint32_t)size};
}

struct dense_group dense_group_of(const struct grid *grid, uint32_t leaf) {
    const struct dense_group all = {0, grid->leaf_count};
    uint64_t row = (uint64_t)grid->leaf_count * (grid->column_max > 0 ? grid->column_max : 1);
    return piece_of(&all, leaf, GROUP_CELLS_MAX / row);
}

struct dense_group dense_flow_group_of(const struct dense_group *group, uint32_t leaf,
                                       uint32_t flows_per_leaf) {
    return piece_of(group, leaf, GROUP_FLOWS_MAX / (flows_per_leaf > 0 ? flows_per_leaf : 1));
}

// ---- the pairs of a group in their order

struct turn {
    struct dense_pair pair;
    size_t cell;
    uint32_t flows;
};

static uint32_t turn_count(const struct dense_rows *rows) {
    return rows->group.leaf_count * (rows->grid->leaf_count - 1);
}

static struct turn turn_at(const struct dense_rows *rows, uint32_t index) {
    const struct grid *grid = rows->grid;
    uint32_t others = grid->leaf_count - 1;
    uint32_t src = rows->group.first_leaf + index / others;
    uint32_t dst = (src + 1 + index % others) % grid->leaf_count;
    return (struct turn){
        .pair = dense_pair_of(grid, src, dst),
        .cell = dense_cell(grid, &rows->group, src, dst),
        .flows = rows->sources[src] * rows->destinations[dst],
    };
}

// ---- the columns that lack most

static bool lacks_more(const struct lack *a, const struct lack *b) {
    return a->debt != b->debt ? a->debt > b->debt : a->column < b->column;
}

// Reorders so that the first `wanted` lack most (Hoare's selection).
static void lack_select(struct lack *list, uint32_t count, uint32_t wanted) {
    int64_t first = 0;
    int64_t last = (int64_t)count - 1;
    while (first < last) {
        struct lack pivot = list[first + (last - first) / 2];
        int64_t i = first;
        int64_t j = last;
        while (i <= j) {
            while (lacks_more(&list[i], &pivot)) {
                i++;
            }
            while (lacks_more(&pivot, &list[j])) {
                j--;
            }
            if (i <= j) {
                struct lack swapped = list[i];
                list[i++] = list[j];
                list[j--] = swapped;
            }
        }
        // Up to j at least the pivot, from i at most.
        if ((int64_t)wanted <= j) {
            last = j;
        } else if ((int64_t)wanted > i) {
            first = i;
        } else {
            return;
        }
    }
}

static void give(const struct turn *turn, uint32_t column, uint32_t *counts, int64_t *debts) {
    counts[column]++;
    dense_owe(&turn->pair, column, -(int64_t)SHARE_ONE, debts);
}

static void take(const struct turn *turn, uint32_t column, uint32_t *counts, int64_t *debts) {
    counts[column]--;
    dense_owe(&turn->pair, column, SHARE_ONE, debts);
}

// One flow more for each of the `wanted` columns that lack most of those listed.
static void give_most(struct dense_rows *rows, const struct turn *turn, uint32_t listed,
                      uint32_t wanted, uint32_t *counts) {
    assert(wanted <= listed);
    lack_select(rows->lacks, listed, wanted);
    for (uint32_t i = 0; i < wanted; i++) {
        give(turn, rows->lacks[i].column, counts, rows->debts);
    }
}

static uint64_t target_of(const struct turn *turn, uint32_t share) {
    return (uint64_t)turn->flows * share;
}

// ---- laying out

// One layout: shares, and the counts that follow. `before` (or NULL) is a layout to stay close to.
struct layout {
    const uint32_t *shares, *before;
    uint32_t *counts;
};

// Where the layout before had a flow above the whole part of the target, it stays unless another
// column lacks as much as half a flow more on each link.
static int64_t loyalty(const struct turn *turn, const struct layout *layout, uint32_t column) {
    bool had = layout->before != NULL &&
               layout->before[turn->cell + column] > layout->counts[turn->cell + column];
    return had ? (int64_t)(SHARE_ONE / 2) * dense_links(&turn->pair, column) : 0;
}

static void lay_pair(struct dense_rows *rows, const struct turn *turn,
                     const struct layout *layout) {
    const uint32_t *shares = &layout->shares[turn->cell];
    uint32_t *counts = &layout->counts[turn->cell];
    uint32_t listed = 0;
    uint32_t placed = 0;
    for (uint32_t c = 0; c < turn->pair.column_count; c++) {
        uint64_t target = target_of(turn, shares[c]);
        counts[c] = (uint32_t)(target / SHARE_ONE);
        if (shares[c] > 0) {
            placed += counts[c];
            dense_owe(&turn->pair, c, (int64_t)(target % SHARE_ONE), rows->debts);
            rows->lacks[listed++].column = c;
        }
    }
    if (listed == 0 || placed == turn->flows) {
        return;
    }
    for (uint32_t i = 0; i < listed; i++) {
        struct lack *lack = &rows->lacks[i];
        lack->debt = dense_debt(&turn->pair, lack->column, rows->debts) +
                     loyalty(turn, layout, lack->column);
    }
    give_most(rows, turn, listed, turn->flows - placed, counts);
}

static void keep_pair(struct dense_rows *rows, const struct turn *turn,
                      const struct layout *layout) {
    const uint32_t *shares = &layout->shares[turn->cell];
    uint32_t *counts = &layout->counts[turn->cell];
    memcpy(counts, &layout->before[turn->cell], turn->pair.column_count * sizeof counts[0]);
    for (uint32_t c = 0; c < turn->pair.column_count; c++) {
        if (shares[c] > 0) {
            int64_t target = (int64_t)target_of(turn, shares[c]);
            dense_owe(&turn->pair, c, target - (int64_t)counts[c] * SHARE_ONE, rows->debts);
        }
    }
}

// ---- settling

struct extremes {
    uint32_t fullest, emptiest; // ID_NONE: no such column
    int64_t least, most;        // their debts
};

static struct extremes extremes_of(const struct turn *turn, const uint32_t *shares,
                                   const uint32_t *counts, const int64_t *debts) {
    struct extremes found = {ID_NONE, ID_NONE, INT64_MAX, INT64_MIN};
    for (uint32_t c = 0; c < turn->pair.column_count; c++) {
        if (shares[c] == 0) {
            continue;
        }
        int64_t debt = dense_debt(&turn->pair, c, debts);
        if (debt < found.least && counts[c] > 0) {
            found.least = debt;
            found.fullest = c;
        }
        if (debt > found.most) {
            found.most = debt;
            found.emptiest = c;
        }
    }
    return found;
}

static bool settle_pair(const struct turn *turn, const uint32_t *shares, uint32_t *counts,
                        int64_t *debts) {
    bool moved = false;
    for (uint32_t i = 0; i < turn->pair.column_count; i++) {
        struct extremes at = extremes_of(turn, shares, counts, debts);
        if (at.fullest == ID_NONE) {
            return moved;
        }
        int64_t links =
            dense_links(&turn->pair, at.fullest) + dense_links(&turn->pair, at.emptiest);
        if (2 * (at.most - at.least) <= links * SHARE_ONE) {
            return moved;
        }
        take(turn, at.fullest, counts, debts);
        give(turn, at.emptiest, counts, debts);
        moved = true;
    }
    return moved;
}

static bool is_kept(const struct dense_rows *rows, const struct turn *turn,
                    const struct layout *layout) {
    return layout->before != NULL &&
           memcmp(&rows->base_shares[turn->cell], &layout->shares[turn->cell],
                  turn->pair.column_count * sizeof layout->shares[0]) == 0;
}

static void settle(struct dense_rows *rows, const struct layout *layout) {
    bool moved = true;
    for (uint32_t round = 0; moved && round < SETTLE_ROUNDS; round++) {
        moved = false;
        for (uint32_t i = 0; i < turn_count(rows); i++) {
            struct turn turn = turn_at(rows, i);
            if (!is_kept(rows, &turn, layout)) {
                moved |= settle_pair(&turn, &layout->shares[turn.cell], &layout->counts[turn.cell],
                                     rows->debts);
            }
        }
    }
}

// Where groups do not see each other, a downlink's debt begins at a fraction of a flow that differs
// from group to group: so they do not all round the same way.
static void begin_debts(struct dense_rows *rows) {
    const struct grid *grid = rows->grid;
    memset(rows->debts, 0, fabric_link_count(grid->fabric) * sizeof rows->debts[0]);
    if (rows->group.leaf_count < grid->leaf_count) {
        for (uint32_t i = 0; i < fabric_link_count(grid->fabric); i++) {
            // Uplinks of the group's leaves are nobody else's: no matter.
            rows->debts[i] = 2 * dense_dither(&rows->group, (link_id){i}) - SHARE_ONE;
        }
    }
}

static void lay(struct dense_rows *rows, const struct layout *layout) {
    begin_debts(rows);
    for (uint32_t i = 0; i < turn_count(rows); i++) {
        struct turn turn = turn_at(rows, i);
        if (is_kept(rows, &turn, layout)) {
            keep_pair(rows, &turn, layout);
        } else {
            lay_pair(rows, &turn, layout);
        }
    }
    settle(rows, layout);
}

void dense_rows_repair(struct dense_rows *rows, const uint32_t *now) {
    struct layout layout = {.shares = now, .before = rows->base, .counts = rows->now};
    lay(rows, &layout);
}

// ---- rows

static uint32_t *copy_of(const uint32_t *values, size_t count) {
    uint32_t *copy = calloc(count > 0 ? count : 1, sizeof copy[0]);
    if (copy != NULL && values != NULL) {
        memcpy(copy, values, count * sizeof copy[0]);
    }
    return copy;
}

void dense_rows_close(struct dense_rows *rows) {
    if (rows == NULL) {
        return;
    }
    free(rows->sources);
    free(rows->destinations);
    free(rows->base_shares);
    free(rows->base);
    free(rows->now);
    free(rows->debts);
    free(rows->lacks);
    free(rows);
}

static struct dense_rows *rows_new(const struct grid *grid, const struct dense_group *group,
                                   const struct dense_ends *ends, const uint32_t *base) {
    struct dense_rows *rows = calloc(1, sizeof *rows);
    if (rows == NULL) {
        return NULL;
    }
    size_t cells = (size_t)group->leaf_count * grid->leaf_count * grid->column_max;
    *rows = (struct dense_rows){
        .grid = grid,
        .group = *group,
        .sources = copy_of(ends->sources, grid->leaf_count),
        .destinations = copy_of(ends->destinations, grid->leaf_count),
        .base_shares = copy_of(base, cells),
        .base = copy_of(NULL, cells),
        .now = copy_of(NULL, cells),
        .debts = calloc(fabric_link_count(grid->fabric), sizeof rows->debts[0]),
        .lacks = calloc(grid->column_max + 1, sizeof rows->lacks[0]),
    };
    if (rows->sources == NULL || rows->destinations == NULL || rows->base_shares == NULL ||
        rows->base == NULL || rows->now == NULL || rows->debts == NULL || rows->lacks == NULL) {
        dense_rows_close(rows);
        return NULL;
    }
    return rows;
}

int dense_rows_open(const struct grid *grid, const struct dense_group *group,
                    const struct dense_ends *ends, const uint32_t *base, struct dense_rows **out) {
    struct dense_rows *rows = rows_new(grid, group, ends, base);
    if (rows == NULL) {
        return -ENOMEM;
    }
    struct layout layout = {.shares = rows->base_shares, .counts = rows->base};
    lay(rows, &layout);
    size_t cells = (size_t)group->leaf_count * grid->leaf_count * grid->column_max;
    memcpy(rows->now, rows->base, cells * sizeof rows->now[0]);
    *out = rows;
    return 0;
}

// ---- who takes which column

// A pair's flows as slots, in blocks of the columns' base counts. Slots of one destination's
// diagonal are neighbours: a block takes as many of each source, give or take one, and of each
// destination few more or less.
static uint32_t slot_of(const struct dense_rows *rows, const uint32_t leaves[2], uint32_t source,
                        uint32_t destination) {
    uint32_t sources = rows->sources[leaves[0]];
    uint32_t destinations = rows->destinations[leaves[1]];
    assert(source < sources && destination < destinations);
    return (source + destination) % destinations * sources + source;
}

// The column of the k-th flow that moves.
static bool gaining_column(const uint32_t *base, const uint32_t *now, uint32_t column_count,
                           uint32_t k, uint32_t *column) {
    for (uint32_t c = 0; c < column_count; c++) {
        uint32_t gain = now[c] > base[c] ? now[c] - base[c] : 0;
        if (k < gain) {
            *column = c;
            return true;
        }
        k -= gain;
    }
    return false;
}

// Where the slots of a block that leave it begin. By the golden ratio from pair to pair, so that
// all sources of a leaf keep as many of their flows.
static uint32_t block_turn(const struct dense_rows *rows, const uint32_t leaves[2], uint32_t size) {
    uint32_t leaf_count = rows->grid->leaf_count;
    uint32_t pair = (leaves[1] + leaf_count - leaves[0]) % leaf_count;
    return (uint32_t)((uint64_t)(pair * UINT32_C(2654435769)) * size >> 32);
}

bool dense_rows_column(const struct dense_rows *rows, const uint32_t leaves[2], uint32_t source,
                       uint32_t destination, uint32_t *column) {
    size_t cell = dense_cell(rows->grid, &rows->group, leaves[0], leaves[1]);
    const uint32_t *base = &rows->base[cell];
    const uint32_t *now = &rows->now[cell];
    uint32_t column_count = grid_between(rows->grid, leaves[0], leaves[1])->column_count;
    uint32_t slot = slot_of(rows, leaves, source, destination);
    uint32_t moved = 0; // flows that leave earlier columns
    for (uint32_t c = 0; c < column_count; c++) {
        if (slot < base[c]) {
            uint32_t turned = (slot + block_turn(rows, leaves, base[c])) % base[c];
            if (turned < now[c]) {
                *column = c;
                return true;
            }
            return gaining_column(base, now, column_count, moved + turned - now[c], column);
        }
        slot -= base[c];
        moved += base[c] > now[c] ? base[c] - now[c] : 0;
    }
    return gaining_column(base, now, column_count, moved + slot, column);
}

uint32_t dense_rows_count(const struct dense_rows *rows, uint32_t src_leaf, uint32_t dst_leaf,
                          uint32_t column) {
    return rows->now[dense_cell(rows->grid, &rows->group, src_leaf, dst_leaf) + column];
}
