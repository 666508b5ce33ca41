// SPDX-License-Identifier: Apache-2.0
// Who watches which cable: an election without messages. Pure.
//
// Every cable between switches has up to four observers among the live hosts, chosen by rendezvous
// hash over names that all agents share: two near (on the cable's leaf; for a cable above the
// leaves, on two leaves of the same pod) and two far (on two other leaves whose loops cross it, in
// another pod for a cable above the leaves). All of them probe from a port in the cable's plane.
// Where there are fewer hosts or leaves, fewer. When a host dies, only its own cables move to
// others.
#ifndef AGENT_CORE_MONITORS_H
#define AGENT_CORE_MONITORS_H

#include <stdbool.h>
#include <stdint.h>

#include "model/belief.h"
#include "model/fabric.h"

struct monitors {
    const struct fabric *fabric; // borrowed
    uint32_t *leaf_ports;        // port indices grouped by leaf
    uint32_t *leaf_first;  // by node: where its ports begin in leaf_ports; node_count + 1 entries
    uint32_t *leaves;      // node indices of all leaves, grouped by plane
    uint32_t *plane_first; // by plane: where its leaves begin in leaves; one entry more
};

int monitors_init(struct monitors *monitors, const struct fabric *fabric);
void monitors_fini(struct monitors *monitors);
// Who is elected, by cable (observers, fabric->cable_count entries), the cables that `self` is
// elected for, and the own port to probe from. `live` is by host node. Writes at most
// fabric->cable_count cables and ports; returns their number.
uint32_t monitors_elect(const struct monitors *monitors, const bool *live, node_id self,
                        struct cable_observers *observers, cable_id *cables, uint32_t *ports);

#endif
