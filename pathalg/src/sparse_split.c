// SPDX-License-Identifier: Apache-2.0
// Flows that fit nowhere whole. First they fill what room there is; then others give way
// (sparse_chain.c). Both first within the level, and then in steps above it, for what is left. If
// anything is left at last, it goes where it raises the highest load least.
#include <errno.h>
#include <stdlib.h>

#include "sparse_state.h"

#define BISECTIONS 20
#define SEARCH_BUDGET 4096 // links looked at in each step, so that a hopeless one costs no seconds

static const double steps[] = {SPARSE_FINE, 1.005};

struct column_room {
    uint32_t column;
    double room;
};

// Widest first.
static int compare_rooms(const void *left, const void *right) {
    const struct column_room *a = left;
    const struct column_room *b = right;
    if (a->room != b->room) {
        return a->room < b->room ? 1 : -1;
    }
    return (a->column > b->column) - (a->column < b->column);
}

// The columns with room for a part that is worth it.
static uint32_t list_rooms(const struct sparse_state *state, uint32_t flow,
                           struct column_room *rooms, double *total) {
    double worth = (double)sparse_worth(state, flow);
    uint32_t count = 0;
    *total = 0;
    for (uint32_t i = 0; i < state->flows[flow].space->column_count; i++) {
        struct sparse_way way;
        if (!sparse_way(state, flow, i, &way)) {
            continue;
        }
        double room = sparse_room(state, &way);
        if (room >= worth) {
            rooms[count++] = (struct column_room){.column = i, .room = room};
            *total += room;
        }
    }
    return count;
}

// ---- into the room that there is

static void fill(struct sparse_state *state, uint32_t flow, struct column_room *rooms) {
    double total;
    uint32_t count = list_rooms(state, flow, rooms, &total);
    qsort(rooms, count, sizeof rooms[0], compare_rooms);
    for (uint32_t i = 0; i < count && state->flows[flow].left > 0; i++) {
        struct sparse_way way;
        sparse_way(state, flow, rooms[i].column, &way);
        double room = sparse_room(state, &way); // columns may share links
        uint64_t bytes = sparse_fitting(state->flows[flow].left, room);
        if (bytes >= sparse_worth(state, flow) && sparse_may_part(state, flow, rooms[i].column)) {
            sparse_put(state, flow, rooms[i].column, bytes);
        }
    }
}

// ---- where others give way

// Asks others to give way on each full link of the column's way. What they have left is of use even
// where not all links could be relieved: another column may need it.
static bool squeeze_in(struct sparse_state *state, uint32_t flow, uint32_t column) {
    struct sparse_way way;
    if (!sparse_may_part(state, flow, column) || !sparse_way(state, flow, column, &way)) {
        return false;
    }
    uint64_t worth = sparse_worth(state, flow);
    uint64_t bytes = state->flows[flow].left;
    for (uint32_t i = 0; i < way.link_count; i++) {
        uint32_t link = way.links[i];
        double room = state->limit[link] - state->load[link];
        if (room < (double)worth) {
            if (state->input->rate_bps[link] == 0 || !sparse_relieve(state, link, bytes)) {
                return false;
            }
            room = state->limit[link] - state->load[link];
        }
        bytes = sparse_fitting(bytes, room);
    }
    bytes = sparse_fitting(bytes, sparse_room(state, &way));
    if (bytes < worth || !sparse_may_part(state, flow, column)) { // own parts may have moved, too
        return false;
    }
    sparse_put(state, flow, column, bytes);
    return true;
}

static void squeeze(struct sparse_state *state, uint32_t flow) {
    const struct sparse_state_flow *of = &state->flows[flow];
    bool progress = true;
    while (progress && state->rc == 0) {
        progress = false;
        for (uint32_t i = 0; i < of->space->column_count; i++) {
            if (of->left < sparse_worth(state, flow)) {
                return;
            }
            progress = squeeze_in(state, flow, i) || progress;
        }
    }
}

// ---- in any case

// The column with the most room if links were loaded for `level_s`; the room is 0 when there is
// none.
static struct column_room widest_at(const struct sparse_state *state, uint32_t flow,
                                    double level_s) {
    struct column_room widest = {.column = ID_NONE};
    for (uint32_t i = 0; i < state->flows[flow].space->column_count; i++) {
        struct sparse_way way;
        if (!sparse_may_part(state, flow, i) || !sparse_way(state, flow, i, &way)) {
            continue;
        }
        double least = (double)UINT64_MAX;
        for (uint32_t j = 0; j < way.link_count; j++) {
            double rate_bps = (double)state->input->rate_bps[way.links[j]];
            double room = rate_bps > 0 ? level_s / 8 * rate_bps - state->load[way.links[j]] : 0;
            least = room < least ? room : least;
        }
        if (least > widest.room) {
            widest = (struct column_room){.column = i, .room = least};
        }
    }
    return widest;
}

static void take_all(struct sparse_state *state, uint32_t flow) {
    for (uint32_t share = state->flows[flow].first_share; share != ID_NONE;) {
        uint32_t next = state->shares[share].next_of_flow;
        sparse_take(state, share, state->shares[share].bytes);
        share = next;
    }
}

// Anew, on the widest columns. False when the level has no room for all of it.
static bool fill_at(struct sparse_state *state, uint32_t flow, double level_s) {
    take_all(state, flow);
    const struct sparse_state_flow *of = &state->flows[flow];
    uint64_t worth = sparse_worth(state, flow);
    while (of->left > 0 && state->rc == 0) {
        struct column_room widest = widest_at(state, flow, level_s);
        uint64_t bytes = sparse_fitting(of->left, widest.room);
        if (bytes < worth && bytes < of->left) {
            return false;
        }
        sparse_put(state, flow, widest.column, bytes);
    }
    return true;
}

// At the lowest level with room for the flow, by bisection.
static void settle(struct sparse_state *state, uint32_t flow) {
    double low = 0;
    double high = state->level_s > 0 ? state->level_s : 1;
    while (!fill_at(state, flow, high)) {
        low = high;
        high *= 2;
    }
    for (uint32_t i = 0; i < BISECTIONS; i++) {
        double middle = low + (high - low) / 2;
        if (fill_at(state, flow, middle)) {
            high = middle;
        } else {
            low = middle;
        }
    }
    fill_at(state, flow, high);
}

// ---- all flows

// Less than is worth a part goes to the part that has the most room.
static void put_crumbs(struct sparse_state *state, uint32_t flow) {
    uint32_t best = ID_NONE;
    double best_room = 0;
    for (uint32_t share = state->flows[flow].first_share; share != ID_NONE;
         share = state->shares[share].next_of_flow) {
        struct sparse_way way;
        sparse_way(state, flow, state->shares[share].column, &way);
        double room = sparse_room(state, &way);
        if (state->shares[share].bytes > 0 && (best == ID_NONE || room > best_room)) {
            best = state->shares[share].column;
            best_room = room;
        }
    }
    if (best != ID_NONE && state->flows[flow].left < sparse_worth(state, flow)) {
        sparse_put(state, flow, best, state->flows[flow].left);
    }
}

struct cramped {
    uint32_t flow;
    double total; // room of its columns
};

static int compare_cramped(const void *left, const void *right) {
    const struct cramped *a = left;
    const struct cramped *b = right;
    if (a->total != b->total) {
        return a->total < b->total ? -1 : 1;
    }
    return (a->flow > b->flow) - (a->flow < b->flow);
}

// Those with the least room first. Returns how many flows are not placed wholly.
static uint32_t list_cramped(const struct sparse_state *state, struct cramped *cramped,
                             struct column_room *rooms) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < state->input->flow_count; i++) {
        if (state->flows[i].left > 0) {
            cramped[count].flow = i;
            list_rooms(state, i, rooms, &cramped[count].total);
            count++;
        }
    }
    qsort(cramped, count, sizeof cramped[0], compare_cramped);
    return count;
}

static void split_within(struct sparse_state *state, double factor, struct cramped *cramped,
                         struct column_room *rooms) {
    sparse_set_limits(state, factor);
    state->search_budget = SEARCH_BUDGET;
    uint32_t count = list_cramped(state, cramped, rooms);
    for (uint32_t i = 0; i < count; i++) {
        fill(state, cramped[i].flow, rooms);
    }
    for (uint32_t i = 0; i < count; i++) {
        squeeze(state, cramped[i].flow);
        put_crumbs(state, cramped[i].flow);
    }
}

int sparse_split(struct sparse_state *state) {
    struct cramped *cramped = calloc((size_t)state->input->flow_count + 1, sizeof cramped[0]);
    struct column_room *rooms = calloc((size_t)state->input->grid->column_max + 1, sizeof rooms[0]);
    if (cramped == NULL || rooms == NULL) {
        free(cramped);
        free(rooms);
        return -ENOMEM;
    }
    uint32_t count = list_cramped(state, cramped, rooms);
    bool split = count > 0 && state->input->parts_max > 1;
    for (size_t i = 0; split && i < sizeof steps / sizeof steps[0]; i++) {
        if (count > 0) {
            split_within(state, steps[i], cramped, rooms);
            count = list_cramped(state, cramped, rooms);
        }
    }
    for (uint32_t i = 0; i < count && state->rc == 0; i++) {
        settle(state, cramped[i].flow);
    }
    if (split) {
        sparse_smooth(state);
    }
    free(cramped);
    free(rooms);
    return state->rc;
}
