// SPDX-License-Identifier: Apache-2.0
// What the probes of `srv6-sim locate` run through: a leaf-spine fabric whose directed links lose
// packets independently, some of them too many, and whose links take time. Nothing queues.
#ifndef SIM_LOCATE_WORLD_H
#define SIM_LOCATE_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "locate.h"
#include "model/rng.h"

#define WORLD_BACKGROUND 1e-5 // lost on a healthy directed link
#define WORLD_FAULTS_MAX 4

// What a trial breaks.
enum world_case {
    WORLD_DOWN, // one directed link
    WORLD_LOSS_10,
    WORLD_LOSS_1,
    WORLD_LOSS_01,
    WORLD_HEALTHY,
    WORLD_CUT,   // a cable, both directions
    WORLD_TWO,   // two directed links lose 1 %
    WORLD_THREE, // one is down, one loses 10 %, one 3 %
    WORLD_LEAF,
    WORLD_SPINE,
    WORLD_NIC,
    WORLD_NIC_LOSS, // 1 % each way
    WORLD_SLOW,     // 5 us more on one directed link
    WORLD_CASES
};

struct world_fault {
    enum locate_fault fault;
    enum locate_place place;
    link_id link;
    node_id node;
    bool found;
};

struct world {
    struct fabric *fabric; // owned
    double *loss;          // by directed link
    uint64_t *delay_ns;
    struct world_fault faults[WORLD_FAULTS_MAX];
    uint32_t fault_count;
};

const char *world_case_name(enum world_case which);
// 16 hosts a leaf where they are divisible by it, as many leaves as that makes, and spines for the
// cables. -EINVAL when hosts and cables do not make at least two leaves and two spines.
int world_open(struct world *world, uint32_t hosts, uint32_t cables);
void world_close(struct world *world);
void world_break(struct world *world, enum world_case which, struct rng *rng);
// Sends a probe along links; false when it is lost. *delay_ns: how long it took.
bool world_probe(const struct world *world, const link_id *links, uint32_t count, struct rng *rng,
                 uint64_t *delay_ns);

#endif
