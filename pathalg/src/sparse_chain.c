// SPDX-License-Identifier: Apache-2.0
// Chains of flows that give way. A link is too full; one of the parts on it could move to another
// column, where all links have room (then it moves, and the chain is done) or all but one (then
// that one is to be relieved first). A breadth-first search finds a shortest chain, and all its
// parts move by the same number of bytes, the last first, so that no link exceeds its limit on the
// way.
//
//   wanted on X:  part s1 leaves X for a column with the full link Y,
//                 part s2 leaves Y for a column with room
#include "sparse_state.h"

#define STEPS_MAX 256

// `share` goes to `column` as soon as `link` is relieved, which relieves the parent's link. The
// first step has no share.
struct step {
    uint32_t link, share, column;
    uint32_t parent;
    uint64_t bytes; // that can pass so far
};

struct chain {
    struct sparse_state *state;
    struct step steps[STEPS_MAX];
    uint32_t count;
};

static double link_room(const struct sparse_state *state, uint32_t link) {
    return state->limit[link] - state->load[link];
}

// What moving a share from one way to another meets: the room on the links that have at least
// `worth`, how many have less, and one of these.
struct passage {
    double room;
    uint32_t full_count, full;
};

static struct passage look(const struct sparse_state *state, const struct sparse_way *from,
                           const struct sparse_way *to, uint64_t worth) {
    struct passage passage = {.room = (double)UINT64_MAX, .full = ID_NONE};
    for (uint32_t i = 0; i < to->link_count; i++) {
        if (sparse_crosses(from, to->links[i])) {
            continue;
        }
        double room = link_room(state, to->links[i]);
        if (room < (double)worth) {
            passage.full_count++;
            passage.full = to->links[i];
        } else if (room < passage.room) {
            passage.room = room;
        }
    }
    return passage;
}

static void move(struct sparse_state *state, uint32_t share, uint32_t column, uint64_t bytes) {
    uint32_t flow = state->shares[share].flow;
    sparse_take(state, share, bytes);
    sparse_put(state, flow, column, bytes);
}

// Where the way there has room for less than thought, because two steps use one link or move one
// flow, the chain ends early: what has moved by then is as good where it is.
static bool move_if_fits(struct sparse_state *state, uint32_t share, uint32_t column,
                         uint64_t bytes) {
    struct sparse_way from, to;
    sparse_way(state, state->shares[share].flow, state->shares[share].column, &from);
    sparse_way(state, state->shares[share].flow, column, &to);
    struct passage passage = look(state, &from, &to, bytes);
    if (passage.full_count > 0 || state->shares[share].bytes < bytes ||
        !sparse_may_part(state, state->shares[share].flow, column)) {
        return false;
    }
    move(state, share, column, bytes);
    return state->rc == 0;
}

static bool move_chain(struct chain *chain, uint32_t last) {
    struct step *steps = chain->steps;
    uint64_t bytes = steps[last].bytes;
    for (uint32_t i = last; steps[i].share != ID_NONE; i = steps[i].parent) {
        if (!move_if_fits(chain->state, steps[i].share, steps[i].column, bytes)) {
            return false;
        }
    }
    return true;
}

// Adds the step that moves `share` to `column`. Returns true when that completes a chain.
static bool add_step(struct chain *chain, uint32_t parent, uint32_t share, uint32_t column) {
    struct sparse_state *state = chain->state;
    const struct sparse_share *moved = &state->shares[share];
    uint64_t worth = sparse_worth(state, moved->flow);
    uint64_t bytes = chain->steps[parent].bytes;
    bytes = moved->bytes < bytes ? moved->bytes : bytes;
    struct sparse_way from, to;
    if (chain->count == STEPS_MAX || (bytes < worth && bytes < moved->bytes) ||
        !sparse_way(state, moved->flow, moved->column, &from) ||
        !sparse_way(state, moved->flow, column, &to) ||
        sparse_crosses(&to, chain->steps[parent].link) ||
        !sparse_may_part(state, moved->flow, column)) {
        return false;
    }
    worth = worth < bytes ? worth : bytes;
    struct passage passage = look(state, &from, &to, worth);
    if (passage.full_count > 1 ||
        (passage.full_count == 1 && (state->seen[passage.full] == state->search ||
                                     state->input->rate_bps[passage.full] == 0))) {
        return false;
    }
    if (passage.full_count == 1) {
        state->seen[passage.full] = state->search;
    }
    chain->steps[chain->count++] = (struct step){.link = passage.full,
                                                 .share = share,
                                                 .column = column,
                                                 .parent = parent,
                                                 .bytes = sparse_fitting(bytes, passage.room)};
    return passage.full_count == 0;
}

// All ways in which parts on the step's link could leave it.
static bool extend(struct chain *chain, uint32_t parent) {
    struct sparse_state *state = chain->state;
    for (uint32_t at = state->first_place[chain->steps[parent].link]; at != ID_NONE;) {
        uint32_t share = at / SPARSE_LINKS_MAX;
        at = state->shares[share].next[at % SPARSE_LINKS_MAX];
        if (state->shares[share].bytes == 0) {
            continue;
        }
        uint32_t columns = state->flows[state->shares[share].flow].space->column_count;
        for (uint32_t i = 1; i < columns; i++) {
            uint32_t column = (state->shares[share].column + i) % columns;
            if (add_step(chain, parent, share, column)) {
                return true;
            }
        }
    }
    return false;
}

bool sparse_relieve(struct sparse_state *state, uint32_t link, uint64_t bytes) {
    struct chain chain = {.state = state, .count = 1};
    chain.steps[0] = (struct step){.link = link, .share = ID_NONE, .bytes = bytes};
    state->seen[link] = ++state->search;
    for (uint32_t i = 0; i < chain.count && state->search_budget > 0; i++) {
        state->search_budget--;
        if (extend(&chain, i)) {
            return move_chain(&chain, chain.count - 1);
        }
    }
    return false;
}
