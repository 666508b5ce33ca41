// SPDX-License-Identifier: Apache-2.0
// A fleet starts; whoever starts himself and has seeds takes it for that. Whoever chose neighbours
// among the few that are there would choose again with each newcomer, three times eight by the time
// that a hundred came, and connections are what a start costs most. So while many come, neighbours
// stay as they are, or none; whoever pings us took us for his neighbour and is taken for ours,
// since each of the two expects the other's pings. News comes from whoever answered our first
// digest, by asking again, and goes to him.
//
// It is over when nobody came for a while, or after CROWD_MAX_NS. On a machine that is short of CPU
// the one who knows is the one who is busiest: his silence does not count as calm.
#include "core.h"

#include <string.h>

#define SHARES 1024

bool crowd_lately(const struct gossip *gossip) {
    return gossip->crowd.seen_ns != 0 && gossip->now_ns - gossip->crowd.seen_ns < CROWD_BUSY_NS;
}

void crowd_met(struct gossip *gossip, const struct origin *origin) {
    if (origin == gossip->self) {
        return;
    }
    gossip->crowd.newcomer_ns = gossip->now_ns;
    gossip->crowd.newcomers++;
    gossip->crowd.introduced = false;
    // After so many any other one goes on with it.
    bool many =
        gossip->crowd.newcomers > NEWCOMERS_A_SLOT || gossip->crowd.newborn || crowd_lately(gossip);
    if (many && gossip->crowd.since_ns == 0) {
        gossip->crowd.since_ns = gossip->now_ns;
    }
}

uint64_t crowd_patience_ns(const struct gossip *gossip) {
    uint64_t patience_ns = overlay_size(gossip) * PATIENCE_NS;
    return patience_ns < CROWD_BUSY_NS ? patience_ns : CROWD_BUSY_NS;
}

// Where answers take long, CPU is short and news is late.
static uint64_t busy_ns(const struct gossip *gossip) {
    uint64_t busy_ns = CALM_ANSWERS * gossip->crowd.answer_ns;
    return busy_ns < CALM_BUSY_MAX_NS ? busy_ns : CALM_BUSY_MAX_NS;
}

// The last instant of which we know who had come: a helper who is busy says nothing for a while,
// which is not to say that nobody comes.
static uint64_t known_until_ns(const struct gossip *gossip) {
    const struct crowd *crowd = &gossip->crowd;
    bool helped = crowd->helper[0] != '\0' &&
                  gossip->now_ns - crowd->helped_ns < HELPER_SILENT_NS + busy_ns(gossip);
    return helped ? crowd->helped_ns : gossip->now_ns;
}

static bool is_over(const struct gossip *gossip) {
    // All choose their neighbours when it is over, but each at another time.
    uint64_t share = gossip->self->hash % SHARES;
    uint64_t patience_ns = crowd_patience_ns(gossip);
    uint64_t calm_ns = CALM_NS + busy_ns(gossip) + patience_ns / 4 + patience_ns * share / SHARES;
    bool calm = known_until_ns(gossip) >= gossip->crowd.newcomer_ns + calm_ns;
    return calm || gossip->crowd.introduced ||
           gossip->now_ns - gossip->crowd.since_ns >= CROWD_MAX_NS;
}

bool crowd_waits(struct gossip *gossip) {
    bool small = overlay_size(gossip) <= gossip->config.neighbours + 1; // all are neighbours
    bool waits = gossip->crowd.since_ns != 0 && (!small || gossip->crowd.newborn);
    if (gossip->crowd.since_ns != 0 && is_over(gossip)) {
        gossip->crowd.since_ns = 0;
        gossip->crowd.newborn = false;
        waits = false;
    }
    gossip->crowd.seen_ns = waits && !small ? gossip->now_ns : gossip->crowd.seen_ns;
    return waits;
}

// To a host that joins a fleet all members are newcomers, and then no more come; and members whose
// neighbour it is now say so, while in a crowd nobody has chosen yet.
static bool is_introduction(const struct gossip *gossip) {
    return gossip->crowd.newcomer_ns - gossip->crowd.since_ns < INTRODUCTION_NS &&
           gossip->crowd.pinged_ns > gossip->crowd.since_ns &&
           gossip->crowd.asked_ns > gossip->crowd.newcomer_ns + INTRODUCTION_NS;
}

void crowd_answered(struct gossip *gossip, const char *address, uint32_t unknown) {
    struct crowd *crowd = &gossip->crowd;
    bool silent = gossip->now_ns - crowd->helped_ns >= HELPER_SILENT_NS;
    if (crowd->helper[0] == '\0' || silent || strcmp(crowd->helper, address) == 0) {
        memcpy(crowd->helper, address, strlen(address) + 1);
        crowd->helped_ns = gossip->now_ns;
        crowd->answer_ns = crowd->asked_ns == 0 ? 0 : gossip->now_ns - crowd->asked_ns;
    }
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
    bool waits = crowd->asked_ns > crowd->helped_ns;
    if (waits && gossip->now_ns - crowd->asked_ns < ASK_AGAIN_NS) {
        return false;
    }
    uint32_t slots = CROWD_ASK_SLOTS + overlay_size(gossip) / CROWD_FLEET;
    return gossip->now_ns - crowd->asked_ns + slot_ns / 2 >= slot_ns * slots;
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
