// SPDX-License-Identifier: Apache-2.0
// A fleet of hosts that gossip: who they are, which of them live, and what all of them knew when
// the simulation begins.
//
// Host i is "h<i>" in the rack of leaf i/32, at tcp://10.x.y.z:7946. Each has written what an agent
// has written when nothing happens: member facts, and a report on each of its links to watch. These
// first lives are told to one core, the base, which the cores of all live hosts then share: they
// begin where their first lives ended.
#ifndef SIM_SWARM_H
#define SIM_SWARM_H

#include "gossip/gossip.h"
#include "model/error.h"

#define SWARM_LINKS 4 // that a host reports on

struct swarm_config {
    uint32_t hosts;
    double dead_share; // of all hosts; those in dark racks come on top
    uint32_t dark_racks;
    uint64_t seed;
    uint32_t neighbours; // 0: as the core has it
    bool sign;
};

struct swarm {
    struct swarm_config config;
    bool *live;
    uint32_t live_count;
    struct gossip_public_key *keys;  // sorted by host; NULL: states are not signed
    struct gossip_signing *signings; // each host's
    struct gossip *base;
};

// -EINVAL when fewer than two hosts would live, -ENOMEM, or what the core says. Hosts are dead in
// racks that are dark, and dead_share of all (rounded down) elsewhere. *out is the caller's:
// swarm_fini.
int swarm_init(const struct swarm_config *config, struct swarm *out, struct error *error);
void swarm_fini(struct swarm *swarm);
// A live host's core as it is at `now_ns`, after what neighbours say when they meet. *out owned;
// before the swarm is gone it must be closed.
int swarm_open_core(const struct swarm *swarm, uint32_t host, uint64_t now_ns, struct gossip **out,
                    struct error *error);
void swarm_name(uint32_t host, char name[NAME_SIZE]);
void swarm_address(uint32_t host, char address[GOSSIP_ADDRESS_SIZE]);
uint32_t swarm_host_at(const char *address); // of swarm_address
// The n-th link that a host watches.
void swarm_link_name(uint32_t host, uint32_t nth, char name[GOSSIP_KEY_MAX]);

#endif
