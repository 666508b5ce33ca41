// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>
#include <string.h>

#include "model/fabric.h"

#define USIDS 65536 // port_by_usid has one entry for each

static bool copy_array(void *out, const void *from, size_t count, size_t size) {
    void *bytes = malloc(count > 0 ? count * size : 1);
    if (bytes == NULL) {
        return false;
    }
    memcpy(bytes, from, count * size);
    memcpy(out, &bytes, sizeof bytes);
    return true;
}

struct fabric *fabric_copy(const struct fabric *fabric) {
    struct fabric *copy = malloc(sizeof *copy);
    if (copy == NULL) {
        return NULL;
    }
    *copy = *fabric;
    copy->nodes = NULL;
    copy->ports = NULL;
    copy->cables = NULL;
    copy->adjacencies = NULL;
    copy->name_index = copy->port_by_usid = NULL;
    bool whole =
        copy_array(&copy->nodes, fabric->nodes, fabric->node_count, sizeof fabric->nodes[0]) &&
        copy_array(&copy->ports, fabric->ports, fabric->port_count, sizeof fabric->ports[0]) &&
        copy_array(&copy->cables, fabric->cables, fabric->cable_count, sizeof fabric->cables[0]) &&
        copy_array(&copy->adjacencies, fabric->adjacencies, fabric->adjacency_count,
                   sizeof fabric->adjacencies[0]) &&
        copy_array(&copy->name_index, fabric->name_index, fabric->name_index_size,
                   sizeof fabric->name_index[0]) &&
        copy_array(&copy->port_by_usid, fabric->port_by_usid, USIDS,
                   sizeof fabric->port_by_usid[0]);
    if (!whole) {
        fabric_close(copy);
        return NULL;
    }
    return copy;
}
