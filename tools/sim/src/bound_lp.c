// SPDX-License-Identifier: Apache-2.0
#include "bound_lp.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "reach.h"

#define WAY_LINKS_MAX 4

// Stages of a packet on its way to the leaf, each a layer of switches.
enum stage {
    STAGE_DOWN,  // a spine or agg, next: the leaf
    STAGE_CORE,  // a core, next: DOWN
    STAGE_CLIMB, // an agg, next: CORE
    STAGE_NEAR,  // a source leaf, next: DOWN
    STAGE_FAR,   // a source leaf, next: CLIMB
};
#define STAGE_SWITCHES 3 // of these are switches between

// How what arrives at a switch goes on: over links without a choice, then to a row where what
// arrives and leaves must balance (ID_NONE: to the leaf itself).
struct way {
    uint32_t row;
    unsigned link_count;
    link_id links[WAY_LINKS_MAX];
};

struct builder {
    const struct traffic *traffic;
    struct reach reach; // aimed at the current leaf
    struct lp *lp;
    double bytes_unit, rate_unit;     // what 1 means in the program
    uint32_t *link_rows;              // by directed link; ID_NONE: no variable uses it yet
    bool *used[STAGE_SWITCHES];       // by node
    struct way *ways[STAGE_SWITCHES]; // by node
};

static enum stage stage_after(enum stage stage) {
    static const enum stage after[] = {
        [STAGE_CORE] = STAGE_DOWN,
        [STAGE_CLIMB] = STAGE_CORE,
        [STAGE_NEAR] = STAGE_DOWN,
        [STAGE_FAR] = STAGE_CLIMB,
    };
    assert(stage != STAGE_DOWN);
    return after[stage];
}

// Whether a link is a step of a live shortest way to the leaf.
static bool leads(const struct builder *builder, enum stage stage,
                  const struct fabric_adjacency *next) {
    const struct reach *reach = &builder->reach;
    const struct fabric_node *peer = &reach->fabric->nodes[next->peer.i];
    if (reach->rate_bps[next->link.i] == 0) {
        return false;
    }
    switch (stage) {
    case STAGE_DOWN:
        return next->peer.i == reach->leaf.i;
    case STAGE_CORE:
        return peer->tier == 2 && peer->pod == reach->fabric->nodes[reach->leaf.i].pod &&
               reach->down[next->peer.i] > 0;
    case STAGE_CLIMB:
        return peer->tier == 3 && reach->down[next->peer.i] > 0;
    case STAGE_NEAR:
        return peer->tier == 2 && reach->down[next->peer.i] > 0;
    case STAGE_FAR:
        return peer->tier == 2 && reach->over[next->peer.i] > 0;
    }
    return false;
}

static const struct fabric_adjacency *links_of(const struct builder *builder, uint32_t node,
                                               uint32_t *count) {
    const struct fabric *fabric = builder->traffic->fabric;
    *count = fabric->nodes[node].adjacency_count;
    return &fabric->adjacencies[fabric->nodes[node].first_adjacency];
}

static void mark_next(struct builder *builder, enum stage stage, uint32_t node) {
    uint32_t count = 0;
    const struct fabric_adjacency *links = links_of(builder, node, &count);
    for (uint32_t i = 0; i < count; i++) {
        if (leads(builder, stage, &links[i])) {
            builder->used[stage_after(stage)][links[i].peer.i] = true;
        }
    }
}

static uint32_t link_row(struct builder *builder, link_id link) {
    uint32_t *row = &builder->link_rows[link.i];
    if (*row == ID_NONE) {
        *row = lp_row(builder->lp, -LP_FREE, 0);
    }
    return *row;
}

// The way of one link out of a switch, and of what comes after it.
static struct way way_over(const struct builder *builder, enum stage stage,
                           const struct fabric_adjacency *next) {
    struct way way = {.row = ID_NONE, .link_count = 1, .links = {next->link}};
    if (stage != STAGE_DOWN) {
        const struct way *after = &builder->ways[stage_after(stage)][next->peer.i];
        way.row = after->row;
        for (unsigned i = 0; i < after->link_count; i++) {
            assert(way.link_count < WAY_LINKS_MAX);
            way.links[way.link_count++] = after->links[i];
        }
    }
    return way;
}

// A variable for each link out of a switch, in the row of what arrives there.
static void add_variables(struct builder *builder, enum stage stage, uint32_t node, uint32_t row) {
    uint32_t count = 0;
    const struct fabric_adjacency *links = links_of(builder, node, &count);
    for (uint32_t i = 0; i < count; i++) {
        if (!leads(builder, stage, &links[i])) {
            continue;
        }
        struct way way = way_over(builder, stage, &links[i]);
        uint32_t rows[WAY_LINKS_MAX];
        for (unsigned j = 0; j < way.link_count; j++) {
            rows[j] = link_row(builder, way.links[j]);
        }
        lp_column(builder->lp, 0);
        lp_entry(builder->lp, row, 1);
        if (way.row != ID_NONE) {
            lp_entry(builder->lp, way.row, -1);
        }
        for (unsigned j = 0; j < way.link_count; j++) {
            lp_entry(builder->lp, rows[j], 1);
        }
    }
}

static void add_switch(struct builder *builder, enum stage stage, uint32_t node) {
    uint32_t count = 0, leading = 0, only = 0;
    const struct fabric_adjacency *links = links_of(builder, node, &count);
    for (uint32_t i = 0; i < count; i++) {
        if (leads(builder, stage, &links[i])) {
            leading++;
            only = i;
        }
    }
    assert(leading > 0);
    struct way *way = &builder->ways[stage][node];
    if (leading == 1) {
        *way = way_over(builder, stage, &links[only]);
    } else {
        *way = (struct way){.row = lp_row(builder->lp, 0, 0)};
        add_variables(builder, stage, node, way->row);
    }
}

// Which sources there are for the current leaf, and how they get there.
static enum stage source_stage(const struct builder *builder, uint32_t from) {
    bool over = false;
    reach_paths(&builder->reach, builder->traffic->leaves[from], &over);
    return over ? STAGE_FAR : STAGE_NEAR;
}

static double source_bytes(const struct builder *builder, uint32_t from, uint32_t to) {
    const struct traffic *traffic = builder->traffic;
    return (double)traffic->bytes[(size_t)from * traffic->leaf_count + to] / builder->bytes_unit;
}

static void mark_switches(struct builder *builder, uint32_t to) {
    const struct fabric *fabric = builder->traffic->fabric;
    for (unsigned stage = 0; stage < STAGE_SWITCHES; stage++) {
        for (uint32_t i = 0; i < fabric->node_count; i++) {
            builder->used[stage][i] = false;
        }
    }
    for (uint32_t from = 0; from < builder->traffic->leaf_count; from++) {
        if (source_bytes(builder, from, to) > 0) {
            mark_next(builder, source_stage(builder, from), builder->traffic->leaves[from].i);
        }
    }
    for (unsigned stage = STAGE_SWITCHES; stage-- > STAGE_CORE;) {
        for (uint32_t i = fabric->host_count; i < fabric->node_count; i++) {
            if (builder->used[stage][i]) {
                mark_next(builder, (enum stage)stage, i);
            }
        }
    }
}

static void add_leaf(struct builder *builder, uint32_t to) {
    const struct traffic *traffic = builder->traffic;
    reach_aim(&builder->reach, traffic->leaves[to]);
    mark_switches(builder, to);
    for (unsigned stage = STAGE_DOWN; stage < STAGE_SWITCHES; stage++) {
        for (uint32_t i = traffic->fabric->host_count; i < traffic->fabric->node_count; i++) {
            if (builder->used[stage][i]) {
                add_switch(builder, (enum stage)stage, i);
            }
        }
    }
    for (uint32_t from = 0; from < traffic->leaf_count; from++) {
        double bytes = source_bytes(builder, from, to);
        if (bytes > 0) {
            add_variables(builder, source_stage(builder, from), traffic->leaves[from].i,
                          lp_row(builder->lp, bytes, bytes));
        }
    }
}

// The variable that is minimised: the time.
static void add_time(struct builder *builder) {
    const struct traffic *traffic = builder->traffic;
    lp_column(builder->lp, 1);
    for (uint32_t i = 0; i < fabric_link_count(traffic->fabric); i++) {
        if (builder->link_rows[i] != ID_NONE) {
            lp_entry(builder->lp, builder->link_rows[i],
                     -(double)traffic->rate_bps[i] / builder->rate_unit);
        }
    }
}

// Units that make the largest leaf's bytes and the fastest link 1. False when nothing is sent.
static bool choose_units(struct builder *builder) {
    const struct traffic *traffic = builder->traffic;
    for (uint32_t from = 0; from < traffic->leaf_count; from++) {
        double sum = 0;
        for (uint32_t to = 0; to < traffic->leaf_count; to++) {
            sum += (double)traffic->bytes[(size_t)from * traffic->leaf_count + to];
        }
        builder->bytes_unit = sum > builder->bytes_unit ? sum : builder->bytes_unit;
    }
    for (uint32_t i = 0; i < fabric_link_count(traffic->fabric); i++) {
        double rate = (double)traffic->rate_bps[i];
        if (fabric_link_is_internal(traffic->fabric, (link_id){i}) && rate > builder->rate_unit) {
            builder->rate_unit = rate;
        }
    }
    return builder->bytes_unit > 0;
}

static void builder_fini(struct builder *builder) {
    reach_fini(&builder->reach);
    lp_close(builder->lp);
    free(builder->link_rows);
    for (unsigned i = 0; i < STAGE_SWITCHES; i++) {
        free(builder->used[i]);
        free(builder->ways[i]);
    }
}

static int builder_init(struct builder *builder) {
    const struct fabric *fabric = builder->traffic->fabric;
    uint32_t links = fabric_link_count(fabric);
    bool whole = reach_init(&builder->reach, fabric, builder->traffic->rate_bps) == 0;
    builder->lp = lp_open();
    builder->link_rows = calloc((size_t)links + 1, sizeof builder->link_rows[0]);
    whole = whole && builder->lp != NULL && builder->link_rows != NULL;
    for (unsigned i = 0; i < STAGE_SWITCHES; i++) {
        builder->used[i] = calloc((size_t)fabric->node_count + 1, sizeof builder->used[i][0]);
        builder->ways[i] = calloc((size_t)fabric->node_count + 1, sizeof builder->ways[i][0]);
        whole = whole && builder->used[i] != NULL && builder->ways[i] != NULL;
    }
    for (uint32_t i = 0; whole && i < links; i++) {
        builder->link_rows[i] = ID_NONE;
    }
    return whole ? 0 : -ENOMEM;
}

int bound_lp(const struct traffic *traffic, struct lp_bound *out, struct error *error) {
    struct builder builder = {.traffic = traffic};
    if (!choose_units(&builder)) {
        *out = (struct lp_bound){0};
        return 0;
    }
    int rc = builder_init(&builder);
    struct lp_result result = {0};
    if (rc == 0) {
        for (uint32_t to = 0; to < traffic->leaf_count && !lp_is_full(builder.lp); to++) {
            add_leaf(&builder, to);
        }
        add_time(&builder);
        rc = lp_solve(builder.lp, &result, error);
    } else {
        error_set(error, rc, "no memory for the linear program");
    }
    if (rc == 0) {
        double unit_s = builder.bytes_unit * 8 / builder.rate_unit;
        *out = (struct lp_bound){.bound_s = result.optimum * unit_s, .program = result};
    }
    builder_fini(&builder);
    return rc;
}
