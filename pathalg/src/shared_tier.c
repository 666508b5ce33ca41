// SPDX-License-Identifier: Apache-2.0
#include "shared_tier.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/rule.h"
#include "shared_backup.h"

static size_t link_count(const struct tier *tier) {
    return fabric_link_count(tier->grid->fabric);
}

// ---- demands

static uint64_t largest(const uint64_t *values, uint32_t count) {
    uint64_t most = 0;
    for (uint32_t i = 0; i < count; i++) {
        most = values[i] > most ? values[i] : most;
    }
    return most;
}

// A reservation is for the rank that sends most; others need less in the same time.
static int take_member(struct tier *tier, const struct plan_job *job, const struct shape *shape) {
    if (job->job->reserved_bps == 0) {
        return shape_list(tier->grid, job, shape, &tier->list, NULL);
    }
    uint64_t *sent = calloc(job->rank_count > 0 ? job->rank_count : 1, sizeof sent[0]);
    if (sent == NULL) {
        return -ENOMEM;
    }
    int rc = shape_list(tier->grid, job, shape, &tier->list, sent);
    rc = rc != 0 ? rc : demand_add_sent(tier->grid, job, shape, sent);
    tier->reserved_bps = job->job->reserved_bps;
    tier->rank_bytes = largest(sent, job->rank_count);
    free(sent);
    return rc;
}

int tier_open(const struct grid *grid, const struct demand_jobs *jobs, struct tier *out) {
    struct tier tier = {.grid = grid};
    int rc = demand_build(grid, jobs, &tier.demand);
    for (uint32_t i = 0; rc == 0 && i < jobs->member_count; i++) {
        uint32_t member = jobs->members[i];
        rc = take_member(&tier, &jobs->jobs[member], &jobs->shapes[member]);
    }
    if (rc != 0) {
        tier_fini(&tier);
        return rc;
    }
    flow_list_merge(&tier.list);
    if (tier.list.count > 0) {
        rc = sparse_baseline_open(grid, tier.list.flows, tier.list.count, &tier.listed_base);
    }
    if (rc != 0) {
        tier_fini(&tier);
        return rc;
    }
    *out = tier;
    return 0;
}

static void forget_now(struct tier *tier) {
    if (tier->now != tier->base) {
        waterfill_close(tier->now);
    }
    tier->now = NULL;
    sparse_placement_fini(&tier->placed);
    tier->placed = (struct sparse_placement){0};
    free(tier->backups);
    tier->backups = NULL;
}

void tier_fini(struct tier *tier) {
    forget_now(tier);
    waterfill_close(tier->base);
    free(tier->base_loads);
    free(tier->base_bps);
    sparse_baseline_close(tier->listed_base);
    free(tier->list.flows);
    demand_fini(&tier->demand);
    *tier = (struct tier){0};
}

// ---- loads and what they reserve

static void add_route(const struct grid_route *route, bool down, double bytes, double *loads) {
    for (uint32_t i = 0; i < route->link_count; i++) {
        loads[down ? link_opposite(route->links[i]).i : route->links[i].i] += bytes;
    }
}

static void add_placed(const struct tier *tier, double *loads) {
    const struct grid *grid = tier->grid;
    const struct fabric_port *ports = grid->fabric->ports;
    for (uint32_t i = 0; i < tier->placed.part_count; i++) {
        const struct sparse_part *part = &tier->placed.parts[i];
        const struct sparse_flow *flow = &tier->list.flows[part->flow];
        uint32_t from = grid->leaf_index[ports[flow->src.i].leaf.i];
        uint32_t to = grid->leaf_index[ports[flow->dst.i].leaf.i];
        const struct grid_space *space = grid_between(grid, from, to);
        add_route(grid_route(space, from, part->column), false, (double)part->bytes, loads);
        add_route(grid_route(space, to, part->column), true, (double)part->bytes, loads);
    }
}

int tier_add_reserved(const struct tier *tier, double *link_bps) {
    if (tier->reserved_bps == 0 || tier->rank_bytes == 0) {
        return 0;
    }
    double *loads = calloc(link_count(tier), sizeof loads[0]);
    if (loads == NULL) {
        return -ENOMEM;
    }
    if (tier->now != NULL) {
        waterfill_add_loads(tier->now, loads);
    }
    add_placed(tier, loads);
    double ratio = (double)tier->reserved_bps / (double)tier->rank_bytes;
    for (size_t i = 0; i < link_count(tier); i++) {
        link_bps[i] += loads[i] * ratio;
    }
    free(loads);
    return 0;
}

static int subtract_reserved(const struct tier *tier, uint64_t *rate_bps) {
    if (tier->reserved_bps == 0) {
        return 0;
    }
    double *taken = calloc(link_count(tier), sizeof taken[0]);
    int rc = taken != NULL ? tier_add_reserved(tier, taken) : -ENOMEM;
    for (size_t i = 0; rc == 0 && i < link_count(tier); i++) {
        uint64_t most = rate_bps[i] / 100 * RESERVED_PERCENT_MAX;
        rate_bps[i] -= taken[i] < (double)most ? (uint64_t)taken[i] : most;
    }
    free(taken);
    return rc;
}

// ---- the baseline

static int place_listed(struct tier *tier, const uint64_t *rate_bps, const double *loads) {
    const struct sparse_input input = {
        .grid = tier->grid,
        .nominal_bps = tier->base_bps,
        .rate_bps = rate_bps,
        .occupied_base_bytes = tier->base_loads,
        .occupied_bytes = loads,
        .flows = tier->list.flows,
        .flow_count = tier->list.count,
        .parts_max = RULE_PATHS_MAX,
        .baseline = tier->listed_base,
    };
    return tier->list.count > 0 ? sparse_place(&input, &tier->placed) : 0;
}

static int fill(const struct tier *tier, const uint64_t *rate_bps, struct waterfill **out) {
    struct waterfill_result result;
    return tier->demand.kind_count > 0
               ? waterfill_open(tier->grid, rate_bps, &tier->demand, out, &result)
               : 0;
}

static int add_loads(const struct tier *tier, const struct waterfill *waterfill, double **out) {
    if (waterfill == NULL || tier->list.count == 0) {
        return 0; // nobody asks for them
    }
    *out = calloc(link_count(tier), sizeof *out[0]);
    if (*out == NULL) {
        return -ENOMEM;
    }
    waterfill_add_loads(waterfill, *out);
    return 0;
}

int tier_lay(struct tier *tier, uint64_t *rate_bps) {
    tier->base_bps = malloc(link_count(tier) * sizeof rate_bps[0]);
    if (tier->base_bps == NULL) {
        return -ENOMEM;
    }
    memcpy(tier->base_bps, rate_bps, link_count(tier) * sizeof rate_bps[0]);
    int rc = fill(tier, rate_bps, &tier->base);
    rc = rc != 0 ? rc : add_loads(tier, tier->base, &tier->base_loads);
    if (rc != 0 || tier->reserved_bps == 0) {
        return rc;
    }
    tier->now = tier->base;
    rc = place_listed(tier, rate_bps, tier->base_loads);
    rc = rc != 0 ? rc : subtract_reserved(tier, rate_bps);
    forget_now(tier);
    return rc;
}

// ---- now

static int choose_backups(struct tier *tier, const uint64_t *rate_bps) {
    const struct backup_input input = {
        .grid = tier->grid,
        .rate_bps = rate_bps,
        .flows = tier->list.flows,
        .parts = tier->placed.parts,
        .part_count = tier->placed.part_count,
    };
    tier->backups = calloc((size_t)tier->placed.part_count + 1, sizeof tier->backups[0]);
    return tier->backups != NULL ? backup_choose(&input, tier->backups) : -ENOMEM;
}

int tier_follow(struct tier *tier, uint64_t *rate_bps) {
    forget_now(tier);
    double *loads = NULL;
    int rc = 0;
    if (memcmp(rate_bps, tier->base_bps, link_count(tier) * sizeof rate_bps[0]) == 0) {
        tier->now = tier->base;
    } else {
        rc = fill(tier, rate_bps, &tier->now);
    }
    rc = rc != 0 ? rc : add_loads(tier, tier->now, &loads);
    rc = rc != 0 ? rc : place_listed(tier, rate_bps, loads);
    rc = rc != 0 ? rc : choose_backups(tier, rate_bps);
    rc = rc != 0 ? rc : subtract_reserved(tier, rate_bps);
    free(loads);
    return rc;
}

// ---- looking up

uint32_t tier_parts(const struct tier *tier, uint32_t flow, uint32_t *first) {
    const struct sparse_placement *placed = &tier->placed;
    uint32_t low = 0, high = placed->part_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (placed->parts[middle].flow < flow) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *first = low;
    uint32_t count = 0;
    while (low + count < placed->part_count && placed->parts[low + count].flow == flow) {
        count++;
    }
    return count;
}
