// SPDX-License-Identifier: Apache-2.0
// Which switches cables join, whatever a fabric is called: its planes.
#include <stdlib.h>

#include "fabric_internal.h"

#define PLANE_NONE UINT32_MAX

uint32_t fabric_port_plane(const struct fabric *fabric, port_id port) {
    return fabric->nodes[fabric->ports[port.i].leaf.i].plane;
}

uint32_t fabric_link_plane(const struct fabric *fabric, link_id link) {
    // End b is the higher tier: never a host.
    return fabric->nodes[fabric->cables[link_cable(link).i].b.i].plane;
}

// Marks what cables join to `first`, which has no plane yet. `waiting` holds node_count.
static void mark_plane(struct fabric *fabric, uint32_t first, uint32_t plane, uint32_t *waiting) {
    uint32_t count = 1;
    waiting[0] = first;
    fabric->nodes[first].plane = plane;
    while (count > 0) {
        const struct fabric_node *node = &fabric->nodes[waiting[--count]];
        for (uint32_t k = 0; k < node->adjacency_count; k++) {
            uint32_t peer = fabric->adjacencies[node->first_adjacency + k].peer.i;
            if (fabric->nodes[peer].kind != NODE_HOST && fabric->nodes[peer].plane == PLANE_NONE) {
                fabric->nodes[peer].plane = plane;
                waiting[count++] = peer;
            }
        }
    }
}

bool fabric_set_planes(struct builder *builder) {
    struct fabric *fabric = builder->fabric;
    uint32_t *waiting = malloc(((size_t)fabric->node_count + 1) * sizeof waiting[0]);
    if (waiting == NULL) {
        complaints_no_memory(&builder->complaints);
        return false;
    }
    for (uint32_t i = fabric->host_count; i < fabric->node_count; i++) {
        fabric->nodes[i].plane = PLANE_NONE;
    }
    uint32_t planes = 0;
    for (uint32_t i = 0; i < fabric->port_count; i++) {
        uint32_t leaf = fabric->ports[i].leaf.i;
        if (fabric->nodes[leaf].plane == PLANE_NONE) {
            mark_plane(fabric, leaf, planes++, waiting);
        }
    }
    fabric->plane_count = planes;
    for (uint32_t i = fabric->host_count; i < fabric->node_count; i++) {
        if (fabric->nodes[i].plane == PLANE_NONE) {
            mark_plane(fabric, i, planes++, waiting);
        }
    }
    for (uint32_t i = 0; i < fabric->host_count; i++) {
        struct fabric_node *host = &fabric->nodes[i];
        host->plane =
            host->port_count > 0 ? fabric_port_plane(fabric, (port_id){host->first_port}) : 0;
    }
    free(waiting);
    return true;
}
