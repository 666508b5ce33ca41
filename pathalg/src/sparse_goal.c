// SPDX-License-Identifier: Apache-2.0
// What the repair aims at. No plan drains faster than the largest cut: what a leaf (or a region, to
// the cores) sends or receives, over the rate of all its links now; or what one leaf sends another,
// over the rate of the columns that join the two, which is less than either leaf's where both lost
// links. The baseline may be above that,
// because it splits nothing; then the repair of a broken link need not be better than what links
// that are as good as ever still carry.
#include <errno.h>
#include <stdlib.h>

#include "sparse_state.h"

#define HOPS 2 // leaves' links up, and those of the tier above
#define BITS_PER_BYTE 8.0
// Unsplit plans of three tiers may exceed the cut by as much (the baseline is no optimum there).
#define UNSPLIT_EXCESS_MAX 1.04

struct cut {
    double bytes, bps;
};

struct goal {
    struct sparse_state *state;
    struct cut (*cuts)[2]; // by leaf, then by region: outwards and inwards
    double reference_bps[HOPS];
    uint32_t *first_flow, *next_flow; // by leaf, by flow: what a leaf sends
    double *sent;                     // by leaf: what one leaf sends it
};

typedef void link_fn(struct goal *goal, uint32_t hop, uint32_t owner, link_id up);

static void each_route_link(struct goal *goal, const struct grid_space *space, link_fn *each) {
    struct sparse_state *state = goal->state;
    const struct grid *grid = state->input->grid;
    for (uint32_t leaf = 0; leaf < grid->leaf_count; leaf++) {
        for (uint32_t column = 0; column < space->column_count; column++) {
            const struct grid_route *route = grid_route(space, leaf, column);
            for (uint32_t hop = 0; hop < route->link_count; hop++) {
                link_id up = route->links[hop];
                if (state->seen[up.i] != state->search) {
                    state->seen[up.i] = state->search;
                    each(goal, hop, hop == 0 ? leaf : grid->leaf_count + grid->regions[leaf], up);
                }
            }
        }
    }
}

// Each cable between switches once, by its link upwards; owner: the row of its cut.
static void each_link(struct goal *goal, link_fn *each) {
    const struct grid *grid = goal->state->input->grid;
    goal->state->search++;
    each_route_link(goal, &grid->near, each);
    each_route_link(goal, &grid->far, each);
}

static void add_link(struct goal *goal, uint32_t hop, uint32_t owner, link_id up) {
    const struct sparse_input *input = goal->state->input;
    for (unsigned way = 0; way < 2; way++) {
        uint32_t link = way == 0 ? up.i : link_opposite(up).i;
        goal->cuts[owner][way].bps += (double)input->rate_bps[link];
        goal->cuts[owner][way].bytes +=
            input->occupied_bytes != NULL ? input->occupied_bytes[link] : 0;
        double nominal = (double)input->nominal_bps[link];
        if (nominal > goal->reference_bps[hop]) {
            goal->reference_bps[hop] = nominal;
        }
    }
}

static void add_flows(struct goal *goal) {
    const struct sparse_input *input = goal->state->input;
    const struct grid *grid = input->grid;
    for (uint32_t i = 0; i < input->flow_count; i++) {
        const struct sparse_state_flow *flow = &goal->state->flows[i];
        double bytes = flow->served ? (double)input->flows[i].bytes : 0;
        goal->cuts[flow->src_leaf][0].bytes += bytes;
        goal->cuts[flow->dst_leaf][1].bytes += bytes;
        if (flow->space == &grid->far) {
            goal->cuts[grid->leaf_count + grid->regions[flow->src_leaf]][0].bytes += bytes;
            goal->cuts[grid->leaf_count + grid->regions[flow->dst_leaf]][1].bytes += bytes;
        }
    }
}

static double largest_cut_s(const struct goal *goal) {
    const struct grid *grid = goal->state->input->grid;
    double largest = 0;
    for (uint32_t i = 0; i < 2 * (grid->leaf_count + grid->region_count); i++) {
        const struct cut *cut = &goal->cuts[i / 2][i % 2];
        double drain_s = cut->bps > 0 ? cut->bytes * BITS_PER_BYTE / cut->bps : 0;
        largest = drain_s > largest ? drain_s : largest;
    }
    return largest;
}

// ---- pairs of leaves

// At least what joins two leaves of one region: where one lacks a link the other may lack another.
static double least_joint_bps(const struct goal *goal, const struct sparse_state_flow *flow) {
    double whole = goal->reference_bps[0] * flow->space->column_count;
    return goal->cuts[flow->src_leaf][0].bps + goal->cuts[flow->dst_leaf][1].bps - whole;
}

// At most what joins the leaves of a flow. Columns that share their links to the leaves stand next
// to each other in three tiers; where they do not, the bound is only weaker.
static double joint_bps(const struct sparse_state *state, uint32_t flow) {
    const uint64_t *rate_bps = state->input->rate_bps;
    double sum = 0;
    double shared = 0; // of columns with the same links to the leaves
    struct sparse_way way = {0};
    struct sparse_way last = {0};
    for (uint32_t i = 0; i < state->flows[flow].space->column_count; i++) {
        if (!sparse_way(state, flow, i, &way)) {
            continue;
        }
        uint32_t end = way.link_count - 1;
        double up = (double)rate_bps[way.links[0]];
        double down = (double)rate_bps[way.links[end]];
        double ends = up < down ? up : down;
        double inner = ends;
        for (uint32_t j = 1; j < end; j++) {
            double rate = (double)rate_bps[way.links[j]];
            inner = rate < inner ? rate : inner;
        }
        bool same = last.link_count > 0 && last.links[0] == way.links[0] &&
                    last.links[end] == way.links[end];
        double before = same ? shared : 0;
        shared = before + inner < ends ? before + inner : ends;
        sum += shared - before;
        last = way;
    }
    return sum;
}

// What a leaf sends to each other leaf, against what joins them. A region's pairs are looked at
// closely only where they could matter.
static double largest_pair_s(struct goal *goal, uint32_t leaf) {
    const struct sparse_state *state = goal->state;
    for (uint32_t i = goal->first_flow[leaf]; i != ID_NONE; i = goal->next_flow[i]) {
        goal->sent[state->flows[i].dst_leaf] += (double)state->input->flows[i].bytes;
    }
    double largest = 0;
    for (uint32_t i = goal->first_flow[leaf]; i != ID_NONE; i = goal->next_flow[i]) {
        const struct sparse_state_flow *flow = &state->flows[i];
        double bits = goal->sent[flow->dst_leaf] * BITS_PER_BYTE;
        goal->sent[flow->dst_leaf] = 0; // once
        bool near = flow->space == &state->input->grid->near;
        if (bits > 0 && !(near && bits <= state->goal_s * least_joint_bps(goal, flow))) {
            double bps = joint_bps(state, i);
            largest = bps > 0 && bits / bps > largest ? bits / bps : largest;
        }
    }
    return largest;
}

static void list_flows(struct goal *goal) {
    const struct sparse_state *state = goal->state;
    for (uint32_t i = 0; i < state->input->grid->leaf_count; i++) {
        goal->first_flow[i] = ID_NONE;
    }
    for (uint32_t i = 0; i < state->input->flow_count; i++) {
        const struct sparse_state_flow *flow = &state->flows[i];
        if (flow->served) {
            goal->next_flow[i] = goal->first_flow[flow->src_leaf];
            goal->first_flow[flow->src_leaf] = i;
        }
    }
}

// ---- the level

// The load of the baseline, occupied bytes of then included, on links as fast as the fastest.
static void raise_level(struct goal *goal, uint32_t hop, uint32_t owner, link_id up) {
    (void)owner;
    struct sparse_state *state = goal->state;
    const struct sparse_input *input = state->input;
    for (unsigned way = 0; way < 2; way++) {
        uint32_t link = way == 0 ? up.i : link_opposite(up).i;
        double bytes = state->load[link];
        bytes -= input->occupied_bytes != NULL ? input->occupied_bytes[link] : 0;
        bytes += input->occupied_base_bytes != NULL ? input->occupied_base_bytes[link] : 0;
        double drain_s = bytes * BITS_PER_BYTE / goal->reference_bps[hop];
        if ((double)input->rate_bps[link] >= goal->reference_bps[hop] && drain_s > state->level_s) {
            state->level_s = drain_s;
        }
    }
}

static void find_goal(struct goal *goal) {
    struct sparse_state *state = goal->state;
    const struct grid *grid = state->input->grid;
    each_link(goal, add_link);
    add_flows(goal);
    list_flows(goal);
    state->goal_s = largest_cut_s(goal);
    for (uint32_t i = 0; i < grid->leaf_count; i++) {
        double pair_s = largest_pair_s(goal, i);
        state->goal_s = pair_s > state->goal_s ? pair_s : state->goal_s;
    }
    state->level_s = state->goal_s;
    each_link(goal, raise_level);
    if (grid->far.column_count > 0 && state->level_s > UNSPLIT_EXCESS_MAX * state->goal_s) {
        state->level_s = state->goal_s;
    }
}

int sparse_set_goal(struct sparse_state *state) {
    const struct grid *grid = state->input->grid;
    size_t rows = (size_t)grid->leaf_count + grid->region_count + 1;
    struct goal goal = {
        .state = state,
        .cuts = calloc(rows, sizeof goal.cuts[0]),
        .first_flow = calloc(rows, sizeof goal.first_flow[0]),
        .next_flow = calloc((size_t)state->input->flow_count + 1, sizeof goal.next_flow[0]),
        .sent = calloc(rows, sizeof goal.sent[0]),
    };
    int rc = -ENOMEM;
    if (goal.cuts != NULL && goal.first_flow != NULL && goal.next_flow != NULL &&
        goal.sent != NULL) {
        find_goal(&goal);
        rc = 0;
    }
    free(goal.cuts);
    free(goal.first_flow);
    free(goal.next_flow);
    free(goal.sent);
    return rc;
}
