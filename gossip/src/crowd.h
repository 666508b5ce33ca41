// SPDX-License-Identifier: Apache-2.0
// Many newcomers at once (crowd.c has the story).
#ifndef GOSSIP_CROWD_H
#define GOSSIP_CROWD_H

#include <stdbool.h>
#include <stdint.h>

#include "gossip/gossip.h"
#include "model/time.h"

#define NEWCOMERS_A_SLOT 4           // are met at once; more are a crowd (crowd.c)
#define CALM_NS (150 * NS_PER_MS)    // without a newcomer, and more for many: all have come
#define PASS_ON_NS (400 * NS_PER_MS) // what was repaired is told after that
#define PATIENCE_NS (10 * NS_PER_MS) // for each member of a crowd, until a neighbour pings
// All that a joining host is told at first comes within that.
#define INTRODUCTION_NS (50 * NS_PER_MS)
#define CROWD_ASK_SLOTS 2              // ping slots from one question to the next
#define ASK_AGAIN_NS (500 * NS_PER_MS) // of a helper that says nothing
#define HELPER_SILENT_NS NS_PER_S      // then whoever answers is the helper
#define CALM_ANSWERS 4                 // times what an answer takes: all are busy then
#define CALM_BUSY_MAX_NS (2 * NS_PER_S)
#define CROWD_FLEET 64               // members for which it is one more
#define CROWD_MAX_NS (6 * NS_PER_S)  // then neighbours are chosen among those who are here
#define CROWD_BUSY_NS (3 * NS_PER_S) // others may still be busy with it, after ours is over

struct origin;

struct crowd {
    uint64_t since_ns;                // 0: there is none
    uint64_t newcomer_ns;             // when the last one came
    uint64_t seen_ns;                 // the last moment of a crowd
    uint64_t asked_ns;                // who else came
    uint64_t pinged_ns;               // by somebody who has chosen
    uint32_t newcomers;               // in this ping slot
    bool newborn;                     // whoever we meet first may be few of many that start with us
    bool introduced;                  // it was the whole fleet that we joined
    uint64_t helped_ns;               // the helper's last answer
    uint64_t answer_ns;               // how long it took
    char helper[GOSSIP_ADDRESS_SIZE]; // who answered our first digest
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
