// SPDX-License-Identifier: Apache-2.0
// Walks for loop probes: shortest ways through the switches that cross a given directed link, in
// any Clos. Pure.
#ifndef AGENT_CORE_WALK_H
#define AGENT_CORE_WALK_H

#include <stdbool.h>
#include <stdint.h>

#include "model/fabric.h"

#define WALK_LINKS_MAX 24

struct walk {
    uint8_t link_count;
    link_id links[WALK_LINKS_MAX];
};

struct walk_finder {
    const struct fabric *fabric; // borrowed
    link_id *via;                // private: how the search came to a node
    uint32_t *queue;
    uint8_t *seen;
};

int walk_finder_init(struct walk_finder *finder, const struct fabric *fabric);
void walk_finder_fini(struct walk_finder *finder);

struct walk_request {
    port_id port;      // where the loop begins and ends
    link_id through;   // a link between switches
    bool both;         // cross it and come straight back over the same cable
    const bool *avoid; // by directed link; used only where there is no other way. NULL: none
    uint64_t salt;     // varies the choice among equal ways
};
// False when there is no such walk of WALK_LINKS_MAX links. With `both` false the cable's other
// direction is not used.
bool walk_find(struct walk_finder *finder, const struct walk_request *request, struct walk *out);
// The walk of `request` with `both`, less the crossing: the way to the cable's nearer end and back.
bool walk_find_prefix(struct walk_finder *finder, const struct walk_request *request,
                      struct walk *out);

struct walk_round {
    port_id port;       // where the round begins and ends
    const link_id *way; // links between switches, in this order, from the port's leaf
    unsigned way_count; // at least 1
    const bool *avoid;  // on the way back; as above
    uint64_t salt;
};
// The way and another one back; over the same cables back only where there is no other.
bool walk_find_round(struct walk_finder *finder, const struct walk_round *round, struct walk *out);

#endif
