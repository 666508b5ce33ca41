// SPDX-License-Identifier: Apache-2.0
// Wrapped indices into a `struct fabric`, so that the compiler refuses to mix them up.
//
// They are valid for one fabric (one digest) only. What crosses the wire or a fabric change goes by
// name.
#ifndef MODEL_IDS_H
#define MODEL_IDS_H

#include <stdbool.h>
#include <stdint.h>

#define ID_NONE UINT32_MAX

typedef struct node_id {
    uint32_t i;
} node_id; // index in fabric->nodes
typedef struct port_id {
    uint32_t i;
} port_id; // a host's NIC port: index in fabric->ports
typedef struct cable_id {
    uint32_t i;
} cable_id; // index in fabric->cables
typedef struct link_id {
    uint32_t i;
} link_id; // one direction of a cable: 2 * cable + (0: from end a to end b, 1: from b to a)

static inline link_id link_of(cable_id cable, bool reverse) {
    return (link_id){2 * cable.i + (reverse ? 1 : 0)};
}
static inline cable_id link_cable(link_id link) {
    return (cable_id){link.i / 2};
}
static inline bool link_is_reverse(link_id link) {
    return link.i % 2 != 0;
}
static inline link_id link_opposite(link_id link) {
    return (link_id){link.i ^ 1U};
}

#endif
