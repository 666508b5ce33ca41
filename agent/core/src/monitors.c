// SPDX-License-Identifier: Apache-2.0
#include "monitors.h"

#include <errno.h>
#include <stdlib.h>

#include "model/rng.h"

#define NEAR_HOSTS 2
#define FAR_HOSTS 2
#define SEATS (NEAR_HOSTS + FAR_HOSTS)
_Static_assert(SEATS <= CABLE_OBSERVERS_MAX, "all who are elected have a place in the result");
// Leaves drawn in search of two that serve; a bound, reached only when nearly all hosts are dead.
#define DRAWS_MAX 256

// Leaves plane by plane, each in order.
static void group_leaves(struct monitors *monitors) {
    const struct fabric *fabric = monitors->fabric;
    for (uint32_t i = 0; i < fabric->node_count; i++) {
        if (fabric->nodes[i].kind == NODE_LEAF) {
            monitors->plane_first[fabric->nodes[i].plane + 2]++;
        }
    }
    for (uint32_t i = 1; i < fabric->node_count + 2; i++) {
        monitors->plane_first[i] += monitors->plane_first[i - 1];
    }
    for (uint32_t i = 0; i < fabric->node_count; i++) {
        if (fabric->nodes[i].kind == NODE_LEAF) {
            monitors->leaves[monitors->plane_first[fabric->nodes[i].plane + 1]++] = i;
        }
    }
}

int monitors_init(struct monitors *monitors, const struct fabric *fabric) {
    *monitors = (struct monitors){.fabric = fabric};
    monitors->leaf_ports = calloc(fabric->port_count, sizeof(uint32_t));
    monitors->leaf_first = calloc((size_t)fabric->node_count + 2, sizeof(uint32_t));
    monitors->leaves = calloc(fabric->node_count, sizeof(uint32_t));
    monitors->plane_first = calloc((size_t)fabric->node_count + 2, sizeof(uint32_t));
    if (monitors->leaf_ports == NULL || monitors->leaf_first == NULL || monitors->leaves == NULL ||
        monitors->plane_first == NULL) {
        monitors_fini(monitors);
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < fabric->port_count; i++) {
        monitors->leaf_first[fabric->ports[i].leaf.i + 2]++;
    }
    for (uint32_t i = 1; i < fabric->node_count + 2; i++) {
        monitors->leaf_first[i] += monitors->leaf_first[i - 1];
    }
    for (uint32_t i = 0; i < fabric->port_count; i++) {
        monitors->leaf_ports[monitors->leaf_first[fabric->ports[i].leaf.i + 1]++] = i;
    }
    group_leaves(monitors);
    return 0;
}

void monitors_fini(struct monitors *monitors) {
    free(monitors->leaf_ports);
    free(monitors->leaf_first);
    free(monitors->leaves);
    free(monitors->plane_first);
    *monitors = (struct monitors){0};
}

struct seat {
    uint32_t port, host;
};

struct election {
    const struct monitors *monitors;
    const bool *live;
    cable_id cable;
    struct seat seats[SEATS];
    unsigned seat_count;
};

static bool is_seated(const struct election *election, uint32_t host) {
    for (unsigned i = 0; i < election->seat_count; i++) {
        if (election->seats[i].host == host) {
            return true;
        }
    }
    return false;
}

// Seats the live host of the leaf with the highest score that has no seat yet. False: there is
// none.
static bool seat_one(struct election *election, uint32_t leaf) {
    const struct monitors *monitors = election->monitors;
    uint64_t best_score = 0;
    struct seat best = {ID_NONE, ID_NONE};
    for (uint32_t i = monitors->leaf_first[leaf]; i < monitors->leaf_first[leaf + 1]; i++) {
        uint32_t port = monitors->leaf_ports[i];
        uint32_t host = monitors->fabric->ports[port].host.i;
        uint64_t score = hash_pair(election->cable.i, port);
        if (election->live[host] && !is_seated(election, host) &&
            (best.port == ID_NONE || score > best_score)) {
            best = (struct seat){port, host};
            best_score = score;
        }
    }
    if (best.port == ID_NONE) {
        return false;
    }
    election->seats[election->seat_count++] = best;
    return true;
}

static bool are_adjacent(const struct fabric *fabric, uint32_t a, node_id b) {
    uint32_t count;
    return fabric_find_adjacency(fabric, (node_id){a}, b, &count) != NULL;
}

enum side { SIDE_NEAR, SIDE_FAR };

// Whether a leaf may provide observers of a side. Cables of a leaf: near is that leaf, far any
// other leaf below the same upper switch. Cables above the leaves: near are the leaves of the pod,
// far those of other pods.
static bool leaf_serves(const struct fabric *fabric, const struct fabric_cable *cable,
                        uint32_t leaf, enum side side) {
    const struct fabric_node *lower = &fabric->nodes[cable->a.i];
    if (lower->kind == NODE_LEAF) {
        return side == SIDE_NEAR ? leaf == cable->a.i
                                 : leaf != cable->a.i && are_adjacent(fabric, leaf, cable->b);
    }
    bool same_pod = are_adjacent(fabric, leaf, cable->a);
    return side == SIDE_NEAR ? same_pod : !same_pod;
}

// Draws leaves of the cable's plane in an order that depends on the cable alone until `wanted` of
// them gave a host.
static void seat_by_draw(struct election *election, enum side side, unsigned wanted) {
    const struct monitors *monitors = election->monitors;
    const struct fabric *fabric = monitors->fabric;
    const struct fabric_cable *cable = &fabric->cables[election->cable.i];
    uint32_t plane = fabric->nodes[cable->a.i].plane;
    const uint32_t *leaves = monitors->leaves + monitors->plane_first[plane];
    uint32_t count = monitors->plane_first[plane + 1] - monitors->plane_first[plane];
    if (count == 0) {
        return;
    }
    uint64_t start = hash_pair(election->cable.i, 17U + (unsigned)side) % count;
    uint32_t draws = count < DRAWS_MAX ? count : DRAWS_MAX;
    // The second round, where there are fewer leaves than wanted: a second host of one that serves.
    for (uint32_t i = 0; i < 2 * draws && wanted > 0; i++) {
        uint32_t leaf = leaves[(start + i % draws) % count];
        if (leaf_serves(fabric, cable, leaf, side) && seat_one(election, leaf)) {
            wanted--;
        }
    }
}

static void elect_for(struct election *election) {
    const struct fabric *fabric = election->monitors->fabric;
    const struct fabric_cable *cable = &fabric->cables[election->cable.i];
    if (fabric->nodes[cable->a.i].kind == NODE_LEAF) {
        for (unsigned i = 0; i < NEAR_HOSTS; i++) {
            seat_one(election, cable->a.i);
        }
    } else {
        seat_by_draw(election, SIDE_NEAR, NEAR_HOSTS);
    }
    seat_by_draw(election, SIDE_FAR, FAR_HOSTS);
}

uint32_t monitors_elect(const struct monitors *monitors, const bool *live, node_id self,
                        struct cable_observers *observers, cable_id *cables, uint32_t *ports) {
    const struct fabric *fabric = monitors->fabric;
    uint32_t count = 0;
    for (uint32_t i = 0; i < fabric->cable_count; i++) {
        observers[i] = (struct cable_observers){.count = 0};
        if (fabric->nodes[fabric->cables[i].a.i].kind == NODE_HOST) {
            continue;
        }
        struct election election = {.monitors = monitors, .live = live, .cable = {i}};
        elect_for(&election);
        for (unsigned s = 0; s < election.seat_count; s++) {
            observers[i].hosts[observers[i].count++].i = election.seats[s].host;
            if (election.seats[s].host == self.i) {
                cables[count] = (cable_id){i};
                ports[count] = fabric->ports[election.seats[s].port].index;
                count++;
            }
        }
    }
    return count;
}
