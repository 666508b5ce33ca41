// SPDX-License-Identifier: Apache-2.0
// The base of a swarm: one core that all hosts introduced themselves to, and which is not stepped
// again. Internal to swarm.
#ifndef SIM_SWARM_BASE_H
#define SIM_SWARM_BASE_H

#include "swarm.h"

// Sets swarm->base. -ENOMEM, or what the core says; -EPROTO when the base refuses a host.
int swarm_build_base(struct swarm *swarm, struct error *error);
// A host's configuration, as of its first life; in swarm.c.
void swarm_configure(const struct swarm *swarm, uint32_t host, struct gossip_config *out);
// Drops what a core says and reports.
void swarm_hush(struct gossip *core);

#endif
