// SPDX-License-Identifier: Apache-2.0
// Largest flow first, each to the column whose most loaded link is least loaded (Graham 1969:
// longest processing time first). Where flows are unequal and many to a column it evens out better
// than colouring, which looks at sizes only to order them.
#include <stdlib.h>

#include "sparse_state.h"

struct lpt {
    const struct sparse_items *items;
    double *load; // by directed link, as if all links were alike
    double highest;
};

// Of a way's links: the most loaded, and the sum, which tells equal ones apart.
struct cost {
    double most, sum;
};

static struct cost cost_of(const struct lpt *lpt, const struct sparse_way *way) {
    struct cost cost = {0};
    for (uint32_t i = 0; i < way->link_count; i++) {
        double load = lpt->load[way->links[i]];
        cost.most = load > cost.most ? load : cost.most;
        cost.sum += load;
    }
    return cost;
}

static void add_item(struct lpt *lpt, const struct sparse_item *item, uint32_t column) {
    struct sparse_way way;
    if (!sparse_way_between(lpt->items->grid, item->src_leaf, item->dst_leaf, column, &way)) {
        return;
    }
    for (uint32_t i = 0; i < way.link_count; i++) {
        lpt->load[way.links[i]] += (double)item->bytes;
        if (lpt->load[way.links[i]] > lpt->highest) {
            lpt->highest = lpt->load[way.links[i]];
        }
    }
}

// The search begins at another column for each flow, so that few flows spread, too.
static uint32_t cheapest_column(const struct lpt *lpt, const struct sparse_item *item) {
    const struct grid *grid = lpt->items->grid;
    uint32_t columns = grid_between(grid, item->src_leaf, item->dst_leaf)->column_count;
    uint32_t best = ID_NONE;
    struct cost least = {0};
    for (uint32_t i = 0; i < columns; i++) {
        uint32_t column = (item->flow + i) % columns;
        struct sparse_way way;
        if (!sparse_way_between(grid, item->src_leaf, item->dst_leaf, column, &way)) {
            continue;
        }
        struct cost cost = cost_of(lpt, &way);
        if (best == ID_NONE || cost.most < least.most ||
            (cost.most == least.most && cost.sum < least.sum)) {
            best = column;
            least = cost;
        }
    }
    return best;
}

bool sparse_lpt(const struct sparse_items *items, uint32_t *columns, double *highest) {
    uint32_t links = fabric_link_count(items->grid->fabric);
    struct lpt lpt = {.items = items, .load = calloc((size_t)links + 1, sizeof lpt.load[0])};
    if (lpt.load == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < items->count; i++) {
        uint32_t column = cheapest_column(&lpt, &items->list[i]);
        columns[items->list[i].flow] = column;
        add_item(&lpt, &items->list[i], column);
    }
    free(lpt.load);
    *highest = lpt.highest;
    return true;
}

bool sparse_highest(const struct sparse_items *items, const uint32_t *columns, double *highest) {
    uint32_t links = fabric_link_count(items->grid->fabric);
    struct lpt lpt = {.items = items, .load = calloc((size_t)links + 1, sizeof lpt.load[0])};
    if (lpt.load == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < items->count; i++) {
        add_item(&lpt, &items->list[i], columns[items->list[i].flow]);
    }
    free(lpt.load);
    *highest = lpt.highest;
    return true;
}
