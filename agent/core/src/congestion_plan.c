// SPDX-License-Identifier: Apache-2.0
// What a new plan makes of the ways: those that stay keep what is known of them.
#include <stdlib.h>
#include <string.h>

#include "congestion.h"
#include "pathalg/candidates.h"

void congestion_count_users(struct congestion *congestion) {
    for (uint32_t i = 0; i < congestion->loop_count; i++) {
        congestion->loops[i].users = congestion->loops[i].away_users = 0;
    }
    congestion->away_count = 0;
    for (uint32_t i = 0; i < congestion->way_count; i++) {
        const struct congestion_way *way = &congestion->ways[i];
        congestion->loops[way->loops[0]].users++; // home: in use, or to be returned to
        congestion->loops[way->loops[1]].users += way->away;
        congestion->loops[way->loops[0]].away_users += way->away;
        congestion->loops[way->loops[1]].away_users += way->away;
        congestion->away_count += way->away;
    }
}

static bool same_pair(const struct congestion_way *a, const struct congestion_way *b) {
    return a->src.i == b->src.i && a->dst.i == b->dst.i;
}

// The first way before `way` in order of pairs that is not less.
static uint32_t lower_bound(const struct congestion *congestion, const struct congestion_way *way) {
    uint32_t low = 0, high = congestion->way_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const struct congestion_way *at = &congestion->ways[middle];
        if (at->src.i < way->src.i || (at->src.i == way->src.i && at->dst.i < way->dst.i)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static void carry_way(const struct congestion *congestion, struct congestion_way *way) {
    uint32_t first = lower_bound(congestion, way);
    for (uint32_t i = first; i < congestion->way_count && same_pair(&congestion->ways[i], way);
         i++) {
        const struct congestion_way *before = &congestion->ways[i];
        if (!path_equal(&before->home, &way->home)) {
            continue;
        }
        struct congestion_way carried = *before;
        carried.port = way->port;
        carried.backup = way->backup;
        carried.trial_from_ns = carried.trial_to_ns = 0;
        *way = carried;
        break;
    }
    if (first < congestion->way_count && same_pair(&congestion->ways[first], way)) {
        memcpy(way->moved_at_ns, congestion->ways[first].moved_at_ns, sizeof way->moved_at_ns);
    }
}

static void void_outstanding(struct congestion *congestion) {
    for (uint64_t token = congestion->head_token; token < congestion->next_token; token++) {
        congestion->outstanding[token % CONGESTION_OUTSTANDING].token = 0;
    }
    congestion->head_token = congestion->next_token;
}

static void forget_walks(struct congestion *congestion) {
    for (uint32_t i = 0; i < congestion->loop_count; i++) {
        struct congestion_loop *loop = &congestion->loops[i];
        loop->built = false;
        memset(loop->rates, 0, sizeof loop->rates);
        loop->sample_count = 0;
    }
}

int congestion_set_ways(struct congestion *congestion, struct congestion_way *ways, uint32_t count,
                        const bool *down, uint64_t now_ns) {
    for (uint32_t i = 0; i < count; i++) {
        carry_way(congestion, &ways[i]);
        ways[i].pair = i > 0 && same_pair(&ways[i - 1], &ways[i]) ? ways[i - 1].pair : i;
    }
    struct congestion_loop *loops;
    uint32_t loop_count;
    int rc = loops_of_ways(congestion, ways, count, &loops, &loop_count);
    if (rc != 0) {
        return rc;
    }
    void_outstanding(congestion);
    free(congestion->ways);
    free(congestion->loops);
    congestion->ways = ways;
    congestion->way_count = count;
    congestion->loops = loops;
    congestion->loop_count = loop_count;
    congestion->trial_count = 0;
    size_t size = fabric_link_count(congestion->fabric) * sizeof *down;
    if (memcmp(congestion->down, down, size) != 0) {
        memcpy(congestion->down, down, size);
        forget_walks(congestion);
    }
    congestion_count_users(congestion);
    congestion->deadline_ns = count > 0 ? now_ns : NEVER_NS;
    return 0;
}
