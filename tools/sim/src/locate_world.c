// SPDX-License-Identifier: Apache-2.0
#include "locate_world.h"

#include <errno.h>
#include <stdlib.h>

#define LINK_DELAY_NS 1000
#define JITTER_NS 400 // uniform, of each link
#define SLOW_NS 5000
#define HOSTS_PER_LEAF 16
#define TWO_TO_53 9007199254740992.0

static const struct {
    const char *name;
    uint32_t fault_count;
    double loss[WORLD_FAULTS_MAX]; // of directed links; 1: down
} cases[WORLD_CASES] = {
    [WORLD_DOWN] = {"down", 1, {1}},
    [WORLD_LOSS_10] = {"10 % loss", 1, {0.1}},
    [WORLD_LOSS_1] = {"1 % loss", 1, {0.01}},
    [WORLD_LOSS_01] = {"0.1 % loss", 1, {0.001}},
    [WORLD_HEALTHY] = {"no fault", 0, {0}},
    [WORLD_CUT] = {"cable cut", 0, {0}},
    [WORLD_TWO] = {"two of 1 %", 2, {0.01, 0.01}},
    [WORLD_THREE] = {"down, 10 %, 3 %", 3, {1, 0.1, 0.03}},
    [WORLD_LEAF] = {"leaf dead", 0, {0}},
    [WORLD_SPINE] = {"spine dead", 0, {0}},
    [WORLD_NIC] = {"NIC dead", 0, {0}},
    [WORLD_NIC_LOSS] = {"NIC 1 % loss", 0, {0}},
    [WORLD_SLOW] = {"5 us slow", 0, {0}},
};

const char *world_case_name(enum world_case which) {
    return cases[which].name;
}

// ---- the fabric

static void ignore(void *context, const struct error *error) {
    (void)context;
    (void)error;
}

int world_open(struct world *world, uint32_t hosts, uint32_t cables) {
    uint32_t per_leaf = hosts % HOSTS_PER_LEAF == 0 && hosts > HOSTS_PER_LEAF ? HOSTS_PER_LEAF : 1;
    uint32_t leaves = hosts / per_leaf;
    if (leaves < 2 || cables % leaves != 0 || cables / leaves < 2) {
        return -EINVAL;
    }
    struct fabric_clos_desc clos = {.kind = "leaf-spine",
                                    .leaves = leaves,
                                    .spines = cables / leaves,
                                    .hosts_per_leaf = per_leaf,
                                    .cables = 1,
                                    .host_bps = 400000000000,
                                    .fabric_bps = 400000000000};
    struct fabric_desc desc = {.source = "locate",
                               .version = 1,
                               .generation = 1,
                               .name = "locate",
                               .block = "fcbb:bb00::/32",
                               .clos = &clos};
    *world = (struct world){.fabric = fabric_open(&desc, ignore, NULL)};
    if (world->fabric == NULL) {
        return -EINVAL;
    }
    world->loss = calloc(fabric_link_count(world->fabric), sizeof *world->loss);
    world->delay_ns = calloc(fabric_link_count(world->fabric), sizeof *world->delay_ns);
    if (world->loss == NULL || world->delay_ns == NULL) {
        world_close(world);
        return -ENOMEM;
    }
    return 0;
}

void world_close(struct world *world) {
    fabric_close(world->fabric);
    free(world->loss);
    free(world->delay_ns);
    *world = (struct world){0};
}

// ---- faults

static void add_fault(struct world *world, struct world_fault fault) {
    world->faults[world->fault_count++] = fault;
}

// A directed link between switches that is not broken yet.
static link_id some_link(const struct world *world, struct rng *rng) {
    link_id link;
    do {
        link.i = (uint32_t)rng_below(rng, fabric_link_count(world->fabric));
    } while (!fabric_link_is_internal(world->fabric, link) ||
             world->loss[link.i] > WORLD_BACKGROUND);
    return link;
}

static void break_link(struct world *world, link_id link, double loss) {
    world->loss[link.i] = loss;
    add_fault(world, (struct world_fault){.fault = loss >= 1 ? LOCATE_DOWN : LOCATE_LOSSY,
                                          .place = LOCATE_LINK,
                                          .link = link,
                                          .node = {ID_NONE}});
}

static void break_switch(struct world *world, enum node_kind kind, struct rng *rng) {
    const struct fabric *fabric = world->fabric;
    node_id node;
    do {
        node.i = (uint32_t)rng_below(rng, fabric->node_count);
    } while (fabric->nodes[node.i].kind != kind);
    for (uint32_t i = 0; i < fabric_link_count(fabric); i++) {
        if (fabric_link_from(fabric, (link_id){i}).i == node.i ||
            fabric_link_to(fabric, (link_id){i}).i == node.i) {
            world->loss[i] = 1;
        }
    }
    add_fault(world, (struct world_fault){.fault = LOCATE_DOWN,
                                          .place = kind == NODE_LEAF ? LOCATE_LEAF : LOCATE_SPINE,
                                          .link = {ID_NONE},
                                          .node = node});
}

static void break_nic(struct world *world, double loss, struct rng *rng) {
    port_id port = {(uint32_t)rng_below(rng, world->fabric->port_count)};
    link_id up = link_of(world->fabric->ports[port.i].cable, false);
    world->loss[up.i] = world->loss[link_opposite(up).i] = loss;
    add_fault(world, (struct world_fault){.fault = loss >= 1 ? LOCATE_DOWN : LOCATE_LOSSY,
                                          .place = LOCATE_HOST,
                                          .link = up,
                                          .node = {ID_NONE}});
}

static void slow_link(struct world *world, link_id link) {
    world->delay_ns[link.i] += SLOW_NS;
    add_fault(world, (struct world_fault){.fault = LOCATE_SLOW,
                                          .place = LOCATE_LINK,
                                          .link = link,
                                          .node = {ID_NONE}});
}

void world_break(struct world *world, enum world_case which, struct rng *rng) {
    for (uint32_t i = 0; i < fabric_link_count(world->fabric); i++) {
        world->loss[i] = WORLD_BACKGROUND;
        world->delay_ns[i] = LINK_DELAY_NS;
    }
    world->fault_count = 0;
    for (uint32_t i = 0; i < cases[which].fault_count; i++) {
        break_link(world, some_link(world, rng), cases[which].loss[i]);
    }
    if (which == WORLD_CUT) {
        link_id link = some_link(world, rng);
        break_link(world, link, 1);
        break_link(world, link_opposite(link), 1);
    } else if (which == WORLD_LEAF || which == WORLD_SPINE) {
        break_switch(world, which == WORLD_LEAF ? NODE_LEAF : NODE_SPINE, rng);
    } else if (which == WORLD_NIC || which == WORLD_NIC_LOSS) {
        break_nic(world, which == WORLD_NIC ? 1 : 0.01, rng);
    } else if (which == WORLD_SLOW) {
        slow_link(world, some_link(world, rng));
    }
}

// ---- probes

bool world_probe(const struct world *world, const link_id *links, uint32_t count, struct rng *rng,
                 uint64_t *delay_ns) {
    double kept = 1;
    uint64_t delay = 0;
    for (uint32_t i = 0; i < count; i++) {
        kept *= 1 - world->loss[links[i].i];
        delay += world->delay_ns[links[i].i];
    }
    uint64_t drawn = rng_next(rng);
    *delay_ns = delay + (drawn & 0x3ff) * count * JITTER_NS / 1024;
    return (double)(drawn >> 11) / TWO_TO_53 < kept;
}
