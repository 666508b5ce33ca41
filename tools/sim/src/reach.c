// SPDX-License-Identifier: Apache-2.0
#include "reach.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int reach_init(struct reach *reach, const struct fabric *fabric, const uint64_t *rate_bps) {
    struct reach made = {.fabric = fabric, .rate_bps = rate_bps, .leaf = {ID_NONE}};
    made.down = calloc((size_t)fabric->node_count + 1, sizeof made.down[0]);
    made.over = calloc((size_t)fabric->node_count + 1, sizeof made.over[0]);
    if (made.down == NULL || made.over == NULL) {
        reach_fini(&made);
        return -ENOMEM;
    }
    *reach = made;
    return 0;
}

void reach_fini(struct reach *reach) {
    free(reach->down);
    free(reach->over);
    *reach = (struct reach){0};
}

// Adds the ways from `node` to each of its neighbours of a tier that has a live link to it.
static void spread_back(const struct reach *reach, uint32_t node, uint8_t tier,
                        const uint64_t *from, uint64_t *to) {
    const struct fabric *fabric = reach->fabric;
    const struct fabric_node *at = &fabric->nodes[node];
    for (uint32_t i = 0; i < at->adjacency_count; i++) {
        const struct fabric_adjacency *next = &fabric->adjacencies[at->first_adjacency + i];
        if (fabric->nodes[next->peer.i].tier == tier &&
            reach->rate_bps[link_opposite(next->link).i] > 0) {
            to[next->peer.i] += from[node];
        }
    }
}

void reach_aim(struct reach *reach, node_id leaf) {
    const struct fabric *fabric = reach->fabric;
    size_t size = fabric->node_count * sizeof reach->down[0];
    memset(reach->down, 0, size);
    memset(reach->over, 0, size);
    reach->leaf = leaf;
    reach->down[leaf.i] = 1;
    spread_back(reach, leaf.i, 2, reach->down, reach->down);
    reach->down[leaf.i] = 0;
    for (uint32_t i = fabric->host_count; i < fabric->node_count; i++) {
        const struct fabric_node *node = &fabric->nodes[i];
        if (node->tier == 2 && reach->down[i] > 0 && node->pod == fabric->nodes[leaf.i].pod) {
            spread_back(reach, i, 3, reach->down, reach->down);
        }
    }
    for (uint32_t i = fabric->host_count; i < fabric->node_count; i++) {
        if (fabric->nodes[i].tier == 3 && reach->down[i] > 0) {
            spread_back(reach, i, 2, reach->down, reach->over);
        }
    }
}

uint64_t reach_paths(const struct reach *reach, node_id from, bool *over) {
    const struct fabric *fabric = reach->fabric;
    const struct fabric_node *node = &fabric->nodes[from.i];
    uint64_t near = 0, far = 0;
    for (uint32_t i = 0; i < node->adjacency_count; i++) {
        const struct fabric_adjacency *next = &fabric->adjacencies[node->first_adjacency + i];
        if (fabric->nodes[next->peer.i].tier == 2 && reach->rate_bps[next->link.i] > 0) {
            near += reach->down[next->peer.i];
            far += reach->over[next->peer.i];
        }
    }
    *over = near == 0 && far > 0;
    return near > 0 ? near : far;
}
