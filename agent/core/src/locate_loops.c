// SPDX-License-Identifier: Apache-2.0
#include "locate_loops.h"

#include <errno.h>
#include <stdlib.h>

#define HAIRPINS_PER_CABLE 2

// A leaf's cables to the switches above and its ports, as adjacencies.
struct leaf {
    node_id node;
    const struct fabric_adjacency *ups;
    uint32_t up_count;
    uint32_t first_port, port_count; // in maker.ports
    uint32_t turn;                   // of the ports
};

struct maker {
    const struct fabric *fabric;
    struct locate_loops *loops;
    struct leaf *leaves;
    port_id *ports; // by leaf
    uint32_t leaf_count;
    port_id only;
};

static int append(const struct maker *maker, const struct walk *walk, port_id port,
                  uint32_t round) {
    struct locate_loops *loops = maker->loops;
    if (maker->only.i != ID_NONE && maker->only.i != port.i) {
        return 0;
    }
    if (loops->count == loops->capacity) {
        uint32_t capacity = loops->capacity == 0 ? 256 : 2 * loops->capacity;
        struct locate_loop_spec *specs = realloc(loops->specs, capacity * sizeof *specs);
        if (specs == NULL) {
            return -ENOMEM;
        }
        loops->specs = specs;
        loops->capacity = capacity;
    }
    loops->specs[loops->count++] = (struct locate_loop_spec){*walk, round};
    return 0;
}

static port_id next_port(const struct maker *maker, struct leaf *leaf) {
    return maker->ports[leaf->first_port + leaf->turn++ % leaf->port_count];
}

static link_id up_from_host(const struct maker *maker, port_id port) {
    return link_of(maker->fabric->ports[port.i].cable, false);
}

// ---- loops on demand

static int make_host_loops(const struct maker *maker) {
    int rc = 0;
    for (uint32_t i = 0; i < maker->fabric->port_count && rc == 0; i++) {
        link_id up = up_from_host(maker, (port_id){i});
        struct walk walk = {.link_count = 2, .links = {up, link_opposite(up)}};
        rc = append(maker, &walk, (port_id){i}, LOCATE_ON_DEMAND);
    }
    return rc;
}

static int make_hairpins(const struct maker *maker, struct leaf *leaf) {
    int rc = 0;
    for (uint32_t i = 0; i < leaf->up_count && rc == 0; i++) {
        uint32_t times =
            leaf->port_count < HAIRPINS_PER_CABLE ? leaf->port_count : HAIRPINS_PER_CABLE;
        for (uint32_t k = 0; k < times && rc == 0; k++) {
            port_id port = next_port(maker, leaf);
            link_id up = up_from_host(maker, port), out = leaf->ups[i].link;
            struct walk walk = {.link_count = 4,
                                .links = {up, out, link_opposite(out), link_opposite(up)}};
            rc = append(maker, &walk, port, LOCATE_ON_DEMAND);
        }
    }
    return rc;
}

// ---- rounds

// Both leaves have the same switches above, cable by cable.
static bool are_alike(const struct leaf *a, const struct leaf *b) {
    bool alike = a->up_count == b->up_count;
    for (uint32_t i = 0; alike && i < a->up_count; i++) {
        alike = a->ups[i].peer.i == b->ups[i].peer.i;
    }
    return alike;
}

// Over the first's cable i up, down to the other; over its cable k up, and back.
static int make_pair_loop(const struct maker *maker, struct leaf *first, const struct leaf *other,
                          const uint32_t cables[2], uint32_t round) {
    port_id port = next_port(maker, first);
    link_id up = up_from_host(maker, port);
    struct walk walk = {.link_count = 6,
                        .links = {up, first->ups[cables[0]].link,
                                  link_opposite(other->ups[cables[0]].link),
                                  other->ups[cables[1]].link,
                                  link_opposite(first->ups[cables[1]].link), link_opposite(up)}};
    return append(maker, &walk, port, round);
}

static int make_pair(const struct maker *maker, struct leaf *a, struct leaf *b, uint32_t shift,
                     uint32_t round) {
    int rc = 0;
    for (uint32_t i = 0; i < a->up_count && rc == 0 && are_alike(a, b); i++) {
        uint32_t cables[2] = {i, (i + shift) % a->up_count};
        bool from_b = a->port_count == 0 || (b->port_count > 0 && (round + i) % 2 == 1);
        if (from_b) { // the same links, entered half-way
            uint32_t turned[2] = {cables[1], cables[0]};
            rc = make_pair_loop(maker, b, a, turned, round);
        } else {
            rc = make_pair_loop(maker, a, b, cables, round);
        }
    }
    return rc;
}

// Round robin by the circle method: of an even number of places the last stays, the others turn.
static int make_round(const struct maker *maker, struct leaf *leaves, uint32_t count,
                      uint32_t round) {
    uint32_t places = count + count % 2, turn = round % (places - 1);
    uint32_t shifts = leaves[0].up_count - 1;
    uint32_t shift = 1 + (round + round / (places - 1)) % shifts;
    int rc = 0;
    for (uint32_t i = 0; i < places / 2 && rc == 0; i++) {
        uint32_t a = i == 0 ? places - 1 : (turn + i) % (places - 1);
        uint32_t b = i == 0 ? turn : (turn + places - 1 - i) % (places - 1);
        if (a < count && b < count && leaves[a].port_count + leaves[b].port_count > 0) {
            rc = make_pair(maker, &leaves[a], &leaves[b], shift, round);
        }
    }
    return rc;
}

// Leaves of one plane follow each other.
static uint32_t plane_end(const struct maker *maker, uint32_t begin) {
    const struct fabric_node *nodes = maker->fabric->nodes;
    uint32_t end = begin;
    while (end < maker->leaf_count &&
           nodes[maker->leaves[end].node.i].plane == nodes[maker->leaves[begin].node.i].plane) {
        end++;
    }
    return end;
}

static int make_rounds(const struct maker *maker, uint32_t rounds) {
    int rc = 0;
    for (uint32_t round = 0; round < rounds && rc == 0; round++) {
        for (uint32_t begin = 0, end; begin < maker->leaf_count && rc == 0; begin = end) {
            end = plane_end(maker, begin);
            struct leaf *leaves = &maker->leaves[begin];
            uint32_t count = end - begin, places = count + count % 2;
            if (count > 1 && leaves->up_count > 1 &&
                round < (places - 1) * (leaves->up_count - 1)) {
                rc = make_round(maker, leaves, count, round);
            }
        }
    }
    return rc;
}

// ---- the fabric's leaves

static bool open_maker(struct maker *maker) {
    const struct fabric *fabric = maker->fabric;
    uint32_t filled = 0;
    maker->leaves = calloc(fabric->node_count, sizeof *maker->leaves);
    maker->ports = calloc(fabric->port_count + 1, sizeof *maker->ports);
    if (maker->leaves == NULL || maker->ports == NULL) {
        return false;
    }
    for (uint32_t n = 0; n < fabric->node_count; n++) {
        const struct fabric_node *node = &fabric->nodes[n];
        if (node->kind != NODE_LEAF) {
            continue;
        }
        struct leaf *leaf = &maker->leaves[maker->leaf_count++];
        *leaf = (struct leaf){.node = {n}, .first_port = filled};
        for (uint32_t i = 0; i < node->adjacency_count; i++) {
            const struct fabric_adjacency *next = &fabric->adjacencies[node->first_adjacency + i];
            if (fabric->nodes[next->peer.i].tier > node->tier) {
                leaf->ups = leaf->up_count == 0 ? next : leaf->ups;
                leaf->up_count++;
            }
        }
        for (uint32_t port = 0; port < fabric->port_count; port++) {
            if (fabric->ports[port].leaf.i == n) {
                maker->ports[filled++] = (port_id){port};
            }
        }
        leaf->port_count = filled - leaf->first_port;
    }
    return true;
}

int locate_loops_make(struct locate_loops *loops, const struct fabric *fabric, uint32_t rounds,
                      port_id port) {
    *loops = (struct locate_loops){0};
    struct maker maker = {.fabric = fabric, .loops = loops, .only = port};
    int rc = open_maker(&maker) ? make_rounds(&maker, rounds) : -ENOMEM;
    for (uint32_t i = 0; i < maker.leaf_count && rc == 0; i++) {
        rc = make_hairpins(&maker, &maker.leaves[i]);
    }
    rc = rc == 0 ? make_host_loops(&maker) : rc;
    free(maker.leaves);
    free(maker.ports);
    if (rc != 0) {
        locate_loops_free(loops);
    }
    return rc;
}

void locate_loops_free(struct locate_loops *loops) {
    free(loops->specs);
    *loops = (struct locate_loops){0};
}
