// SPDX-License-Identifier: Apache-2.0
// A fleet starts. Whoever chose neighbours among the few that are there would choose again with
// each newcomer, three times eight by the time that a hundred came, and connections are what a
// start costs most. So while many come, neighbours stay as they are, or none; whoever took us for
// his neighbour is taken for ours, since each of the two expects the other's pings. News comes from
// whoever answered our first digest, by asking again, and goes to him.
//
// It is over when nobody came for a while, or after CROWD_MAX_NS.
#include "core.h"

#include <string.h>

#define SHARES 1024

bool crowd_lately(const struct gossip *gossip) {
    return gossip->crowd.seen_ns != 0 && gossip->now_ns - gossip->crowd.seen_ns < CROWD_MAX_NS;
}

void crowd_met(struct gossip *gossip, const struct origin *origin) {
    if (origin == gossip->self) {
        return;
    }
    gossip->crowd.newcomer_ns = gossip->now_ns;
    gossip->crowd.newcomers++;
    gossip->crowd.introduced = false;
    // After so many any other one goes on with it.
    bool many = gossip->crowd.newcomers > NEWCOMERS_A_SLOT || crowd_lately(gossip);
    if (many && gossip->crowd.since_ns == 0) {
        gossip->crowd.since_ns = gossip->now_ns;
    }
}

uint64_t crowd_patience_ns(const struct gossip *gossip) {
    uint64_t patience_ns = overlay_size(gossip) * PATIENCE_NS;
    return patience_ns < CROWD_MAX_NS ? patience_ns : CROWD_MAX_NS;
}

bool crowd_waits(struct gossip *gossip) {
    bool small = overlay_size(gossip) <= gossip->config.neighbours + 1; // all are neighbours
    // All choose their neighbours when it is over, but each at another time.
    uint64_t share = gossip->self->hash % SHARES;
    uint64_t calm_ns = CALM_NS + crowd_patience_ns(gossip) * share / SHARES;
    bool calm = gossip->now_ns - gossip->crowd.newcomer_ns >= calm_ns;
    if (calm || gossip->crowd.introduced ||
        gossip->now_ns - gossip->crowd.since_ns >= CROWD_MAX_NS) {
        gossip->crowd.since_ns = 0;
    }
    bool waits = gossip->crowd.since_ns != 0 && !small;
    gossip->crowd.seen_ns = waits ? gossip->now_ns : gossip->crowd.seen_ns;
    return waits;
}

// To a host that joins a fleet all members are newcomers, and then no more come.
static bool is_introduction(const struct gossip *gossip) {
    return gossip->crowd.newcomer_ns - gossip->crowd.since_ns < INTRODUCTION_NS &&
           gossip->crowd.asked_ns > gossip->crowd.newcomer_ns + INTRODUCTION_NS;
}

void crowd_answered(struct gossip *gossip, const char *address, uint32_t unknown) {
    memcpy(gossip->crowd.helper, address, strlen(address) + 1);
    if (gossip->crowd.since_ns != 0 && unknown == 0 && is_introduction(gossip)) {
        gossip->crowd.introduced = true;
        gossip->overlay_dirty = true;
    }
}

// The larger the fleet, the more rarely each one asks; but once early, since many who were told
// together may be an introduction.
static bool may_ask(const struct gossip *gossip) {
    const struct crowd *crowd = &gossip->crowd;
    uint64_t slot_ns = gossip->config.ping_interval_ns / PING_SLOTS;
    if (crowd->asked_ns < crowd->since_ns) {
        return gossip->now_ns - crowd->newcomer_ns > INTRODUCTION_NS;
    }
    return gossip->now_ns - crowd->asked_ns >= slot_ns * (overlay_size(gossip) / CROWD_FLEET);
}

void crowd_ask(struct gossip *gossip) {
    if (gossip->crowd.helper[0] != '\0' && crowd_waits(gossip) && may_ask(gossip)) {
        gossip->crowd.asked_ns = gossip->now_ns;
        repair_send_digest(gossip, gossip->crowd.helper);
    }
}

void crowd_tell(struct gossip *gossip) {
    if (gossip->crowd.helper[0] != '\0' && crowd_waits(gossip)) {
        serve_own(gossip, gossip->crowd.helper);
    }
}
