// SPDX-License-Identifier: Apache-2.0
// Many newcomers at once (crowd.c has the story).
#ifndef GOSSIP_CROWD_H
#define GOSSIP_CROWD_H

#include <stdbool.h>
#include <stdint.h>

#include "gossip/gossip.h"
#include "model/time.h"

#define NEWCOMERS_A_SLOT 4           // are met at once; more are a crowd (crowd.c)
#define CALM_NS (400 * NS_PER_MS)    // without a newcomer: the crowd has come
#define PATIENCE_NS (10 * NS_PER_MS) // for each member of a crowd, until a neighbour pings
// All that a joining host is told at first comes within that.
#define INTRODUCTION_NS (50 * NS_PER_MS)
#define CROWD_FLEET 128             // members that ask as often as one a ping slot
#define CROWD_MAX_NS (3 * NS_PER_S) // then neighbours are chosen among those who are here

struct origin;

struct crowd {
    uint64_t since_ns;                // 0: there is none
    uint64_t newcomer_ns;             // when the last one came
    uint64_t seen_ns;                 // the last moment of a crowd
    uint64_t asked_ns;                // who else came
    uint32_t newcomers;               // in this ping slot
    bool introduced;                  // it was the whole fleet that we joined
    char helper[GOSSIP_ADDRESS_SIZE]; // who answered our last digest
};

void crowd_met(struct gossip *gossip, const struct origin *origin); // is a member now
bool crowd_waits(struct gossip *gossip);                            // with the choice of neighbours
bool crowd_lately(const struct gossip *gossip);                     // others may still wait
uint64_t crowd_patience_ns(const struct gossip *gossip); // with those who are busy with it
// Our digest; `unknown` hosts were named.
void crowd_answered(struct gossip *gossip, const char *address, uint32_t unknown);
void crowd_ask(struct gossip *gossip);  // who else came
void crowd_tell(struct gossip *gossip); // that we came

#endif
