// SPDX-License-Identifier: Apache-2.0
#include "model/fabric.h"

#include <stdlib.h>

node_id fabric_link_from(const struct fabric *fabric, link_id link) {
    const struct fabric_cable *cable = &fabric->cables[link_cable(link).i];
    return link_is_reverse(link) ? cable->b : cable->a;
}

node_id fabric_link_to(const struct fabric *fabric, link_id link) {
    return fabric_link_from(fabric, link_opposite(link));
}

uint64_t fabric_link_rate_bps(const struct fabric *fabric, link_id link) {
    const struct fabric_cable *cable = &fabric->cables[link_cable(link).i];
    uint64_t capacity_ppm = cable->capacity_ppm[link_is_reverse(link)];
    return cable->rate_bps / CAPACITY_FULL_PPM * capacity_ppm +
           cable->rate_bps % CAPACITY_FULL_PPM * capacity_ppm / CAPACITY_FULL_PPM;
}

bool fabric_link_is_internal(const struct fabric *fabric, link_id link) {
    // End a is the lower tier, so a host can only be there.
    return fabric->nodes[fabric->cables[link_cable(link).i].a.i].kind != NODE_HOST;
}

const struct fabric_adjacency *fabric_find_adjacency(const struct fabric *fabric, node_id from,
                                                     node_id to, uint32_t *count) {
    const struct fabric_node *node = &fabric->nodes[from.i];
    const struct fabric_adjacency *list = fabric->adjacencies + node->first_adjacency;
    uint32_t low = 0, high = node->adjacency_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (list[middle].peer.i < to.i) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    uint32_t end = low;
    while (end < node->adjacency_count && list[end].peer.i == to.i) {
        end++;
    }
    *count = end - low;
    return end > low ? list + low : NULL;
}

bool fabric_find_port_by_usid(const struct fabric *fabric, uint16_t usid, port_id *out) {
    if (fabric->port_by_usid[usid] == ID_NONE) {
        return false;
    }
    out->i = fabric->port_by_usid[usid];
    return true;
}

void fabric_close(struct fabric *fabric) {
    if (fabric == NULL) {
        return;
    }
    free(fabric->nodes);
    free(fabric->ports);
    free(fabric->cables);
    free(fabric->adjacencies);
    free(fabric->name_index);
    free(fabric->port_by_usid);
    free(fabric);
}
