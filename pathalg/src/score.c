// SPDX-License-Identifier: Apache-2.0
// How good a plan is: what the most loaded link takes to drain, against what no plan can beat.
#include <math.h> // HUGE_VAL

#include "live.h"
#include "pathalg/plan.h"

void plan_add_loads(const struct plan *plan, uint64_t *link_bytes) {
    for (uint32_t i = 0; i < plan->part_count; i++) {
        const struct plan_part *part = &plan->parts[i];
        for (unsigned j = 0; j < part->path.link_count; j++) {
            link_bytes[part->path.links[j].i] += part->bytes;
        }
    }
}

static double larger(double a, double b) {
    return a > b ? a : b;
}

static double drain_s(uint64_t bytes, uint64_t rate_bps) {
    if (bytes == 0) {
        return 0;
    }
    return rate_bps > 0 ? (double)bytes * 8 / (double)rate_bps : HUGE_VAL;
}

// What crosses a cut and what could, in each direction.
struct cut {
    uint64_t bytes[2], rate_bps[2];
};

static void cut_add_uplinks(const struct plan_input *input, const uint64_t *link_bytes,
                            const struct fabric_node *node, struct cut *cut) {
    const struct fabric *fabric = input->fabric;
    for (uint32_t i = 0; i < node->adjacency_count; i++) {
        const struct fabric_adjacency *up = &fabric->adjacencies[node->first_adjacency + i];
        if (fabric->nodes[up->peer.i].tier <= node->tier) {
            continue;
        }
        const link_id links[2] = {up->link, link_opposite(up->link)};
        for (unsigned way = 0; way < 2; way++) {
            cut->bytes[way] += link_bytes[links[way].i];
            cut->rate_bps[way] += link_live_rate_bps(fabric, input->beliefs, links[way]);
        }
    }
}

static double cut_drain_s(const struct cut *cut) {
    return larger(drain_s(cut->bytes[0], cut->rate_bps[0]),
                  drain_s(cut->bytes[1], cut->rate_bps[1]));
}

static bool is_agg_of(const struct fabric_node *node, uint32_t pod) {
    return node->kind == NODE_AGG && node->pod == pod;
}

// All uplinks of a pod's aggs together; counted once, at the pod's first agg.
static double pod_cut_s(const struct plan_input *input, const uint64_t *link_bytes, uint32_t agg) {
    const struct fabric *fabric = input->fabric;
    uint32_t pod = fabric->nodes[agg].pod;
    for (uint32_t i = fabric->host_count; i < agg; i++) {
        if (is_agg_of(&fabric->nodes[i], pod)) {
            return 0;
        }
    }
    struct cut cut = {0};
    for (uint32_t i = agg; i < fabric->node_count; i++) {
        if (is_agg_of(&fabric->nodes[i], pod)) {
            cut_add_uplinks(input, link_bytes, &fabric->nodes[i], &cut);
        }
    }
    return cut_drain_s(&cut);
}

static double cut_bound_s(const struct plan_input *input, const uint64_t *link_bytes) {
    const struct fabric *fabric = input->fabric;
    double bound = 0;
    for (uint32_t i = fabric->host_count; i < fabric->node_count; i++) {
        const struct fabric_node *node = &fabric->nodes[i];
        if (node->kind == NODE_LEAF) {
            struct cut cut = {0};
            cut_add_uplinks(input, link_bytes, node, &cut);
            bound = larger(bound, cut_drain_s(&cut));
        } else if (node->kind == NODE_AGG) {
            bound = larger(bound, pod_cut_s(input, link_bytes, i));
        }
    }
    return bound;
}

void plan_score(const struct plan_input *input, const uint64_t *link_bytes,
                struct plan_score *out) {
    struct plan_score score = {.max_link = {ID_NONE}, .bound_kind = "cut"};
    for (uint32_t i = 0; i < fabric_link_count(input->fabric); i++) {
        link_id link = {i};
        double load_s =
            drain_s(link_bytes[i], link_live_rate_bps(input->fabric, input->beliefs, link));
        if (!fabric_link_is_internal(input->fabric, link)) {
            score.nic_bound_s = larger(score.nic_bound_s, load_s);
        } else if (load_s > score.max_link_load_s) {
            score.max_link_load_s = load_s;
            score.max_link = link;
        }
    }
    score.lower_bound_s = cut_bound_s(input, link_bytes);
    *out = score;
}
