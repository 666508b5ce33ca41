// SPDX-License-Identifier: Apache-2.0
// Which flows leave their baseline column, and where those go that fit somewhere whole.
#include <errno.h>
#include <stdlib.h>

#include "sparse_state.h"

static bool is_over(const struct sparse_state *state, uint32_t link) {
    return state->load[link] > state->limit[link];
}

// ---- leaving

// Whole flows which cross a dead link; and then those which cross two that are too full, so that
// one flow relieves both.
static void displace_crossing(struct sparse_state *state, bool dead, uint32_t at_least) {
    for (uint32_t i = 0; i < state->share_count; i++) {
        const struct sparse_share *share = &state->shares[i];
        struct sparse_way way;
        uint32_t over = 0;
        bool exists = share->bytes > 0 && sparse_way(state, share->flow, share->column, &way);
        for (uint32_t j = 0; exists && j < way.link_count; j++) {
            over += dead ? state->input->rate_bps[way.links[j]] == 0 : is_over(state, way.links[j]);
        }
        if (over >= at_least) {
            sparse_take(state, i, share->bytes);
        }
    }
}

// Fewest flows: the smallest that relieves the link alone, or else the largest. ID_NONE: none is
// left.
static uint32_t choose_leaver(const struct sparse_state *state, uint32_t link) {
    double excess = state->load[link] - state->limit[link];
    uint32_t chosen = ID_NONE;
    uint64_t best = 0;
    for (uint32_t at = state->first_place[link]; at != ID_NONE;) {
        uint32_t index = at / SPARSE_LINKS_MAX;
        const struct sparse_share *share = &state->shares[index];
        bool better = (double)share->bytes >= excess ? (double)best < excess || share->bytes < best
                                                     : share->bytes > best;
        if (share->bytes > 0 && (chosen == ID_NONE || better)) {
            chosen = index;
            best = share->bytes;
        }
        at = share->next[at % SPARSE_LINKS_MAX];
    }
    return chosen;
}

static void relieve_link(struct sparse_state *state, uint32_t link) {
    while (is_over(state, link)) {
        uint32_t share = choose_leaver(state, link);
        if (share == ID_NONE) { // all that is too much there is not ours
            return;
        }
        sparse_take(state, share, state->shares[share].bytes);
    }
}

void sparse_displace(struct sparse_state *state) {
    uint32_t links = fabric_link_count(state->input->grid->fabric);
    displace_crossing(state, true, 1);
    displace_crossing(state, false, 2);
    for (uint32_t i = 0; i < links; i++) {
        if (state->first_place[i] != ID_NONE) {
            relieve_link(state, i);
        }
    }
}

// ---- a place for whole flows

struct homeless {
    uint32_t flow;
    uint32_t choices; // columns where it would fit
    uint64_t bytes;
};

// The tightest column with room for all that is left: wide ones may serve others. The search begins
// at another column for each flow.
static uint32_t best_column(const struct sparse_state *state, uint32_t flow, uint32_t *choices) {
    const struct sparse_state_flow *of = &state->flows[flow];
    uint32_t columns = of->space->column_count;
    uint32_t best = ID_NONE;
    double best_room = 0;
    *choices = 0;
    for (uint32_t i = 0; i < columns; i++) {
        uint32_t column = (flow + i) % columns;
        struct sparse_way way;
        if (!sparse_way(state, flow, column, &way)) {
            continue;
        }
        double room = sparse_room(state, &way);
        if (room >= (double)of->left) {
            ++*choices;
            if (best == ID_NONE || room < best_room) {
                best = column;
                best_room = room;
            }
        }
    }
    return best;
}

// First those with the least choice, of these the largest.
static int compare_homeless(const void *left, const void *right) {
    const struct homeless *a = left;
    const struct homeless *b = right;
    if (a->choices != b->choices) {
        return a->choices < b->choices ? -1 : 1;
    }
    if (a->bytes != b->bytes) {
        return a->bytes < b->bytes ? 1 : -1;
    }
    return (a->flow > b->flow) - (a->flow < b->flow);
}

int sparse_place_whole(struct sparse_state *state) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < state->input->flow_count; i++) {
        count += state->flows[i].left > 0;
    }
    struct homeless *homeless = calloc((size_t)count + 1, sizeof homeless[0]);
    if (homeless == NULL) {
        return -ENOMEM;
    }
    count = 0;
    for (uint32_t i = 0; i < state->input->flow_count; i++) {
        if (state->flows[i].left > 0) {
            struct homeless *one = &homeless[count++];
            *one = (struct homeless){.flow = i, .bytes = state->flows[i].left};
            best_column(state, i, &one->choices);
        }
    }
    qsort(homeless, count, sizeof homeless[0], compare_homeless);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t choices;
        uint32_t column = best_column(state, homeless[i].flow, &choices);
        if (column != ID_NONE) {
            sparse_put(state, homeless[i].flow, column, homeless[i].bytes);
        }
    }
    free(homeless);
    return state->rc;
}
