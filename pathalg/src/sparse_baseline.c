// SPDX-License-Identifier: Apache-2.0
// Where each flow goes on a fabric whose links all live and are alike: by colouring leaves' flows
// with columns, largest flow first. In three tiers it is done twice: leaves' flows, those to other
// regions and those within, are coloured with the leaves' uplinks; and then, for each uplink's
// position, regions' flows with the cores behind it. Where sizes differ, the better of this and of
// LPT (sparse_lpt.c) is taken.
#include <errno.h>
#include <stdlib.h>

#include "colouring.h"
#include "sparse_state.h"

struct layout {
    const struct grid *grid;
    struct sparse_item *items; // largest first
    struct edge *edges;        // for one colouring: of some of the items
    uint32_t *members;         // by edge: its item
    uint16_t *colours;         // by edge
    uint16_t *uplinks;         // by item: the near column that its first link is
    uint32_t count;
    // By far column: the near column of its first link, the same at every leaf. NULL where the
    // fabric is too irregular for that: then far columns are coloured in one go.
    uint32_t *groups;
    uint32_t *behind;  // the far columns of one group
    uint32_t *columns; // out, by flow
};

static int compare_items(const void *left, const void *right) {
    const struct sparse_item *a = left;
    const struct sparse_item *b = right;
    if (a->bytes != b->bytes) {
        return a->bytes < b->bytes ? 1 : -1;
    }
    if (a->far != b->far) { // regions' uplinks are even only if leaves' far flows are
        return a->far ? -1 : 1;
    }
    return (a->flow > b->flow) - (a->flow < b->flow);
}

static void list_items(struct layout *layout, const struct sparse_flow *flows) {
    const struct grid *grid = layout->grid;
    const struct fabric *fabric = grid->fabric;
    bool sorted = true;
    for (uint32_t i = 0; i < layout->count; i++) {
        struct sparse_item *item = &layout->items[i];
        item->flow = i;
        item->bytes = flows[i].bytes;
        item->src_leaf = grid->leaf_index[fabric->ports[flows[i].src.i].leaf.i];
        item->dst_leaf = grid->leaf_index[fabric->ports[flows[i].dst.i].leaf.i];
        item->far = grid->regions[item->src_leaf] != grid->regions[item->dst_leaf];
        sorted = sorted && (i == 0 || compare_items(item - 1, item) < 0);
    }
    if (!sorted) {
        qsort(layout->items, layout->count, sizeof layout->items[0], compare_items);
    }
}

// ---- far columns by uplinks

static uint32_t near_column_of(const struct grid *grid, uint32_t leaf, link_id uplink) {
    for (uint32_t i = 0; i < grid->near.column_count; i++) {
        const struct grid_route *route = grid_route(&grid->near, leaf, i);
        if (route->link_count > 0 && route->links[0].i == uplink.i) {
            return i;
        }
    }
    return ID_NONE;
}

static bool group_column(const struct grid *grid, uint32_t column, uint32_t *group) {
    *group = ID_NONE;
    for (uint32_t leaf = 0; leaf < grid->leaf_count; leaf++) {
        const struct grid_route *route = grid_route(&grid->far, leaf, column);
        if (route->link_count == 0) {
            continue;
        }
        if (*group == ID_NONE) {
            *group = near_column_of(grid, leaf, route->links[0]);
        }
        if (*group == ID_NONE ||
            grid_route(&grid->near, leaf, *group)->links[0].i != route->links[0].i) {
            return false;
        }
    }
    return *group != ID_NONE;
}

// Fills layout->groups, or sets it to NULL.
static void group_columns(struct layout *layout) {
    const struct grid *grid = layout->grid;
    uint32_t groups_used = 0;
    for (uint32_t i = 0; layout->groups != NULL && i < grid->far.column_count; i++) {
        if (!group_column(grid, i, &layout->groups[i])) {
            free(layout->groups);
            layout->groups = NULL;
            return;
        }
        bool first = true;
        for (uint32_t j = 0; first && j < i; j++) {
            first = layout->groups[j] != layout->groups[i];
        }
        groups_used += first;
    }
    if (groups_used < grid->near.column_count) { // an uplink that leads to no core
        free(layout->groups);
        layout->groups = NULL;
    }
}

// ---- colourings

// The rows of a colouring: leaves, or regions.
static int colour_members(struct layout *layout, uint32_t count, uint32_t colours, bool regions) {
    const struct grid *grid = layout->grid;
    for (uint32_t i = 0; i < count; i++) {
        const struct sparse_item *item = &layout->items[layout->members[i]];
        layout->edges[i] =
            regions ? (struct edge){grid->regions[item->src_leaf], grid->regions[item->dst_leaf]}
                    : (struct edge){item->src_leaf, item->dst_leaf};
    }
    uint32_t rows = regions ? grid->region_count : grid->leaf_count;
    return colour_edges(layout->edges, count, rows, rows, colours, layout->colours);
}

// All items of one space, coloured with its columns.
static int colour_space(struct layout *layout, bool far) {
    const struct grid_space *space = far ? &layout->grid->far : &layout->grid->near;
    uint32_t count = 0;
    for (uint32_t i = 0; i < layout->count; i++) {
        if (layout->items[i].far == far) {
            layout->members[count++] = i;
        }
    }
    int rc = count > 0 && space->column_count > 0
                 ? colour_members(layout, count, space->column_count, false)
                 : 0;
    for (uint32_t i = 0; rc == 0 && i < count && space->column_count > 0; i++) {
        layout->columns[layout->items[layout->members[i]].flow] = layout->colours[i];
    }
    return rc;
}

// The far items of one uplink, coloured with the columns behind it.
static int colour_group(struct layout *layout, uint32_t group) {
    const struct grid *grid = layout->grid;
    uint32_t count = 0;
    for (uint32_t i = 0; i < layout->count; i++) {
        if (layout->items[i].far && layout->uplinks[i] == group) {
            layout->members[count++] = i;
        }
    }
    uint32_t width = 0;
    for (uint32_t i = 0; i < grid->far.column_count; i++) {
        if (layout->groups[i] == group) {
            layout->behind[width++] = i;
        }
    }
    int rc = colour_members(layout, count, width, true);
    for (uint32_t i = 0; rc == 0 && i < count; i++) {
        const struct sparse_item *item = &layout->items[layout->members[i]];
        layout->columns[item->flow] = layout->behind[layout->colours[i]];
    }
    return rc;
}

static int colour_twice(struct layout *layout) {
    uint32_t uplink_count = layout->grid->near.column_count;
    for (uint32_t i = 0; i < layout->count; i++) {
        layout->members[i] = i;
    }
    int rc = colour_members(layout, layout->count, uplink_count, false);
    for (uint32_t i = 0; rc == 0 && i < layout->count; i++) {
        layout->uplinks[i] = layout->colours[i];
        layout->columns[layout->items[i].flow] = layout->colours[i]; // right for near items
    }
    for (uint32_t i = 0; rc == 0 && i < uplink_count; i++) {
        rc = colour_group(layout, i);
    }
    return rc;
}

static int colour_all(struct layout *layout) {
    for (uint32_t i = 0; i < layout->count; i++) {
        layout->columns[i] = ID_NONE;
    }
    group_columns(layout);
    if (layout->groups != NULL) {
        return colour_twice(layout);
    }
    int rc = colour_space(layout, false);
    return rc == 0 ? colour_space(layout, true) : rc;
}

// Unequal flows go largest first to the least loaded column instead, where that is better.
static int prefer_lpt(struct layout *layout) {
    const struct sparse_items items = {.grid = layout->grid,
                                       .list = layout->items,
                                       .count = layout->count};
    if (layout->count == 0 || items.list[0].bytes == items.list[items.count - 1].bytes) {
        return 0;
    }
    double coloured, highest;
    if (!sparse_highest(&items, layout->columns, &coloured) ||
        !sparse_lpt(&items, layout->members, &highest)) {
        return -ENOMEM;
    }
    for (uint32_t i = 0; highest < coloured && i < layout->count; i++) {
        layout->columns[i] = layout->members[i];
    }
    return 0;
}

static int lay_out(struct layout *layout, const struct sparse_flow *flows) {
    if (layout->items == NULL || layout->edges == NULL || layout->members == NULL ||
        layout->colours == NULL || layout->uplinks == NULL || layout->groups == NULL ||
        layout->behind == NULL) {
        return -ENOMEM;
    }
    list_items(layout, flows);
    int rc = colour_all(layout);
    return rc == 0 ? prefer_lpt(layout) : rc;
}

static int find_columns(const struct grid *grid, const struct sparse_flow *flows, uint32_t count,
                        uint32_t *columns) {
    size_t size = (size_t)count + 1;
    struct layout layout = {
        .grid = grid,
        .items = calloc(size, sizeof layout.items[0]),
        .edges = calloc(size, sizeof layout.edges[0]),
        .members = calloc(size, sizeof layout.members[0]),
        .colours = calloc(size, sizeof layout.colours[0]),
        .uplinks = calloc(size, sizeof layout.uplinks[0]),
        .count = count,
        .groups = calloc((size_t)grid->far.column_count + 1, sizeof layout.groups[0]),
        .behind = calloc((size_t)grid->far.column_count + 1, sizeof layout.behind[0]),
        .columns = columns,
    };
    int rc = lay_out(&layout, flows);
    free(layout.items);
    free(layout.edges);
    free(layout.members);
    free(layout.colours);
    free(layout.uplinks);
    free(layout.groups);
    free(layout.behind);
    return rc;
}

int sparse_baseline_open(const struct grid *grid, const struct sparse_flow *flows,
                         uint32_t flow_count, struct sparse_baseline **out) {
    struct sparse_baseline *baseline = calloc(1, sizeof *baseline);
    uint32_t *columns = calloc((size_t)flow_count + 1, sizeof columns[0]);
    int rc = baseline != NULL && columns != NULL ? find_columns(grid, flows, flow_count, columns)
                                                 : -ENOMEM;
    if (rc != 0) {
        free(baseline);
        free(columns);
        return rc;
    }
    *baseline = (struct sparse_baseline){.column = columns, .flow_count = flow_count};
    *out = baseline;
    return 0;
}

void sparse_baseline_close(struct sparse_baseline *baseline) {
    if (baseline != NULL) {
        free(baseline->column);
        free(baseline);
    }
}
