// SPDX-License-Identifier: Apache-2.0
// What a plan may use of a link, with or without beliefs. Private to pathalg.
#ifndef PATHALG_LIVE_H
#define PATHALG_LIVE_H

#include "model/belief.h"
#include "model/fabric.h"

// Without beliefs every link is up and only the fabric file limits it.
static inline uint64_t link_live_rate_bps(const struct fabric *fabric,
                                          const struct link_belief *beliefs, link_id link) {
    return beliefs != NULL ? belief_rate_bps(fabric, &beliefs[link.i], link)
                           : fabric_link_rate_bps(fabric, link);
}

static inline bool link_is_live(const struct fabric *fabric, const struct link_belief *beliefs,
                                link_id link) {
    return link_live_rate_bps(fabric, beliefs, link) > 0;
}

// Cable end a is the host's, so a port sends in direction 0 and receives in direction 1.
static inline link_id port_uplink(const struct fabric *fabric, port_id port) {
    return link_of(fabric->ports[port.i].cable, false);
}
static inline link_id port_downlink(const struct fabric *fabric, port_id port) {
    return link_of(fabric->ports[port.i].cable, true);
}

#endif
