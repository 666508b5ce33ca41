// SPDX-License-Identifier: Apache-2.0
// Both spaces are built alike: how many columns each top switch needs (the most ways that any leaf
// has to it) gives where its columns begin, then each leaf's ways are written there.
#include "grid.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "live.h"

// Columns of top switches, indexed by node: how many, from which on, and a count during one leaf's
// turn.
struct tops {
    uint32_t *width, *first, *ways;
};

// A run of parallel cables in a node's adjacencies.
struct run {
    const struct fabric_adjacency *cables;
    uint32_t count;
    node_id peer;
};

// The run that begins at adjacency *at; moves *at behind it. False at the end.
static bool run_next(const struct fabric *fabric, node_id node, uint32_t *at, struct run *run) {
    const struct fabric_node *from = &fabric->nodes[node.i];
    if (*at >= from->adjacency_count) {
        return false;
    }
    const struct fabric_adjacency *list = &fabric->adjacencies[from->first_adjacency];
    uint32_t end = *at;
    while (end < from->adjacency_count && list[end].peer.i == list[*at].peer.i) {
        end++;
    }
    *run = (struct run){.cables = &list[*at], .count = end - *at, .peer = list[*at].peer};
    *at = end;
    return true;
}

// Like run_next, but only runs to a higher tier.
static bool run_next_up(const struct fabric *fabric, node_id node, uint32_t *at, struct run *run) {
    while (run_next(fabric, node, at, run)) {
        if (fabric->nodes[run->peer.i].tier > fabric->nodes[node.i].tier) {
            return true;
        }
    }
    return false;
}

static void *array_new(size_t count, size_t size) {
    return calloc(count > 0 ? count : 1, size);
}

// ---- leaves and regions

static bool list_leaves(struct grid *grid) {
    const struct fabric *fabric = grid->fabric;
    for (uint32_t i = 0; i < fabric->node_count; i++) {
        grid->leaf_count += fabric->nodes[i].tier == 1;
    }
    grid->leaves = array_new(grid->leaf_count, sizeof grid->leaves[0]);
    grid->leaf_index = array_new(fabric->node_count, sizeof grid->leaf_index[0]);
    grid->regions = array_new(grid->leaf_count, sizeof grid->regions[0]);
    if (grid->leaves == NULL || grid->leaf_index == NULL || grid->regions == NULL) {
        return false;
    }
    uint32_t leaf = 0;
    for (uint32_t i = 0; i < fabric->node_count; i++) {
        bool is_leaf = fabric->nodes[i].tier == 1;
        grid->leaf_index[i] = is_leaf ? leaf : ID_NONE;
        if (is_leaf) {
            grid->leaves[leaf++] = (node_id){i};
        }
    }
    return true;
}

static uint32_t set_root(uint32_t *parents, uint32_t leaf) {
    while (parents[leaf] != leaf) {
        parents[leaf] = parents[parents[leaf]];
        leaf = parents[leaf];
    }
    return leaf;
}

static void join_leaves_of(struct grid *grid, node_id top) {
    const struct fabric *fabric = grid->fabric;
    uint32_t first = ID_NONE;
    struct run run;
    for (uint32_t at = 0; run_next(fabric, top, &at, &run);) {
        uint32_t leaf = grid->leaf_index[run.peer.i];
        if (leaf == ID_NONE) {
            continue;
        }
        uint32_t root = set_root(grid->regions, leaf);
        if (first == ID_NONE || root < first) { // the lowest leaf is the root
            uint32_t swap = first;
            first = root;
            root = swap;
        }
        if (root != ID_NONE) {
            grid->regions[root] = first;
        }
    }
}

// Sets of leaves that second-tier switches join, numbered by their first leaf.
static void find_regions(struct grid *grid) {
    for (uint32_t leaf = 0; leaf < grid->leaf_count; leaf++) {
        grid->regions[leaf] = leaf;
    }
    for (uint32_t i = 0; i < grid->fabric->node_count; i++) {
        if (grid->fabric->nodes[i].tier == 2) {
            join_leaves_of(grid, (node_id){i});
        }
    }
    // Roots come before their leaves, so a root's place can take its region's number at once.
    for (uint32_t leaf = 0; leaf < grid->leaf_count; leaf++) {
        uint32_t parent = grid->regions[leaf];
        grid->regions[leaf] = parent == leaf ? grid->region_count++ : grid->regions[parent];
    }
}

// ---- ways from one leaf

typedef void way_fn(struct grid_space *space, const struct tops *tops, uint32_t leaf, node_id top,
                    const struct grid_route *route);

static void count_way(struct grid_space *space, const struct tops *tops, uint32_t leaf, node_id top,
                      const struct grid_route *route) {
    (void)space, (void)leaf, (void)route;
    tops->ways[top.i]++;
}

static void write_way(struct grid_space *space, const struct tops *tops, uint32_t leaf, node_id top,
                      const struct grid_route *route) {
    uint32_t column = tops->first[top.i] + tops->ways[top.i]++;
    space->routes[(size_t)leaf * space->column_count + column] = *route;
}

static void near_ways(const struct grid *grid, uint32_t leaf, way_fn *each,
                      struct grid_space *space, const struct tops *tops) {
    struct run up;
    for (uint32_t at = 0; run_next_up(grid->fabric, grid->leaves[leaf], &at, &up);) {
        for (uint32_t k = 0; k < up.count; k++) {
            struct grid_route route = {.link_count = 1, .links = {up.cables[k].link}};
            each(space, tops, leaf, up.peer, &route);
        }
    }
}

// Parallel cables of the two hops are paired k with k.
static void far_ways(const struct grid *grid, uint32_t leaf, way_fn *each, struct grid_space *space,
                     const struct tops *tops) {
    struct run up, higher;
    for (uint32_t at = 0; run_next_up(grid->fabric, grid->leaves[leaf], &at, &up);) {
        for (uint32_t above = 0; run_next_up(grid->fabric, up.peer, &above, &higher);) {
            uint32_t count = up.count > higher.count ? up.count : higher.count;
            for (uint32_t k = 0; k < count; k++) {
                struct grid_route route = {.link_count = 2,
                                           .links = {up.cables[k % up.count].link,
                                                     higher.cables[k % higher.count].link}};
                each(space, tops, leaf, higher.peer, &route);
            }
        }
    }
}

typedef void ways_fn(const struct grid *grid, uint32_t leaf, way_fn *each, struct grid_space *space,
                     const struct tops *tops);

// ---- a space

static void forget_ways(const struct grid *grid, const struct tops *tops) {
    uint32_t first = grid->fabric->host_count; // hosts are no tops, and most of the nodes
    memset(&tops->ways[first], 0, (grid->fabric->node_count - first) * sizeof tops->ways[0]);
}

static void measure_tops(const struct grid *grid, ways_fn *ways, struct tops *tops) {
    uint32_t nodes = grid->fabric->node_count;
    for (uint32_t leaf = 0; leaf < grid->leaf_count; leaf++) {
        forget_ways(grid, tops);
        ways(grid, leaf, count_way, NULL, tops);
        for (uint32_t i = grid->fabric->host_count; i < nodes; i++) {
            if (tops->ways[i] > tops->width[i]) {
                tops->width[i] = tops->ways[i];
            }
        }
    }
}

// A top's region is that of its leaves; all cores are in one row, as region 0.
static uint32_t region_of_top(const struct grid *grid, node_id top) {
    struct run run;
    for (uint32_t at = 0; run_next(grid->fabric, top, &at, &run);) {
        if (grid->leaf_index[run.peer.i] != ID_NONE) {
            return grid->regions[grid->leaf_index[run.peer.i]];
        }
    }
    return 0;
}

// Each region numbers its columns from 0. False when there is no memory.
static bool number_columns(const struct grid *grid, struct tops *tops, uint32_t *column_count) {
    uint32_t *next = array_new(grid->region_count, sizeof *next);
    if (next == NULL) {
        return false;
    }
    uint32_t most = 0;
    for (uint32_t i = grid->fabric->host_count; i < grid->fabric->node_count; i++) {
        if (tops->width[i] > 0) {
            uint32_t region = region_of_top(grid, (node_id){i});
            tops->first[i] = next[region];
            next[region] += tops->width[i];
            most = next[region] > most ? next[region] : most;
        }
    }
    free(next);
    *column_count = most;
    return true;
}

// A leaf with fewer ways to a top than others have uses its own again.
static void repeat_ways(struct grid *grid, struct grid_space *space, const struct tops *tops,
                        uint32_t leaf) {
    struct grid_route *routes = &space->routes[(size_t)leaf * space->column_count];
    for (uint32_t i = grid->fabric->host_count; i < grid->fabric->node_count; i++) {
        for (uint32_t k = tops->ways[i]; tops->ways[i] > 0 && k < tops->width[i]; k++) {
            routes[tops->first[i] + k] = routes[tops->first[i] + k % tops->ways[i]];
            grid->repeats = true;
        }
    }
}

static bool fill_space(struct grid *grid, ways_fn *ways, struct tops *tops,
                       struct grid_space *space) {
    uint32_t nodes = grid->fabric->node_count;
    tops->width = array_new(nodes, sizeof tops->width[0]);
    tops->first = array_new(nodes, sizeof tops->first[0]);
    tops->ways = array_new(nodes, sizeof tops->ways[0]);
    if (tops->width == NULL || tops->first == NULL || tops->ways == NULL) {
        return false;
    }
    measure_tops(grid, ways, tops);
    if (!number_columns(grid, tops, &space->column_count)) {
        return false;
    }
    space->routes =
        array_new((size_t)grid->leaf_count * space->column_count, sizeof space->routes[0]);
    if (space->routes == NULL) {
        return false;
    }
    for (uint32_t leaf = 0; leaf < grid->leaf_count; leaf++) {
        forget_ways(grid, tops);
        ways(grid, leaf, write_way, space, tops);
        repeat_ways(grid, space, tops, leaf);
    }
    return true;
}

static bool open_space(struct grid *grid, ways_fn *ways, struct grid_space *space) {
    struct tops tops = {0};
    bool done = fill_space(grid, ways, &tops, space);
    free(tops.width);
    free(tops.first);
    free(tops.ways);
    return done;
}

// ---- the grid

static bool fill_grid(struct grid *grid) {
    if (!list_leaves(grid)) {
        return false;
    }
    find_regions(grid);
    // Within one region no pair goes further up, whether or not there are cores.
    if (!open_space(grid, near_ways, &grid->near) ||
        (grid->region_count > 1 && !open_space(grid, far_ways, &grid->far))) {
        return false;
    }
    grid->column_max = grid->near.column_count > grid->far.column_count ? grid->near.column_count
                                                                        : grid->far.column_count;
    return true;
}

int grid_open(const struct fabric *fabric, struct grid **out) {
    struct grid *grid = calloc(1, sizeof *grid);
    if (grid == NULL) {
        return -ENOMEM;
    }
    grid->fabric = fabric;
    if (!fill_grid(grid)) {
        grid_close(grid);
        return -ENOMEM;
    }
    *out = grid;
    return 0;
}

void grid_close(struct grid *grid) {
    if (grid == NULL) {
        return;
    }
    free(grid->leaves);
    free(grid->leaf_index);
    free(grid->regions);
    free(grid->near.routes);
    free(grid->far.routes);
    free(grid);
}

bool grid_column_lives(const struct grid *grid, const uint64_t *rate_bps, uint32_t src_leaf,
                       uint32_t dst_leaf, uint32_t column) {
    const struct grid_space *space = grid_between(grid, src_leaf, dst_leaf);
    const struct grid_route *up = grid_route(space, src_leaf, column);
    const struct grid_route *down = grid_route(space, dst_leaf, column);
    bool lives = up->link_count > 0 && down->link_count > 0;
    for (uint32_t i = 0; lives && i < up->link_count; i++) {
        lives = rate_bps[up->links[i].i] > 0 && rate_bps[link_opposite(down->links[i]).i] > 0;
    }
    return lives;
}

void grid_path(const struct grid *grid, port_id src, port_id dst, uint32_t column,
               struct path *out) {
    const struct fabric *fabric = grid->fabric;
    uint32_t src_leaf = grid->leaf_index[fabric->ports[src.i].leaf.i];
    uint32_t dst_leaf = grid->leaf_index[fabric->ports[dst.i].leaf.i];
    const struct grid_space *space = grid_between(grid, src_leaf, dst_leaf);
    const struct grid_route *up = grid_route(space, src_leaf, column);
    const struct grid_route *down = grid_route(space, dst_leaf, column);
    assert(src_leaf != dst_leaf && up->link_count > 0 && up->link_count == down->link_count);
    struct path path = {0};
    path.links[path.link_count++] = port_uplink(fabric, src);
    for (uint32_t i = 0; i < up->link_count; i++) {
        path.links[path.link_count++] = up->links[i];
    }
    for (uint32_t i = down->link_count; i > 0; i--) {
        path.links[path.link_count++] = link_opposite(down->links[i - 1]);
    }
    path.links[path.link_count++] = port_downlink(fabric, dst);
    *out = path;
}
