// SPDX-License-Identifier: Apache-2.0
// What switches do with a packet: they follow its SIDs, node by node, and nothing else.
#ifndef FLEET_FORWARD_H
#define FLEET_FORWARD_H

#include "fleet/fleet.h"

// From a host's port to wherever the SIDs lead. `cut`: by directed link. The trip goes on beyond a
// cut link, for what it would have been.
void forward(const struct fabric *fabric, const bool *cut, port_id from,
             const struct sid_list *sids, struct fleet_trip *trip);
// The rule of a sealed set for an inner destination and QP; NULL: it leaves plain.
const struct rule *forward_rule(const struct rule_set *nic, const struct fabric_port *to,
                                uint32_t qp, bool ipv6);

#endif
