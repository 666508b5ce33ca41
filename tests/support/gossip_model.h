// SPDX-License-Identifier: Apache-2.0
// The reference for the replicated tables, in a few lines that share nothing with the core: what an
// origin holds is what its owner wrote since it last started. So every live host must hold exactly
// that of every live origin; and of a dead origin all must hold the same, nothing that the owner
// did not write.
#ifndef TESTS_GOSSIP_MODEL_H
#define TESTS_GOSSIP_MODEL_H

#include "gossip_net.h"

#define MODEL_KEYS 24

struct gossip_model {
    // Values are positive numbers, never used twice; 0: no value.
    uint32_t value[NET_HOSTS_MAX][MODEL_KEYS];
    uint32_t next_value;
};

void model_init(struct gossip_model *model);
// Each does the same to the model and to the host on the network.
void model_put(struct gossip_model *model, struct gossip_net *net, uint32_t host, uint32_t key);
void model_delete(struct gossip_model *model, struct gossip_net *net, uint32_t host, uint32_t key);
void model_restarted(struct gossip_model *model, uint32_t host); // with an empty memory
// True when every live host's view is as the model says; `text` says what differs first.
bool model_agrees(const struct gossip_model *model, const struct gossip_net *net, char text[160]);

#endif
