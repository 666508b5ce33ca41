// SPDX-License-Identifier: Apache-2.0
// How much of a plan another plan moves, and how much had to move.
#include <errno.h>
#include <stdlib.h>

#include "live.h"
#include "pathalg/candidates.h"

static int compare_pairs(const struct plan_flow *a, const struct plan_flow *b) {
    const uint32_t left[] = {a->src.i, a->dst.i, a->job};
    const uint32_t right[] = {b->src.i, b->dst.i, b->job};
    for (unsigned i = 0; i < 3; i++) {
        if (left[i] != right[i]) {
            return left[i] < right[i] ? -1 : 1;
        }
    }
    return 0;
}

static uint64_t bytes_on(const struct plan *plan, const struct plan_flow *flow,
                         const struct path *path) {
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < flow->part_count; i++) {
        const struct plan_part *part = &plan->parts[flow->first_part + i];
        bytes += path_equal(&part->path, path) ? part->bytes : 0;
    }
    return bytes;
}

// What the flow has on paths that had less of it before. A path may have several parts.
static uint64_t moved_bytes(const struct plan *before, const struct plan_flow *was,
                            const struct plan *after, const struct plan_flow *is) {
    uint64_t moved = 0;
    for (uint32_t i = 0; i < is->part_count; i++) {
        const struct path *path = &after->parts[is->first_part + i].path;
        bool seen = false;
        for (uint32_t j = 0; j < i && !seen; j++) {
            seen = path_equal(&after->parts[is->first_part + j].path, path);
        }
        uint64_t had = bytes_on(before, was, path);
        uint64_t has = bytes_on(after, is, path);
        moved += !seen && has > had ? has - had : 0;
    }
    return moved;
}

void plan_churn(const struct plan *before, const struct plan *after, struct plan_churn *churn) {
    uint32_t i = 0;
    for (uint32_t j = 0; j < after->flow_count; j++) {
        const struct plan_flow *is = &after->flows[j];
        while (i < before->flow_count && compare_pairs(&before->flows[i], is) < 0) {
            i++;
        }
        if (is->local || i == before->flow_count || compare_pairs(&before->flows[i], is) != 0) {
            continue; // new flows have not moved
        }
        uint64_t moved = moved_bytes(before, &before->flows[i], after, is);
        churn->bytes += is->bytes;
        churn->flows++;
        churn->moved_bytes += moved;
        churn->moved_flows += moved > 0;
    }
}

// ---- the least

// Ways that one path goes at most once: up or down, between each two tiers.
enum { WAYS = 6 };

static unsigned way_of(const struct fabric *fabric, link_id link) {
    const struct fabric_cable *cable = &fabric->cables[link_cable(link).i];
    return 2U * fabric->nodes[cable->a.i].tier + (link_is_reverse(link) ? 1 : 0);
}

uint64_t plan_least_moved_bytes(const struct plan_input *now, const uint64_t *before) {
    const struct fabric *fabric = now->fabric;
    struct plan_score score;
    plan_score(now, before, &score);
    double excess[WAYS] = {0};
    for (uint32_t i = 0; i < fabric_link_count(fabric); i++) {
        link_id link = {i};
        double rate = (double)link_live_rate_bps(fabric, now->beliefs, link);
        double allowed = rate > 0 ? score.lower_bound_s * rate / 8 : 0;
        if (fabric_link_is_internal(fabric, link) && (double)before[i] > allowed) {
            excess[way_of(fabric, link)] += (double)before[i] - allowed;
        }
    }
    double least = 0;
    for (unsigned way = 0; way < WAYS; way++) {
        least = excess[way] > least ? excess[way] : least;
    }
    return (uint64_t)least;
}
