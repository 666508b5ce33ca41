// SPDX-License-Identifier: Apache-2.0
// One host's flows: the column of each, its path and its backup.
#include "shared.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "demands.h"
#include "enumerate.h"
#include "live.h"
#include "model/rng.h"
#include "planner.h"
#include "shared_backup.h"
#include "shared_facts.h"

// What is known of the columns from the current source port to one leaf.
struct lane {
    uint32_t src;      // the port that it is of; ID_NONE: none yet
    uint32_t unjoined; // the port from which no way leads there; ID_NONE: none yet
};

// How far the parts of a listed pair have been given to the flows of that pair.
struct ride {
    uint32_t pair;              // in the tier's list; ID_NONE: none yet
    uint32_t first, part_count; // in the tier's placement
    uint32_t part;              // of the pair's
    uint64_t room;              // what is left of it
    uint32_t largest;           // part, which takes what the flows have beyond the listed bytes
    uint64_t beyond;
};

struct placer {
    struct shared *shared;
    const struct plan_input *input;
    struct plan *plan;
    struct lane *lanes; // by leaf
    bool *lives;        // by leaf and column
    uint32_t *turns;    // by leaf and column: backups given
    struct ride *rides; // by tier
};

// The flow in work.
struct trip {
    struct plan_flow *flow;
    uint32_t leaves[2]; // from, to
};

static size_t lane_cell(const struct placer *placer, uint32_t leaf) {
    return (size_t)leaf * placer->shared->grid->column_max;
}

// ---- columns that live

static void enter_lane(struct placer *placer, const struct trip *trip) {
    const struct grid *grid = placer->shared->grid;
    struct lane *lane = &placer->lanes[trip->leaves[1]];
    if (lane->src != trip->flow->src.i) {
        size_t first = lane_cell(placer, trip->leaves[1]);
        uint32_t count = grid_between(grid, trip->leaves[0], trip->leaves[1])->column_count;
        for (uint32_t c = 0; c < count; c++) {
            placer->lives[first + c] = grid_column_lives(grid, placer->shared->live_bps,
                                                         trip->leaves[0], trip->leaves[1], c);
            placer->turns[first + c] = 0;
        }
        lane->src = trip->flow->src.i;
    }
}

// Successive turns go round the other columns, as backup_rotate does over candidates.
static uint32_t backup_column(struct placer *placer, const struct trip *trip, uint32_t column) {
    const struct grid *grid = placer->shared->grid;
    uint32_t count = grid_between(grid, trip->leaves[0], trip->leaves[1])->column_count;
    size_t cell = lane_cell(placer, trip->leaves[1]);
    const bool *lives = &placer->lives[cell];
    uint64_t turn = (uint64_t)placer->turns[cell + column]++ + trip->flow->src.i + trip->leaves[1];
    uint32_t others = count - 1;
    uint32_t first = others > 0 ? (uint32_t)(turn % others) : 0;
    for (uint32_t i = 0; i < others; i++) {
        uint32_t at = (column + 1 + (first + i) % others) % count;
        if (lives[at] && !columns_meet(grid, trip->leaves, at, column)) {
            return at;
        }
    }
    return ID_NONE;
}

// ---- parts

static int add_part(struct placer *placer, const struct trip *trip, const struct plan_part *part) {
    struct plan *plan = placer->plan;
    int rc = array_reserve((void **)&plan->parts, &plan->part_capacity, plan->part_count,
                           sizeof plan->parts[0]);
    if (rc != 0) {
        return rc;
    }
    if (trip->flow->part_count == 0) {
        trip->flow->first_part = plan->part_count;
    }
    plan->parts[plan->part_count++] = *part;
    trip->flow->part_count++;
    return 0;
}

// Where no other column will do, candidates.h may have ways that are none.
static int emit(struct placer *placer, const struct trip *trip, uint32_t column, uint32_t backup,
                uint64_t bytes) {
    const struct grid *grid = placer->shared->grid;
    const struct plan_flow *flow = trip->flow;
    struct plan_part part = {.bytes = bytes};
    grid_path(grid, flow->src, flow->dst, column, &part.path);
    if (backup != ID_NONE) {
        grid_path(grid, flow->src, flow->dst, backup, &part.backup);
    } else {
        backup_find(placer->shared->fabric, placer->input->beliefs, flow->src, flow->dst,
                    &part.path, hash_pair(flow->src.i, flow->dst.i), &part.backup);
    }
    return add_part(placer, trip, &part);
}

// ---- pairs that no column joins

struct pick {
    uint32_t ordinal;
    struct path path;
};

static void visit_pick(void *context, uint32_t ordinal, const struct path *path) {
    struct pick *pick = context;
    if (ordinal == pick->ordinal) {
        pick->path = *path;
    }
}

static int go_elsewhere(struct placer *placer, const struct trip *trip) {
    const struct plan_flow *flow = trip->flow;
    const struct fabric *fabric = placer->shared->fabric;
    const struct link_belief *beliefs = placer->input->beliefs;
    struct lane *lane = &placer->lanes[trip->leaves[1]];
    uint32_t count = lane->unjoined == flow->src.i
                         ? 0
                         : candidates_find(fabric, beliefs, flow->src, flow->dst, NULL, 0);
    if (count == 0) {
        lane->unjoined = flow->src.i;
        return 0;
    }
    uint64_t hash = hash_pair(flow->src.i, flow->dst.i);
    struct pick pick = {.ordinal = (uint32_t)(hash % count)};
    candidates_enumerate(fabric, beliefs, flow->src, flow->dst, visit_pick, &pick);
    struct plan_part part = {.bytes = flow->bytes, .path = pick.path};
    backup_find(fabric, beliefs, flow->src, flow->dst, &part.path, hash, &part.backup);
    return add_part(placer, trip, &part);
}

// ---- listed flows

// What flows of the tier have for the pair of this one; they stand side by side.
static uint64_t pair_bytes(const struct placer *placer, const struct plan_flow *flow) {
    const struct plan *plan = placer->plan;
    uint64_t bytes = 0;
    for (const struct plan_flow *at = flow; at < plan->flows + plan->flow_count; at++) {
        if (at->src.i != flow->src.i || at->dst.i != flow->dst.i) {
            break;
        }
        bytes +=
            placer->shared->tier_of[at->job] == placer->shared->tier_of[flow->job] ? at->bytes : 0;
    }
    return bytes;
}

static void board_part(const struct tier *tier, struct ride *ride, uint32_t part) {
    ride->part = part;
    ride->room =
        tier->placed.parts[ride->first + part].bytes + (part == ride->largest ? ride->beyond : 0);
}

static void begin_ride(const struct tier *tier, uint32_t pair, uint64_t bytes, struct ride *ride) {
    *ride = (struct ride){.pair = pair};
    ride->part_count = tier_parts(tier, pair, &ride->first);
    const struct sparse_part *parts = &tier->placed.parts[ride->first];
    for (uint32_t i = 1; i < ride->part_count; i++) {
        ride->largest = parts[i].bytes > parts[ride->largest].bytes ? i : ride->largest;
    }
    assert(bytes >= tier->list.flows[pair].bytes);
    ride->beyond = bytes - tier->list.flows[pair].bytes;
    if (ride->part_count > 0) {
        board_part(tier, ride, 0);
    }
}

// The flows of a pair fill its parts one after the other.
static int go_listed(struct placer *placer, const struct trip *trip, uint32_t pair) {
    uint32_t tier_index = placer->shared->tier_of[trip->flow->job];
    const struct tier *tier = &placer->shared->tiers[tier_index];
    struct ride *ride = &placer->rides[tier_index];
    if (ride->pair != pair) {
        begin_ride(tier, pair, pair_bytes(placer, trip->flow), ride);
    }
    if (ride->part_count == 0) {
        return go_elsewhere(placer, trip);
    }
    for (uint64_t left = trip->flow->bytes; left > 0;) {
        if (ride->room == 0) {
            assert(ride->part + 1 < ride->part_count);
            board_part(tier, ride, ride->part + 1);
        }
        uint64_t bytes = left < ride->room ? left : ride->room;
        uint32_t part = ride->first + ride->part;
        int rc = emit(placer, trip, tier->placed.parts[part].column, tier->backups[part], bytes);
        if (rc != 0) {
            return rc;
        }
        left -= bytes;
        ride->room -= bytes;
    }
    return 0;
}

// ---- dense flows

static int go_dense(struct placer *placer, const struct trip *trip) {
    struct shared *shared = placer->shared;
    uint32_t tier_index = shared->tier_of[trip->flow->job];
    const struct view_input input = {
        .tier = &shared->tiers[tier_index],
        .tier_index = tier_index,
        .tier_of = shared->tier_of,
        .shapes = shared->shapes,
        .jobs = placer->input->jobs,
        .job_count = shared->job_count,
    };
    struct view *view;
    uint32_t column;
    assert(shared->shapes[trip->flow->job].dense != 0); // else it is listed
    int rc = shared_view(shared, &input, trip->leaves[0], &view);
    if (rc == 0 && view_column(view, &input, trip->flow, &column, &rc)) {
        enter_lane(placer, trip);
        return emit(placer, trip, column, backup_column(placer, trip, column), trip->flow->bytes);
    }
    return rc != 0 ? rc : go_elsewhere(placer, trip);
}

// ---- all flows

static int go_local(struct placer *placer, const struct trip *trip) {
    const struct plan_flow *flow = trip->flow;
    const struct fabric *fabric = placer->shared->fabric;
    struct plan_part part = {.bytes = flow->bytes};
    part.path.link_count = 2;
    part.path.links[0] = port_uplink(fabric, flow->src);
    part.path.links[1] = port_downlink(fabric, flow->dst);
    return add_part(placer, trip, &part);
}

static int place_flow(struct placer *placer, struct plan_flow *flow) {
    const struct shared *shared = placer->shared;
    const struct fabric *fabric = shared->fabric;
    const uint64_t *live_bps = shared->live_bps;
    struct trip trip = {
        .flow = flow,
        .leaves = {shared->grid->leaf_index[fabric->ports[flow->src.i].leaf.i],
                   shared->grid->leaf_index[fabric->ports[flow->dst.i].leaf.i]},
    };
    uint32_t pair;
    if (live_bps[port_uplink(fabric, flow->src).i] == 0 ||
        live_bps[port_downlink(fabric, flow->dst).i] == 0) {
        return 0;
    }
    if (trip.leaves[0] == trip.leaves[1]) {
        return go_local(placer, &trip);
    }
    if (flow_list_find(&shared->tiers[shared->tier_of[flow->job]].list, flow->src, flow->dst,
                       &pair)) {
        return go_listed(placer, &trip, pair);
    }
    return go_dense(placer, &trip);
}

static int place_all(struct placer *placer) {
    const struct shared *shared = placer->shared;
    for (uint32_t i = 0; i < shared->grid->leaf_count; i++) {
        placer->lanes[i] = (struct lane){ID_NONE, ID_NONE};
    }
    for (uint32_t i = 0; i < shared->tier_count; i++) {
        placer->rides[i].pair = ID_NONE;
    }
    int rc = 0;
    for (uint32_t i = 0; i < placer->plan->flow_count && rc == 0; i++) {
        struct plan_flow *flow = &placer->plan->flows[i];
        if (shared->tier_of[flow->job] != ID_NONE) {
            rc = place_flow(placer, flow);
        }
    }
    return rc;
}

int shared_assign(struct shared *shared, const struct plan_input *input, struct plan *plan) {
    int rc = shared_update(shared, input);
    if (rc != 0) {
        return rc;
    }
    size_t leaves = shared->grid->leaf_count, columns = shared->grid->column_max;
    struct placer placer = {
        .shared = shared,
        .input = input,
        .plan = plan,
        .lanes = calloc(leaves + 1, sizeof placer.lanes[0]),
        .lives = calloc(leaves * columns + 1, sizeof placer.lives[0]),
        .turns = calloc(leaves * columns + 1, sizeof placer.turns[0]),
        .rides = calloc(shared->tier_count + 1, sizeof placer.rides[0]),
    };
    rc =
        placer.lanes == NULL || placer.lives == NULL || placer.turns == NULL || placer.rides == NULL
            ? -ENOMEM
            : place_all(&placer);
    free(placer.lanes);
    free(placer.lives);
    free(placer.turns);
    free(placer.rides);
    return rc;
}

const struct algorithm algorithm_shared = {.name = "shared", .since_version = 2, .spray = false};
