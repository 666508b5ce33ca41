// SPDX-License-Identifier: Apache-2.0
// The last resort, for what neither room nor chains could bring down to the level (in three tiers,
// where a column has four links, or where no plan reaches the goal) and for crumbs: parts on
// overloaded links move to where that lowers the sum over all links of utilisation^p. It is convex,
// so small steps come to its least, and with a large p that has the least highest utilisation. It
// begins with p = 32, whose slopes reach farther, and ends with p = 256.
//
// Where that does not suffice it is done again, and parts on links that are nearly full move, too:
// in a ring of leaves that lost different links, each leaf's flows hinder the next leaf's, and what
// is too much for one must be spread over all.
#include "sparse_state.h"

#define SQUARINGS_FIRST 5
#define SQUARINGS_LAST 8
#define ROUNDS_MAX 48 // with one p
#define HALVINGS_MAX 8
#define TRIES_MAX 1000000 // columns looked at, in all: about a microsecond each
#define TOLERANCE 1.005   // of the level; what is below is good enough

// Parts on links of this utilisation (of the level and the tolerance) or less are left alone.
static const double floors[] = {1, 0.97};

struct smoothing {
    struct sparse_state *state;
    double highest; // utilisation when the round began
    uint32_t squarings;
    double floor;
    uint32_t *tries; // that are left
};

// x^(2^squarings)
static double power(const struct smoothing *smoothing, double x) {
    for (uint32_t i = 0; i < smoothing->squarings; i++) {
        x *= x;
    }
    return x;
}

static double utilisation(const struct sparse_state *state, uint32_t link) {
    return state->limit[link] > 0 ? state->load[link] / state->limit[link] : 0;
}

// What the sum gains on the links of `way` that are not of `other` by adding bytes to them.
static double gain_on(const struct smoothing *smoothing, const struct sparse_way *way,
                      const struct sparse_way *other, double bytes) {
    const struct sparse_state *state = smoothing->state;
    double gain = 0;
    for (uint32_t i = 0; i < way->link_count; i++) {
        uint32_t link = way->links[i];
        if (!sparse_crosses(other, link)) {
            double now = state->load[link] / state->limit[link];
            double then = (state->load[link] + bytes) / state->limit[link];
            gain += power(smoothing, then / smoothing->highest) -
                    power(smoothing, now / smoothing->highest);
        }
    }
    return gain;
}

static double gain_of_move(const struct smoothing *smoothing, const struct sparse_way *from,
                           const struct sparse_way *to, uint64_t bytes) {
    return gain_on(smoothing, to, from, (double)bytes) +
           gain_on(smoothing, from, to, -(double)bytes);
}

static bool is_alive(const struct sparse_state *state, const struct sparse_way *way) {
    for (uint32_t i = 0; i < way->link_count; i++) {
        if (state->limit[way->links[i]] <= 0) {
            return false;
        }
    }
    return true;
}

struct proposal {
    uint32_t column;
    uint64_t bytes;
    double gain; // below 0
};

// The best of some numbers of bytes, the whole share among them.
static void try_column(const struct smoothing *smoothing, uint32_t share, uint32_t column,
                       struct proposal *best) {
    const struct sparse_state *state = smoothing->state;
    const struct sparse_share *moved = &state->shares[share];
    struct sparse_way from, to;
    if (column == moved->column || !sparse_may_part(state, moved->flow, column) ||
        !sparse_way(state, moved->flow, column, &to) || !is_alive(state, &to) ||
        !sparse_way(state, moved->flow, moved->column, &from)) {
        return;
    }
    uint64_t worth = sparse_worth(state, moved->flow);
    uint64_t bytes = moved->bytes;
    for (uint32_t i = 0; i < HALVINGS_MAX && bytes > 0; i++) {
        if (i > 0 && (bytes < worth || moved->bytes - bytes < worth)) {
            return;
        }
        double gain = gain_of_move(smoothing, &from, &to, bytes);
        if (gain < best->gain) {
            *best = (struct proposal){.column = column, .bytes = bytes, .gain = gain};
        }
        bytes /= 2;
    }
}

static bool smooth_share(const struct smoothing *smoothing, uint32_t share) {
    struct sparse_state *state = smoothing->state;
    uint32_t flow = state->shares[share].flow;
    uint32_t columns = state->flows[flow].space->column_count;
    struct proposal best = {.column = ID_NONE};
    if (*smoothing->tries < columns) {
        return false;
    }
    *smoothing->tries -= columns;
    for (uint32_t i = 0; i < columns; i++) {
        try_column(smoothing, share, i, &best);
    }
    if (best.column == ID_NONE) {
        return false;
    }
    sparse_take(state, share, best.bytes);
    sparse_put(state, flow, best.column, best.bytes);
    return state->rc == 0;
}

static bool smooth_link(const struct smoothing *smoothing, uint32_t link) {
    struct sparse_state *state = smoothing->state;
    bool progress = false;
    for (uint32_t at = state->first_place[link]; at != ID_NONE;) {
        uint32_t share = at / SPARSE_LINKS_MAX;
        at = state->shares[share].next[at % SPARSE_LINKS_MAX];
        if (utilisation(state, link) <= smoothing->floor) {
            return progress;
        }
        if (state->shares[share].bytes > 0) {
            progress = smooth_share(smoothing, share) || progress;
        }
    }
    return progress;
}

static bool has_part(const struct sparse_state *state, uint32_t link) {
    uint32_t at = state->first_place[link];
    while (at != ID_NONE && state->shares[at / SPARSE_LINKS_MAX].bytes == 0) {
        at = state->shares[at / SPARSE_LINKS_MAX].next[at % SPARSE_LINKS_MAX];
    }
    return at != ID_NONE;
}

// Of links with parts that could leave; what else occupies a link does not.
static double highest_utilisation(const struct sparse_state *state) {
    uint32_t links = fabric_link_count(state->input->grid->fabric);
    double highest = 0;
    for (uint32_t i = 0; i < links; i++) {
        double here = utilisation(state, i);
        if (here > highest && has_part(state, i)) {
            highest = here;
        }
    }
    return highest;
}

static bool smooth_links(const struct smoothing *smoothing) {
    const struct sparse_state *state = smoothing->state;
    uint32_t links = fabric_link_count(state->input->grid->fabric);
    bool progress = false;
    for (uint32_t i = 0; i < links; i++) {
        if (utilisation(state, i) > smoothing->floor) {
            progress = smooth_link(smoothing, i) || progress;
        }
    }
    return progress;
}

// Until nothing moves any more.
static void smooth_with(struct sparse_state *state, uint32_t squarings, double floor,
                        uint32_t *tries) {
    bool progress = true;
    for (uint32_t round = 0; round < ROUNDS_MAX && progress && state->rc == 0; round++) {
        struct smoothing smoothing = {.state = state,
                                      .highest = highest_utilisation(state),
                                      .squarings = squarings,
                                      .floor = floor,
                                      .tries = tries};
        progress = smoothing.highest > 1 && smooth_links(&smoothing);
    }
}

void sparse_smooth(struct sparse_state *state) {
    uint32_t tries = TRIES_MAX;
    sparse_set_limits(state, TOLERANCE);
    for (size_t i = 0; i < sizeof floors / sizeof floors[0]; i++) {
        for (uint32_t j = SQUARINGS_FIRST; j <= SQUARINGS_LAST; j++) {
            smooth_with(state, j, floors[i], &tries);
        }
    }
}
