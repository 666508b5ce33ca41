// SPDX-License-Identifier: Apache-2.0
// Loads are doubles: sums of sizes up to 2^63 do not overflow, sums of everyday sizes are exact,
// and the order of additions is that of the flows, so all machines get the same bits. What is
// handed out are integers, taken off what is left of a flow.
#include "sparse_state.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#define BPS_PER_BYTE 8.0

// ---- ways and rooms

bool sparse_way_between(const struct grid *grid, uint32_t src_leaf, uint32_t dst_leaf,
                        uint32_t column, struct sparse_way *way) {
    const struct grid_space *space = grid_between(grid, src_leaf, dst_leaf);
    if (column >= space->column_count) {
        return false;
    }
    const struct grid_route *up = grid_route(space, src_leaf, column);
    const struct grid_route *down = grid_route(space, dst_leaf, column);
    if (up->link_count == 0 || down->link_count == 0) {
        return false;
    }
    assert(up->link_count + down->link_count <= SPARSE_LINKS_MAX);
    way->link_count = up->link_count + down->link_count;
    for (uint32_t i = 0; i < up->link_count; i++) {
        way->links[i] = up->links[i].i;
    }
    for (uint32_t i = 0; i < down->link_count; i++) {
        way->links[up->link_count + i] = link_opposite(down->links[i]).i;
    }
    return true;
}

bool sparse_way(const struct sparse_state *state, uint32_t flow, uint32_t column,
                struct sparse_way *way) {
    const struct sparse_state_flow *of = &state->flows[flow];
    return sparse_way_between(state->input->grid, of->src_leaf, of->dst_leaf, column, way);
}

bool sparse_crosses(const struct sparse_way *way, uint32_t link) {
    for (uint32_t i = 0; i < way->link_count; i++) {
        if (way->links[i] == link) {
            return true;
        }
    }
    return false;
}

double sparse_room(const struct sparse_state *state, const struct sparse_way *way) {
    double room = state->limit[way->links[0]] - state->load[way->links[0]];
    for (uint32_t i = 1; i < way->link_count; i++) {
        double other = state->limit[way->links[i]] - state->load[way->links[i]];
        room = other < room ? other : room;
    }
    return room;
}

uint64_t sparse_worth(const struct sparse_state *state, uint32_t flow) {
    uint64_t bytes = state->input->flows[flow].bytes / SPARSE_WORTH;
    return bytes > 0 ? bytes : 1;
}

uint64_t sparse_fitting(uint64_t bytes, double room) {
    return room >= (double)bytes ? bytes : room >= 1 ? (uint64_t)room : 0;
}

// ---- shares

static uint32_t find_share(const struct sparse_state *state, uint32_t flow, uint32_t column) {
    uint32_t share = state->flows[flow].first_share;
    while (share != ID_NONE && state->shares[share].column != column) {
        share = state->shares[share].next_of_flow;
    }
    return share;
}

bool sparse_may_part(const struct sparse_state *state, uint32_t flow, uint32_t column) {
    if (state->flows[flow].part_count < state->input->parts_max) {
        return true;
    }
    uint32_t share = find_share(state, flow, column);
    return share != ID_NONE && state->shares[share].bytes > 0;
}

static uint32_t add_share(struct sparse_state *state, uint32_t flow, uint32_t column,
                          const struct sparse_way *way) {
    if (state->share_count == state->share_capacity) {
        uint32_t capacity = state->share_capacity + state->share_capacity / 2 + 64;
        struct sparse_share *shares =
            reallocarray(state->shares, capacity, sizeof state->shares[0]);
        if (shares == NULL) {
            state->rc = -ENOMEM;
            return ID_NONE;
        }
        state->shares = shares;
        state->share_capacity = capacity;
    }
    uint32_t share = state->share_count++;
    struct sparse_share *added = &state->shares[share];
    *added = (struct sparse_share){.flow = flow,
                                   .column = column,
                                   .next_of_flow = state->flows[flow].first_share};
    state->flows[flow].first_share = share;
    for (uint32_t i = 0; i < way->link_count; i++) {
        added->next[i] = state->first_place[way->links[i]];
        state->first_place[way->links[i]] = share * SPARSE_LINKS_MAX + i;
    }
    return share;
}

static void add_load(struct sparse_state *state, const struct sparse_way *way, double bytes) {
    for (uint32_t i = 0; i < way->link_count; i++) {
        state->load[way->links[i]] += bytes;
    }
}

void sparse_put(struct sparse_state *state, uint32_t flow, uint32_t column, uint64_t bytes) {
    struct sparse_way way;
    bool exists = sparse_way(state, flow, column, &way);
    assert(exists && bytes <= state->flows[flow].left);
    uint32_t share = find_share(state, flow, column);
    if (share == ID_NONE) {
        share = add_share(state, flow, column, &way);
    }
    if (share == ID_NONE || bytes == 0) {
        return;
    }
    state->flows[flow].part_count += state->shares[share].bytes == 0;
    state->shares[share].bytes += bytes;
    state->flows[flow].left -= bytes;
    add_load(state, &way, (double)bytes);
}

void sparse_take(struct sparse_state *state, uint32_t share, uint64_t bytes) {
    struct sparse_share *from = &state->shares[share];
    struct sparse_way way;
    bool exists = sparse_way(state, from->flow, from->column, &way);
    assert(exists && bytes <= from->bytes);
    if (bytes == 0) {
        return;
    }
    from->bytes -= bytes;
    state->flows[from->flow].left += bytes;
    state->flows[from->flow].part_count -= from->bytes == 0;
    add_load(state, &way, -(double)bytes);
}

void sparse_set_limits(struct sparse_state *state, double factor) {
    uint32_t links = fabric_link_count(state->input->grid->fabric);
    double level = state->level_s * factor / BPS_PER_BYTE;
    for (uint32_t i = 0; i < links; i++) {
        state->limit[i] = level * (double)state->input->rate_bps[i];
    }
}

// ---- the state

uint32_t sparse_living_column(const struct sparse_state *state, uint32_t flow, uint32_t first) {
    uint32_t columns = state->flows[flow].space->column_count;
    struct sparse_way way;
    for (uint32_t i = 0; i < columns; i++) {
        uint32_t column = (first % columns + i) % columns;
        bool lives = sparse_way(state, flow, column, &way);
        for (uint32_t j = 0; lives && j < way.link_count; j++) {
            lives = state->input->rate_bps[way.links[j]] > 0;
        }
        if (lives) {
            return column;
        }
    }
    return ID_NONE;
}

// A flow whose baseline column is a way that one of its leaves never had begins nowhere.
static void open_flow(struct sparse_state *state, uint32_t flow, uint32_t column) {
    const struct grid *grid = state->input->grid;
    const struct sparse_flow *given = &state->input->flows[flow];
    struct sparse_state_flow *opened = &state->flows[flow];
    opened->src_leaf = grid->leaf_index[grid->fabric->ports[given->src.i].leaf.i];
    opened->dst_leaf = grid->leaf_index[grid->fabric->ports[given->dst.i].leaf.i];
    opened->space = grid_between(grid, opened->src_leaf, opened->dst_leaf);
    opened->first_share = ID_NONE;
    opened->served = sparse_living_column(state, flow, 0) != ID_NONE;
    struct sparse_way way;
    if (opened->served) {
        opened->left = given->bytes;
        if (column != ID_NONE && sparse_way(state, flow, column, &way)) {
            sparse_put(state, flow, column, given->bytes);
        }
    }
}

static int allocate(struct sparse_state *state, uint32_t links, uint32_t flows) {
    state->flows = calloc((size_t)flows + 1, sizeof state->flows[0]);
    state->share_capacity = flows + flows / 8 + 1;
    state->shares = calloc(state->share_capacity, sizeof state->shares[0]);
    state->first_place = calloc((size_t)links + 1, sizeof state->first_place[0]);
    state->load = calloc((size_t)links + 1, sizeof state->load[0]);
    state->limit = calloc((size_t)links + 1, sizeof state->limit[0]);
    state->seen = calloc((size_t)links + 1, sizeof state->seen[0]);
    bool all = state->flows != NULL && state->shares != NULL && state->first_place != NULL &&
               state->load != NULL && state->limit != NULL && state->seen != NULL;
    return all ? 0 : -ENOMEM;
}

int sparse_state_init(struct sparse_state *state, const struct sparse_input *input,
                      const struct sparse_baseline *baseline) {
    assert(baseline->flow_count == input->flow_count && input->parts_max >= 1);
    uint32_t links = fabric_link_count(input->grid->fabric);
    *state = (struct sparse_state){.input = input};
    if (allocate(state, links, input->flow_count) != 0) {
        sparse_state_fini(state);
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < links; i++) {
        state->first_place[i] = ID_NONE;
        state->load[i] = input->occupied_bytes != NULL ? input->occupied_bytes[i] : 0;
    }
    for (uint32_t i = 0; i < input->flow_count; i++) {
        open_flow(state, i, baseline->column[i]);
    }
    return 0;
}

void sparse_state_fini(struct sparse_state *state) {
    free(state->flows);
    free(state->shares);
    free(state->first_place);
    free(state->load);
    free(state->limit);
    free(state->seen);
}
